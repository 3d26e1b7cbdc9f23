"""Patterns of vertices, edges and missing edges."""

import numpy as np
import pytest
from ported import as_stored

import netgraph as ng
from netgraph.errors import GraphError, RewriteError
from netgraph.rules import SplitEdges


def match(pattern, graph, on=None):
    return pattern.match(graph, on)


def test_edges_and_their_ends(maps):
    m, funnel = match(ng.edge("e", src=ng.vertex("p"), dst=ng.vertex("c")), maps)
    assert funnel == [("edges", 9), ("e is trainable", 7)]
    assert m.e.id.tolist() == [0, 1, 2, 5, 6, 7, 8]
    np.testing.assert_array_equal(m.e.weight, [1, 2, 3, 4, 5, 6, 7])
    np.testing.assert_array_equal(m.e.tap, [4, 0, 8, 0, 0, 0, 5])
    np.testing.assert_array_equal(m.e.port, [0, 0, 0, 1, 1, 0, 0])
    np.testing.assert_array_equal(m.p.id, [0, 0, 1, 2, 3, 4, 6])
    np.testing.assert_array_equal(m.c.id, [2, 3, 3, 6, 6, 7, 7])
    assert m.p.nonnegative.all()
    signed, _funnel = match(ng.edge("e", src=ng.vertex("p"), dst=ng.vertex("c")), maps.with_weights(-maps.edges.weight))
    np.testing.assert_array_equal(signed.p.nonnegative, [True] * 3 + [False] * 2 + [True] * 2)
    assert m.root is m.e
    assert not m.e.birth.any()
    taken = m.take(m.e.weight > 5)
    assert len(taken) == 2
    assert taken.c.id.tolist() == [7, 7]


def test_roles(maps):
    m, funnel = match(ng.edge("e", src=ng.vertex("p", role="input"), dst=ng.vertex("c", role="hidden")), maps)
    assert funnel[2:] == [("p is in an input layer", 3), ("c is hidden", 3)]
    assert m.e.id.tolist() == [0, 1, 2]
    m, funnel = match(ng.vertex("v", role="output"), maps)
    assert m.v.id.tolist() == [7]
    assert funnel == [("vertices", 8), ("v is output", 1)]


def test_vertices(maps):
    m, _ = match(ng.vertex("v"), maps, on=[6, 2, 6])
    assert m.v.id.tolist() == [2, 6]
    assert m.v.layer.tolist() == [1, 2]
    assert m.v.in_degree.tolist() == [1, 2]
    assert m.v.out_degree.tolist() == [2, 1]
    np.testing.assert_array_equal(m.v.column("scale"), [np.nan, 1])
    assert m.v.grid == (3, 3)
    assert m.v.birth.tolist() == [0, 0]
    assert m.v.scalar.tolist() == [False, False]
    everything, _ = match(ng.vertex("v"), maps)
    with pytest.raises(RewriteError, match="different grids"):
        _ = everything.v.grid
    grids = [maps.layer(int(i)).output_grid for i in everything.v.layer]
    assert everything.v.scalar.tolist() == [grid == () for grid in grids]
    assert set(everything.v.scalar.tolist()) == {False, True}
    with pytest.raises(GraphError, match="no vertex with id 70"):
        match(ng.vertex("v"), maps, on=[70])


def test_missing_edges_are_listed_tap_by_tap(maps):
    m, funnel = match(ng.missing_edge("e", src=ng.vertex("p"), dst=ng.vertex("c")), maps)
    # conv: 36 - 3; the link of wires is left out; a -> b at port 1: 6 - 2; b -> y: 27 - 2
    assert funnel == [("missing edges of existing links", 33 + 4 + 25)]
    first = list(zip(m.e.source[:6].tolist(), m.e.target[:6].tolist(), m.e.tap[:6].tolist(), strict=True))
    assert first == [(0, 2, 0), (0, 2, 1), (0, 2, 2), (0, 2, 3), (0, 2, 5), (0, 2, 6)]
    assert len(np.unique(m.e.rows)) == len(m) == 62


def test_missing_edges_on_request():
    graph = ng.mlp([2, 2, 1], density=0.5)
    have = {(int(a), int(b)) for a, b in zip(graph.edges.source, graph.edges.target, strict=True)}
    pairs = [(a, b) for a in range(2) for b in range(2, 5)]
    m, funnel = match(ng.missing_edge("e"), graph, on=[*pairs, *pairs])
    wanted = sorted(set(pairs) - have, key=lambda p: (p[1], p[0]))
    assert list(zip(m.e.source.tolist(), m.e.target.tolist(), strict=True)) == wanted
    assert funnel == [("pairs asked for", 12), ("e is missing", len(wanted))]
    assert len(match(ng.missing_edge("e"), graph, on=np.empty((0, 2), int))[0]) == 0
    with pytest.raises(RewriteError, match=r"shape \(2,\), expected \(pairs, 2\)"):
        match(ng.missing_edge("e"), graph, on=[0, 1])
    with pytest.raises(GraphError, match="no vertex with id 50"):
        match(ng.missing_edge("e"), graph, on=[(0, 50)])


def test_taps_of_one_kernel_may_be_missing_where_another_has_them():
    """A tap beyond the kernel of its link is none of the next source's."""
    b = ng.GraphBuilder()
    b.input("x", 2, grid=(3, 3))
    b.layer("h", 1, grid=(3, 3))
    b.output("y", 1)
    b.conv2d("x", "h", kernel=1)
    b.conv2d("h", "y", kernel=3)
    graph = b.build()
    m, funnel = match(ng.missing_edge("e"), graph, on=[(0, 2, 0), (0, 2, 1), (1, 2, 0), (2, 3, 8)])
    assert funnel == [("pairs asked for", 4), ("e is missing", 1)]
    assert (m.e.source.tolist(), m.e.target.tolist(), m.e.tap.tolist()) == ([0], [2], [1])


@pytest.mark.parametrize("seed", range(5))
def test_missing_edges_on_request_are_those_that_no_edge_joins(seed):
    """Against sets of pairs; layers are linked with gaps, ids are not in the order of rows."""
    rng = np.random.default_rng(seed)
    graph = ng.mlp([5, 4, 6, 3], density=0.6, seed=seed)
    result = ng.apply(SplitEdges(), graph, on=rng.choice(graph.edges.id, 4, replace=False), probe=None)
    graph = result.graph
    linked = {k[:2] for k in graph.links_by_key}
    have = set(zip(graph.edges.source.tolist(), graph.edges.target.tolist(), strict=True))
    of = dict(zip(graph.vertices.id.tolist(), graph.vertices.layer.tolist(), strict=True))
    every = [(a, b) for a in of for b in of if (of[a], of[b]) in linked]
    pairs = [every[k] for k in rng.integers(len(every), size=40)]
    m, _ = match(ng.missing_edge("e"), graph, on=pairs)
    got = list(zip(m.e.source.tolist(), m.e.target.tolist(), strict=True))
    assert len(got) == len(set(got))
    assert set(got) == set(pairs) - have


@pytest.fixture
def ports():
    """x(2) -> h(2) at port 0 (x0 -> h0), port 1 (x0 -> h1) and, of wires, port 2; h -> y(2) of wires, none there."""
    b = ng.GraphBuilder()
    b.input("x", 2)
    b.layer("h", 2)
    b.output("y", 2)
    b.edges("x", "h", [0], [0], weight=[1.0])
    b.edges("x", "h", [0], [1], weight=[1.0], port=1)
    b.identity("x", "h", port=2)
    b.edges("h", "y", [], [], weight=[], kind=ng.Identity(), frozen=True)
    return as_stored(b)


def listed(m):
    return list(zip(m.e.source.tolist(), m.e.target.tolist(), m.e.port.tolist(), strict=True))


def test_missing_edges_are_listed_port_by_port_and_never_for_wires(ports):
    m, funnel = match(ng.missing_edge("e"), ports)
    assert funnel == [("missing edges of existing links", 6)]
    assert listed(m) == [(1, 2, 0), (0, 3, 0), (1, 3, 0), (0, 2, 1), (1, 2, 1), (1, 3, 1)]
    assert len(np.unique(m.e.rows)) == 6
    assert [len(g) for g in m.by("port")] == [3, 3]
    assert listed(m.take(m.e.port == 1)) == listed(m)[3:]


def test_missing_edges_on_request_belong_to_the_lowest_port_without_wires(ports):
    m, funnel = match(ng.missing_edge("e"), ports, on=[(0, 2), (0, 3), (2, 4), (0, 4)])
    assert listed(m) == [(0, 3, 0), (0, 4, 0)]  # x -> y is not linked at all
    assert funnel == [("pairs asked for", 4), ("layers have a link that may hold it", 3), ("e is missing", 2)]
    m, _ = match(ng.missing_edge("e", src=ng.vertex("p", role="hidden")), ports, on=[(0, 3)])
    assert listed(m) == []


def test_attributes_of_links_are_not_collected_again(maps, monkeypatch):
    m, _ = match(ng.edge("e"), maps)
    first = next(iter(m.by("link")))
    ports, kind = first.e.port, first.e.kind
    monkeypatch.setattr(type(maps), "links_by_key", property(lambda self: pytest.fail("collected again")))
    np.testing.assert_array_equal(first.e.port, ports)
    assert first.e.kind == kind


def test_too_many_missing_edges_are_not_listed(monkeypatch):
    monkeypatch.setattr("netgraph.rewriting.patterns.missing.MAX_ENUMERATED_PAIRS", 10)
    graph = ng.mlp([5, 5], density=0.5)
    with pytest.raises(RewriteError, match=r"13 edges are missing, more than the 10.*on=pairs"):
        match(ng.missing_edge("e"), graph)
    assert len(match(ng.missing_edge("e"), graph, on=[(0, 5)])[0]) <= 1
