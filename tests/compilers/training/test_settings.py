import numpy as np
import pytest
import torch

from compilers.training import TrainingData, TrainSettings
from netgraph.errors import DataError, OptionError


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"epochs": 0}, "epochs=0"),
        ({"batch_size": 0}, "batch_size=0"),
        ({"score_batches": 0}, "score_batches=0"),
        ({"weight_decay": -0.1}, "weight_decay=-0.1"),
        ({"weight_decay": float("nan")}, "weight_decay"),
        ({"patience": -1}, "patience=-1"),
        ({"seed": -1}, "seed=-1"),
        ({"learning_rate": 0.0}, "learning_rate=0.0"),
        ({"learning_rate": -1.0}, "learning_rate"),
        ({"learning_rate": float("nan")}, "learning_rate"),
        ({"learning_rate": float("inf")}, "learning_rate"),
        ({"label_smoothing": 1.0}, "label_smoothing"),
        ({"label_smoothing": -0.1}, "label_smoothing"),
        ({"damping": 0.0}, "damping=0.0"),
        ({"damping": float("inf")}, "damping=inf"),
        ({"optimizer": "adamv"}, "Did you mean 'adam"),
        ({"augment": "crop-flip"}, r"Did you mean 'crop\+flip'"),
        ({"crop_padding": 0}, "crop_padding=0"),
        ({"optimizer": "natura"}, "Did you mean 'natural'"),
        ({"curve": "cosin"}, "Did you mean 'cosine'"),
    ],
)
def test_settings_that_cannot_be_used_are_refused(options, message):
    with pytest.raises(OptionError, match=message):
        TrainSettings(**options)


def test_arrays_are_converted():
    data = TrainingData.from_arrays(
        np.zeros((4, 2)), np.arange(4, dtype=np.uint8), np.zeros((2, 2)), np.arange(2), task="classification"
    )
    assert data.x_train.dtype == data.x_valid.dtype == torch.float32
    assert data.y_train.dtype == torch.int64
    assert data.device == torch.device("cpu")
    data = TrainingData.from_arrays(
        np.zeros((4, 2)), np.zeros((4, 3)), np.zeros((2, 2)), np.zeros((2, 3)), task="regression"
    )
    assert data.y_train.dtype == torch.float32


def test_data_is_a_copy():
    x, y = np.zeros((4, 2), dtype=np.float32), np.zeros(4, dtype=np.int64)
    data = TrainingData.from_arrays(x, y, x, y, task="classification")
    x[:], y[:] = 1, 1
    assert not data.x_train.any()
    assert not data.y_train.any()


@pytest.mark.parametrize(
    ("sizes", "task", "message"),
    [
        ((4, 3, 2, 2), "classification", "x_train has 4 samples and y_train 3"),
        ((4, 4, 2, 1), "classification", "x_valid has 2 samples and y_valid 1"),
        ((0, 0, 2, 2), "classification", "not be empty"),
        ((4, 4, 0, 0), "classification", "not be empty"),
        ((4, 4, 2, 2), "clasification", "Did you mean 'classification'"),
    ],
)
def test_data_that_cannot_be_used_is_refused(sizes, task, message):
    a, b, c, d = (torch.zeros(size, 2) for size in sizes)
    with pytest.raises(DataError, match=message):
        TrainingData(a, b, c, d, task)
