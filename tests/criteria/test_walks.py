"""Biased walks: how often they take an edge, which wires they take, and what their union looks like."""

import json
from pathlib import Path

import numpy as np
import pytest

import netgraph as ng
from netgraph.analysis import admissible_edges, isolated, sparse_links
from netgraph.criteria import Walker, phew_edges, walks_through
from netgraph.errors import GraphError, OptionError

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "sparse_starts.json").read_text())["a5_phew_walk"]
WALKS = 120_000


@pytest.mark.parametrize("direction", ["forward", "backward"])
def test_golden_probabilities(direction):
    graph = ng.mlp([3, 4, 2], dtype=np.float64)
    graph = graph.with_weights(np.concatenate([np.ravel(GOLDEN["W1"]), np.ravel(GOLDEN["W2"])]))
    wanted = np.concatenate([np.ravel(p) for p in GOLDEN[f"{direction}_edge_prob"]])
    role = "input" if direction == "forward" else "output"
    rows = np.flatnonzero(graph.vertices.layer == graph.layers[role].id)
    start = rows[np.arange(WALKS) % len(rows)]
    steps = Walker(graph, forward=direction == "forward").walk(start, np.random.default_rng(5))
    assert np.array_equal(np.bincount(steps.walk), np.full(WALKS, 2))
    share = np.bincount(steps.edge, minlength=len(wanted)) / WALKS
    spread = np.sqrt(wanted * (1 - wanted) / WALKS)
    assert not share[wanted == 0].any()
    assert (np.abs(share - wanted)[wanted > 0] < 4 * spread[wanted > 0]).all()


def test_kernels_are_entered_by_their_sum_and_positions_by_their_weight():
    b = ng.GraphBuilder(seed=2, dtype=np.float64)
    b.input("x", 2, grid=(3, 3))
    b.output("y", 3, grid=(3, 3))
    b.conv2d("x", "y", kernel=3, padding=1)
    graph = b.build()
    link = next(iter(graph.links))
    size = np.abs(link.weight)
    rows = np.zeros(WALKS, dtype=int)  # the first input map
    steps = Walker(graph, forward=True).walk(rows, np.random.default_rng(1))
    by_target = np.bincount(link.dst, size * (link.src == 0))
    wanted = np.where(link.src == 0, (by_target / by_target.sum())[link.dst] * size / by_target[link.dst], 0)
    share = np.bincount(steps.edge, minlength=len(link)) / WALKS
    assert (np.abs(share - wanted) < 4.5 * np.sqrt(wanted * (1 - wanted) / WALKS) + 1e-12).all()


def walked(graph, walks=20_000):
    """Shares of forward and of backward walks that go along each link, by names of its layers."""
    found = []
    for forward, role in ((True, "input"), (False, "output")):
        held = [la.id for la in graph.layers_by_id.values() if la.role == role]
        rows = np.flatnonzero(np.isin(graph.vertices.layer, held))
        steps = Walker(graph, forward=forward).walk(rows[np.arange(walks) % len(rows)], np.random.default_rng(0))
        counts = np.bincount(graph.edges.link[steps.edge], minlength=len(graph.links_by_key)) / walks
        names = [(graph.layer(key[0]).name, graph.layer(key[1]).name) for key in graph.links_by_key]
        found.append(dict(zip(names, counts.tolist(), strict=True)))
    return found


def test_shortcuts_are_not_walked_and_other_wires_are():
    for shares in walked(ng.resnet(8, width=4, input_size=(1, 8, 8))):
        assert shares["conv", "stage1-block1"] == 0
        assert shares["stage1-block1", "stage2-block1"] == 0
        assert shares["stage1-block1-conv2", "stage1-block1"] == 1
        assert shares["stage3-block1", "output"] == 1


def projected():
    """A block with a 1x1 projection beside its branch, whose last layer is wired into the sum."""
    b = ng.GraphBuilder(seed=1)
    b.input("x", 3)
    b.layer("a", 4)
    b.layer("sum", 4)
    b.output("y", 2)
    b.dense("x", "a")
    b.identity("a", "sum")
    b.edges("x", "sum", np.repeat(range(3), 4), np.tile(range(4), 3), weight=1.0)
    b.dense("sum", "y")
    return b.build()


def test_a_wire_counts_as_much_as_the_edges_behind_it():
    graph = projected()
    behind = np.abs(graph.links["x", "a"].weight).reshape(4, 3).sum(axis=0)  # by input
    wanted = np.mean(behind / (behind + 4))
    forward, backward = walked(graph)
    assert forward["a", "sum"] == forward["x", "a"] == pytest.approx(wanted, abs=0.015)
    into = np.abs(graph.links["x", "a"].weight).reshape(4, 3).sum(axis=1)
    read = np.abs(graph.links["sum", "y"].weight).reshape(2, 4)
    wanted = np.mean(read / read.sum(axis=1, keepdims=True) @ (into / (into + 3)))
    assert backward["a", "sum"] == backward["x", "a"] == pytest.approx(wanted, abs=0.015)


def test_a_shortcut_is_walked_where_there_is_no_other_way():
    b = ng.GraphBuilder(seed=1)
    b.input("x", 3)
    b.layer("a", 3)
    b.layer("copy", 3)
    b.output("y", 2)
    b.dense("x", "a")
    b.dense("a", "y")
    b.identity("a", "copy")
    b.dense("copy", "y")
    forward, backward = walked(b.build())
    assert forward["a", "copy"] == 0
    assert backward["a", "copy"] == backward["copy", "y"] > 0


def test_a_walk_without_a_way_on_is_named():
    graph = ng.mlp([3, 4, 2], seed=0)
    weight = np.where((graph.edges.link == 1) & (graph.edges.source_row == 4), 0.0, graph.edges.weight)
    with pytest.raises(GraphError, match="forward walk ends in vertex 4 of layer 'hidden1'"):
        Walker(graph.with_weights(weight), forward=True).walk(np.arange(200) % 3, np.random.default_rng(0))


def test_long_chains():
    b = ng.GraphBuilder()
    last = b.input("x", 1)
    for i in range(3000):
        name = b.layer(f"h{i}", 1)
        b.dense(last, name)
        last = name
    b.dense(last, b.output("y", 1))
    graph = b.build()
    assert phew_edges(graph, sparse_links(graph), 0.5, np.random.default_rng(0)).all()


@pytest.mark.parametrize("share", [0.0, 0.05, 0.3, 0.7])
def test_the_union_has_the_density_and_what_is_entered_is_left(share):
    graph = ng.mlp([20, 30, 40, 10], seed=3)
    links = sparse_links(graph, head=True)
    keep = phew_edges(graph, links, share, np.random.default_rng(1))
    wanted = round(share * admissible_edges(graph, links))
    assert wanted <= keep.sum() < wanted + 3
    edges = graph.edges
    into = np.bincount(edges.target_row[keep], minlength=100) > 0
    out = np.bincount(edges.source_row[keep], minlength=100) > 0
    assert np.array_equal(into[20:90], out[20:90])


@pytest.mark.parametrize("graph", [ng.resnet(8, width=8, seed=1), ng.vgg(11, width=4, seed=1)], ids=["resnet", "vgg"])
def test_the_head_stays_whole_and_so_do_wires(graph):
    links = sparse_links(graph)
    keep = phew_edges(graph, links, 0.1, np.random.default_rng(1))
    thin = ng.thinned(graph, keep)
    wanted = round(0.1 * admissible_edges(graph, links))
    assert wanted <= sum(len(thin.links_by_key[key]) for key in links) < wanted + graph.num_layers
    others = set(graph.links_by_key) - set(links)
    assert all(len(thin.links_by_key[key]) == len(graph.links_by_key[key]) for key in others)


def test_large_weights_are_preferred_and_the_seed_decides():
    graph = ng.mlp([50, 60, 10], seed=3)
    links = sparse_links(graph)
    one, two, other = (phew_edges(graph, links, 0.2, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert np.array_equal(one, two)
    assert not np.array_equal(one, other)
    size = np.abs(graph.edges.weight)[graph.edges.link == 0]
    assert size[one[: len(size)]].mean() > 1.15 * size.mean()


def test_a_density_that_walks_cannot_reach_is_refused(monkeypatch):
    graph = ng.mlp([4, 5, 2], seed=0)
    weight = np.where(graph.edges.id == 3, 0.0, graph.edges.weight)
    monkeypatch.setattr("netgraph.criteria.walks.MAX_WALKS", 10_000)
    with pytest.raises(OptionError, match=r"1 of 20 edges are still missing for density=1\.0"):
        phew_edges(graph.with_weights(weight), sparse_links(graph), 1.0, np.random.default_rng(0))


def test_walks_through_isolated_vertices_join_them():
    graph = ng.mlp([20, 50, 40, 10], seed=3)
    links = sparse_links(graph, head=True)
    keep = phew_edges(graph, links, 0.02, np.random.default_rng(1))
    cut = int(isolated(graph, keep).sum())
    more = walks_through(graph, keep, np.random.default_rng(1))
    assert cut > 20
    assert not isolated(graph, more).any()
    assert (more >= keep).all()
    assert more.sum() - keep.sum() <= 3 * cut
