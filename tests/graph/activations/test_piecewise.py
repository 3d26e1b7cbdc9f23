"""Piecewise linear activations: derivatives at kinks, rounding of the mirror identity."""

import numpy as np

from netgraph.graph import ACTIVATIONS


def test_kinks():
    zero, six = np.zeros(1), np.full(1, 6.0)
    cases = (("relu", 0.01, 0.0), ("relu6", 0.01, 0.0), ("leaky_relu", 0.1, 1.0), ("prelu", 0.01, 1.0))
    for name, slope, expected in cases:
        assert ACTIVATIONS[name].value_and_derivatives(zero, {"slope": np.full(1, 0.25)}, slope).argument == expected
    assert ACTIVATIONS["relu6"].value_and_derivatives(six, {}, 0.01).argument == 0


def test_mirror_knows_its_rounding():
    exact = ACTIVATIONS["leaky_relu"].mirror({}, 0.25)
    assert exact == (1, -1.25, 0, 0)
    _a, b, _c, error = ACTIVATIONS["prelu"].mirror({"slope": np.array([1e-17, 0.5])}, 0.0)
    np.testing.assert_array_equal(b, [-1, -1.5])
    np.testing.assert_array_equal(error, [1e-17, 0])


def test_relu6_is_constant_above_6_in_every_precision():
    for dtype in (np.float16, np.float32, np.float64):
        values = ACTIVATIONS["relu6"].function(np.array([-2, 0, 3, 6, 7, 1e4], dtype), {}, 0.0)
        assert values.dtype == dtype
        np.testing.assert_array_equal(values, [0, 0, 3, 6, 6, 6])
