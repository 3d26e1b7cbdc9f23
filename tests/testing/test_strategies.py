"""The strategies: valid graphs of every kind, dyadic, and small when shrunk."""

import collections
import random

import numpy as np
import pytest
from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st

import netgraph as ng
from netgraph.errors import GraphError, OptionError
from netgraph.testing import graphs, inputs, is_exact

QUICK = settings(max_examples=40)


def kinds_of(graph):
    return {type(link.kind).__name__ for link in graph.links}


def smallest(strategy, predicate):
    options = settings(database=None, deadline=None, max_examples=300, phases=(Phase.generate, Phase.shrink))
    return find(strategy, predicate, settings=options, random=random.Random(0))


def seen(strategy, n=150):
    found = []

    @given(strategy)
    @settings(max_examples=n, database=None, derandomize=True, deadline=None, phases=(Phase.generate,))
    def collect(graph):
        found.append(graph)

    collect()
    return found


@given(st.booleans().flatmap(lambda exact: graphs(exact=exact)), st.data())
def test_graphs_are_valid_and_can_be_evaluated_on_their_inputs(graph, data):
    whole = ng.Graph(graph.layers_by_id.values(), graph.links_by_key.values(), next_ids=graph.next_ids)
    assert whole.topology_hash == graph.topology_hash
    x = data.draw(inputs(graph, dyadic=data.draw(st.booleans())))
    for train in (False, True):
        values = ng.interpret(graph, x, train=train)
        for output in values.values() if isinstance(values, dict) else [values]:
            assert np.isfinite(output).all()


@QUICK
@given(graphs())
def test_default_graphs_round_nothing(graph):
    assert is_exact(graph)
    assert (graph.edges.weight * 8 % 1 == 0).all()
    assert all(layer.norm == "none" for layer in graph.layers.values())


def test_every_kind_of_graph_comes_up():
    drawn = seen(graphs(exact=False), 300)
    links = collections.Counter(kind for graph in drawn for kind in kinds_of(graph))
    assert min(links[kind] for kind in ("Dense", "Conv2d", "Identity", "Place")) > 20
    layers = [layer for graph in drawn for layer in graph.layers.values()]
    assert {layer.norm for layer in layers} == {"none", "batch", "layer", "rms"}
    assert {layer.activation for layer in layers} == set(ng.graph.ACTIVATIONS)
    assert {layer.pool.kind for layer in layers if layer.pool} == {"max", "average"}
    assert any((layer.values["scale"] < 0).any() for layer in layers if layer.norm == "batch")
    assert {len(graph.inputs) for graph in drawn} == {len(graph.outputs) for graph in drawn} == {1, 2}
    assert any(len(graph.incoming[i]) > 1 for graph in drawn for i in graph.layers_by_id)
    assert any(0 < graph.density < 1 for graph in drawn)
    convolutions = [(graph, link) for graph in drawn for link in graph.links if isinstance(link.kind, ng.Conv2d)]
    assert {link.kind.padding[0] for _, link in convolutions} == {0, 1}
    assert {link.kind.stride[0] for _, link in convolutions} == {1, 2}
    assert any(link.kind.taps == 1 for _, link in convolutions)
    assert any(link.kind.kernel == graph.layer(link.source).output_grid != (1, 1)
               and graph.layer(link.target).grid == () for graph, link in convolutions)  # fmt: skip
    assert any(link.kind.stride == (2, 2) for graph in drawn for link in graph.links if link.kind.wires)
    assert {graph.edges.weight.dtype.name for graph in drawn} == {"float32", "float64"}
    assert any((graph.edges.weight == 0).any() for graph in drawn)
    bounds = {layer.domain for graph in drawn for layer in graph.inputs}
    assert {(0.0, 1.0), (-1.0, 1.0), (-np.inf, np.inf)} <= bounds


@pytest.mark.parametrize(
    ("name", "predicate", "size"),
    [
        ("anything", lambda g: True, 2),
        ("a hidden layer", lambda g: g.num_layers > 2, 3),
        ("a negative weight", lambda g: (g.edges.weight < 0).any(), 3),
        ("a convolution", lambda g: "Conv2d" in kinds_of(g), 2),
        ("padding", lambda g: any(getattr(k.kind, "padding", (0,))[0] for k in g.links), 2),
        ("wires", lambda g: "Identity" in kinds_of(g), 4),
        ("batch norm", lambda g: any(x.norm == "batch" for x in g.layers.values()), 3),
        ("a pool", lambda g: any(x.pool for x in g.layers.values()), 3),
        ("a skip link", lambda g: len(g.links) > g.num_layers - 1, 4),
        ("a missing edge", lambda g: 0 < g.density < 1, 3),
        ("a bias", lambda g: any(x.bias is not None and x.bias.any() for x in g.layers.values()), 2),
    ],
)
def test_graphs_shrink_to_a_readable_smallest_one(name, predicate, size):
    graph = smallest(graphs(exact=False), predicate)
    assert graph.num_vertices <= size, graph
    assert np.isin(np.abs(graph.edges.weight), (0.0, 1.0, 2.0)).all(), graph.edges.weight


def test_the_smallest_graph_has_one_weight_of_1_and_simple_inputs():
    graph = smallest(graphs(), lambda g: True)
    assert graph.edges.weight.tolist() == [1.0]
    assert graph.inputs[0].domain == (0.0, 1.0)
    x = smallest(inputs(graph), lambda x: True)
    np.testing.assert_array_equal(x["x"][:4, 0], [0, 1, 0, 1])


@QUICK
@given(graphs(), st.data())
def test_inputs_stay_in_the_domain_and_start_with_its_corners(graph, data):
    x = data.draw(inputs(graph, samples=4))
    for layer in graph.inputs:
        if layer.encoding == "index":
            continue
        values = x[layer.name]
        assert values.shape == (7, len(layer), *layer.grid)
        assert (values * 8 % 1 == 0).all()
        low, high = layer.domain
        assert values.min() >= low
        assert values.max() <= high
        assert (values[0] == max(low, -4)).all()
        assert (values[1] == min(high, 4)).all()
        assert (values[2] == 0).all()


@pytest.mark.parametrize("domain", [(0.3, 0.35), (5.0, 9.0), (-np.inf, -7.0), (2.5, np.inf), (0.1, 0.1)])
@pytest.mark.parametrize("dyadic", [False, True])
def test_inputs_fit_odd_domains(domain, dyadic):
    graph = ng.mlp([2, 1], domain=domain)

    @settings(max_examples=10)
    @given(inputs(graph, dyadic=dyadic))
    def check(x):
        ng.interpret(graph, x)

    check()


def test_options_are_kept():
    drawn = seen(
        graphs(kinds="dense", activations="tanh", norms="batch", min_layers=1, max_layers=1, max_width=1, bias=False,
               domains=[(-2.0, 3.0)], weights="float64", dtype=np.float64),
        20,
    )  # fmt: skip
    for graph in drawn:
        assert (graph.num_layers, graph.num_vertices) == (3, 3)
        hidden = graph.layers["h"]
        assert (hidden.activation, hidden.norm, hidden.bias) == ("tanh", "batch", None)
        assert graph.inputs[0].domain == (-2.0, 3.0)
        assert graph.edges.weight.dtype == np.float64
    assert any((graph.edges.weight * 8 % 1 != 0).any() for graph in drawn)
    floats = seen(graphs(kinds="conv", weights="float32", pools=()), 20)
    assert {graph.edges.weight.dtype.name for graph in floats} == {"float32"}
    assert not any(layer.pool for graph in floats for layer in graph.layers.values())
    assert any((graph.edges.weight == 0).mean() > 0.3 for graph in seen(graphs(weights="zeros"), 20))


@pytest.mark.parametrize(
    "options",
    [{"kinds": "densse"}, {"norms": ["batsh"]}, {"weights": "float16"}, {"max_width": 0}, {"min_layers": 4},
     {"kinds": ()}],
)  # fmt: skip
def test_options_that_admit_no_graph_are_refused(options):
    with pytest.raises(OptionError):
        graphs(**options)
    with pytest.raises(GraphError, match="relu"):
        graphs(activations="rellu")


@QUICK
@given(st.from_type(ng.Graph))
def test_graphs_are_known_as_a_type(graph):
    assert isinstance(graph, ng.Graph)
