"""Training that is no longer finite says what most likely made it so, and what stands."""

import numpy as np
import pytest
import torch

import netgraph as ng
from compilers.training import TrainingData, TrainSettings, begin, train
from netgraph.errors import DivergenceError

CPU = torch.device("cpu")
ANY = (-1e38, 1e38)


def failed(*, domain=ANY, change=None, epochs=2, **settings):
    """The message of a run on data that `change` spoils, by the name of the array."""
    x = np.random.default_rng(0).random((24, 2), dtype=np.float32)
    arrays = {"x_train": x, "y_train": x[:, :1].copy(), "x_valid": x[:6].copy(), "y_valid": x[:6, :1].copy()}
    for name, spoil in (change or {}).items():
        arrays[name] = spoil(arrays[name].copy())
    data = TrainingData(**{name: torch.from_numpy(values) for name, values in arrays.items()}, task="regression")
    options = TrainSettings(epochs=epochs, **settings)
    with pytest.raises(DivergenceError) as caught:
        train(begin(ng.mlp([2, 4, 1], domain=domain), options, CPU), data, options)
    return str(caught.value)


def spoiled(row, value):
    def change(values):
        values[row, 0] = value
        return values

    return change


@pytest.mark.parametrize("name", ["y_train", "y_valid"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_target_that_is_no_number_is_named_and_nothing_else_is_blamed(name, value):
    text = failed(change={name: spoiled(3, value)})
    assert f"{name} has {value} at row 3, position 0" in text
    assert "rate" not in text


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["x_train", "x_valid"], "(1) x_train and x_valid have values up to 9.7"),
        (["x_valid"], "(1) x_valid has values up to"),
        (["y_train", "y_valid"], "(1) y_train and y_valid have values up to 9.7"),
        (["y_valid"], "(1) y_valid has values up to"),
    ],
)
def test_data_of_a_size_that_overflows_come_before_the_rate(names, words):
    text = failed(change={name: lambda values: values * np.float32(1e30) for name in names})
    assert words in text
    assert text.index("size near 1") < text.index("(2) learning_rate=0.002")
    kind = "inputs" if names[0][0] == "x" else "targets"
    assert f"{kind} from " in text
    assert "e+29)" in text or "e+29, targets" in text


def test_of_ordinary_data_the_rate_is_the_cause():
    text = failed(learning_rate=1e30, weight_decay=0.0)
    assert "The likely cause: learning_rate=1e+30 is too high" in text
    assert "The data are finite (inputs from 0.0" in text
    assert "damping" in failed(learning_rate=1e30, weight_decay=0.0, optimizer="natural")


def test_a_decay_that_makes_weights_larger_is_named():
    text = failed(weight_decay=1e30)
    assert "(1) weight_decay=1e+30 times learning_rate=0.002 is 2e+27" in text
    assert "(1) learning_rate=1e+30" in failed(learning_rate=1e30)


def test_what_stands_is_said_as_it_is():
    first = failed(learning_rate=1e30)
    assert "No epoch had ended before, so no trained state stands." in first
    assert "epoch 0" not in first
    assert "checkpoint" not in first  # the loop writes none
    later = failed(learning_rate=7.0, optimizer="sgd", weight_decay=0.0, epochs=60, batch_size=24)
    epoch = int(later.split("not finite after epoch ")[1].split(".")[0])
    assert epoch > 1
    assert f"The last state that is finite is that after epoch {epoch - 1}; training losses up to it: " in later
