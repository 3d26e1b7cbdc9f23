"""What vertices see of the inputs: by walking every path, and by the derivative of the linear graph."""

import math
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from map_graphs import lopsided_graph, random_map_graph, token_graph
from random_graphs import dense_graphs

import netgraph as ng
from netgraph.analysis import path_analysis, reads, receptive_fields
from netgraph.errors import GraphError, OptionError


def plain(fields):
    return fields.values * math.exp(fields.log_scale) if fields.log_scale > -math.inf else fields.values


def walked(graph, vertex, measure):
    """{input vertex: value} by walking back over every path, edge by edge."""
    into = {}
    for source, target, weight in zip(graph.edges.source, graph.edges.target, graph.edges.weight, strict=True):
        into.setdefault(int(target), []).append((int(source), float(weight)))
    factor = {"paths": lambda w: 1.0, "weight": abs, "signed": float}[measure]
    inputs = {int(i) for layer in graph.inputs for i in layer.vertex_ids}
    found, waiting = Counter(), [(vertex, 1.0)]
    while waiting:
        at, value = waiting.pop()
        if at in inputs:
            found[at] += value
        waiting += [(source, value * factor(weight)) for source, weight in into.get(at, [])]
    return found


def without_norms(graph):
    layers = [
        replace(
            layer, norm="none", values={k: v for k, v in layer.values.items() if k in ("bias", "slope", "low", "high")}
        )
        for layer in graph.layers_by_id.values()
    ]
    return ng.Graph(layers, graph.links, next_ids=graph.next_ids, validate=False)


@pytest.mark.parametrize("measure", ["paths", "weight", "signed"])
@given(graph=dense_graphs())
def test_fields_are_what_walking_every_path_adds_up(measure, graph):
    graph = without_norms(graph)
    ids = [int(i) for i in graph.vertices.id]
    for source in graph.inputs:
        found = plain(receptive_fields(graph, ids, input=source.name, measure=measure))
        assert found.shape == (len(ids), len(source))
        for row, i in zip(found, ids, strict=True):
            by_walk = walked(graph, i, measure)
            want = [by_walk[int(v)] for v in source.vertex_ids]
            np.testing.assert_allclose(row, want, rtol=1e-12, atol=1e-12)


def linear(graph, measure):
    """The graph with identities for activations, without biases and means, as the interpreter reads it."""
    layers = []
    for layer in graph.layers_by_id.values():
        values = dict(layer.values)
        if layer.role == "input":
            values = {"low": np.full(len(layer), -np.inf), "high": np.full(len(layer), np.inf)}
            layers.append(replace(layer, values=values))
            continue
        factor = np.ones(len(layer))
        if layer.norm != "none" and measure != "paths":
            var = layer.values["var"] + layer.norm_epsilon if layer.norm == "batch" else 1.0
            factor = layer.values["scale"] / np.sqrt(var)
        factor = np.abs(factor) if measure == "weight" else factor
        pool = layer.pool and replace(layer.pool, kind="average")
        factor = factor * (math.prod(pool.size) if pool and measure == "paths" else 1.0)
        zeros, ones = np.zeros(len(layer)), np.ones(len(layer))
        values = {"scale": factor * math.sqrt(1 + layer.norm_epsilon), "shift": zeros, "mean": zeros, "var": ones}
        layers.append(replace(layer, activation="identity", norm="batch", pool=pool, values=values))
    change = {"paths": np.ones_like, "weight": np.abs, "signed": np.asarray}[measure]
    links = [replace(k, weight=change(k.weight.astype(np.float64))) for k in graph.links]
    return ng.Graph(layers, links, next_ids=graph.next_ids)


@pytest.mark.parametrize("measure", ["paths", "weight", "signed"])
@pytest.mark.parametrize("make", [random_map_graph, lopsided_graph, token_graph])
@pytest.mark.parametrize("seed", range(4))
def test_fields_on_grids_are_the_derivative_of_the_linear_graph(make, seed, measure):
    graph = make(seed)
    source = graph.inputs[0]
    shape = (len(source), *source.output_grid)
    ones = np.eye(math.prod(shape)).reshape(-1, *shape)
    answers = ng.interpret_layers(linear(graph, measure), ones)
    rng = np.random.default_rng(seed)
    for layer in graph.layers.values():
        grid = layer.output_grid
        position = tuple(int(rng.integers(side)) for side in grid)
        found = plain(receptive_fields(graph, layer.vertex_ids, measure=measure, position=position))
        for row in range(len(layer)):
            want = answers[layer.name][(slice(None), row, *position)].reshape(shape)
            np.testing.assert_allclose(found[row], want, rtol=1e-9, atol=1e-12)


def test_the_middle_of_the_grid_is_looked_at_by_default():
    graph = ng.convnet([[4]], input_size=(1, 6, 6))
    layer = next(layer for layer in graph.layers.values() if layer.role == "hidden")
    h, w = layer.output_grid
    found = receptive_fields(graph, layer.vertex_ids, position=(h // 2, w // 2))
    np.testing.assert_array_equal(receptive_fields(graph, layer.vertex_ids).values, found.values)


@pytest.mark.parametrize("make", [random_map_graph, lopsided_graph])
@pytest.mark.parametrize("seed", range(3))
def test_reads_count_paths_of_one_edge(make, seed):
    graph = make(seed)
    source = graph.inputs[0]
    want = np.zeros((len(source), *source.output_grid))
    for link in graph.outgoing[source.id]:
        for src, tap in zip(link.src.tolist(), link.tap.tolist(), strict=True):
            want[src] += _read_by(link, tap, source.output_grid, graph.layer(link.target).grid)
    np.testing.assert_array_equal(reads(graph), want)


def _read_by(link, tap, grid, target_grid):
    seen = np.zeros(grid)
    for place in np.ndindex(target_grid):
        if isinstance(link.kind, ng.Conv2d):
            offset = divmod(tap, link.kind.kernel[1])
            at = tuple(s * p + o - pad for s, p, o, pad in zip(
                link.kind.stride, place or (0, 0), offset, link.kind.padding, strict=True))  # fmt: skip
        else:
            stride = getattr(link.kind, "stride", (1,) * len(place))
            at = tuple(s * p for s, p in zip(stride, place, strict=True))
        if all(0 <= a < side for a, side in zip(at, grid, strict=True)):
            seen[at] += 1
    return seen


def test_reads_of_inputs_without_a_grid_are_their_degrees():
    graph = ng.mlp([6, 4, 2], density=0.5)
    np.testing.assert_array_equal(reads(graph), np.bincount(graph.edges.source_row, minlength=12)[:6])


def test_outputs_add_up_to_the_weight_of_all_paths():
    graph = ng.resnet(8, input_size=(3, 8, 8), width=4)
    fields = receptive_fields(graph, graph.outputs[0].vertex_ids)
    log = math.log(fields.values.sum()) + fields.log_scale
    assert log == pytest.approx(path_analysis(graph).log_total, rel=1e-9)


def test_weights_of_deep_graphs_neither_overflow_nor_vanish():
    graph = ng.mlp([3] * 400)
    graph = graph.with_weights(graph.edges.weight * 1e4)
    fields = receptive_fields(graph, graph.outputs[0].vertex_ids)
    assert fields.log_scale > 800
    assert fields.values.max() == 1.0


def test_edges_of_weight_0_are_paths_without_weight():
    graph = ng.mlp([2, 2])
    graph = graph.with_weights(np.zeros(4))
    ids = graph.outputs[0].vertex_ids
    assert (plain(receptive_fields(graph, ids, measure="paths")) == 1).all()
    assert receptive_fields(graph, ids).log_scale == -math.inf
    assert not receptive_fields(graph, ids).values.any()


def test_wrong_options_are_named():
    graph = ng.convnet([[4]], input_size=(1, 6, 6))
    ids = graph.outputs[0].vertex_ids
    with pytest.raises(OptionError, match=r"'weights'.*Did you mean 'weight'"):
        receptive_fields(graph, ids, measure="weights")
    with pytest.raises(OptionError, match=r"position=\(9, 9\) is not on the grid \(\) of layer 'output'"):
        receptive_fields(graph, ids, position=(9, 9))
    with pytest.raises(OptionError, match="input layer 'imag'"):
        receptive_fields(graph, ids, input="imag")
    with pytest.raises(GraphError, match="no vertex with id 99999"):
        receptive_fields(graph, [99999])


def test_one_of_several_inputs_has_to_be_named():
    b = ng.GraphBuilder()
    b.input("a", 1)
    b.input("b", 2)
    b.output("y", 1)
    b.dense("a", "y")
    b.dense("b", "y")
    graph = b.build()
    with pytest.raises(OptionError, match="2 input layers; give the name of one: a, b"):
        reads(graph)
    assert reads(graph, "b").tolist() == [1, 1]
