"""The rational activation: golden values, and a range that is hard to compute."""

import numpy as np
import pytest
from senn_case import GOLDEN

from netgraph.graph import ACTIVATIONS


@pytest.mark.parametrize("case", GOLDEN["rational_activation"], ids=lambda c: f"v={c['v']},c={c['c']},l={c['l']}")
def test_golden_rational_activations(case):
    p = {k: np.array([case[k]]) for k in "vcl"}
    found = ACTIVATIONS["rational"].value_and_derivatives(np.array(case["x"]), p, 0.01)
    np.testing.assert_allclose(found.value, case["y"], rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(found.argument, case["dy_dx"], rtol=1e-12, atol=1e-15)
    for key in "vcl":
        np.testing.assert_allclose(found.parameters[key], case[f"dy_d{key}"], rtol=1e-10, atol=1e-14)


def test_a_double_root_of_the_rational_derivative_is_no_danger():
    # l (1 + t^2)^2 + 2 v (1 - t^2) = 0 has double roots at v = 4 l: l (t^2 - 3)^2.
    p = {"v": np.array([4.0]), "c": np.array([0.0]), "l": np.array([1.0])}
    below, above = ACTIVATIONS["rational"].interval(np.array([-5.0]), np.array([5.0]), p, 0.0)
    ends = ACTIVATIONS["rational"].function(np.array([-5.0, 5.0]), p, 0.0)
    np.testing.assert_allclose([below[0], above[0]], ends, rtol=1e-9)
