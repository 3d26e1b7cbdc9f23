"""Patterns of several parts find what a search by brute force finds."""

from itertools import product

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import netgraph as ng
from netgraph.rules import PruneEdges
from netgraph.testing import graphs

MOST_EDGES = 24
"""Largest number of edges of a graph that is searched by brute force."""

thousand = settings(max_examples=1000 if settings().max_examples > 100 else settings().max_examples)
"""In the long profile every law is tried on 1,000 graphs."""


@st.composite
def thinned_graphs(draw):
    """Small graphs with missing edges, and ids that are no rows."""
    graph = draw(graphs(max_layers=3, max_width=3, max_side=2, exact=False))
    free = graph.edges.id[~graph.edges.frozen]
    gone = free[:: draw(st.integers(2, 5))][: draw(st.integers(0, 4))]
    left = np.setdiff1d(free, gone)
    if len(more := left[: max(0, len(graph.edges) - len(gone) - MOST_EDGES)]):
        gone = np.r_[gone, more]
    graph = ng.draft(PruneEdges(below=None), graph, on=gone).graph
    assume(len(graph.edges) <= MOST_EDGES)  # not, with more wires than that
    return graph


def listed(graph, *ends, frozen=False):
    """All ways to choose an edge for every pair of names, the same vertex for the same name, by brute force."""
    e = graph.edges
    rows = [r for r in range(len(e)) if frozen is None or bool(e.frozen[r]) is frozen]
    found = []
    for chosen in product(rows, repeat=len(ends)):
        at = {}
        if len(set(chosen)) < len(chosen):
            continue
        for (src, dst), row in zip(ends, chosen, strict=True):
            for name, vertex in ((src, e.source_row[row]), (dst, e.target_row[row])):
                if at.setdefault(name, int(vertex)) != vertex:
                    break
            else:
                continue
            break
        else:
            if len(set(at.values())) == len(at):
                found.append((chosen, at))
    return found


def keys(matches, *names):
    return [tuple(int(matches.bound[name].rows[row]) for name in names) for row in range(len(matches))]


SHAPES = {
    "path": (ng.path("a", "b", "c"), [("a", "b"), ("b", "c")], None),
    "fork": (ng.fork("a", "b", "c"), [("a", "b"), ("a", "c")], ("b", "c")),
    "join": (ng.join("a", "b", "c"), [("a", "c"), ("b", "c")], ("a", "b")),
    "triangle": (ng.triangle("a", "b", "c"), [("a", "b"), ("b", "c"), ("a", "c")], None),
    "taps": (ng.all_of(ng.edge("e1", src="a", dst="b"), ng.edge("e2", src="a", dst="b")), [("a", "b")] * 2, None),
}


@pytest.mark.parametrize("shape", SHAPES)
@thousand
@given(graph=thinned_graphs())
def test_shapes_are_found_as_by_brute_force_and_in_order(shape, graph):
    pattern, ends, ascending = SHAPES[shape]
    wanted = [
        (*chosen, *(at[name] for name in "abc" if name in at))
        for chosen, at in listed(graph, *ends)
        if ascending is None or at[ascending[0]] < at[ascending[1]]
    ]
    m, funnel = pattern.match(graph)
    edges = [f"e{k}" for k in range(1, len(ends) + 1)]
    names = [*edges, *(name for name in "abc" if name in pattern.names)]
    found = keys(m, *names)
    assert sorted(found) == sorted(wanted)
    assert found == sorted(found, key=lambda match: match[: len(edges)]), "not in the order of the edges"
    assert funnel[-1][1] == len(m)
    half, _ = pattern.first(max(1, len(m) // 2)).match(graph)
    assert keys(half, *names) == found[: max(1, len(m) // 2)]


@thousand
@given(graph=thinned_graphs())
def test_without_leaves_out_matches_that_something_can_be_added_to(graph):
    e = graph.edges
    both = {(int(s), int(t)) for s, t in zip(e.source_row, e.target_row, strict=True)}
    paths = listed(graph, ("a", "b"), ("b", "c"))

    def readers(at):
        return {t for s, t in both if s == at["b"]} - {at["a"], at["c"]}

    pattern = ng.path("a", "b", "c")
    assert sorted(keys(pattern.without(ng.edge("x", src="b")).match(graph)[0], "e1", "e2")) == sorted(
        chosen for chosen, at in paths if not readers(at)
    )
    assert sorted(keys(pattern.without(ng.edge("x", src="a", dst="c")).match(graph)[0], "e1", "e2")) == sorted(
        chosen for chosen, at in paths if (at["a"], at["c"]) not in both
    )
    alone = [
        chosen
        for chosen, at in listed(graph, ("a", "b"))
        if sum((int(s), int(t)) == (at["a"], at["b"]) for s, t in zip(e.source_row, e.target_row, strict=True)) == 1
    ]
    single = ng.edge("e", src="a", dst="b").without(ng.edge("x", src="a", dst="b"))
    assert sorted(keys(single.match(graph)[0], "e")) == sorted(alone)
    unread = ng.vertex("v").without(ng.edge("x", src="v"))
    assert keys(unread.match(graph)[0], "v") == [
        (r,) for r in range(graph.num_vertices) if r not in {s for s, _ in both}
    ]


@thousand
@given(graph=thinned_graphs())
def test_missing_edges_that_close_a_path_are_found_as_by_brute_force(graph):
    for links in ("existing", "any"):
        missing, _ = ng.missing_edge("m", src="a", dst="c", links=links).match(graph)
        listed_alone = {(s, t, tap) for s, t, tap in zip(*(c.tolist() for c in (
            missing.a.rows, missing.c.rows, missing.m.tap)), strict=True)}  # fmt: skip
        pattern = ng.all_of(*ng.path("a", "b", "c").parts, ng.missing_edge("m", src="a", dst="c", links=links))
        m, _ = pattern.match(graph)
        found = sorted(zip(*(c.tolist() for c in (m.e1.rows, m.e2.rows, m.m.tap)), strict=True))
        wanted = sorted(
            (*chosen, tap)
            for chosen, at in listed(graph, ("a", "b"), ("b", "c"))
            for s, t, tap in listed_alone
            if (s, t) == (at["a"], at["c"])
        )
        assert found == wanted


@thousand
@given(graph=thinned_graphs(), layers=st.sampled_from(["same", "different", "any"]))
def test_pairs_are_found_once_as_by_brute_force(graph, layers):
    order = {layer: place for place, layer in enumerate(graph.topological_order)}
    v = graph.vertices
    place = [(order[int(layer)], row) for row, layer in enumerate(v.layer)]
    wanted = [
        (a, b)
        for a, b in product(range(len(v)), repeat=2)
        if place[a] < place[b] and (layers == "any" or (v.layer[a] == v.layer[b]) == (layers == "same"))
    ]
    assert keys(ng.pair("a", "b", layers=layers).match(graph)[0], "a", "b") == wanted
    hidden = ng.vertex("h", role="hidden")
    roles = np.array([graph.layer(int(layer)).role == "hidden" for layer in v.layer], dtype=bool)
    one_hidden = [
        (a, b) for a, b in product(range(len(v)), repeat=2)
        if a != b and roles[b] and (layers == "any" or (v.layer[a] == v.layer[b]) == (layers == "same"))
    ]  # fmt: skip
    assert keys(ng.pair("a", hidden, layers=layers).match(graph)[0], "a", "h") == one_hidden


@thousand
@given(graph=thinned_graphs(), seed=st.integers(0, 9), least=st.sampled_from([-0.5, 0.0, 0.5, 0.9]))
def test_likeness_is_that_of_all_pairs_in_float64(graph, seed, least):
    rng = np.random.default_rng(seed)
    features = rng.integers(-2, 3, (graph.num_vertices, 3)).astype(float)
    norms = np.linalg.norm(features, axis=1)
    pairs, _ = ng.pair("a", "b", layers="any").match(graph)
    a, b = pairs.a.rows, pairs.b.rows
    dot = (features[a] * features[b]).sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        cosine = dot / (norms[a] * norms[b])
    far = np.linalg.norm(features[a] - features[b], axis=1)
    sure = ~np.isclose(cosine, least, atol=1e-12)
    m, _ = ng.pair("a", "b", layers="any", alike=ng.cosine(lambda g, s: features, at_least=least)).match(graph)
    found = set(keys(m, "a", "b"))
    zero = (norms[a] == 0) | (norms[b] == 0)
    assert {(x, y) for x, y in zip(a[sure], b[sure], strict=True) if (x, y) in found} == {
        (x, y) for x, y, c, s in zip(a, b, cosine, sure & ~zero, strict=True) if s and c >= least
    }
    m, _ = ng.pair("a", "b", layers="any", alike=ng.distance(lambda g, s: features, at_most=2.5)).match(graph)
    assert keys(m, "a", "b") == [(x, y) for x, y, d in zip(a, b, far, strict=True) if d <= 2.5]
    assert np.allclose(m.computed["distance"], far[far <= 2.5])
