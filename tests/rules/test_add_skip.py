"""AddSkip: links at weight 0 between layers that none joins."""

import numpy as np
import pytest
from random_graphs import assert_same_outputs

import netgraph as ng
from netgraph.errors import GraphError, OptionError, RewriteError
from netgraph.rules import AddSkip


@pytest.fixture
def graph():
    return ng.mlp([3, 2, 2, 1], domain=(-1, 1), dtype=np.float64)


def pairs(m):
    return [(a.name, b.name) for a, b in zip(m.p, m.c, strict=True)]


def test_one_link(graph):
    rule = AddSkip()
    result = ng.apply(rule, graph, on=("input", "output"))
    link = result.graph.links["input", "output"]
    assert (link.kind, len(link), link.weight.any()) == (ng.Dense(), 3, np.False_)
    assert result.certificate.level == rule.claim(result.matches) == "exact"
    assert_same_outputs(graph, result.graph)
    assert ng.apply_delta(result.graph, result.delta.inverse())[0].equals(graph)
    assert not ng.apply(rule, result.graph, on=[("input", "output")]).changed


def test_every_pair_of_layers(graph):
    result = ng.apply(AddSkip(), graph, require="exact")
    assert pairs(result.matches) == [("input", "hidden2"), ("input", "output"), ("hidden1", "output")]
    assert len(result.delta.edges_added) == 6 + 3 + 2
    assert_same_outputs(graph, result.graph)
    assert not ng.apply(AddSkip(), result.graph).changed


def test_a_spread_is_bounded(graph):
    rule = AddSkip(spread=0.5)
    result = ng.apply(rule, graph, limit=1, rng=1)
    weight = result.delta.edges_added.weight
    assert weight.all()
    assert (np.abs(weight) <= 0.5).all()
    assert result.certificate.level == rule.claim(result.matches) == "bounded"
    with pytest.raises(RewriteError, match="exact was required"):
        ng.apply(rule, graph, require="exact")


def test_what_is_asked_for_in_the_wrong_order(graph):
    wrong = [("output", "input"), ("hidden2", "hidden1"), ("hidden1", "hidden2"), ("input", "output")]
    assert ng.explain(AddSkip(), graph, on=wrong).stages == (
        ("pairs of layers asked for", 4), ("p comes before c", 2), ("c is no input", 2), ("no link joins them", 1),
        ("source is no output", 1), ("a link leads from grid to grid", 1),
    )  # fmt: skip
    with pytest.raises(GraphError, match="hidden3"):
        ng.find(AddSkip(), graph, on=("input", "hidden3"))


def test_links_close_no_cycle_whichever_are_opened():
    b = ng.GraphBuilder(dtype=np.float64)
    for name in ("x", "z"):
        b.input(name, 1)
    for name in ("a", "b", "c"):
        b.layer(name, 2)
    for name in ("y", "w"):
        b.output(name, 1)
    for pair in (("x", "a"), ("x", "b"), ("z", "c"), ("a", "y"), ("b", "y"), ("c", "w")):
        b.dense(*pair)
    graph = b.build()
    result = ng.apply(AddSkip(), graph, require="exact")
    assert not any(source in ("y", "w") or target in ("x", "z") for source, target in pairs(result.matches))
    assert_same_outputs(graph, result.graph)


def maps():
    b = ng.GraphBuilder(dtype=np.float64)
    b.input("x", 2, grid=(6, 6), domain=(-1, 1))
    b.layer("a", 2, grid=(6, 6))
    b.layer("b", 3, grid=(3, 3), activation="tanh")
    b.layer("c", 2, grid=(2, 2))
    b.layer("d", 4)
    b.output("y", 2)
    b.conv2d("x", "a", kernel=3, padding=1)
    b.conv2d("a", "b", kernel=3, padding=1, stride=2)
    b.conv2d("b", "c", kernel=2)
    b.conv2d("c", "d", kernel=2)
    b.dense("d", "y")
    return b.build()


def test_maps_get_the_link_that_fits_their_grids():
    graph = maps()
    result = ng.apply(AddSkip(), graph, require="exact")
    kinds = {(a, b): result.graph.links[a, b].kind for a, b in pairs(result.matches)}
    stride = ng.Conv2d((1, 1), (2, 2))
    assert kinds == {
        ("x", "b"): stride, ("x", "c"): ng.Conv2d((1, 1), (3, 3)), ("a", "c"): ng.Conv2d((1, 1), (3, 3)),
        ("x", "d"): ng.Conv2d((6, 6)), ("a", "d"): ng.Conv2d((6, 6)), ("b", "d"): ng.Conv2d((3, 3)),
        ("x", "y"): ng.Conv2d((6, 6)), ("a", "y"): ng.Conv2d((6, 6)), ("b", "y"): ng.Conv2d((3, 3)),
        ("c", "y"): ng.Conv2d((2, 2)),
    }  # fmt: skip
    assert_same_outputs(graph, result.graph, exact=False)
    spread = ng.apply(AddSkip(spread=1.0), graph, on=("x", "b"))
    assert len(spread.delta.edges_added) == 2 * 3


def test_grids_that_no_link_joins_are_refused():
    b = ng.GraphBuilder(dtype=np.float64)
    b.input("x", 1, grid=(5, 5))
    b.input("t", 1, grid=(4,))
    b.layer("s", 1, grid=(4,))
    b.layer("h", 1, grid=(4, 4))
    b.output("y", 1)
    b.dense("t", "s")
    b.conv2d("x", "h", kernel=2)
    b.conv2d("h", "y", kernel=4)
    graph = b.build()
    found = pairs(ng.find(AddSkip(), graph))
    assert found == [("x", "y")]
    assert ng.explain(AddSkip(), graph).stages[-1] == ("a link leads from grid to grid", 1)
    assert "missing link" in ng.explain(AddSkip(), graph).nearest_miss


def test_wires_are_links_too():
    b = ng.GraphBuilder()
    b.input("x", 2)
    b.layer("h", 2)
    b.output("y", 2)
    b.dense("x", "h")
    b.dense("h", "y")
    b.identity("x", "y")
    assert not ng.apply(AddSkip(), b.build()).changed


def test_options_and_caps(graph):
    with pytest.raises(OptionError, match="spread=-1 is not a number from 0"):
        AddSkip(spread=-1)
    with pytest.raises(OptionError, match="max_edges=-1 is negative"):
        AddSkip(max_edges=-1)
    with pytest.raises(RewriteError, match="3 skip links would have 11 edges, more than max_edges=10"):
        ng.apply(AddSkip(max_edges=10), graph)
    deep = ng.mlp([1] * 12_000)
    with pytest.raises(RewriteError, match="pairs of layers may lack a link"):
        ng.find(AddSkip(), deep)
    assert len(ng.find(AddSkip(), deep, on=("input", "output"))) == 1
