"""Batch norm folded into weights and biases: proved in eval mode, up to the rounding of the folded weights."""

import numpy as np
import pytest

import netgraph as ng
from netgraph.errors import OptionError
from netgraph.proof import aligned, certify, sample_inputs

RNG = np.random.default_rng(0)
STATISTICS = {"scale": RNG.normal(1, 0.5, 8), "shift": RNG.normal(size=8), "mean": RNG.normal(size=8),
              "var": RNG.uniform(0.2, 2, 8), "bias": RNG.normal(size=8)}  # fmt: skip
WEIGHTS = RNG.normal(size=8 * 3 * 9), RNG.normal(size=4 * 8 * 36)


def net(norm=True, *, values=STATISTICS, weights=WEIGHTS, dtype=np.float32, wires=False, domain=(-1, 1)):
    """Convolution, batch norm, ReLU, and a dense read-out."""
    b = ng.GraphBuilder(dtype=dtype)
    b.input("x", 3, grid=(6, 6), domain=domain)
    source = "x"
    if wires:
        b.layer("sum", 8, activation="identity", grid=(6, 6), bias=False)
        source = "sum"
    own = values if norm else {"bias": values["bias"]}
    b.layer("h", 8, grid=(6, 6), norm="batch" if norm else "none", values=own)
    b.output("y", 4)
    b.conv2d("x", "sum" if wires else "h", kernel=3, padding=1)
    if wires:
        b.identity(source, "h")
    b.conv2d("h", "y", kernel=6)
    graph = b.build()
    flat = graph.edges.weight.astype(np.float64)
    flat[~graph.edges.wired] = np.concatenate(weights)
    return graph.with_weights(flat)


def folded(epsilon=1e-5, dtype=np.float32):
    """Biases and weights of the convolution with the norm folded in, computed in a precision."""
    own = {name: column.astype(dtype) for name, column in STATISTICS.items()}
    factor = own["scale"] / np.sqrt(own["var"] + dtype(epsilon))
    bias = (own["bias"] - own["mean"]) * factor + own["shift"]
    return {"bias": bias}, ((WEIGHTS[0].astype(dtype).reshape(8, -1) * factor[:, None]).ravel(), WEIGHTS[1])


def measured(old, new, samples=40):
    x = sample_inputs(old, samples, np.random.default_rng(1))
    return float(np.abs(ng.interpret(old, x) - ng.interpret(new, x)).max())


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_folded_norm_is_exact_up_to_rounding_in_eval_mode(dtype):
    values, weights = folded(dtype=dtype)
    old, new = net(dtype=dtype), net(False, values=values, weights=weights, dtype=dtype)
    certificate = certify(old, aligned(old, new))
    assert certificate.level == "exact up to rounding", certificate
    assert certificate.eval_only
    assert measured(old, new) <= certificate.bound < (1e-3 if dtype == np.float32 else 1e-11)
    assert certify(old, aligned(old, new), mode="train").kind == "unknown"


def test_a_norm_of_a_sum_of_wires_is_folded_too():
    values, weights = folded()
    old, new = net(wires=True), net(False, values=values, weights=weights)
    assert certify(old, aligned(old, new)).level == "exact up to rounding"
    assert certify(new, aligned(new, old)).level == "exact up to rounding"


def test_an_unknown_mode_is_refused():
    with pytest.raises(OptionError, match="mode='test' is none of 'eval', 'train'"):
        certify(net(), net(), mode="test")


def test_a_forgotten_epsilon_is_no_rounding():
    values, weights = folded(epsilon=0.0)
    old, new = net(), net(False, values=values, weights=weights)
    certificate = certify(old, aligned(old, new))
    assert certificate.level == "bounded"
    assert certificate.bound >= measured(old, new)


def test_a_scale_of_the_weights_is_one_of_the_statistics():
    values = {**STATISTICS, "mean": STATISTICS["mean"] * 2, "bias": STATISTICS["bias"] * 2,
              "scale": STATISTICS["scale"] * np.sqrt((STATISTICS["var"] * 4 + 1e-5) / (STATISTICS["var"] + 1e-5)) / 2,
              "var": STATISTICS["var"] * 4}  # fmt: skip
    old, new = (net(dtype=np.float64), net(values=values, weights=(WEIGHTS[0] * 2, WEIGHTS[1]), dtype=np.float64))
    assert certify(old, aligned(old, new)).level == "exact up to rounding"


def test_a_folded_norm_has_no_bound_on_unlimited_inputs():
    values, weights = folded()
    old = net(domain=(-np.inf, np.inf))
    new = net(False, values=values, weights=weights, domain=(-np.inf, np.inf))
    assert certify(old, aligned(old, new)).kind == "unknown"


def test_a_scale_of_zero_leaves_the_shift():
    values = {**STATISTICS, "scale": np.zeros(8), "shift": np.arange(8.0)}
    old = net(values=values, domain=(-np.inf, np.inf))
    new = net(False, values={"bias": np.arange(8.0)}, weights=(WEIGHTS[0] * 0, WEIGHTS[1]), domain=(-np.inf, np.inf))
    assert certify(old, aligned(old, new)).kind == "exact"


@pytest.mark.parametrize("spread", [1e-7, 1e-3, 0.3])
def test_bounds_hold_for_changed_statistics(spread):
    rng = np.random.default_rng(3)
    old = net()
    new = net(values={name: v * (1 + spread * rng.random(8)) for name, v in STATISTICS.items()})
    assert measured(old, new) <= certify(old, new).bound + 1e-12
