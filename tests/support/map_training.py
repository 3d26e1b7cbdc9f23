"""Small convolutional networks and the digits of scikit-learn as maps."""

from functools import cache

import numpy as np
from sklearn.datasets import load_digits

import netgraph as ng
from compilers.training import TrainingData, TrainSettings
from netgraph.graph import Graph, GraphBuilder


@cache
def digit_maps(train_samples: int = 768, valid_samples: int = 256) -> TrainingData:
    """(samples, 1, 8, 8) maps with values from 0 to 1, of all writers in both parts."""
    x, y = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(x))
    x, y = x[order].reshape(-1, 1, 8, 8) / 16, y[order]
    a, b = train_samples, train_samples + valid_samples
    return TrainingData.from_arrays(x[:a], y[:a], x[a:b], y[a:b], task="classification")


def tiny_resnet(seed: int = 0) -> Graph:
    """Three residual blocks of 4, 8 and 16 maps."""
    return ng.resnet(8, width=4, input_size=(1, 8, 8), domain=(0, 1), seed=seed)


def tiny_vgg(seed: int = 0, *, batch_norm: bool = True, dtype: type = np.float32) -> Graph:
    """Two stages of two convolutions, each closed by a max pool, and a dense layer on the whole grid."""
    b = GraphBuilder(seed=seed, init="kaiming", dtype=dtype)
    last, side = b.input("input", 1, grid=(8, 8), domain=(0, 1)), 8
    for stage, width in enumerate((6, 10), start=1):
        for i in (1, 2):
            name = b.layer(
                f"conv{stage}_{i}", width, grid=(side, side), norm="batch" if batch_norm else "none",
                pool=ng.Pool("max", (2, 2)) if i == 2 else None,
            )  # fmt: skip
            b.conv2d(last, name, kernel=3, padding=1)
            last = name
        side //= 2
    b.layer("dense", 16)
    b.conv2d(last, "dense", kernel=side)
    b.output("output", 10)
    b.dense("dense", "output")
    return b.build()


NETWORKS = {"resnet": tiny_resnet, "vgg": tiny_vgg}


def settings(**options: object) -> TrainSettings:
    """A few epochs at a rate that suits both networks."""
    usual = {"epochs": 5, "batch_size": 32, "learning_rate": 1e-2, "weight_decay": 1e-3, "score_batches": 2}
    return TrainSettings(**{**usual, **options})  # type: ignore[arg-type]
