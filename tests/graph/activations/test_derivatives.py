"""Derivatives of activations, against finite differences and golden values."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from senn_case import GOLDEN

from netgraph.errors import GraphError
from netgraph.graph import ACTIVATIONS
from netgraph.graph.activations.derivatives import DERIVATIVES, value_and_derivatives

numbers = st.floats(-6, 6).map(lambda x: round(x, 3))


def test_every_activation_has_derivatives():
    assert set(DERIVATIVES) | {"rational"} == set(ACTIVATIONS)
    with pytest.raises(GraphError, match="reul"):
        value_and_derivatives("reul", np.zeros(1), {}, 0.01)


@pytest.mark.parametrize("name", ACTIVATIONS)
@given(z=st.lists(numbers, min_size=1, max_size=4), parameters=st.lists(numbers, min_size=3, max_size=3), slope=numbers)
def test_derivatives_are_the_limits_of_differences(name, z, parameters, slope):
    z = np.array(z)
    activation = ACTIVATIONS[name]
    assume(not activation.exact or np.abs(z).min() > 1e-3)  # kinks
    p = {k: np.array(v) for k, v in zip(activation.parameters, parameters, strict=False)}
    if name == "rational":
        assume(sum(v**2 for v in p.values()) > 1e-2)
    found = value_and_derivatives(name, z, p, slope)
    np.testing.assert_allclose(found.value, activation.function(z, p, slope), rtol=1e-12, atol=1e-12)
    step = 1e-5
    ahead, behind = (activation.function(z + h, p, slope) for h in (step, -step))
    np.testing.assert_allclose(found.argument, (ahead - behind) / (2 * step), rtol=1e-6, atol=1e-6)
    assert set(found.parameters) == set(activation.parameters)
    for key, derivative in found.parameters.items():
        ahead, behind = (activation.function(z, {**p, key: p[key] + h}, slope) for h in (step, -step))
        np.testing.assert_allclose(derivative, (ahead - behind) / (2 * step), rtol=1e-5, atol=1e-5)


def test_kinks():
    zero = np.zeros(1)
    for name, slope, expected in (("relu", 0.01, 0.0), ("leaky_relu", 0.1, 1.0), ("prelu", 0.01, 1.0)):
        assert value_and_derivatives(name, zero, {"slope": np.full(1, 0.25)}, slope).argument == expected


def test_precision_is_that_of_the_argument():
    for name, activation in ACTIVATIONS.items():
        p = {k: np.ones(1, np.float32) for k in activation.parameters}
        found = value_and_derivatives(name, np.ones(2, np.float32), p, 0.1)
        assert {x.dtype for x in (found.value, found.argument, *found.parameters.values())} == {np.dtype(np.float32)}


@pytest.mark.parametrize("case", GOLDEN["rational_activation"], ids=lambda c: f"v={c['v']},c={c['c']},l={c['l']}")
def test_golden_rational_activations(case):
    p = {k: np.array([case[k]]) for k in "vcl"}
    found = value_and_derivatives("rational", np.array(case["x"]), p, 0.01)
    np.testing.assert_allclose(found.value, case["y"], rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(found.argument, case["dy_dx"], rtol=1e-12, atol=1e-15)
    for key in "vcl":
        np.testing.assert_allclose(found.parameters[key], case[f"dy_d{key}"], rtol=1e-10, atol=1e-14)
