"""Plots of path weights and tau-cores show what the analysis says."""

import numpy as np
import pytest
from hypothesis import given
from random_graphs import graphs

import netgraph as ng
from netgraph.analysis import layer_tau_cores, path_analysis
from netgraph.errors import OptionError
from netgraph.viz import plot_paths, plot_tau_core


@given(graph=graphs())
def test_the_curve_is_the_share_held_by_the_top_edges(graph):
    paths = path_analysis(graph)
    right = plot_paths(paths).axes[1]
    share = np.sort(paths.edge_share[~graph.edges.frozen])[::-1]
    if not share.sum() > 0:
        assert not right.lines
        assert len(right.texts) == 1
        return
    edges, held = right.lines[0].get_data()
    np.testing.assert_allclose(edges, 100 * np.arange(len(share) + 1) / len(share))
    np.testing.assert_allclose(held, 100 * np.concatenate([[0], np.cumsum(share) / share.sum()]), atol=1e-9)
    assert (np.diff(held, 2) <= 1e-9).all()


def test_the_text_reads_the_curve():
    graph = ng.mlp([1, 2, 1]).with_weights(np.array([3.0, 1.0, 1.0, 1.0]))
    right = plot_paths(graph).axes[1]
    # Shares are 3/4, 1/4, 3/4, 1/4: the top two of four edges hold three quarters.
    assert right.texts[0].get_text() == "25 % of the edges hold 37.5 %\n50 % of the edges hold 75 %"


def test_bars_are_quantiles_by_layer():
    graph = ng.mlp([6, 5, 3], seed=4)
    share = path_analysis(graph).edge_share
    left = plot_paths(graph).axes[0]
    (median,) = left.lines
    for k, key in enumerate([("input", "hidden1"), ("hidden1", "output")]):
        link = graph.links[key]
        start = graph.edges.offset(link.key)
        own = share[start : start + len(link)]
        assert median.get_ydata()[k] == pytest.approx(np.median(own))
        bar = left.containers[0][k]
        assert (bar.get_y(), bar.get_y() + bar.get_height()) == pytest.approx((own.min(), own.max()))
        inner = left.containers[1][k]
        assert inner.get_y() == pytest.approx(np.quantile(own, 0.1))
    assert [label.get_text() for label in left.get_xticklabels()] == ["hidden1", "output"]


def test_edges_without_path_weight_are_counted():
    graph = ng.mlp([2, 2]).with_weights(np.array([1.0, 0.0, 0.0, 2.0]))
    assert plot_paths(graph).axes[0].get_title() == "2 edges carry no path weight (not shown)"


def test_many_layers_are_bands():
    left = plot_paths(ng.mlp([3] * 60)).axes[0]
    assert len(left.lines[0].get_ydata()) == 59
    assert not left.containers


def test_no_path_is_said():
    graph = ng.mlp([2, 2]).with_weights(np.zeros(4))
    assert all("no path with a weight" in axes.texts[0].get_text() for axes in plot_paths(graph).axes)
    assert "no path with a weight" in plot_tau_core(graph).get_title()


@given(graph=graphs())
def test_bars_of_cores_stand_beside_widths(graph):
    cores = layer_tau_cores(path_analysis(graph), 0.7)
    axes = plot_tau_core(graph, tau=0.7)
    widths, sizes = axes.containers
    assert [bar.get_height() for bar in widths] == [core.candidates for core in cores]
    assert [bar.get_height() for bar in sizes] == [core.size for core in cores]
    assert [text.get_text() for text in axes.texts] == [f"{core.size} of {core.candidates}" for core in cores]


def test_an_analysis_that_is_there_is_used():
    graph = ng.mlp([6, 5, 3], seed=4)
    squared = path_analysis(graph, power=2)
    sizes = [bar.get_height() for bar in plot_tau_core(squared).containers[1]]
    assert sizes == [core.size for core in layer_tau_cores(squared)]


def test_many_layers_have_no_numbers():
    axes = plot_tau_core(ng.mlp([3] * 60))
    assert not axes.texts
    assert axes.get_xlabel().endswith("names left out")


def test_a_tau_outside_0_and_1_is_refused():
    with pytest.raises(OptionError, match=r"tau=1\.5"):
        plot_tau_core(ng.mlp([2, 2]), tau=1.5)


def test_paths_through_wires_alone_have_no_bars():
    b = ng.GraphBuilder()
    b.input("x", 2)
    b.output("y", 2)
    b.identity("x", "y")
    left, right = plot_paths(b.build()).axes
    assert left.texts[0].get_text() == "all path weight goes through wires"
    assert right.texts[0].get_text() == "no trainable edge carries path weight"
