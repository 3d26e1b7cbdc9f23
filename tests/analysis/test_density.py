"""Links that may miss edges, and their density."""

import numpy as np
import pytest
from ported import as_stored

import netgraph as ng
from netgraph.analysis import admissible_edges, density, sparse_links
from netgraph.criteria import path_scores
from netgraph.errors import GraphError


def names(graph, keys):
    return [(graph.layer(a).name, graph.layer(b).name) for a, b, _port in keys]


def test_the_links_into_the_output_stay_dense():
    graph = ng.mlp([4, 5, 3], density=0.5)
    assert names(graph, sparse_links(graph)) == [("input", "hidden1")]
    assert names(graph, sparse_links(graph, head=True)) == [("input", "hidden1"), ("hidden1", "output")]


def test_a_linear_network_has_no_other_links():
    graph = ng.mlp([4, 3])
    assert names(graph, sparse_links(graph)) == [("input", "output")]


def test_links_of_frozen_edges_alone_are_left_out():
    graph = ng.mlp([4, 5, 6, 3], density=0.5)
    links = [
        ng.Link(
            k.source,
            k.target,
            k.kind,
            **{**k.columns, "frozen": np.full(len(k), graph.layer(k.source).role == "input")},
        )
        for k in graph.links
    ]
    graph = ng.Graph(graph.layers_by_id.values(), links)
    assert names(graph, sparse_links(graph)) == [("hidden1", "hidden2")]
    assert len(path_scores(graph, sparse_links(graph)).top(99)) == 15  # which frozen links would refuse
    emptied = ng.thinned(ng.mlp([4, 5, 3]), np.arange(35) >= 20)
    assert names(emptied, sparse_links(emptied)) == [("input", "hidden1")]  # open to new edges


def test_wires_are_left_out():
    graph = ng.resnet(8, input_size=(1, 8, 8), width=2)
    found = sparse_links(graph)
    assert len(found) == 7
    assert admissible_edges(graph, found) == 9 * (2 + 2 * 4 + 8 + 16 + 32 + 64)


def test_density_counts_only_the_given_links():
    graph = ng.mlp([4, 5, 3], density=0.5)
    inner = sparse_links(graph)
    assert density(graph, inner) == 0.5
    assert density(graph, sparse_links(graph, head=True)) == (10 + round(0.5 * 15)) / 35
    assert density(graph, ()) == 0.0


def test_an_unknown_link_is_named():
    with pytest.raises(GraphError, match=r"no link \(7, 8, 0\)"):
        density(ng.mlp([4, 3]), [(7, 8, 0)])


def test_of_links_between_two_layers_it_is_that_at_the_lowest_port():
    b = ng.GraphBuilder()
    b.input("x", 2, grid=(4, 4), domain=(0, 1))
    b.layer("h", 3, grid=(4, 4))
    b.output("y", 2)
    b.conv2d("x", "h", kernel=3, padding=1)
    b.conv2d("x", "h", kernel=1, port=1)
    b.conv2d("h", "y", kernel=4)
    assert [key[2] for key in sparse_links(as_stored(b))] == [0]
