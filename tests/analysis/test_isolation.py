"""Vertices that lack edges."""

import numpy as np

import netgraph as ng
from netgraph.analysis import isolated, isolated_vertices, lacking, leading_out, vertices_of


def gaps():
    """Hidden vertices 0 and 1 of four have edges on both sides, 2 has none out, 3 none in; output 1 has none in."""
    b = ng.GraphBuilder()
    b.input("x", 2)
    b.layer("h", 4)
    b.output("y", 2)
    b.edges("x", "h", [0, 1, 0], [0, 1, 2], weight=1.0)
    b.edges("h", "y", [0, 1, 3], [0, 0, 0], weight=1.0)
    return b.build()


def test_each_side_is_told():
    no_in, no_out = lacking(gaps())
    assert np.flatnonzero(no_in).tolist() == [5, 7]
    assert np.flatnonzero(no_out).tolist() == [4]
    assert np.flatnonzero(isolated(gaps())).tolist() == [4, 5, 7]


def test_only_hidden_vertices_are_listed():
    graph = gaps()
    assert isolated_vertices(graph).tolist() == graph.layers["h"].vertex_ids[2:].tolist()


def test_edges_may_be_left_out_of_account():
    graph = gaps()
    keep = graph.edges.source_row != 0  # nothing from the first input
    assert np.flatnonzero(isolated(graph, keep)).tolist() == [2, 4, 5, 7]


def test_what_leads_to_an_output_by_the_edges_that_count():
    graph = gaps()
    every = np.ones(len(graph.edges), dtype=bool)
    assert np.flatnonzero(~leading_out(graph, every)).tolist() == [4]
    assert np.flatnonzero(leading_out(graph, ~every)).tolist() == [6, 7]
    chain = ng.mlp([2, 3, 3, 1])
    keep = chain.edges.target_row != chain.num_vertices - 1
    assert np.flatnonzero(leading_out(chain, keep)).tolist() == [chain.num_vertices - 1]


def test_wires_count():
    b = ng.GraphBuilder()
    b.input("x", 2)
    b.layer("h", 2)
    b.output("y", 1)
    b.identity("x", "h")
    b.dense("h", "y")
    assert not isolated(b.build()).any()


def test_vertices_of_a_role():
    assert [int(vertices_of(gaps(), role).sum()) for role in ("input", "hidden", "output")] == [2, 4, 2]
