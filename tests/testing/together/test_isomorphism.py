"""Isomorphic graphs: shuffled ones are, ones that differ in any value or edge are not."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import netgraph as ng
from netgraph.testing import graphs, isomorphic, rewrites, shuffled
from netgraph.testing.plants import twin


@settings(max_examples=30)
@given(graphs(), st.integers(0, 2**16))
def test_shuffled_graphs_are_isomorphic(graph, seed):
    assert isomorphic(graph, shuffled(graph, np.random.default_rng(seed)), tolerance=0.0)


@settings(max_examples=30)
@given(st.data())
def test_isomorphic_graphs_have_one_function(data):
    graph = data.draw(graphs(max_width=2))
    result = data.draw(rewrites(graph))
    if isomorphic(graph, result.graph, tolerance=0.0):
        assert ng.certify(graph, ng.proof.aligned(graph, result.graph)).kind == "exact"


@settings(max_examples=30)
@given(graphs(), st.data())
def test_one_other_weight_is_a_difference(graph, data):
    free = np.flatnonzero(~graph.edges.wired)
    if len(free):
        weight = graph.edges.weight.copy()
        weight[data.draw(st.sampled_from(free.tolist()))] += 100.0  # no other weight is so large
        assert not isomorphic(graph, graph.with_weights(weight))


def test_copies_that_look_alike_are_paired():
    graph = ng.mlp([1, 1, 1], seed=0)
    for _ in range(3):
        graph = twin(graph, 0)
    order = np.array([2, 0, 3, 1])
    layer, (into, out) = graph.layers["hidden1"], graph.links
    moved = replace(layer, vertex_ids=layer.vertex_ids[order], values={k: v[order] for k, v in layer.values.items()})
    layers = [moved if x.id == layer.id else x for x in graph.layers_by_id.values()]
    other = ng.Graph(layers, [into, out])
    assert isomorphic(graph, other)


def test_graphs_that_refinement_alone_does_not_tell_apart():
    def two_rounds(sizes):
        """Undirected circles as two layers: corners, and sides that read both of their ends."""
        b = ng.GraphBuilder()
        b.input("x", 1)
        b.layer("corner", 6, bias=False)
        b.layer("side", 6, bias=False)
        b.output("y", 1, bias=False)
        src, dst, first = [], [], 0
        for n in sizes:
            src += [first + (k + step) % n for k in range(n) for step in (0, 1)]
            dst += [first + k for k in range(n) for _ in range(2)]
            first += n
        b.edges("x", "corner", [0] * 6, range(6), weight=1.0)
        b.edges("corner", "side", src, dst, weight=1.0)
        b.edges("side", "y", range(6), [0] * 6, weight=1.0)
        return b.build()

    assert isomorphic(two_rounds([3, 3]), two_rounds([3, 3]))
    assert not isomorphic(two_rounds([6]), two_rounds([3, 3]))


@pytest.mark.parametrize(
    "change",
    [
        lambda x: replace(x, activation="identity"),
        lambda x: replace(x, values={"bias": x.values["bias"] + 1}),
        lambda x: replace(x, values={}),
    ],
    ids=["activation", "a value", "no biases"],
)
def test_layers_count(change):
    graph = ng.mlp([2, 3, 1], seed=0)
    layers = [change(x) if x.role == "hidden" else x for x in graph.layers_by_id.values()]
    assert not isomorphic(graph, ng.Graph(layers, graph.links_by_key.values()))
    names = [replace(x, name="other") if x.role == "hidden" else x for x in graph.layers_by_id.values()]
    assert isomorphic(graph, ng.Graph(names, graph.links_by_key.values()))
    ends = [replace(x, name="other") if x.role == "output" else x for x in graph.layers_by_id.values()]
    assert not isomorphic(graph, ng.Graph(ends, graph.links_by_key.values()))


def test_values_may_differ_by_rounding():
    graph = ng.mlp([2, 3, 1], seed=0)
    rounded = graph.with_weights(graph.edges.weight * np.float32(1 + 1e-7))
    assert isomorphic(graph, rounded)
    assert not isomorphic(graph, rounded, tolerance=0.0)
    assert not isomorphic(graph, graph.with_weights(graph.edges.weight * np.float32(1.001)))
