"""The image of the adjacency says how many edges, and which weights, lie where."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure
from random_graphs import graphs

import netgraph as ng
from netgraph.errors import OptionError
from netgraph.viz import plot_adjacency


def brute_force(graph, value):
    """(sources, targets) by vertex, over layers in topological order, edge by edge; and how many edges."""
    layers = [graph.layer(i) for i in graph.topological_order]
    rows = [int(i) for a in layers if a.role != "output" or graph.outgoing[a.id] for i in a.vertex_ids]
    columns = [int(i) for a in layers if not a.is_source for i in a.vertex_ids]
    counts, sums = np.zeros((len(rows), len(columns)), int), np.zeros((len(rows), len(columns)))
    for source, target, weight in zip(graph.edges.source, graph.edges.target, graph.edges.weight, strict=True):
        at = rows.index(source), columns.index(target)
        counts[at] += 1
        sums[at] += {"count": 1, "weight": weight, "magnitude": abs(weight)}[value]
    return counts, sums


def plain_axes():
    """Axes of a figure without a layout of its own, which takes most of the time."""
    return Figure().subplots()


def image_of(axes):
    (image,) = axes.images
    return image.get_array()


@pytest.mark.parametrize("value", ["count", "weight"])
@given(graph=graphs())
def test_small_graphs_have_a_cell_per_pair(value, graph):
    counts, sums = brute_force(graph, value)
    image = image_of(plot_adjacency(graph, value=value, ax=plain_axes()))
    np.testing.assert_array_equal(np.ma.getmaskarray(image), counts == 0)
    np.testing.assert_allclose(image.filled(0), np.where(counts, sums, 0))


@given(graph=graphs(), most=st.integers(1, 9))
def test_pixels_add_up_neighbouring_vertices(graph, most):
    counts, _ = brute_force(graph, "count")
    rows, columns = (np.arange(n) * min(n, most) // n for n in counts.shape)
    want = np.zeros((rows[-1] + 1, columns[-1] + 1), int)
    np.add.at(want, (rows[:, None], columns[None, :]), counts)
    image = image_of(plot_adjacency(graph, max_pixels=most, ax=plain_axes()))
    assert image.shape == want.shape
    np.testing.assert_array_equal(image.filled(0), want)
    assert image.filled(0).sum() == len(graph.edges)


def test_magnitudes_tell_edges_of_weight_0_from_missing_ones():
    graph = ng.mlp([2, 2])
    graph = graph.with_weights(np.array([0.5, 0.0, -2.0, 1.0]))
    graph = ng.apply(ng.rules.PruneEdges(below=None), graph, on=graph.edges.id[-1:], probe=None).graph
    image = plot_adjacency(graph, value="magnitude").images[0]
    assert np.ma.getmaskarray(image.get_array()).tolist() == [[False, False], [False, True]]
    assert image.get_array().compressed()[[0, 1]].tolist() == [0.5, 2.0]
    assert image.get_array()[1, 0] < image.norm.vmin == 0.5
    under = image.cmap(image.norm(image.get_array()))[1, 0]
    np.testing.assert_allclose(under, image.cmap.get_under())


def test_many_edges_in_a_pixel_have_a_logarithmic_scale():
    axes = plot_adjacency(ng.mlp([100, 50, 10], density=0.5), max_pixels=10)
    assert type(axes.images[0].norm).__name__ == "LogNorm"
    assert axes.figure.axes[1].get_ylabel() == "edges per pixel of 15 x 6 vertices"
    assert axes.figure.axes[1].get_yscale() == "log"


def test_one_edge_per_cell_needs_no_scale():
    assert len(plot_adjacency(ng.mlp([4, 3, 2])).figure.axes) == 1


def test_layers_are_named_and_wires_counted_apart():
    graph = ng.resnet(8, input_size=(3, 8, 8), width=4)
    axes = plot_adjacency(graph)
    names = [label.get_text() for label in axes.get_yticklabels()]
    assert names[0] == "input (3)"
    assert not any(name.startswith("output") for name in names)
    wires = len(graph.edges) - graph.num_edges
    assert axes.get_title() == f"{graph.num_edges:,} edges and {wires} wires among {graph.num_vertices} vertices"


def test_names_without_room_are_left_out_and_counted():
    axes = plot_adjacency(ng.mlp([5] * 300))
    for side, label in (("x", axes.get_xlabel()), ("y", axes.get_ylabel())):
        shown = len(getattr(axes, f"get_{side}ticklabels")())
        assert 20 < shown < 80
        assert label.endswith(f"; {299 - shown} names left out")


@pytest.mark.parametrize("size", [(7.5, 6.8), (3.0, 2.5)])
def test_names_do_not_overlap(size):
    figure = Figure(figsize=size, layout="constrained")
    axes = plot_adjacency(ng.convnet([[3] * 8, [20] * 3], input_size=(3, 16, 16), hidden=(50,)), ax=figure.subplots())
    figure.draw_without_rendering()
    for labels in (axes.get_xticklabels(), axes.get_yticklabels()):
        boxes = [label.get_window_extent() for label in labels]
        assert boxes
        assert not any(a.overlaps(b) for k, a in enumerate(boxes) for b in boxes[:k])


def test_wrong_options_are_named():
    with pytest.raises(OptionError, match=r"'counts'.*Did you mean 'count'"):
        plot_adjacency(ng.mlp([1, 1]), value="counts")
    with pytest.raises(OptionError, match="max_pixels=0 is below 1"):
        plot_adjacency(ng.mlp([1, 1]), max_pixels=0)
