"""Weights of paths: golden cases by enumeration, and the interpreter on the linear graph of absolute weights."""

import math
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from golden_paths import CONVOLUTION, LAYERED, convolutional, layered
from map_graphs import lopsided_graph, random_map_graph, token_graph

import netgraph as ng
from netgraph.analysis import isolated_vertices, path_analysis, path_kernel_trace, paths, topology_metrics
from netgraph.errors import GraphError, OptionError
from netgraph.graph import GraphBuilder
from netgraph.graph.link import Link, edge_columns

CLOSE = {"rtol": 1e-9, "atol": 1e-12}


def cells(found, key):
    """(targets, sources * taps) scores of all cells of a link."""
    left, right, log = found.factors(key)
    return (left.T @ right * math.exp(log)).T


def column(values):
    """(vertices,) numbers by name "layer:row", in the order of the layered graph."""
    return [values[f"{k}:{i}"] for k, width in enumerate(LAYERED["widths"]) for i in range(width)]


def plain(scaled):
    values, log = scaled
    return values * math.exp(log)


def linear(graph, power):
    """The graph of |weights|^power with identities for activations, written as a graph that the interpreter reads."""
    layers = [_linear_layer(layer, power) for layer in graph.layers_by_id.values()]
    links = [replace(k, weight=np.abs(k.weight.astype(np.float64)) ** power) for k in graph.links]
    return ng.Graph(layers, links, next_ids=graph.next_ids)


def _linear_layer(layer, power):
    if layer.role == "input":
        return replace(layer, values={"low": np.full(len(layer), -np.inf), "high": np.full(len(layer), np.inf)})
    factor = np.ones(len(layer))
    if layer.norm != "none":
        var = layer.values["var"] + layer.norm_epsilon if layer.norm == "batch" else 1.0
        factor = np.abs(layer.values["scale"]) / np.sqrt(var)
    pool = layer.pool and replace(layer.pool, kind="average")
    again = math.prod(pool.size) ** (1.0 - power) if pool else 1.0  # averaging is done once by the pool itself
    zeros, ones = np.zeros(len(layer)), np.ones(len(layer))
    scale = factor**power * again * math.sqrt(1 + layer.norm_epsilon)
    values = {"scale": scale, "shift": zeros, "mean": zeros, "var": ones}
    return replace(layer, activation="identity", norm="batch", pool=pool, values=values)


def total_of(graph):
    """Sum of all outputs of a linear graph when 1 goes in everywhere."""
    ones = {layer.name: np.ones((1, len(layer), *layer.grid)) for layer in graph.inputs}
    found = ng.interpret(graph, ones)
    return sum(float(y.sum()) for y in (found.values() if isinstance(found, dict) else [found]))


def with_weight(graph, key, cell, weight):
    """The graph with the edge (target row, source row, tap) of a link at this weight, made where it is missing."""
    link = graph.links_by_key[key]
    dst, src, tap = cell
    there = (link.dst == dst) & (link.src == src) & (link.tap == tap)
    if there.any():
        new = replace(link, weight=np.where(there, weight, link.weight))
    else:
        added = edge_columns(id=[graph.next_ids.edge], src=[src], dst=[dst], tap=[tap], weight=np.float64(weight))
        joined = {name: np.concatenate([values, added[name]]) for name, values in link.columns.items()}
        new = Link.sorted(link.source, link.target, link.kind, joined, link.port)
    links = [new if k.key == key else k for k in graph.links]
    return ng.Graph(graph.layers_by_id.values(), links, validate=False)


def test_golden_layered_network():
    graph = layered()
    found = path_analysis(graph)
    assert found.total == pytest.approx(LAYERED["total_pwmp"], rel=1e-9)
    assert path_kernel_trace(graph) == pytest.approx(LAYERED["path_kernel_trace"], rel=1e-9)
    for power, suffix in ((1, ""), (2, "_sq")):
        by_power = path_analysis(graph, power=power)
        phi = np.concatenate([plain(by_power.complexity(i)) for i in range(4)])
        psi = np.concatenate([plain(by_power.generality(i)) for i in range(4)])
        np.testing.assert_allclose(phi, column(LAYERED["phi" + suffix]), **CLOSE)
        np.testing.assert_allclose(psi, column(LAYERED["psi" + suffix]), **CLOSE)
    through = found.centrality * found.total
    np.testing.assert_allclose(through, column(LAYERED["path_centrality"]), **CLOSE)
    sums = np.add.reduceat(through, graph.vertices.offsets[:-1])
    np.testing.assert_allclose(sums, LAYERED["layer_sums_of_C"], **CLOSE)
    full = [cells(found, link.key).sum() for link in graph.links]
    np.testing.assert_allclose(full, LAYERED["full_mass_per_layer"], **CLOSE)


@pytest.mark.parametrize(("power", "name"), [(1, "score_L1"), (2, "score_L2_trace_gain")])
def test_golden_scores_of_missing_edges(power, name):
    found = path_analysis(layered(), power=power)
    for (source, target), expected in zip(LAYERED["missing_edges"], LAYERED[name], strict=True):
        (a, i), (b, j) = (tuple(map(int, end.split(":"))) for end in (source, target))
        assert cells(found, (a, b, 0))[j, i] == pytest.approx(expected, rel=1e-9, abs=1e-12)


def test_golden_scores_of_edges_that_are_there():
    graph = layered()
    found = path_analysis(graph)
    expected = {(a, b): score for a, b, score in LAYERED["synflow_score_existing"]}

    name = {
        int(v): f"{layer}:{row}"
        for v, layer, row in zip(graph.vertices.id, graph.vertices.layer, graph.vertices.row, strict=True)
    }
    for source, target, share in zip(graph.edges.source, graph.edges.target, found.edge_share, strict=True):
        score = expected[name[int(source)], name[int(target)]]
        assert share * found.total == pytest.approx(score, rel=1e-9, abs=1e-12)


def test_golden_convolutions():
    found = path_analysis(convolutional())
    assert found.total == pytest.approx(CONVOLUTION["total_pwmp"], rel=1e-9)
    np.testing.assert_allclose(plain(found.complexity("1")), CONVOLUTION["phi_hidden"], **CLOSE)
    np.testing.assert_allclose(plain(found.generality("1")), CONVOLUTION["psi_hidden"], **CLOSE)
    dense = {k: cells(found, (k - 1, k, 0)) for k in (1, 2)}
    for k, scores in dense.items():
        expected = np.array(CONVOLUTION[f"dense_score_kernel{k}"])
        np.testing.assert_allclose(scores, expected.reshape(scores.shape), **CLOSE)
    for (k, out, inner, m, n), score in zip(CONVOLUTION["missing"], CONVOLUTION["score_L1"], strict=True):
        assert dense[k][out, 4 * inner + 2 * m + n] == pytest.approx(score, rel=1e-9)


GRAPHS = [
    *(lambda s=s: random_map_graph(s) for s in (0, 1, 2, 3, 6, 7)),
    lambda: token_graph(1),
    lambda: lopsided_graph(2),
]


@pytest.mark.parametrize("make", GRAPHS)
@pytest.mark.parametrize("power", [1, 2])
@pytest.mark.parametrize("matrices", ["dense", "sparse"])
def test_against_the_interpreter(make, power, matrices, monkeypatch):
    monkeypatch.setattr(paths, "GATHER_BELOW", {"dense": 0.0, "sparse": 2.0}[matrices])
    monkeypatch.setattr(paths, "CELLS_AT_ONCE", 7)
    monkeypatch.setattr("netgraph.analysis.linear.DENSE_FROM", {"dense": 0.0, "sparse": 2.0}[matrices])
    graph = make()
    rng = np.random.default_rng(3)
    found, oracle = path_analysis(graph, power=power), linear(graph, power)
    total = total_of(oracle)
    assert found.total == pytest.approx(total, rel=1e-9)
    starts = np.cumsum([0, *map(len, graph.links)])
    for k, link in enumerate(graph.links):
        scores = cells(found, link.key)
        for _ in range(4):
            cell = [int(rng.integers(n)) for n in (len(graph.layer(link.target)), len(graph.layer(link.source)))]
            cell.append(int(rng.integers(link.kind.taps)))
            zero, one = (total_of(with_weight(oracle, link.key, cell, w)) for w in (0.0, 1.0))
            score = scores[cell[0], cell[1] * link.kind.taps + cell[2]]
            assert score == pytest.approx(one - zero, rel=1e-6, abs=1e-9 * total)
        weight = np.abs(link.weight.astype(np.float64)) ** power
        direct = weight * scores[link.dst, link.src.astype(int) * link.kind.taps + link.tap] / (found.total or 1.0)
        np.testing.assert_allclose(found.edge_share[starts[k] : starts[k + 1]], direct, rtol=1e-9, atol=1e-15)


@pytest.mark.parametrize("seed", [0, 1, 2, 6])
def test_cuts_give_the_weight_of_all_paths(seed):
    graph = random_map_graph(seed)
    found = path_analysis(graph)
    place = {i: k for k, i in enumerate(graph.topological_order)}
    starts = np.cumsum([0, *map(len, graph.links)])
    by_link = {
        link.key: found.edge_share[a:b].sum() for link, (a, b) in zip(graph.links, pairwise(starts), strict=True)
    }
    outputs = {layer.id for layer in graph.outputs}
    for k, i in enumerate(graph.topological_order):
        start = graph.vertices.offset(i)
        through = found.centrality[start : start + len(graph.layer(i))].sum()
        passing = sum(share for (a, b, _), share in by_link.items() if place[a] < k < place[b])
        ended = sum(
            found.centrality[graph.vertices.offset(j) :][: len(graph.layer(j))].sum() for j in outputs if place[j] < k
        )
        assert through + passing + ended == pytest.approx(1, rel=1e-9)


def test_norms_can_be_left_out():
    graph = random_map_graph(1, norms=("batch",))
    oracle = linear(graph, 1)
    bare = [
        replace(k, values={**k.values, "scale": np.full(len(k), math.sqrt(1 + k.norm_epsilon))})
        if k.role != "input" else k
        for k in oracle.layers_by_id.values()
    ]  # fmt: skip
    expected = total_of(ng.Graph(bare, oracle.links))
    assert path_analysis(graph, norm="ignore").total == pytest.approx(expected, rel=1e-9)
    assert path_analysis(graph).total != pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize("size", [1e30, 1e-30])
@pytest.mark.parametrize("power", [1, 2])
def test_deep_chains_of_wild_weights(size, power):
    b = GraphBuilder(dtype=np.float64)
    names = [b.input("x", 2)]
    names += [b.layer(f"h{k}", 2) for k in range(299)]
    names.append(b.output("y", 2))
    for source, target in pairwise(names):
        b.edges(source, target, [0, 1, 0], [0, 1, 1], weight=[size, size, size / 4])
    graph = b.build()
    found = path_analysis(graph, power=power)
    # n layers of [[1, 0], [c, 1]]: ones go to 1 and 1 + n c.
    expected = 300 * power * math.log(size) + math.log(2 + 300 * 0.25**power)
    assert found.log_total == pytest.approx(expected, rel=1e-12)
    assert found.total == (math.inf if size > 1 else 0)
    np.testing.assert_allclose(found.centrality.reshape(-1, 2).sum(axis=1), 1, rtol=1e-9)
    np.testing.assert_allclose(found.edge_share.reshape(-1, 3).sum(axis=1), 1, rtol=1e-9)


def test_scales_that_lie_far_apart_join_at_the_largest():
    b = GraphBuilder(dtype=np.float64)
    b.input("x", 1)
    for name, size in (("small", 1e-200), ("large", 1e200)):
        b.layer(name, 1)
        b.edges("x", name, [0], [0], weight=size)
    b.output("y", 1)
    for name in ("small", "large"):
        b.edges(name, "y", [0], [0], weight=1.0)
    found = path_analysis(b.build())
    assert found.log_total == pytest.approx(200 * math.log(10))
    np.testing.assert_allclose(found.centrality, [1, 0, 1, 1], rtol=1e-9)
    assert found.complexity("small")[1] == pytest.approx(-200 * math.log(10))


def test_a_graph_without_paths():
    b = GraphBuilder()
    b.input("x", 2)
    b.layer("h", 3)
    b.output("y", 2)
    b.edges("x", "h", [0], [1], weight=0.0)
    b.dense("h", "y")
    graph = b.build()
    found = path_analysis(graph)
    assert found.log_total == -math.inf
    assert found.total == 0
    assert not found.centrality.any()
    assert not found.edge_share.any()
    assert found.generality("h")[0].max() == 1
    assert "power 1" in repr(found)


def test_what_does_not_exist_is_refused():
    found = path_analysis(layered())
    with pytest.raises(GraphError, match="no link"):
        found.factors((3, 0, 0))
    with pytest.raises(GraphError, match="layer"):
        found.complexity("4")
    with pytest.raises(OptionError, match="power"):
        path_analysis(layered(), power=3)
    with pytest.raises(OptionError, match="norm"):
        path_analysis(layered(), norm="batch")
    assert found.complexity(found.graph.layers["2"]) is found.complexity(2)


def test_isolated_vertices_have_no_edge_on_one_side():
    graph = layered()
    rows = dict(zip(graph.vertices.id.tolist(), graph.vertices.row.tolist(), strict=True))
    assert [rows[int(i)] for i in isolated_vertices(graph)] == [3]
    wired = random_map_graph(0)
    fed = {k.target for k in wired.links if k.kind.wires}
    assert fed
    metrics = topology_metrics(graph)
    assert metrics["isolated"] == 1
    assert metrics["path_weight"] == pytest.approx(LAYERED["total_pwmp"])
    assert metrics["path_kernel_trace"] == pytest.approx(LAYERED["path_kernel_trace"])
    assert metrics["tau_core_ratio"] == LAYERED["average_tau_core_ratio_hidden_layers"]
    assert metrics["density"] == pytest.approx(10 / 28)
