"""Bounds worked out by hand."""

import numpy as np
import pytest
from proof_graphs import (
    assert_bounded,
    assert_exact,
    assert_sound,
    between,
    chain,
    edited,
    hidden,
    link,
    outputs,
    probe,
    rows,
    source,
    target,
)

from netgraph.graph import Graph
from netgraph.proof import certify


def test_a_graph_is_itself():
    graph = chain([1.0, -2.0], [0.5, 3.0], activation="tanh")
    assert certify(graph, graph).kind == "exact"
    again = chain([1.0, -2.0], [0.5, 3.0], activation="tanh")
    assert_exact(graph, again)
    assert certify(graph, again).layers == {}
    assert certify(graph, again).domain == {"x": (-1, 1)}


def test_a_bias_that_moves():
    old = chain([1.0, -2.0], [0.5, 3.0], activation="relu", bias=[0.0, 0.75])
    new = edited(old, lambda rw: rw.set_bias(rows(old, 10), 0.25))
    certificate = assert_bounded(old, new, 0.125)
    assert certificate.bounds == {"y": (certificate.bound,)}
    assert certificate.stopped == ("vertex 10 of layer 'h'",)
    assert certificate.layers == pytest.approx({"h": 0.25, "y": 0.125})
    assert not certificate.rounding
    assert "slopes of the activations" in certificate.reason


def test_a_vertex_that_becomes_a_multiple_of_another_is_close_to_its_twin():
    """relu(x + 0.25) becomes relu(x), which is relu(-2 x) / 2 + x."""
    old = chain([1.0, -2.0], [0.5, 3.0], activation="relu", bias=[0.25, 0.0])
    assert_bounded(old, edited(old, lambda rw: rw.set_bias(rows(old, 10), 0.0)), 0.125)


def test_a_weight_that_moves_is_bounded_by_the_domain():
    old = chain([1.0], [2.0], domain=(-1, 3), activation="leaky_relu", slope=0.5)
    new = edited(old, lambda rw: rw.set_weight(between(old, 0, 10), 1.5))
    assert_bounded(old, new, 3.0)  # 2 times a slope of at most 1 times 0.5 times 3
    assert certify(old, new, domain=(-1, 0)).bound == pytest.approx(2 * 0.5 * 0.5)
    assert certify(old, new, domain={"x": (0, 1)}).bound == pytest.approx(1)


@pytest.mark.parametrize(
    ("activation", "slope"),
    [
        ("relu", 1),
        ("tanh", 1),
        ("sigmoid", 0.25),
        ("gelu", 1.1289041451851549),
        ("gelu_tanh", 1.1289930686587718),
        ("silu", 1.0998393201288670),
        ("identity", 1),
    ],
)
def test_activations_stretch_by_their_steepest_slope(activation, slope):
    old = chain([1.0], [4.0], domain=(-8, 8), activation=activation, bias=0.0)
    new = edited(old, lambda rw: rw.set_bias(rows(old, 10), 0.125))
    assert_bounded(old, new, 0.5 * slope)


def test_changes_of_several_vertices_add_up_per_output():
    old = Graph(
        [source(2), hidden(2, activation="relu", bias=0.0), target(2)],
        [link(0, 1, [(0, 0, 1.0), (1, 1, 1.0)]), link(1, 9, [(0, 0, 2.0), (1, 0, -1.0), (1, 1, 3.0)])],
    )
    new = edited(old, lambda rw: rw.set_bias(rows(old, 10, 11), [0.25, 0.5]))
    certificate = assert_bounded(old, new, 1.5)
    # What two biases do to the first output partly cancels: + 2 [0, 0.25] - [0, 0.5].
    assert certificate.bounds["y"] == pytest.approx((0.5, 1.5))
    assert certificate.stopped == ("vertex 10 and 1 others of layer 'h'",)


def test_a_vertex_that_is_never_active_may_change():
    old = chain([1.0, 1.0], [1.0, 5.0], activation="relu", bias=[0.0, -2.0])
    new = edited(old, lambda rw: rw.set_bias(rows(old, 11), -3.0))
    assert_exact(old, new)


def test_changes_that_no_output_reads():
    old = chain([1.0, 1.0], [1.0, 0.0], activation="gelu", bias=[0.0, 0.5])
    assert_exact(old, edited(old, lambda rw: rw.set_bias(rows(old, 11), 7.0)))
    assert_exact(old, edited(old, lambda rw: rw.remove(rows(old, 11))))


def test_a_bound_that_only_rounding_explains():
    old = chain([1.0, 1.0], [0.1, 0.2], activation="tanh", dtype=np.float32)
    merged = chain([1.0], [np.float32(0.1) + np.float32(0.2)], activation="tanh", dtype=np.float32)
    certificate = certify(old, merged)
    assert_sound(old, merged, certificate)
    assert certificate.level == "exact up to rounding"
    assert 0 < certificate.bound < 1e-7
    far = chain([1.0], [0.301], activation="tanh", dtype=np.float32)
    assert certify(old, far).level == "bounded"


@pytest.mark.parametrize(
    ("what", "more"),
    [
        ("activation", {"activation": "softplus"}),
        ("slope", {"activation": "leaky_relu", "slope": 0.5}),
        ("parameter", {"activation": "prelu", "slope": 0.5}),
        ("rational", {"activation": "rational", "v": 0.5}),
        ("norm", {"activation": "relu", "norm": "batch"}),
        ("scale", {"activation": "relu", "norm": "batch", "scale": -1.0}),
        ("shift", {"activation": "relu", "norm": "batch", "shift": 0.5}),
        ("mean", {"activation": "relu", "norm": "batch", "mean": 0.5}),
        ("var", {"activation": "relu", "norm": "batch", "var": 2.0}),
        ("epsilon", {"activation": "relu", "norm": "batch", "norm_epsilon": 0.5}),
        ("layer norm", {"activation": "relu", "norm": "layer"}),
        ("layer norm epsilon", {"activation": "relu", "norm": "layer", "norm_epsilon": 0.5}),
        ("layer norm scale", {"activation": "relu", "norm": "layer", "scale": [1.0, 2.0]}),
        ("rms norm", {"activation": "relu", "norm": "rms"}),
        ("rms norm epsilon", {"activation": "relu", "norm": "rms", "norm_epsilon": 0.5}),
        ("rms norm scale", {"activation": "relu", "norm": "rms", "scale": [1.0, 2.0]}),
    ],
)
def test_every_part_of_the_operation_counts(what, more):
    plain = {key: more[key] for key in ("activation", "norm") if key in more}
    if what in ("activation", "norm", "layer norm", "rms norm"):
        plain = {"activation": "relu"}
    old, new = (chain([1.0, -0.5], [1.0, 1.0], bias=0.125, **options) for options in (plain, more))
    change = np.abs(outputs(old, probe(old))["y"] - outputs(new, probe(old))["y"]).max()
    assert change > 1e-6
    assert assert_bounded(old, new).bound >= change
