"""Histograms of degrees and weights count every vertex and every trainable edge once."""

import numpy as np
import pytest
from hypothesis import given
from ported import as_stored
from random_graphs import graphs

import netgraph as ng
from netgraph.errors import OptionError
from netgraph.viz import plot_degrees, plot_weights


def stairs(axes):
    """Filled stairs: (label, counts, bins)."""
    return [(p.get_label(), *p.get_data()[:2]) for p in axes.patches if p.get_label()]


@given(graph=graphs())
def test_degrees_are_counted_by_role(graph):
    into, out = plot_degrees(graph).axes
    roles = {int(i): layer.role for layer in graph.layers.values() for i in layer.vertex_ids}
    for axes, ends, shown in (
        (into, graph.edges.target, "hidden output"),
        (out, graph.edges.source, "input position hidden"),
    ):
        for label, counts, bins in stairs(axes):
            role = label.split()[0]
            assert role in shown.split()
            degrees = [int(np.count_nonzero(ends == i)) for i, r in roles.items() if r == role]
            assert counts.sum() == len(degrees)
            for count, low, high in zip(counts, bins[:-1], bins[1:], strict=True):
                assert count == sum(low < d < high for d in degrees)
        assert len(stairs(axes)) == len({r for r in roles.values() if r in shown.split()})


def test_large_degrees_have_wide_bins_and_zero_its_own():
    graph = ng.mlp([3000, 20, 5], density=0.4)
    into = plot_degrees(graph).axes[0]
    assert into.get_xscale() == "symlog"
    for label, counts, bins in stairs(into):
        assert tuple(bins[:3]) == (-0.5, 0.5, 1.5)
        assert counts.sum() == (20 if label.startswith("hidden") else 5)
        assert bins[-1] > np.bincount(graph.edges.target_row).max()


def test_the_legend_tells_the_mean():
    labels = [text.get_text() for text in plot_degrees(ng.mlp([4, 3, 2])).axes[0].get_legend().get_texts()]
    assert labels == ["hidden (3 vertices, 4 on average)", "output (2 vertices, 3 on average)"]


def lines(axes):
    """Stairs by the part of their label before the count."""
    return {p.get_label().rsplit(": ", 1)[0]: p for p in axes.patches}


@pytest.mark.parametrize("by", ["layer", "link", "birth"])
@pytest.mark.parametrize("magnitude", [False, True])
@given(graph=graphs())
def test_every_trainable_weight_is_in_one_line(by, magnitude, graph):
    axes = plot_weights(graph, by=by, magnitude=magnitude)
    weights = graph.edges.weight[~graph.edges.frozen]
    counted = sum(int(p.get_data().values.sum()) for p in axes.patches)
    zeros = sum(int(line.get_ydata()[0]) for line in axes.lines if line.get_marker() == "o")
    assert zeros == np.count_nonzero(weights == 0)
    assert counted + zeros == len(weights)


def test_lines_belong_to_the_layer_that_edges_lead_into():
    graph = ng.mlp([5, 4, 3])
    found = lines(plot_weights(graph))
    for name, link in (("hidden1", graph.links["input", "hidden1"]), ("output", graph.links["hidden1", "output"])):
        counts, bins, _ = found[name].get_data()
        np.testing.assert_array_equal(counts, np.histogram(link.weight, bins)[0])
        assert found[name].get_label() == f"{name}: {len(link)} edges"


def test_both_degrees_have_scales_of_one_kind_that_say_so():
    long = plot_degrees(ng.mlp([64, 24, 10]))
    long.canvas.draw()
    for axes in long.axes:
        assert axes.get_xscale() == "symlog"
        assert axes.get_xlabel().endswith("(logarithmic)")
        ticks = [text.get_text() for text in axes.get_xticklabels()]
        assert {"0", "1", "2", "5", "10", "20"} <= set(ticks)
    assert {"20", "50"} <= {text.get_text() for text in long.axes[0].get_xticklabels()}
    assert len({axes.get_yscale() for axes in long.axes}) == 1
    short = plot_degrees(ng.mlp([6, 4, 2]))
    assert [axes.get_xscale() for axes in short.axes] == ["linear", "linear"]
    assert not any("logarithmic" in axes.get_xlabel() + axes.get_ylabel() for axes in short.axes)


def test_new_edges_of_weight_0_are_seen():
    graph = ng.apply(ng.rules.AddSkip(), ng.mlp([4, 3, 2]), limit=1, probe=None).graph
    new = graph.edges.weight[graph.edges.birth == 1]
    assert not new.any()
    axes = plot_weights(graph, by="birth")
    assert list(lines(axes)) == ["start", "rewrite 1"]
    assert lines(axes)["rewrite 1"].get_label() == f"rewrite 1: {len(new)} edges, {len(new)} of weight 0"
    (dot,) = (line for line in axes.lines if line.get_marker() == "o")
    assert dot.get_xdata().tolist() == [0.0]
    assert dot.get_ydata().tolist() == [len(new)]
    assert axes.get_xlabel() == "weight (dots: weight 0)"


def test_small_weights_are_told_from_0_by_magnitude():
    graph = ng.mlp([2, 2]).with_weights(np.array([1e-9, 0.0, 1e-3, -1.0]))
    axes = plot_weights(graph, magnitude=True)
    counts, bins, _ = axes.patches[0].get_data()
    np.testing.assert_array_equal(counts, np.histogram([1e-9, 1e-3, 1.0], bins)[0])
    (dot,) = (line for line in axes.lines if line.get_marker() == "o")
    assert 0 < dot.get_xdata()[0] < bins[0]


def test_beyond_most_lines_the_rest_is_one():
    graph = ng.mlp([3, 9, 8, 1, 2, 7, 2])
    found = lines(plot_weights(graph, max_lines=3))
    assert list(found) == ["hidden1", "hidden2", "4 other layers"] or len(found) == 3
    sizes = sorted((len(k) for k in graph.links), reverse=True)
    assert found["4 other layers"].get_label() == f"4 other layers: {sum(sizes[2:])} edges"
    assert sum(int(p.get_data().values.sum()) for p in found.values()) == graph.num_edges


def test_of_many_rewrites_the_last_have_lines():
    graph = ng.mlp([4, 4], domain=(0, 1))
    for _ in range(4):
        graph = ng.apply(ng.rules.SplitEdges(), graph, limit=1, probe=None).graph
    assert list(lines(plot_weights(graph, by="birth", max_lines=3))) == ["rewrite 3", "rewrite 4", "3 earlier rewrites"]


def test_links_are_named_with_their_port():
    b = ng.GraphBuilder()
    b.input("x", 2)
    b.output("y", 2)
    b.dense("x", "y")
    b.dense("x", "y", port=1)
    assert list(lines(plot_weights(as_stored(b), by="link"))) == ["x → y", "x → y at port 1"]


def test_wrong_options_are_named():
    with pytest.raises(OptionError, match=r"by='layers'.*Did you mean 'layer'"):
        plot_weights(ng.mlp([1, 1]), by="layers")
    with pytest.raises(OptionError, match="max_lines=0 is below 1"):
        plot_weights(ng.mlp([1, 1]), max_lines=0)
