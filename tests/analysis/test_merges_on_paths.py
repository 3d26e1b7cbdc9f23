"""Weights of paths through attention, gates, positions, ids and moved positions: enumeration of all paths."""

import math
from dataclasses import replace

import numpy as np
import pytest
from path_steps import edge_sums, with_mixed_signs
from tiny_transformer import tiny

import netgraph as ng
from netgraph.analysis import (
    isolated_vertices,
    layer_tau_cores,
    leading_out,
    path_analysis,
    path_kernel_trace,
    reads,
    receptive_fields,
    topology_metrics,
)

SMALL = {"tokens": 2, "width": 2, "heads": 2, "slots": 1, "channels": 1, "hidden": 2, "norm": "none"}
GRAPHS = {
    "attention": tiny(**SMALL),
    "causal": tiny(**{**SMALL, "tokens": 3}, causal=True, head="tokens"),
    "shared values": tiny(**{**SMALL, "slots": 2}, groups=1, ids=False, frequencies=(0.5,)),
    "gated": tiny(**SMALL, gated=True, positions=False, head="tokens"),
    "normed": tiny(**{**SMALL, "norm": "rms"}, head="tokens"),
}


@pytest.mark.parametrize("power", [1, 2])
@pytest.mark.parametrize("name", GRAPHS)
def test_scores_are_those_of_all_paths(name, power):
    graph = with_mixed_signs(GRAPHS[name])
    through, total = edge_sums(graph, power)
    found = path_analysis(graph, power=power)
    assert found.total == pytest.approx(total, rel=1e-12)
    edges = graph.edges
    known = np.array([through.get(int(i), 0.0) for i in edges.id]) / total
    np.testing.assert_allclose(found.edge_share, known, rtol=1e-10, atol=1e-15)
    for link in graph.links:
        scores, log = found.edge_scores(link.key)
        own = np.array([through.get(int(i), 0.0) for i in link.id]) / np.abs(link.weight) ** power
        np.testing.assert_allclose(scores * math.exp(log), own, rtol=1e-10, atol=1e-300)


def test_no_path_goes_through_queries_keys_and_positions():
    found = path_analysis(with_mixed_signs(GRAPHS["attention"]))
    graph = found.graph
    for name in ("q", "k", "heads"):
        assert found.generality(name)[1] == -math.inf
    assert found.complexity("positions")[1] == -math.inf
    of = dict(zip(graph.vertices.id, found.centrality, strict=True))
    none = {"q", "k", "heads", "positions"}
    for layer in graph.layers_by_id.values():
        assert all((of[i] > 0) == (layer.name not in none) for i in layer.vertex_ids.tolist())
    assert [core.layer for core in layer_tau_cores(found)] == [
        graph.layer(i).name for i in graph.topological_order if graph.layer(i).name not in none
    ]


def test_the_trace_of_the_path_kernel_sums_the_edges_on_paths():
    graph = with_mixed_signs(GRAPHS["causal"])
    through, _ = edge_sums(graph, 2)
    edges = graph.edges
    known = sum(
        through.get(int(i), 0.0) / w**2 for i, w, f in zip(edges.id, edges.weight, edges.frozen, strict=True) if not f
    )
    assert path_kernel_trace(graph) == pytest.approx(known, rel=1e-12)


def test_a_missing_edge_scores_the_paths_that_it_opens():
    graph = with_mixed_signs(GRAPHS["gated"])
    link = graph.link((graph.layers["norm2"].id, graph.layers["up"].id, 0))
    gone = ng.draft(ng.rules.PruneEdges(below=None), graph, on=link.id[:1]).graph
    left, right, log = path_analysis(gone).factors(link.key)
    opened = path_analysis(graph).total - path_analysis(gone).total
    score = (left.T @ right)[link.src[0], link.dst[0]] * math.exp(log)
    assert score * abs(link.weight[0]) == pytest.approx(opened, rel=1e-10)


def test_a_vertex_reads_every_token_and_under_a_causal_mask_those_before():
    for name, seen in (("attention", [True, True]), ("causal", [True, True, False])):
        graph = GRAPHS[name]
        field = receptive_fields(graph, graph.layers["mix"].vertex_ids[:1], position=(1,))
        np.testing.assert_array_equal((field.values[0] > 0).any(axis=0), seen)


def test_the_signed_field_is_the_derivative_at_equal_attention():
    graph = with_mixed_signs(tiny(**SMALL, ids=False, positions=False))
    asked = graph.layers["q"].vertex_ids
    graph = graph.with_weights(np.where(np.isin(graph.edges.target, asked), 0.0, graph.edges.weight))
    layers = [
        x
        if x.is_source or x.merge
        else replace(x, activation="identity", values={**x.values, "bias": np.zeros(len(x))})
        for x in graph.layers_by_id.values()
    ]
    graph = ng.Graph(layers, graph.links)
    base = np.random.default_rng(0).uniform(-0.5, 0.5, size=(1, 5, 2))
    field = receptive_fields(graph, graph.layers["y"].vertex_ids, measure="signed")
    values = field.values * math.exp(field.log_scale)
    for at in np.ndindex(5, 2):
        moved = base.copy()
        moved[(0, *at)] += 0.5
        change = 2 * (ng.interpret(graph, moved) - ng.interpret(graph, base))
        np.testing.assert_allclose(change[0], values[(slice(None), *at)], rtol=1e-9, atol=1e-12)


def test_wires_into_merges_read_each_position_once():
    b = ng.GraphBuilder(dtype=np.float64)
    b.input("q", 2, grid=(3,))
    b.input("v", 2, grid=(4,))
    b.attend("heads", "q", "v", heads=1)
    b.mix("mix", "heads", "v")
    b.output("y", 1, grid=(3,))
    b.dense("mix", "y")
    graph = b.build()
    assert reads(graph, "q").tolist() == [[1, 1, 1]] * 2
    assert reads(graph, "v").tolist() == [[2, 2, 2, 2]] * 2


@pytest.mark.parametrize(
    "pool", [ng.Pool("average", (2,), (1,), (1,)), ng.Pool("max", (3,)), ng.Pool("average", (3,), (2,))]
)
def test_pools_over_tokens_count_as_averages(pool):
    b = ng.GraphBuilder(dtype=np.float64)
    b.input("x", 1, grid=(3,), domain=(0, 1))
    b.layer("h", 1, grid=(3,), pool=pool, activation="identity", bias=False)
    b.edges("x", "h", [0], [0], weight=2.0)
    grid = pool.output_grid((3,))
    b.output("y", 1, grid=grid, bias=False)
    b.edges("h", "y", [0], [0], weight=1.0)
    graph = b.build()
    average = ng.Graph(
        [replace(x, pool=replace(pool, kind="average")) if x.name == "h" else x for x in graph.layers_by_id.values()],
        graph.links,
    )
    assert path_analysis(graph).total == pytest.approx(ng.interpret(average, np.ones((1, 1, 3))).sum(), rel=1e-12)
    field = receptive_fields(graph, graph.layers["y"].vertex_ids, position=(0,) * len(grid))
    slope = [float(ng.interpret(average, np.eye(3)[i].reshape(1, 1, 3)).reshape(-1)[0]) for i in range(3)]
    np.testing.assert_allclose(field.values[0, 0] * math.exp(field.log_scale), slope, atol=1e-12)


def test_positions_need_no_edges_and_controls_lead_out():
    graph = GRAPHS["attention"]
    assert not len(isolated_vertices(graph))
    assert leading_out(graph, np.ones(len(graph.edges), bool)).all()
    alone = ng.draft(ng.rules.PruneEdges(below=None), graph, on=graph.edges.id[graph.edges.source == graph.layers["positions"].vertex_ids[0]]).graph  # fmt: skip  # noqa: E501
    assert not len(isolated_vertices(alone))
    assert topology_metrics(graph)["isolated"] == 0
