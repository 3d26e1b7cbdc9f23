"""Tau-cores: golden cases, and both definitions on graphs where they part."""

import numpy as np
import pytest
from golden_paths import LAYERED, layered

from netgraph.analysis import average_tau_core_ratio, layer_tau_cores, path_analysis, tau_core
from netgraph.errors import OptionError
from netgraph.graph import GraphBuilder


def names(graph, ids):
    rows = graph.vertices.rows(ids)
    return [f"{a}:{b}" for a, b in zip(graph.vertices.layer[rows], graph.vertices.row[rows], strict=True)]


@pytest.mark.parametrize("within", ["all", "hidden"])
def test_golden_cores_of_a_whole_network(within):
    graph = layered()
    paths = path_analysis(graph)
    known = LAYERED[f"tau_core_{within}_nodes"]
    summed = tau_core(paths, LAYERED["tau"], within=within)
    assert names(graph, summed.vertices) == known["A_sum_set"]
    assert summed.size == known["A_sum_size"]
    cover = tau_core(paths, LAYERED["tau"], within=within, definition="cover")
    assert names(graph, cover.vertices) == known["B_greedy_order"]
    assert cover.covered == pytest.approx(known["B_greedy_coverage"], rel=1e-9)
    assert cover.ratio == known["B_greedy_size"] / (13 if within == "all" else 8)


@pytest.mark.parametrize("definition", ["sum", "cover"])
def test_golden_cores_layer_by_layer(definition):
    graph = layered()
    paths = path_analysis(graph)
    cores = layer_tau_cores(paths, LAYERED["tau"], definition=definition)
    for core, known in zip(cores, LAYERED["tau_core_layerwise"], strict=True):
        assert core.layer == str(known["layer"])
        assert (core.candidates, core.size, core.ratio) == (known["width"], known["size"], known["ratio"])
        assert names(graph, core.vertices) == known["set"]
    average = average_tau_core_ratio(paths, LAYERED["tau"], hidden=False)
    assert average == pytest.approx(LAYERED["average_tau_core_ratio_all_layers"])
    assert average_tau_core_ratio(paths) == pytest.approx(LAYERED["average_tau_core_ratio_hidden_layers"])


def test_a_cover_ends_where_paths_pass_by_all_candidates():
    b = GraphBuilder()
    b.input("x", 1)
    b.layer("h", 2)
    b.output("y", 1)
    b.edges("x", "h", [0, 0], [0, 1], weight=[1.0, 2.0])
    b.edges("h", "y", [0, 1], [0, 0], weight=1.0)
    b.edges("x", "y", [0], [0], weight=7.0)
    graph = b.build()
    core = tau_core(path_analysis(graph), definition="cover")
    assert names(graph, core.vertices) == ["1:1", "1:0"]
    assert core.covered == pytest.approx(0.3)
    assert tau_core(path_analysis(graph), 0.6).covered == pytest.approx(2 / 3)


def test_a_cover_counts_paths_once_in_grids_too():
    b = GraphBuilder(seed=3, dtype=np.float64)
    b.input("x", 2, grid=(4, 4))
    b.layer("a", 4, grid=(4, 4))
    b.layer("b", 4, grid=(4, 4))
    b.output("y", 2)
    b.conv2d("x", "a", kernel=3, padding=1)
    b.conv2d("a", "b", kernel=3, padding=1)
    b.conv2d("b", "y", kernel=4)
    paths = path_analysis(b.build())
    by_cover, by_sum = (tau_core(paths, 1.0, definition=k) for k in ("cover", "sum"))
    assert by_sum.size == 8
    assert by_cover.size == 4
    assert by_cover.covered == 1


def test_without_paths_or_hidden_layers_there_is_no_core():
    b = GraphBuilder()
    b.input("x", 2)
    b.output("y", 2)
    b.edges("x", "y", [], [], weight=[])
    paths = path_analysis(b.build())
    assert tau_core(paths, within="all").size == 0
    assert tau_core(paths).ratio == 0
    assert np.isnan(average_tau_core_ratio(paths))


def test_options_are_checked():
    paths = path_analysis(layered())
    for options in ({"tau": 0}, {"tau": 1.1}, {"within": "layer"}, {"definition": "greedy"}):
        with pytest.raises(OptionError, match=next(iter(options))):
            tau_core(paths, **options)
