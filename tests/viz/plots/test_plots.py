"""What all plots keep: pyplot untouched, given axes used, any graph and any name drawn without a warning."""

import sys
from itertools import pairwise

import numpy as np
import pytest

import netgraph as ng
from netgraph import viz
from netgraph.errors import OptionError
from netgraph.viz.plots.figures import new_figure

NASTY = "$x^2$ <b>&\n\x00 a_name_that_goes_on and on and on"


def density_of_one(graph, **options):
    return viz.plot_density([graph], **options)


def growth_of_one(graph, **options):
    return viz.plot_growth([graph], **options)


ON_AXES = [viz.plot_adjacency, viz.plot_weights, viz.plot_tau_core, density_of_one]
ON_FIGURES = [viz.plot_degrees, viz.plot_paths, viz.plot_receptive_fields, growth_of_one]
each_plot = pytest.mark.parametrize("plot", ON_AXES + ON_FIGURES)


@each_plot
@pytest.mark.parametrize("place", [3, "axes", np.zeros(2)])
def test_what_is_no_axes_or_figure_is_refused(place, plot):
    name = "ax" if plot in ON_AXES else "figure"
    with pytest.raises(OptionError, match=rf"{name} must be .* of matplotlib"):
        plot(ng.mlp([2, 2]), **{name: place})


@each_plot
def test_what_is_no_graph_is_refused(plot):
    with pytest.raises(OptionError, match="needs a Graph, not 3"):
        plot(3)


def unlinked():
    b = ng.GraphBuilder()
    b.input("x", 4)
    b.layer("h", 3)
    b.output("y", 2)
    return b.build()


def half_linked():
    b = ng.GraphBuilder()
    b.input("x", 2)
    b.layer("alone", 5)
    b.layer("seen", 2)
    b.output("y", 1)
    b.output("z", 3)
    b.dense("x", "seen")
    b.dense("x", "y")
    return b.build()


def nasty():
    b = ng.GraphBuilder()
    b.input(NASTY, 3)
    b.layer("$\\frac{", 4)
    b.layer("", 1)
    b.layer("_", 2)
    b.output("x" * 200, 2)
    b.dense(NASTY, "$\\frac{")
    b.dense("$\\frac{", "_")
    b.dense("_", "x" * 200)
    return b.build()


GRAPHS = {
    "one vertex each": lambda: ng.mlp([1, 1]),
    "no edges": unlinked,
    "layers without links": half_linked,
    "nasty names": nasty,
    "all weights 0": lambda: ng.mlp([3, 2]).with_weights(np.zeros(6)),
    "one weight": lambda: ng.mlp([3, 2]).with_weights(np.full(6, 0.5)),
    "wild weights": lambda: ng.mlp([3, 3, 2]).with_weights(np.array([1e-38, 1e38, 0] * 5)),
    "chain": lambda: ng.mlp([2] * 150),
    "convolutions": lambda: ng.convnet([[4, 4], [6]], input_size=(2, 8, 8), hidden=(5,)),
    "residual": lambda: ng.resnet(8, input_size=(3, 8, 8), width=4),
}


@each_plot
@pytest.mark.parametrize("name", GRAPHS)
def test_every_graph_is_drawn_with_names_apart(plot, name):
    pyplot = pytest.importorskip("matplotlib.pyplot")
    before = pyplot.get_fignums()
    drawn = plot(GRAPHS[name]())
    figure = drawn if plot in ON_FIGURES else drawn.figure
    assert figure._repr_png_().startswith(b"\x89PNG")
    assert pyplot.get_fignums() == before
    for axes in figure.axes:
        for labels in (axes.get_xticklabels(), axes.get_yticklabels()):
            boxes = [label.get_window_extent() for label in labels if label.get_text()]
            assert not any(a.overlaps(b) for a, b in pairwise(boxes))


@pytest.mark.parametrize("plot", ON_AXES)
def test_given_axes_are_drawn_into_and_returned(plot):
    figure = new_figure(9, 4)
    left, right = figure.subplots(1, 2)
    assert plot(ng.mlp([4, 3, 2]), ax=right) is right
    assert not left.has_data()
    assert right.has_data()


@pytest.mark.parametrize("plot", ON_FIGURES)
def test_given_figures_and_parts_of_them_are_drawn_into_and_returned(plot):
    figure = new_figure(9, 8)
    top, bottom = figure.subfigures(2, 1)
    assert plot(ng.mlp([4, 3, 2]), figure=bottom) is bottom
    assert not top.axes
    assert len(figure.axes) >= 2
    whole = new_figure(9, 4)
    assert plot(ng.mlp([4, 3, 2]), figure=whole) is whole


@pytest.mark.parametrize("plot", ON_AXES)
def test_axes_of_pyplot_can_be_given(plot):
    pyplot = pytest.importorskip("matplotlib.pyplot")
    pyplot.switch_backend("agg")
    figure, ax = pyplot.subplots()
    assert plot(ng.mlp([4, 3, 2]), ax=ax) is ax
    figure.savefig("/dev/null", format="png")
    pyplot.close(figure)


@each_plot
def test_without_matplotlib_the_package_is_named(plot, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(OptionError, match=r"pip install 'netgraph-growth\[viz\]'"):
        plot(ng.mlp([2, 2]))


@each_plot
def test_names_are_shown_as_they_are(plot):
    drawn = plot(nasty())
    figure = drawn if plot in ON_FIGURES else drawn.figure
    figure.draw_without_rendering()
    from matplotlib.text import Text

    # Numbers at a logarithmic axis are formulas of matplotlib's own.
    texts = [text for text in figure.findobj(Text) if "\\mathdefault{" not in text.get_text()]
    assert not any(text._preprocess_math(text.get_text())[1] for text in texts)
    shown = [text._preprocess_math(text.get_text())[0] for text in texts]
    assert not any("x" * 30 in text for text in shown)
    if plot in (viz.plot_adjacency, viz.plot_weights, viz.plot_tau_core, density_of_one, viz.plot_paths):
        assert any(text.startswith("$\\frac{") for text in shown)
