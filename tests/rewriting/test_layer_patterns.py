"""Patterns of links and of missing links: what they bind, how they are asked for, how they are grouped."""

import numpy as np
import pytest

import netgraph as ng
from netgraph.errors import GraphError, RewriteError
from netgraph.rewriting.pattern import match_pattern


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
    return b.build()


def test_links_bind_their_layers(graph):
    m, funnel = match_pattern(ng.link("k", src=ng.layer("p"), dst=ng.layer("c")), graph)
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
    m, funnel = match_pattern(pattern, graph)
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
    m, funnel = match_pattern(ng.link("k"), graph, on)
    assert m.k.key == keys
    assert funnel == [("links asked for", len(keys))]
    assert len(m.k.edges) == sum(m.k.size)


def test_links_are_asked_for_by_themselves(graph):
    one = graph.links["a", "y", 2]
    for on in (one, [one]):
        assert match_pattern(ng.link("k"), graph, on)[0].k.key == [(1, 2, 2)]


def test_what_is_not_there_is_refused(graph):
    pattern = ng.link("k")
    with pytest.raises(GraphError, match="layer 'b'"):
        match_pattern(pattern, graph, ("x", "b"))
    with pytest.raises(RewriteError, match="no link from 'y' to 'x'"):
        match_pattern(pattern, graph, ("y", "x"))
    with pytest.raises(RewriteError, match="links are given by"):
        match_pattern(pattern, graph, ["xa", ("x", "a")])


def test_groups_of_links(graph):
    m, _ = match_pattern(ng.link("k", src=ng.layer("p"), dst=ng.layer("c")), graph)
    assert [g.k.key for g in m.by("target layer", "port")] == [[(0, 1, 0)], [(0, 2, 0), (1, 2, 0)], [(1, 2, 2)]]
    assert [len(g) for g in m.by("link")] == [1, 1, 1, 1]
    assert [len(g) for g in m.by("source layer")] == [2, 2]


def test_missing_links(graph):
    chain = ng.mlp([1, 1, 1, 1])
    m, funnel = match_pattern(ng.missing_link("k", src=ng.layer("p"), dst=ng.layer("c", role="output")), chain)
    assert list(zip(m.k.source.tolist(), m.k.target.tolist(), strict=True)) == [(0, 3), (1, 3)]
    np.testing.assert_array_equal(m.c.id, [3, 3])
    assert funnel == [
        ("pairs of layers", 6), ("p comes before c", 6), ("c is no input", 6), ("no link joins them", 3),
        ("c is output", 2),
    ]  # fmt: skip
    assert len(np.unique(m.k.rows)) == 2
    assert len(m.k.take(np.array([1]))) == 1
    assert not match_pattern(ng.missing_link("k"), graph)[0]


def test_order_and_limit_of_links(graph):
    rule = ng.rules.InsertLayer()
    result = ng.apply(rule, graph, limit=2, order_by=lambda m, stats: m.k.size)
    assert result.matches.k.key == [(0, 1, 0), (1, 2, 0)]
    assert result.skipped.k.key == [(0, 2, 0), (1, 2, 2)]


def test_links_have_no_statistics_to_be_ordered_by(graph):
    stats = ng.Statistics(graph.topology_hash, vertices={"rms": np.arange(6.0)})
    with pytest.raises(RewriteError, match="which only edges and vertices have"):
        ng.apply(ng.rules.InsertLayer(), graph, stats, order_by="rms")
