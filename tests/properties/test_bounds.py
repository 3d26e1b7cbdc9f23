"""Every value of a graph lies in its bounds, whatever the layers do."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from random_graphs import conv_graphs, dense_graphs, seeds

import netgraph as ng
from netgraph.graph import ACTIVATIONS
from netgraph.proof.rounding import rounding_allowance
from netgraph.testing.compare import default_inputs

ANY = st.one_of(dense_graphs(exact=False), conv_graphs(exact=False))


def disturbed(graph, seed):
    """The same graph with some zero weights, ugly values and other activations."""
    rng = np.random.default_rng(seed)
    layers = []
    for layer in graph.layers_by_id.values():
        if layer.role != "input" and rng.random() < 0.5:
            changed = {
                "activation": str(rng.choice([name for name in ACTIVATIONS if name != layer.activation])),
                "norm": str(rng.choice(["none", "batch", "layer", "rms"])),
                "slope": float(rng.choice([-0.5, 0.25, 1.0, 3.0])),
            }
            attributes = {**layer.attributes, **changed}
            kept = {"bias": layer.bias} if layer.bias is not None else {}
            fresh = ng.GraphBuilder(dtype=np.float64)
            fresh.layer("new", len(layer), activation=changed["activation"], norm=changed["norm"], grid=layer.grid)
            columns = {k: v for k, v in fresh._layers["new"].values.items() if k != "bias"}
            layer = ng.Layer(layer.id, layer.name, layer.vertex_ids, layer.birth, {**columns, **kept},
                             **{k: v for k, v in attributes.items() if k != "name"})  # fmt: skip
        layers.append(layer)
    graph = ng.Graph(layers, graph.links_by_key.values())
    names = {k for layer in graph.layers.values() for k in layer.values} - {"low", "high"}
    vertices = {k: rng.normal(size=graph.num_vertices) for k in sorted(names)}
    if "var" in vertices:
        vertices["var"] = vertices["var"] ** 2
    if "scale" in vertices:
        vertices["scale"][rng.random(graph.num_vertices) < 0.2] = 0.0
    weight = rng.normal(size=len(graph.edges)) * (rng.random(len(graph.edges)) < 0.8)
    return graph.with_weights(weight, vertices=vertices)


@pytest.mark.parametrize("mode", ["eval", "train"])
@given(graph=ANY, seed=seeds, ugly=st.booleans())
def test_every_value_lies_in_its_bounds(mode, graph, seed, ugly):
    graph = disturbed(graph, seed) if ugly else graph
    x = default_inputs(graph)
    values = ng.interpret_layers(graph, x, train=mode == "train")
    hull = {name: hull_of(v) for name, v in x.items()}
    for bounds in (graph.bounds(mode=mode), graph.bounds(domain=hull, mode=mode)):
        assert not np.isnan([bounds.low, bounds.high, bounds.z_low, bounds.z_high]).any()
        assert (bounds.low <= bounds.high).all()
        for layer in graph.layers.values():
            low, high = bounds[layer.name]
            least, most = hull_of(values[layer.name])
            # What the evaluation in float64 may be off by; layer and batch norm magnify it.
            room = 1e-9 * (1 + np.abs(values[layer.name]).max())
            assert (least >= low - room).all()
            assert (most <= high + room).all()


def hull_of(values):
    flat = np.moveaxis(values, 1, 0).reshape(values.shape[1], -1)
    return flat.min(axis=1), flat.max(axis=1)


@given(dense_graphs(exact=False))
def test_nonnegative_vertices_are_never_negative_in_either_mode(graph):
    x = default_inputs(graph)
    for train in (False, True):
        values = ng.interpret_layers(graph, x, train=train)
        for layer in graph.layers.values():
            start = graph.vertices.offset(layer.id)
            known = graph.vertices.nonnegative[start : start + len(layer)]
            assert (values[layer.name][:, known] >= 0).all()


@given(ANY)
def test_a_smaller_domain_gives_smaller_bounds(graph):
    x = default_inputs(graph)
    wide, narrow = graph.bounds(), graph.bounds(domain={name: hull_of(v) for name, v in x.items()})
    assert (narrow.low >= wide.low - 1e-12).all()
    assert (narrow.high <= wide.high + 1e-12).all()


@pytest.mark.parametrize("train", [False, True])
@given(graph=ANY, seed=seeds)
def test_the_order_of_edges_changes_outputs_by_no_more_than_the_allowance(train, graph, seed):
    graph = disturbed(graph, seed)
    x = default_inputs(graph)
    rng = np.random.default_rng(seed)
    links, layers = [], graph.layers_by_id
    order = {i: np.arange(len(v)) if v.role != "hidden" else rng.permutation(len(v)) for i, v in layers.items()}
    for link in graph.links_by_key.values():
        columns = {**link.columns, "src": order[link.source][link.src], "dst": order[link.target][link.dst]}
        links.append(ng.graph.Link.sorted(link.source, link.target, link.kind, columns, link.port))
    moved = []
    for i, layer in layers.items():
        back = np.argsort(order[i])
        values = {k: v[back] for k, v in layer.values.items()}
        moved.append(ng.Layer(i, layer.name, layer.vertex_ids[back], layer.birth, values,
                              **{k: v for k, v in layer.attributes.items() if k != "name"}))  # fmt: skip
    other = ng.Graph(moved, links)
    allowed = rounding_allowance(graph, x, train=train)
    one, two = (ng.interpret_layers(g, x, train=train) for g in (graph, other))
    for name, bound in allowed.items():
        assert not np.isnan(bound).any()
        off = np.abs(one[name] - two[name]).max(axis=(0, *range(2, one[name].ndim)))
        assert (off <= 2 * bound).all()
