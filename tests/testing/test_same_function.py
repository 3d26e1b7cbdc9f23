"""The assertion that two networks compute the same function, by a proof."""

from importlib.metadata import EntryPoint
from types import SimpleNamespace

import numpy as np
import pytest

import netgraph as ng
from netgraph.errors import OptionError
from netgraph.testing import assert_same_function, shuffled


def read_box(value, example, domain):
    """Reader of namespaces that have a graph."""
    return (value.graph, value.order) if isinstance(value, SimpleNamespace) else None


@pytest.fixture
def readers(monkeypatch):
    """Installed readers: the one of this module, and one whose package is missing."""
    given = [
        EntryPoint("gone", "no_such_package:reader", "netgraph.readers"),
        EntryPoint("box", f"{__name__}:read_box", "netgraph.readers"),
    ]
    monkeypatch.setattr("netgraph.testing.readers.entry_points", lambda group: given)
    monkeypatch.setattr(
        EntryPoint, "load", lambda self: read_box if self.name == "box" else __import__("no_such_package")
    )


def boxed(graph, order="rows"):
    return SimpleNamespace(graph=graph, order=order)


def net(seed=0, **options):
    return ng.mlp([4, 6, 5, 2], domain=(-1, 1), seed=seed, **options)


def changed(graph, by=0.25):
    weight = graph.edges.weight.copy()
    weight[3] += by
    return graph.with_weights(weight)


def test_the_certificate_of_the_same_function_is_returned():
    graph = net()
    certificate = assert_same_function(graph, shuffled(graph, np.random.default_rng(0)), require="exact")
    assert certificate.kind == "exact"


def test_the_verdict_the_place_and_a_counterexample_are_named():
    graph = net()
    with pytest.raises(AssertionError) as error:
        assert_same_function(graph, shuffled(changed(graph), np.random.default_rng(0)))
    text = str(error.value)
    assert "the certificate is bounded: no output changes by more than" in text
    assert "Place: vertex 4 of layer" in text
    assert "Counterexample: output 'output', sample" in text
    assert "before and" in text


def test_a_bound_may_be_enough():
    graph = net()
    bound = ng.certify(graph, changed(graph)).bound
    assert assert_same_function(graph, changed(graph), require=bound).bound == bound
    with pytest.raises(AssertionError, match=r"a bound of 0\.01 is required"):
        assert_same_function(graph, changed(graph), require=0.01)
    with pytest.raises(AssertionError, match=r"No difference beyond .* was found on 67 inputs"):
        assert_same_function(graph, changed(graph), require=0.9 * bound)


def test_a_smaller_domain_has_a_smaller_bound():
    graph = net()
    bound = ng.certify(graph, changed(graph)).bound
    assert assert_same_function(graph, changed(graph), domain=(-0.25, 0.25), require=bound / 2).bound <= bound / 2


def test_an_example_is_tried_as_well():
    graph = net()
    x = np.full((1, 4), 0.75)
    with pytest.raises(AssertionError, match="Counterexample"):
        assert_same_function(graph, changed(graph), x)


def test_rounding_is_accepted_unless_exactness_is_required():
    old = net()
    new = old.with_weights(old.edges.weight * np.float32(1 + 2**-23))
    assert assert_same_function(old, new).level == "exact up to rounding"
    with pytest.raises(AssertionError, match="give require='exact up to rounding'"):
        assert_same_function(old, new, require="exact")


def test_what_holds_in_eval_mode_only_is_no_proof_for_train_mode():
    b = ng.GraphBuilder(dtype=np.float64)
    b.input("x", 2, domain=(-1, 1))
    b.layer("h", 2, norm="batch", values={"mean": [0.5, 0.0], "scale": [2.0, 1.0]})
    b.output("y", 1)
    b.dense("x", "h")
    b.dense("h", "y")
    old = b.build()
    more = np.isin(old.vertices.id, old.layer("h").vertex_ids)
    moved = old.with_weights(vertices={name: old.vertices.column(name) + more for name in ("bias", "mean")})
    assert assert_same_function(old, moved).eval_only
    with pytest.raises(AssertionError):
        assert_same_function(old, moved, mode="train")


def test_other_networks_are_read_by_entry_points(readers):
    graph = net()
    assert assert_same_function(boxed(graph), boxed(shuffled(graph, np.random.default_rng(1)))).kind == "exact"
    with pytest.raises(AssertionError, match="order of their numbers"):
        assert_same_function(boxed(graph), boxed(graph, "columns"))
    with pytest.raises(OptionError, match=r"builtins\.int is no Graph.*installed: 'gone', 'box'; 'gone' needs no_such"):
        assert_same_function(graph, 3)


def test_unknown_options_are_named():
    graph = net()
    with pytest.raises(OptionError, match="require='bound' is none of"):
        assert_same_function(graph, graph, require="bound")
    with pytest.raises(OptionError, match="mode='test' is none of"):
        assert_same_function(graph, graph, mode="test")


def test_other_inputs_are_named():
    with pytest.raises(AssertionError, match=r"vertices of the inputs .*\n.*different shapes"):
        assert_same_function(net(), ng.mlp([3, 6, 5, 2], domain=(-1, 1)))
