"""Arrays of the edges of a link."""

import numpy as np
import pytest

import netgraph as ng
from compilers.export import export_module
from compilers.export.forms import head_groups, head_table, span, weight_form, wire_rows
from netgraph.graph import Conv2d


def dense(n, m, src, dst):
    """A graph with one dense link, and the link."""
    b = ng.GraphBuilder(seed=1, dtype=np.float64)
    b.input("x", n)
    b.output("y", m)
    b.edges("x", "y", src, dst, weight=np.arange(len(src)) + 1.0)
    graph = b.build()
    return graph, graph.links["x", "y"]


def assert_holds(form, link):
    """Every edge is at its place, and the other places are zeros."""
    held = form.edges >= 0
    assert np.array_equal(np.sort(form.edges[held]), np.sort(link.id))
    by_id = dict(zip(link.id.tolist(), link.weight.tolist(), strict=True))
    assert [by_id[i] for i in form.edges[held].tolist()] == form.weight[held].tolist()
    assert not form.weight[~held].any()
    assert form.zeros == int((~held).sum())


def test_most_edges_are_a_whole_matrix():
    graph, link = dense(3, 2, [0, 1, 2, 0], [0, 0, 0, 1])
    form = weight_form(graph, link)
    assert form.shape == (2, 3)
    assert (form.groups, form.sources, form.targets, form.zeros) == (1, None, None, 2)
    assert_holds(form, link)
    assert form.weight.tolist() == [[1, 2, 3], [4, 0, 0]]


def test_few_vertices_are_a_block():
    graph, link = dense(6, 4, [1, 4, 4], [0, 0, 3])
    form = weight_form(graph, link)
    assert form.sources.tolist() == [1, 4]
    assert form.targets.tolist() == [0, 3]
    assert form.weight.tolist() == [[1, 2], [0, 3]]
    assert_holds(form, link)


@pytest.mark.parametrize(
    ("n", "m", "groups"), [(4, 4, 2), (4, 4, 4), (2, 6, 2), (6, 3, 3)], ids=["grouped", "depthwise", "many", "few"]
)
def test_equal_groups_are_a_grouped_kernel_without_zeros(n, m, groups):
    at = [(j, i, t) for j in range(m) for i in range(n) for t in range(4) if i // (n // groups) == j // (m // groups)]
    graph, link = conv(n, m, at)
    form = weight_form(graph, link)
    assert (form.groups, form.zeros) == (groups, 0)
    assert form.shape == (m, n // groups, 2, 2)
    assert_holds(form, link)
    exported = export_module(graph, strict=True)
    assert f"groups={groups}" in exported.source


def conv(n, m, at):
    """A graph with one convolution of a 2x2 kernel, and its link."""
    b = ng.GraphBuilder(seed=1, dtype=np.float64)
    b.input("x", n, grid=(3, 4))
    b.layer("y", m, grid=(2, 3), role="output")
    dst, src, tap = np.array(at).T
    b.edges("x", "y", src, dst, tap=tap, weight=np.arange(len(at)) + 1.0, kind=Conv2d((2, 2)))
    graph = b.build()
    return graph, graph.links["x", "y"]


def test_missing_taps_are_zeros_of_a_kernel():
    graph, link = conv(2, 3, [(0, 0, 0), (0, 1, 3), (1, 0, 2), (2, 1, 1)])
    form = weight_form(graph, link)
    assert (form.groups, form.zeros) == (1, 20)
    assert_holds(form, link)
    assert form.weight[0, 1].tolist() == [[0, 0], [0, 2]]


def test_rows_of_wires_are_known_where_each_target_has_one():
    b = ng.GraphBuilder()
    b.input("x", 3)
    b.layer("y", 4, role="output")
    b.identity("x", "y")
    graph = b.build()
    assert wire_rows(graph.links["x", "y"], 4).tolist() == [0, 1, 2, -1]
    assert [span(np.array(rows)) for rows in ([2, 3, 4], [2, 4], [-1, 0], [])] == [(2, 5), None, None, None]


def test_heads_that_share_rows_are_groups():
    rows = np.array([4, 5, 4, 5, 0, 1, 0, 1])
    table = head_table(np.repeat(np.arange(4), 2), rows, 4)
    assert table.tolist() == [[4, 5], [4, 5], [0, 1], [0, 1]]
    assert [head_groups(table), head_groups(table[1:]), head_groups(table[:2])] == [2, 3, 1]
    assert head_table(np.array([0, 0, 2]), np.array([7, 8, 9]), 3).tolist() == [[7, 8], [-1, -1], [9, -1]]
