"""Patterns of layers, links and missing links: what they bind, how they are asked for, how they are grouped."""

import numpy as np
import pytest
from ported import as_stored

import netgraph as ng
from netgraph.errors import GraphError, RewriteError


@pytest.fixture
def graph():
    """x(2) -> a(3) -> y(1) at two ports, and x -> y."""
    b = ng.GraphBuilder(dtype=np.float64)
    b.input("x", 2)
    b.layer("a", 3)
    b.output("y", 1)
    b.dense("x", "a")
    b.dense("a", "y")
    b.edges("a", "y", [1], [0], weight=1.0, port=2)
    b.dense("x", "y")
    return as_stored(b)


def test_layers(maps):
    m, funnel = ng.layer("l", role="hidden").match(maps)
    assert funnel == [("layers", 4), ("l is hidden", 2)]
    assert m.l.id.tolist() == [1, 2]
    assert m.l.size.tolist() == [2, 3]
    assert [x.name for x in m.l] == ["a", "b"]
    for on in ("b", 2, np.int64(2), ["b", 2], np.array([2])):
        assert ng.layer("l").match(maps, on)[0].l.id.tolist() == [2]
    with pytest.raises(GraphError, match="Unknown layer 'c'"):
        ng.layer("l").match(maps, on="c")


def test_links_bind_their_layers(graph):
    m, funnel = ng.link("k", src=ng.layer("p"), dst=ng.layer("c")).match(graph)
    assert m.k.key == [(0, 1, 0), (0, 2, 0), (1, 2, 0), (1, 2, 2)] == [k.key for k in graph.links]
    assert [k.key for k in m.k] == m.k.key
    np.testing.assert_array_equal(m.p.id, [0, 0, 1, 1])
    np.testing.assert_array_equal(m.c.layer, [1, 2, 2, 2])
    np.testing.assert_array_equal(m.k.size, [6, 2, 3, 1])
    np.testing.assert_array_equal(m.k.port, [0, 0, 0, 2])
    np.testing.assert_array_equal(m.k.edges.rows, np.arange(12))
    assert funnel == [("links", 4)]
    some = m.take(np.array([3, 0]))
    np.testing.assert_array_equal(some.k.edges.id, [*graph.links["a", "y", 2].id, *graph.links["x", "a"].id])
    assert repr(m) == "Matches(4 of k, p, c)"


def test_roles_restrict_the_ends(graph):
    pattern = ng.link("k", src=ng.layer("p", role="hidden"), dst=ng.layer("c", role="output"))
    m, funnel = pattern.match(graph)
    assert m.k.key == [(1, 2, 0), (1, 2, 2)]
    assert funnel == [("links", 4), ("p is hidden", 2), ("c is output", 2)]


@pytest.mark.parametrize(
    ("on", "keys"),
    [
        (("x", "a"), [(0, 1, 0)]),
        ([("a", "y"), ("x", "a"), ("a", "y")], [(0, 1, 0), (1, 2, 0), (1, 2, 2)]),
        ([("a", "y", 2)], [(1, 2, 2)]),
        ([(0, 2)], [(0, 2, 0)]),
        (np.array([[0, 2], [0, 1]]), [(0, 1, 0), (0, 2, 0)]),
        ([], []),
    ],
)
def test_links_are_asked_for_by_their_layers(graph, on, keys):
    m, funnel = ng.link("k").match(graph, on)
    assert m.k.key == keys
    assert funnel == [("links asked for", len(keys))]
    assert len(m.k.edges) == sum(m.k.size)


def test_links_are_asked_for_by_themselves(graph):
    one = graph.links["a", "y", 2]
    for on in (one, [one]):
        assert ng.link("k").match(graph, on)[0].k.key == [(1, 2, 2)]


def test_what_is_not_there_is_refused(graph):
    pattern = ng.link("k")
    with pytest.raises(GraphError, match="layer 'b'"):
        pattern.match(graph, ("x", "b"))
    with pytest.raises(RewriteError, match="no link from 'y' to 'x'"):
        pattern.match(graph, ("y", "x"))
    with pytest.raises(RewriteError, match="links are given by"):
        pattern.match(graph, ["xa", ("x", "a")])


def test_groups_of_links(graph):
    m, _ = ng.link("k", src=ng.layer("p"), dst=ng.layer("c")).match(graph)
    assert [g.k.key for g in m.by("target layer", "port")] == [[(0, 1, 0)], [(0, 2, 0), (1, 2, 0)], [(1, 2, 2)]]
    assert [len(g) for g in m.by("link")] == [1, 1, 1, 1]
    assert [len(g) for g in m.by("source layer")] == [2, 2]


def test_missing_links(graph):
    chain = ng.mlp([1, 1, 1, 1])
    m, funnel = ng.missing_link("k", src=ng.layer("p"), dst=ng.layer("c", role="output")).match(chain)
    assert list(zip(m.k.source.tolist(), m.k.target.tolist(), strict=True)) == [(0, 3), (1, 3)]
    np.testing.assert_array_equal(m.c.id, [3, 3])
    assert funnel == [
        ("pairs of layers", 6), ("p comes before c", 6), ("c is no input", 6), ("no link joins them", 3),
        ("c is output", 2),
    ]  # fmt: skip
    assert len(np.unique(m.k.rows)) == 2
    assert len(m.k.take(np.array([1]))) == 1
    assert not ng.missing_link("k").match(graph)[0]


def test_order_and_limit_of_links(graph):
    rule = ng.rules.InsertLayer()
    result = ng.apply(rule, graph, limit=2, order_by=lambda m, stats: m.k.size)
    assert result.matches.k.key == [(0, 1, 0), (1, 2, 0)]
    assert result.skipped.k.key == [(0, 2, 0), (1, 2, 2)]


def test_links_have_no_statistics_to_be_ordered_by(graph):
    stats = ng.Statistics(graph.topology_hash, vertices={"rms": np.arange(6.0)})
    with pytest.raises(RewriteError, match="which only edges and vertices have"):
        ng.apply(ng.rules.InsertLayer(), graph, stats, order_by="rms")
