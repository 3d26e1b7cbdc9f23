"""Whole-graph checks: every error names the layers or ids at fault."""

import numpy as np
import pytest

from netgraph.errors import GraphError
from netgraph.graph import Conv2d, Dense, Graph, GraphBuilder, Layer, Link, NextIds, validate_graph
from netgraph.graph.link import edge_columns


def layer(i, role="hidden", n=1, name=None, first=None, grid=()):
    first = 10 * i if first is None else first
    values = {"low": np.zeros(n), "high": np.ones(n)} if role == "input" else {"bias": np.zeros(n)}
    return Layer(i, name or f"l{i}", np.arange(first, first + n), np.zeros(n), values, role, grid=grid)


def link(source, target, ids=(0,), kind=None, port=0, **columns):
    given = {"id": np.array(ids), "src": np.arange(len(ids)), "dst": 0, "weight": np.ones(len(ids)), **columns}
    return Link(source, target, kind or Dense(), **edge_columns(**given), port=port)


def ends(n=1, grid=()):
    return [layer(0, "input", n, grid=grid), layer(9, "output")]


CASES = {
    "no input": ([layer(9, "output")], [], ["no input layer"]),
    "no output": ([layer(0, "input")], [], ["no output layer"]),
    "layer id twice": ([*ends(), layer(0, first=50)], [], ["same id"]),
    "layer name twice": ([*ends(), layer(3, name="l0")], [], ["called 'l0'", "another name"]),
    "vertex id twice": ([*ends(), layer(3, first=0)], [], ["vertex id 0 occurs twice"]),
    "edge id twice": ([*ends(), layer(3)], [link(0, 3), link(3, 9)], ["edge id 0 occurs twice"]),
    "link key twice": (ends(2), [link(0, 9), link(0, 9, ids=(1,))], ["key", "(0, 9, 0)", "merge"]),
    "unknown layer": (ends(), [link(0, 5)], ["layer id 5", "not in the graph"]),
    "into an input": ([*ends(), layer(3)], [link(3, 0)], ["'l3' -> 'l0'", "inputs take no edges"]),
    "self loop": ([*ends(), layer(3)], [link(3, 3)], ["'l3' -> 'l3'", "itself", "cycle"]),
    "cycle": (
        [*ends(), layer(3), layer(4)],
        [link(3, 4), link(4, 3, ids=(1,)), link(4, 9, ids=(2,))],
        ["cycle", "'l3', 'l4', 'l9'"],
    ),
    "row too large": (ends(), [link(0, 9, ids=(0, 1))], ["'l0' -> 'l9'", "edge 1", "src 1"]),
    "row negative": (ends(), [link(0, 9, src=-1)], ["edge 0", "src -1"]),
    "tap too large": (ends(), [link(0, 9, tap=1)], ["edge 0", "tap 1"]),
    "weight not finite": (ends(), [link(0, 9, weight=np.nan)], ["edge 0", "nan", "finite"]),
    "weights of integers": (ends(), [link(0, 9, weight=np.array([1]))], ["int64", "float32 or float64"]),
    "edge twice": (ends(2), [link(0, 9, ids=(0, 1), src=np.array([1, 1]))], ["two edges", "row 1"]),
    "out of order": (ends(2), [link(0, 9, ids=(0, 1), src=np.array([1, 0]))], ["canonical order"]),
    "grids disagree": (ends(grid=(2, 2)), [link(0, 9)], ["'l0' -> 'l9'", "(2, 2)", "()"]),
    "kernel too large": (ends(grid=(2, 2)), [link(0, 9, kind=Conv2d((3, 3)))], ["'l0' -> 'l9'", "does not fit"]),
    "negative layer id": ([*ends(), layer(-1, first=40)], [], ["layer id -1", "next_ids"]),
    "negative vertex id": ([*ends(), layer(3, first=-1)], [], ["vertex ids -1", "next_ids"]),
    "empty layer": ([*ends(), layer(3, n=0)], [], ["'l3'", "no vertices"]),
}


@pytest.mark.parametrize("case", CASES)
def test_errors_name_what_is_wrong(case):
    layers, links, words = CASES[case]
    with pytest.raises(GraphError) as caught:
        Graph(layers, links)
    for word in words:
        assert word in str(caught.value)


@pytest.mark.parametrize("kind", ["layer", "vertex", "edge"])
def test_ids_must_lie_below_next_ids(kind):
    next_ids = {"layer": 10, "vertex": 91, "edge": 1}
    Graph(ends(), [link(0, 9)], next_ids=NextIds(**next_ids))
    next_ids[kind] -= 1
    with pytest.raises(GraphError, match=f"{kind} id.*next_ids"):
        Graph(ends(), [link(0, 9)], next_ids=NextIds(**next_ids))


def test_cycle_of_many_layers_names_a_few():
    layers = [layer(0, "input"), layer(99, "output"), *(layer(i) for i in range(1, 20))]
    links = [link(i, i + 1, ids=(i,)) for i in range(1, 19)] + [link(19, 1, ids=(50,))]
    with pytest.raises(GraphError, match="and 14 more"):
        Graph(layers, links)


def test_a_kernel_of_the_whole_grid_feeds_a_dense_layer():
    graph = Graph(ends(grid=(2, 2)), [link(0, 9, kind=Conv2d((2, 2)), tap=3)])
    assert graph.num_edges == 1


def test_empty_links_are_allowed():
    graph = Graph(ends(), [link(0, 9, ids=())])
    assert [len(k) for k in graph.links] == [0]


def test_files_of_earlier_versions_may_have_parallel_ports():
    layers, links = ends(), [link(0, 9), link(0, 9, ids=(1,), port=1), link(0, 9, ids=(), port=2)]
    with pytest.raises(GraphError, match="port 1"):
        Graph(layers, links)
    graph = Graph(layers, links, validate=False)
    validate_graph(graph, layers, links)
    assert [len(k) for k in graph.links] == [1, 1, 0]


def test_a_bad_link_among_many_good_ones_is_the_one_that_is_named():
    b = GraphBuilder()
    b.input("x", 2)
    for i in range(5):
        b.layer(f"h{i}", 2)
        b.dense("x" if i == 0 else f"h{i - 1}", f"h{i}")
    b.output("y", 1)
    b.edges("h4", "y", [0, 7], [0, 0], weight=1.0)
    with pytest.raises(GraphError, match="'h4' -> 'y': edge 21 has src 7"):
        b.build()
