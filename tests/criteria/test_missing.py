"""Scores of missing edges, and draws from them: golden inclusion probabilities, and mixtures by enumeration."""

import math
import os

import numpy as np
import pytest
from golden_paths import CONVOLUTION, LAYERED, convolutional, layered
from map_graphs import random_map_graph
from ported import as_stored

import netgraph as ng
from netgraph.analysis import path_analysis, sparse_links
from netgraph.criteria import gradient_scores, path_scores, sampling, uniform_scores
from netgraph.errors import GraphError, OptionError, StatisticsError
from netgraph.graph import GraphBuilder
from netgraph.rules import AddEdges
from netgraph.statistics import Statistics

DRAWS = int(os.environ.get("NETGRAPH_DRAWS", "12000"))
"""Draws behind a comparison of frequencies; 200,000 take half a minute for each sampler."""


def candidates(graph):
    """All missing edges of all links that may take some, as (source id, target id, tap), in order, and their scores."""
    found, rows = path_analysis(graph), []
    for key in sparse_links(graph, head=True):
        link = graph.links_by_key[key]
        left, right, log = found.factors(key)
        scores = right.T @ left * math.exp(log)
        there = set(zip(link.dst.tolist(), link.src.tolist(), link.tap.tolist(), strict=True))
        source, target, taps = graph.layer(key[0]).vertex_ids, graph.layer(key[1]).vertex_ids, link.kind.taps
        rows += [
            ((int(source[i]), int(target[j]), t), float(scores[j, i * taps + t]))
            for j in range(len(target)) for i in range(len(source)) for t in range(taps) if (j, i, t) not in there
        ]  # fmt: skip
    return dict(rows)


def golden_pairs():
    """The golden missing edges as rows of ids; vertex ids count through the layers."""
    starts = np.cumsum([0, *LAYERED["widths"]])
    ends = [[[int(n) for n in end.split(":")] for end in edge] for edge in LAYERED["missing_edges"]]
    return [tuple(int(starts[layer] + row) for layer, row in edge) for edge in ends]


def scored(graph, **options):
    return path_scores(graph, sparse_links(graph, head=True), **options)


def test_what_the_golden_network_misses():
    graph = layered()
    scores = scored(graph)
    assert scores.missing == len(LAYERED["missing_edges"])
    assert scores.positive() == scores.missing - LAYERED["n_zero_score"]
    masses = [math.exp(scores.log_mass(key)) for key in scores.links]
    np.testing.assert_allclose(masses, LAYERED["missing_mass_per_layer"], rtol=1e-9)
    best = [tuple(map(int, pair[:2])) for pair in scores.top(3)]
    names = dict(zip(golden_pairs(), map(tuple, LAYERED["missing_edges"]), strict=True))
    assert [list(names[pair]) for pair in best] == LAYERED["deterministic_top3"]
    assert "22 missing edges of 3 links" in repr(scores)


@pytest.mark.parametrize("sampler", ["race", "rejection"])
def test_golden_probabilities_that_an_edge_is_drawn(sampler):
    scores, rng = scored(layered()), np.random.default_rng(7)
    drawn = np.concatenate([scores.sample(3, rng, sampler=sampler) for _ in range(DRAWS)])
    assert len(drawn) == 3 * DRAWS
    code = drawn[:, 0] * 100 + drawn[:, 1]
    hits = np.array([np.count_nonzero(code == a * 100 + b) for a, b in golden_pairs()])
    p = np.array(LAYERED["successive_sampling_inclusion"])
    assert not hits[p == 0].any()
    z = (hits - DRAWS * p)[p > 0] / np.sqrt(DRAWS * p * (1 - p))[p > 0]
    assert np.abs(z).max() < 4


@pytest.mark.parametrize("sampler", ["race", "rejection"])
@pytest.mark.parametrize("count", [1, 2])
def test_draws_from_a_mixture_over_positions(sampler, count):
    b = GraphBuilder(seed=2, dtype=np.float64)
    b.input("x", 1, grid=(3, 4))
    b.layer("h", 2, grid=(3, 4), norm="batch")
    b.output("y", 2)
    b.conv2d("x", "h", kernel=3, padding=1, density=0.4)
    b.conv2d("h", "y", kernel=(3, 4), density=0.5)
    graph = b.build()
    known = candidates(graph)
    score = np.array(list(known.values()))
    p = score / score.sum()
    # The second draw, when the first is j: p_i / (1 - p_j).
    by_order = [p, p * ((p / (1 - p)).sum() - p / (1 - p))]
    scores, rng = scored(graph), np.random.default_rng(1)
    times = DRAWS // 3
    row = {edge: i for i, edge in enumerate(known)}
    drawn = [scores.sample(count, rng, sampler=sampler) for _ in range(times)]
    for k in range(count):
        hits = np.bincount([row[tuple(pairs[k].tolist())] for pairs in drawn], minlength=len(p))
        expected = times * by_order[k]
        assert ((hits - expected) ** 2 / expected).sum() < len(p) + 4 * math.sqrt(2 * len(p))


@pytest.mark.parametrize("seed", [0, 1, 2, 6])
@pytest.mark.parametrize("sampler", ["auto", "race", "rejection"])
def test_draws_are_missing_edges_each_once(seed, sampler, monkeypatch):
    monkeypatch.setattr(sampling, "CELLS_AT_ONCE", 11)
    monkeypatch.setattr(sampling, "PILOT", 8)
    graph = random_map_graph(seed)
    known = candidates(graph)
    scores = scored(graph)
    positive = sum(score > 0 for score in known.values())
    assert scores.missing == len(known)
    assert scores.positive() == positive
    for count in (0, 1, len(known) // 3, positive, len(known), len(known) + 5):
        drawn = scores.draw(count, 3, sampler=sampler)
        pairs = list(map(tuple, drawn.pairs.tolist()))
        assert len(pairs) == len(set(pairs)) == min(count, len(known))
        assert set(pairs) <= set(known)
        assert drawn.by_chance == max(0, len(pairs) - positive)
        assert all(known[pair] > 0 for pair in pairs[: len(pairs) - drawn.by_chance])
        np.testing.assert_array_equal(drawn.pairs, scores.sample(count, 3, sampler=sampler))
    if len(known) > 5:
        again = [scores.sample(len(known), seed, sampler=sampler).tolist() for seed in (3, 4)]
        assert again[0] != again[1]
    result = ng.apply(AddEdges(), graph, on=scores.sample(len(known), 0, sampler=sampler))
    assert len(result.matches) == len(known)
    assert result.certificate.kind == "exact"


@pytest.mark.parametrize("seed", [0, 2])
def test_the_best_come_first_and_ties_in_order(seed, monkeypatch):
    monkeypatch.setattr(sampling, "CELLS_AT_ONCE", 13)
    graph = random_map_graph(seed)
    known = candidates(graph)
    found = scored(graph).top(len(known))
    values = np.array([known[tuple(pair)] for pair in found.tolist()])
    assert (values[1:] <= values[:-1] * (1 + 1e-12)).all()
    alike = uniform_scores(graph, sparse_links(graph, head=True))
    assert list(map(tuple, alike.top(7).tolist())) == list(known)[:7]
    zeros = [edge for edge, score in known.items() if score == 0]
    assert list(map(tuple, found[len(known) - len(zeros) :].tolist())) == zeros


def test_golden_convolutions_are_drawn_from_by_score():
    graph = convolutional()
    known = candidates(graph)
    assert len(known) == len(CONVOLUTION["missing"])
    np.testing.assert_allclose(sorted(known.values()), sorted(CONVOLUTION["score_L1"]), rtol=1e-9)


@pytest.mark.parametrize("sampler", ["race", "rejection", "auto"])
def test_without_paths_edges_are_drawn_uniformly(sampler):
    b = GraphBuilder()
    b.input("x", 2)
    b.layer("h", 3)
    b.output("y", 1)
    b.edges("x", "h", [], [], weight=[])
    b.edges("h", "y", [], [], weight=[])
    scores = path_scores(b.build(), [(0, 1, 0), (1, 2, 0)])
    assert scores.positive() == 0
    assert scores.log_mass((0, 1, 0)) == -math.inf
    rng = np.random.default_rng(0)
    firsts = [scores.draw(2, rng, sampler=sampler) for _ in range(900)]
    assert {drawn.by_chance for drawn in firsts} == {2}
    _, hits = np.unique([drawn.pairs[0] for drawn in firsts], axis=0, return_counts=True)
    assert len(hits) == 9
    assert np.abs(hits - 100).max() < 45


@pytest.mark.parametrize("sampler", ["race", "rejection", "auto"])
def test_scales_of_links_that_lie_far_apart(sampler):
    b = GraphBuilder(dtype=np.float64)
    b.input("x", 3)
    for name, size in (("small", 1e-160), ("large", 1e160)):
        b.layer(name, 3)
        b.edges("x", name, [0, 1], [0, 1], weight=size)
    b.output("y", 1)
    for name, size in (("small", 1e-160), ("large", 1e160)):
        b.edges(name, "y", [0, 1], [0, 0], weight=size)
    graph = b.build()
    scores = path_scores(graph, [(0, 1, 0), (0, 2, 0)])
    assert scores.log_mass((0, 2, 0)) - scores.log_mass((0, 1, 0)) == pytest.approx(320 * math.log(10))
    large, small = (set(graph.layers[name].vertex_ids.tolist()) for name in ("large", "small"))
    for seed in range(20):
        drawn = scores.draw(8, seed, sampler=sampler)
        assert drawn.by_chance == 0
        assert set(drawn.pairs[:4, 1].tolist()) <= large
        assert set(drawn.pairs[4:, 1].tolist()) <= small
    assert set(scores.top(4)[:, 1].tolist()) <= large


def gradients(graph, **arrays):
    moments = {("cross", *name.split("_")): values for name, values in arrays.items()}
    return Statistics(graph.topology_hash, moments=moments)


def test_gradients_of_missing_edges():
    graph = layered()
    rng = np.random.default_rng(0)
    stats = gradients(graph, **{f"{k}_{k + 1}": rng.normal(size=LAYERED["widths"][k : k + 2]) for k in range(3)})
    scores = gradient_scores(graph, sparse_links(graph, head=True), stats)
    found = scores.top(scores.missing)
    where = {
        int(v): (int(a), int(b))
        for v, a, b in zip(graph.vertices.id, graph.vertices.layer, graph.vertices.row, strict=True)
    }
    values = []
    for source, target, _ in found.tolist():
        (a, i), (b, j) = where[source], where[target]
        values.append(abs(stats.cross(str(a), str(b))[i, j]))
    assert values == sorted(values, reverse=True)
    assert len(values) == 22
    assert len(scores.sample(5, 0)) == 5
    with pytest.raises(OptionError, match="rejection"):
        scores.sample(5, 0, sampler="rejection")


def test_gradients_by_tap():
    graph = convolutional()
    first, second = np.zeros((1, 2, 4)), np.zeros((2, 2, 4))
    second[1, 0, 3] = -5.0
    second[1, 0, 2] = 9.0  # is there
    first[0, 1, 2] = 2.0
    scores = gradient_scores(graph, sparse_links(graph, head=True), gradients(graph, **{"0_1": first, "1_2": second}))
    ids = [layer.vertex_ids for layer in graph.layers.values()]
    assert scores.top(2).tolist() == [[ids[1][1], ids[2][0], 3], [ids[0][0], ids[1][1], 2]]
    assert scores.positive() == 2
    assert scores.draw(4, 1).by_chance == 2


def test_gradients_that_do_not_fit_are_refused():
    graph = layered()
    links = [(0, 1, 0)]
    with pytest.raises(StatisticsError, match="shape"):
        gradient_scores(graph, links, gradients(graph, **{"0_1": np.zeros((4, 3))}))
    with pytest.raises(StatisticsError, match="finite"):
        gradient_scores(graph, links, gradients(graph, **{"0_1": np.full((3, 4), np.nan)}))
    with pytest.raises(StatisticsError, match="cross_moments"):
        gradient_scores(graph, links, gradients(graph))
    with pytest.raises(StatisticsError, match="topology"):
        gradient_scores(graph, links, gradients(convolutional(), **{"0_1": np.zeros((3, 4))}))


def test_links_and_options_that_make_no_sense_are_refused():
    graph = random_map_graph(0)
    wires = next(link.key for link in graph.links if link.kind.wires)
    with pytest.raises(OptionError, match="wires"):
        uniform_scores(graph, [wires])
    with pytest.raises(GraphError, match="no link"):
        path_scores(graph, [(0, 99, 0)])
    plain = layered()
    with pytest.raises(OptionError, match="twice"):
        uniform_scores(plain, [(0, 1, 0), (0, 1, 0)])
    with pytest.raises(OptionError, match="another graph"):
        path_scores(plain, [(0, 1, 0)], paths=path_analysis(graph))
    scores = uniform_scores(plain, [(0, 1, 0)])
    with pytest.raises(OptionError, match="count"):
        scores.sample(-1)
    with pytest.raises(OptionError, match="count"):
        scores.top(-1)
    with pytest.raises(OptionError, match="sampler"):
        scores.sample(1, sampler="gumbel")
    with pytest.raises(OptionError, match="links"):
        scores.log_mass((1, 2, 0))


def test_two_links_between_the_same_layers():
    b = GraphBuilder()
    b.input("x", 2)
    b.output("y", 2)
    b.edges("x", "y", [0], [0], weight=1.0, port=1)
    b.edges("x", "y", [0], [1], weight=1.0, port=2)
    graph = as_stored(b)
    assert uniform_scores(graph, [(0, 1, 1)]).missing == 3
    with pytest.raises(OptionError, match="port 2"):
        uniform_scores(graph, [(0, 1, 2)])


def test_auto_rejects_where_few_edges_are_there_and_races_where_many_are():
    few, many = (ng.mlp([400, 300, 3], density=density, seed=1) for density in (0.02, 0.7))
    for graph, edges in ((few, 300), (many, 30_000)):
        scores = path_scores(graph, [(0, 1, 0)])
        drawn = scores.draw(edges, 0)
        assert drawn.by_rejection == (edges if graph is few else 0)
        assert drawn.by_chance == 0


def test_the_squared_scores_are_drawn_from_too():
    graph = layered()
    scores = scored(graph, power=2)
    total = sum(math.exp(scores.log_mass(key)) for key in scores.links)
    assert total == pytest.approx(sum(LAYERED["score_L2_trace_gain"]), rel=1e-9)
