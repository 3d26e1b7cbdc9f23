"""Small data, a method that grows and prunes within a few epochs, and a comparison of training states."""

from functools import cache

import numpy as np
import pytest
import torch
from sklearn.datasets import load_diabetes, load_digits

import netgraph as ng
from compilers import lift, optimizer_state_arrays
from compilers.training import Settled, TrainingData, TrainSettings, begin, load_checkpoint, save_checkpoint, train
from netgraph.criteria import TopK
from netgraph.methods import Method, PruneToBudget, Split
from netgraph.schedules import EveryEpochs

EPOCHS = 7
CPU = torch.device("cpu")


@cache
def digits(train_samples=256, valid_samples=64):
    x, y = load_digits(return_X_y=True)
    a, b = train_samples, train_samples + valid_samples
    return TrainingData.from_arrays(x[:a] / 16, y[:a], x[a:b] / 16, y[a:b], task="classification")


@cache
def diabetes(outputs=1):
    x, y = load_diabetes(return_X_y=True)
    x = (x - x.min(axis=0)) / np.ptp(x, axis=0)
    y = np.stack([(y - y.mean()) / y.std()] * outputs, axis=1) * np.arange(1, outputs + 1)
    return TrainingData.from_arrays(x[:300], y[:300], x[300:], y[300:], task="regression")


def settings(**options):
    return TrainSettings(**{"epochs": EPOCHS, "batch_size": 64, "learning_rate": 1e-2, "score_batches": 3, **options})


def growth(edges=655):
    """Two expansions, after epochs 2 and 4, and pruning back after epochs 4 to 6."""
    split = Split(selection=TopK(6), trigger=EveryEpochs(2), expansions=2)
    return Method("tiny", (split, PruneToBudget(edges=edges, start=0.5, end=1.0)))


def start_graph(data, seed=0, hidden=(), **options):
    outputs = 10 if data.task == "classification" else data.y_train.shape[1]
    return ng.mlp([data.x_train.shape[1], *hidden, outputs], domain=(0, 1), seed=seed, **options)


def run(data=None, options=None, method=None, callbacks=()):
    data, options = data or digits(), options or settings()
    return train(begin(start_graph(data), options, CPU), data, options, method or growth(), callbacks)


class Killed(Exception):
    """What ends a run before its time."""


def saving(path, state, until):
    """A callback that saves when the state is settled, and dies after epoch `until`; never when that is None."""

    def callback(event):
        if isinstance(event, Settled):
            save_checkpoint(state, path)
            if event.epoch == until:
                raise Killed

    return callback


def killed_and_resumed(path, first, data, options, method, until):
    """The state of a run from `first` that is killed after epoch `until`, and goes on from its checkpoint."""
    state = begin(first, options, CPU)
    with pytest.raises(Killed):
        train(state, data, options, method, [saving(path, state, until)])
    return train(load_checkpoint(path, options, CPU), data, options, method)


def without_seconds(history):
    return [{k: v for k, v in entry.items() if k != "seconds"} for entry in history]


def assert_same_state(one, two):
    """Equal bit for bit: graph, optimizer, history (but for wall time), actions, start."""
    assert without_seconds(one.history) == without_seconds(two.history)
    assert one.actions == two.actions
    assert one.stopped == two.stopped
    assert lift(one.net).equals(lift(two.net))
    arrays, others = optimizer_state_arrays(one.optimizer), optimizer_state_arrays(two.optimizer)
    assert arrays.keys() == others.keys()
    for name, values in arrays.items():
        assert values.dtype == others[name].dtype
        assert torch.equal(values, others[name]), name
