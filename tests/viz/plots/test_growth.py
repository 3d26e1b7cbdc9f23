"""Growth over rewrites, from a journal or from graphs."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from random_graphs import dense_graphs, history, seeds

import netgraph as ng
from netgraph.analysis import average_tau_core_ratio, layer_tau_cores, path_analysis
from netgraph.errors import OptionError
from netgraph.viz import plot_density, plot_growth

RULES = [ng.rules.SplitEdges(), ng.rules.InsertLayer(), ng.rules.SplitEdges(), ng.rules.WidenLayer()]


@pytest.fixture
def grown(tmp_path):
    """A journal of four rewrites with weights trained before each, its trained graphs, and its topologies."""
    graph = ng.mlp([4, 3, 2], domain=(0, 1), seed=1)
    journal = ng.Journal.create(tmp_path, graph)
    trained, topologies = [], [graph]
    for k, rule in enumerate(RULES):
        graph = graph.with_weights(graph.edges.weight * 2 + 0.1)
        trained.append(graph)
        result = ng.apply(rule, graph, limit=2, probe=None)
        journal.append(result, before=graph, epoch=3 * k + 2, metrics={"loss": 1.0 / (k + 1)})
        graph = result.graph
        topologies.append(graph)
    return journal, trained, topologies


def curve(axes):
    return [values.tolist() for values in axes.lines[0].get_data()]


def test_a_journal_is_drawn_from_the_first_graph_on(grown):
    journal, _, topologies = grown
    edges, vertices, layers = plot_growth(journal).axes
    for axes, want in (
        (edges, [g.num_edges for g in topologies]),
        (vertices, [g.num_vertices for g in topologies]),
        (layers, [g.num_layers for g in topologies]),
    ):
        assert curve(axes) == [[0, 1, 2, 3, 4], want]
    assert layers.get_xlabel() == "rewrite"


def test_marks_tell_the_rule(grown):
    journal, _, topologies = grown
    edges = plot_growth(journal).axes[0]
    marks = {line.get_label(): line.get_data() for line in edges.lines[1:]}
    assert list(marks) == ["SplitEdges (2 times)", "InsertLayer", "WidenLayer"]
    places, values = marks["SplitEdges (2 times)"]
    assert places.tolist() == [1, 3]
    assert values.tolist() == [topologies[1].num_edges, topologies[3].num_edges]


def test_epochs_and_metrics_come_from_the_journal(grown):
    figure = plot_growth(grown[0], over="epoch", metric="loss")
    assert curve(figure.axes[0])[0] == [0, 2, 5, 8, 11]
    assert curve(figure.axes[3]) == [[2, 5, 8, 11], [1.0, 1 / 2, 1 / 3, 1 / 4]]


def test_graphs_alone_have_sizes(grown):
    _, _, topologies = grown
    figure = plot_growth(iter(topologies))
    assert curve(figure.axes[0])[1] == [g.num_edges for g in topologies]
    assert figure.get_suptitle().startswith("5 graphs: 18 → ")
    for options in ({"over": "epoch"}, {"metric": "loss"}):
        with pytest.raises(OptionError, match="are in a journal"):
            plot_growth(topologies, **options)


def test_a_journal_without_rewrites_is_one_point(tmp_path):
    journal = ng.Journal.create(tmp_path, ng.mlp([2, 2]))
    figure = plot_growth(journal)
    assert curve(figure.axes[0]) == [[0], [4]]
    assert figure.axes[0].lines[0].get_marker() == "."
    assert figure.get_suptitle() == "0 rewrites: 4 → 4 edges"
    assert heat(plot_density(journal)).tolist() == [[1.0]]
    assert heat(plot_density(journal, value="tau_core")).shape == (2, 1)


def heat(axes):
    (image,) = axes.images
    return image.get_array()


def by_layer(axes):
    """Rows of the image by the name of their layer; all names have room."""
    return {label.get_text(): row for label, row in zip(axes.get_yticklabels(), heat(axes), strict=True)}


def density_into(graph, layer):
    links = [k for k in graph.incoming[layer.id] if not k.kind.wires]
    cells = sum(len(graph.layer(k.source)) * len(layer) * k.kind.taps for k in links)
    return sum(int((~k.frozen).sum()) for k in links) / cells if cells else None


@given(graph=dense_graphs(), steps=st.lists(seeds, min_size=1, max_size=3))
def test_rows_are_densities_of_layers_that_come_and_go(graph, steps):
    graphs = [graph, *(result.graph for result in history(graph, steps))]
    names = {layer.id: layer.name for g in graphs for layer in g.layers.values()}
    want = {i: [density_into(g, g.layer(i)) if i in g.layers_by_id else None for g in graphs] for i in names}
    want = {i: row for i, row in want.items() if any(value is not None for value in row)}
    image = heat(plot_density(graphs)) if want else np.ma.zeros((0, len(graphs)))
    assert image.shape == (len(want), len(graphs))
    rows = [[None if value is np.ma.masked else float(value) for value in row] for row in image]
    assert sorted(map(repr, rows)) == sorted(map(repr, want.values()))


def test_new_layers_stand_between_those_that_feed_them_and_those_they_feed(grown):
    journal, _, topologies = grown
    names = list(by_layer(plot_density(journal, value="vertices")))
    for graph in topologies:
        place = {layer.id: names.index(layer.name) for layer in graph.layers.values()}
        assert all(place[k.source] < place[k.target] for k in graph.links)


def test_a_journal_is_replayed(grown):
    journal, _, topologies = grown
    for value in ("density", "edges", "vertices"):
        found, want = (heat(plot_density(h, value=value)) for h in (journal, topologies))
        np.testing.assert_array_equal(found, want)
    rows = by_layer(plot_density(journal, value="edges"))
    for k, graph in enumerate(topologies):
        assert sum(row[k] for row in rows.values() if row[k] is not np.ma.masked) == graph.num_edges


def test_tau_cores_are_those_of_the_trained_graphs(grown):
    journal, trained, _ = grown
    axes = plot_density(journal, value="tau_core", tau=0.8)
    rows = by_layer(axes)
    for k, graph in enumerate(trained):
        paths = path_analysis(graph)
        for core in layer_tau_cores(paths, 0.8):
            assert rows[core.layer][k] == core.ratio
        hidden = [rows[layer.name][k] for layer in graph.layers.values() if layer.role == "hidden"]
        assert np.mean(hidden) == pytest.approx(average_tau_core_ratio(paths, 0.8))
    assert axes.get_xlabel() == "before rewrite"
    assert axes.images[0].get_extent()[:2] == [0.5, 4.5]


def test_what_cannot_be_drawn_is_named(grown):
    for plot in (plot_growth, plot_density):
        with pytest.raises(OptionError, match="no graph to draw"):
            plot([])
    with pytest.raises(OptionError, match=r"over='epochs'.*'epoch'"):
        plot_growth(grown[0], over="epochs")
    with pytest.raises(OptionError, match=r"metric='lost'.*'loss'"):
        plot_growth(grown[0], metric="lost")
    with pytest.raises(OptionError, match=r"value='densities'"):
        plot_density(grown[0], value="densities")
    with pytest.raises(OptionError, match=r"tau=2"):
        plot_density(grown[0], value="tau_core", tau=2)
