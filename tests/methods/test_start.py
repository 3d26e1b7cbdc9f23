"""What a method is told of the data, and what the shipped methods make of it."""

import numpy as np
import pytest

import netgraph as ng
from netgraph.errors import OptionError
from netgraph.methods import METHODS, Start, get_method


@pytest.mark.parametrize("shape", [(64,), (1, 8, 8), (4, 4, 4)])
def test_ssonn_starts_at_a_linear_graph_of_all_features(shape):
    spec = get_method("ssonn")
    start = Start(shape=shape, outputs=3, domain=(0.0, 1.0), seed=5)
    assert spec.start(spec.make_options(), start).equals(ng.mlp([64, 3], domain=(0.0, 1.0), seed=5))
    assert dict(spec.training) == {}


def test_every_method_has_training_settings_that_exist():
    from compilers.training import TrainSettings

    for spec in METHODS.values():
        TrainSettings(**spec.training)


@pytest.mark.parametrize("channels_last", [False, True])
def test_bounds_of_channels_are_those_of_the_features(channels_last):
    low, high = np.array([0.0, 1.0, 2.0]), np.array([3.0, 4.0, 5.0])
    start = Start(shape=(3, 2, 4), outputs=2, domain=(low, high), seed=0, channels_last=channels_last)
    stored = (2, 4, 3) if channels_last else (3, 2, 4)
    channel = np.indices(stored)[2 if channels_last else 0].ravel()
    for bound, flat in zip((low, high), start.flat_domain, strict=True):
        assert np.array_equal(flat, bound[channel])


def test_bounds_of_features_and_numbers_stay():
    low, high = np.zeros(4), np.arange(1.0, 5.0)
    assert Start(shape=(4,), outputs=2, domain=(low, high), seed=0).flat_domain == (low, high)
    assert Start(shape=(3, 2, 2), outputs=2, domain=(0.0, 1.0), seed=0).flat_domain == (0.0, 1.0)


def test_only_images_are_maps():
    assert Start(shape=(3, 2, 4), outputs=2, domain=(0, 1), seed=0).maps == (3, 2, 4)
    with pytest.raises(OptionError, match=r"row of 12 features.*\.npz"):
        _ = Start(shape=(12,), outputs=2, domain=(0, 1), seed=0).maps
