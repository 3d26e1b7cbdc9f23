"""Piecewise linear activations: derivatives at kinks, rounding of the mirror identity."""

import numpy as np

from netgraph.graph import ACTIVATIONS


def test_kinks():
    zero = np.zeros(1)
    for name, slope, expected in (("relu", 0.01, 0.0), ("leaky_relu", 0.1, 1.0), ("prelu", 0.01, 1.0)):
        assert ACTIVATIONS[name].value_and_derivatives(zero, {"slope": np.full(1, 0.25)}, slope).argument == expected


def test_mirror_knows_its_rounding():
    exact = ACTIVATIONS["leaky_relu"].mirror({}, 0.25)
    assert exact == (1, -1.25, 0, 0)
    _a, b, _c, error = ACTIVATIONS["prelu"].mirror({"slope": np.array([1e-17, 0.5])}, 0.0)
    np.testing.assert_array_equal(b, [-1, -1.5])
    np.testing.assert_array_equal(error, [1e-17, 0])
