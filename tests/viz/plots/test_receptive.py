"""Images of what pixels are read, and of what vertices see."""

import math

import numpy as np
import pytest

import netgraph as ng
from netgraph.analysis import reads, receptive_fields
from netgraph.errors import GraphError, OptionError
from netgraph.viz import plot_receptive_fields


def images(figure):
    """Arrays of all images, that of reads first; what is masked as 0."""
    found = [axes.images[0].get_array() for axes in figure.axes if axes.images]
    return [np.ma.filled(image, 0) for image in found]


def panels(figure):
    return [axes for axes in figure.axes if axes.images]


@pytest.mark.parametrize("measure", ["weight", "signed", "paths"])
def test_images_are_the_fields_of_the_outputs(measure):
    graph = ng.mlp([12, 5, 3], density=0.6, seed=2)
    first, *fields = images(plot_receptive_fields(graph, pixels=(3, 4), measure=measure))
    np.testing.assert_array_equal(first, reads(graph).reshape(3, 4))
    assert first.sum() == len(graph.links["input", "hidden1"])
    want = receptive_fields(graph, graph.outputs[0].vertex_ids, measure=measure)
    assert len(fields) == 3
    for image, values in zip(fields, want.values * math.exp(want.log_scale), strict=True):
        np.testing.assert_allclose(image, values.reshape(3, 4))


def test_channels_of_a_pixel_add_up():
    graph = ng.mlp([12, 2], seed=3)
    weights = np.abs(graph.links["input", "output"].weight).reshape(2, 3, 2, 2).sum(axis=1)
    for pixels in ((3, 2, 2), (2, 2)):
        first, *fields = images(plot_receptive_fields(graph, pixels=pixels))
        assert first.tolist() == [[6, 6], [6, 6]]
        np.testing.assert_allclose(fields, weights, rtol=1e-6)


def test_maps_are_drawn_on_their_grid_at_a_position():
    graph = ng.convnet([[4, 4]], input_size=(2, 7, 9))
    layer = [layer for layer in graph.layers.values() if layer.role == "hidden"][-1]
    figure = plot_receptive_fields(graph, of=layer.name, measure="paths", position=(0, 1))
    first, *fields = images(figure)
    np.testing.assert_array_equal(first, reads(graph).sum(axis=0))
    want = receptive_fields(graph, layer.vertex_ids, measure="paths", position=(0, 1))
    np.testing.assert_allclose(fields, want.values.sum(axis=1) * math.exp(want.log_scale))
    assert panels(figure)[1].get_title() == f"{layer.name} [0] at 0, 1"
    assert "Reads of each pixel" in panels(figure)[0].get_title()


def test_without_pixels_an_input_is_one_row():
    assert [image.shape for image in images(plot_receptive_fields(ng.mlp([6, 2])))] == [(1, 6)] * 3


def test_tokens_are_one_row():
    b = ng.GraphBuilder()
    b.input("x", 3, grid=(5,))
    b.output("y", 1, grid=(5,))
    b.dense("x", "y")
    first, field = images(plot_receptive_fields(b.build(), measure="paths"))
    assert first.tolist() == [[3] * 5]
    assert field.tolist() == [[0, 0, 3, 0, 0]]


def test_vertices_can_be_given_by_id():
    graph = ng.mlp([4, 3, 2])
    ids = graph.layers["hidden1"].vertex_ids[[2, 0]]
    figure = plot_receptive_fields(graph, pixels=(2, 2), of=ids.tolist())
    assert [axes.get_title() for axes in panels(figure)[1:]] == ["hidden1 [2]", "hidden1 [0]"]


def test_of_many_vertices_some_are_taken_evenly():
    figure = plot_receptive_fields(ng.mlp([4, 50, 2]), of="hidden1", max_vertices=3)
    assert [axes.get_title() for axes in panels(figure)[1:]] == ["hidden1 [0]", "hidden1 [24]", "hidden1 [49]"]
    assert "3 of 50 vertices" in figure.subfigs[1].get_suptitle()


def test_unused_pixels_are_masked_and_counted():
    graph = ng.mlp([4, 2])
    out = graph.edges.where(graph.edges.source == graph.vertices.id[1])
    graph = ng.apply(ng.rules.PruneEdges(below=None), graph, on=out.id, probe=None).graph
    figure = plot_receptive_fields(graph, pixels=(2, 2))
    for axes in panels(figure):
        assert np.ma.getmaskarray(axes.images[0].get_array()).tolist() == [[False, True], [False, False]]
    assert panels(figure)[0].get_title().endswith("1 of 4 pixels without (grey)")


def test_weights_that_no_float_holds_are_drawn_over_the_largest():
    graph = ng.mlp([3] * 400)
    figure = plot_receptive_fields(graph.with_weights(graph.edges.weight * 1e4))
    assert max(image.max() for image in images(figure)[1:]) == 1.0
    assert any("over the largest" in axes.get_ylabel() for axes in figure.axes)


@pytest.mark.parametrize("pixels", [(3, 3), (2, 2, 2), (0, 4), (1, 1, 2, 2), (-2, -2)])
def test_pixels_that_do_not_fit_are_refused(pixels):
    with pytest.raises(OptionError, match=r"do not fit the input layer 'input' of 4 values"):
        plot_receptive_fields(ng.mlp([4, 2]), pixels=pixels)


def test_pixels_of_an_input_on_a_grid_are_those_of_the_grid():
    graph = ng.convnet([[2]], input_size=(1, 4, 6))
    assert images(plot_receptive_fields(graph, pixels=(4, 6)))[0].shape == (4, 6)
    with pytest.raises(OptionError, match=r"on the grid \(4, 6\)"):
        plot_receptive_fields(graph, pixels=(6, 4))


def test_wrong_options_are_named():
    graph = ng.mlp([4, 3, 2])
    with pytest.raises(GraphError, match=r"layer 'hiden1'.*'hidden1'"):
        plot_receptive_fields(graph, of="hiden1")
    with pytest.raises(OptionError, match=r"of=\[\] names no vertex"):
        plot_receptive_fields(graph, of=[])
    with pytest.raises(OptionError, match="max_vertices=0"):
        plot_receptive_fields(graph, max_vertices=0)
