"""Strategies of graphs over tokens: every part comes up, exact graphs round nothing, and failing ones are small."""

import collections

import numpy as np
import pytest
from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st
from token_graphs import slotted

import netgraph as ng
from netgraph.testing import graphs, inputs, is_exact
from netgraph.testing.exact import has_few_digits
from netgraph.testing.planting import some_graphs
from netgraph.testing.plants import PLANTS, operation_plants

QUICK = settings(max_examples=40)
TOKENS = graphs(kinds=("tokens", "attention"), exact=False)


def features(graph):
    """Features of a graph over tokens."""
    for layer in graph.layers_by_id.values():
        ends = [graph.layer(k.source) for k in graph.incoming[layer.id]]
        yield layer.norm
        yield layer.role if layer.encoding != "index" else "ids"
        if layer.pool:
            yield f"{layer.pool.kind} pool over {len(layer.grid)}"
            yield "padded pool" if layer.pool.padding and any(layer.pool.padding) else "pool without padding"
        for k in graph.incoming[layer.id]:
            if hasattr(k.kind, "offset"):
                yield f"offset {np.sign(k.kind.offset)}" if layer.grid else "one token"
        if layer.merge is None:
            continue
        yield layer.merge.name
        if layer.merge.name == "mix":
            wires = next(k for k in graph.incoming[layer.id] if k.port == 1)
            yield "shared values" if len(np.unique(wires.src)) < len(wires) else "own values"
        if slotted(layer):
            yield "causal" if layer.merge.causal else "everywhere"
            yield "rotary" if layer.merge.frequencies else "unrotated"
            yield (
                "cross attention"
                if len({k.source for k in graph.incoming[layer.id]} and {x.grid for x in ends}) > 1
                else "own"
            )
            yield f"{len(layer)} heads"
            queries, keys = sorted(graph.incoming[layer.id], key=lambda k: k.port)
            yield "shared keys" if len(np.unique(keys.src)) < len(keys) else "own keys"
            yield "uneven heads" if len(set(np.bincount(queries.dst).tolist())) > 1 else "even heads"
            if len(graph.outgoing[layer.id]) > 1:
                yield "several readers"


def test_every_part_of_graphs_over_tokens_comes_up():
    drawn = [graph for kind in ("tokens", "attention") for graph in some_graphs(graphs(kinds=kind, exact=False), 350)]
    seen = collections.Counter(name for graph in drawn for name in set(features(graph)))
    for name in (
        "product", "attend", "mix", "causal", "everywhere", "rotary", "unrotated", "cross attention", "1 heads",
        "2 heads", "3 heads", "shared keys", "own keys", "shared values", "uneven heads", "several readers", "ids",
        "position", "one token", "offset 1", "offset -1", "padded pool", "average pool over 1", "max pool over 1",
        *ng.graph.NORMS,
    ):  # fmt: skip
        assert seen[name] >= 4, (name, seen)
    assert max(max(layer.grid, default=0) for graph in drawn for layer in graph.layers) <= 7


@QUICK
@given(graphs(kinds="tokens"))
def test_exact_graphs_over_tokens_round_nothing(graph):
    assert is_exact(graph)


@QUICK
@given(TOKENS, st.data())
def test_ids_are_drawn_in_their_range_the_first_and_the_last_first(graph, data):
    x = data.draw(inputs(graph, samples=4))
    for layer in graph.inputs:
        if layer.encoding == "index":
            ids = x[layer.name]
            assert ids.shape == (7, *layer.grid)
            assert ids.dtype == np.int64
            assert (ids[0] == 0).all()
            assert (ids[1] == len(layer) - 1).all()
            assert ids.min() >= 0
            assert ids.max() < len(layer)
    ng.interpret(graph, x)


def test_default_graphs_have_attention_only_where_they_may_round():
    exact, other = (some_graphs(graphs(exact=exact), 120) for exact in (True, False))
    assert not any(slotted(layer) for graph in exact for layer in graph.layers)
    assert any(slotted(layer) for graph in other for layer in graph.layers)
    assert any(layer.role == "position" for graph in exact for layer in graph.layers)
    asked = some_graphs(graphs(kinds="attention"), 20)
    assert all(any(slotted(layer) for layer in graph.layers) for graph in asked)
    assert not any(is_exact(graph) for graph in asked)


@pytest.mark.parametrize(
    ("name", "predicate", "size"),
    [
        ("attention", lambda g: any(slotted(x) for x in g.layers), 8),
        ("two heads", lambda g: any(slotted(x) and len(x) == 2 for x in g.layers), 16),
        ("a rotation", lambda g: any(slotted(x) and x.merge.frequencies for x in g.layers), 10),
        ("ids", lambda g: any(x.encoding == "index" for x in g.inputs), 3),
        ("positions", lambda g: any(x.role == "position" for x in g.layers), 6),
        ("a gate", lambda g: any(x.merge and x.merge.name == "product" for x in g.layers), 6),
    ],
)
def test_graphs_over_tokens_shrink(name, predicate, size):
    options = settings(
        database=None, derandomize=True, deadline=None, max_examples=300, phases=(Phase.generate, Phase.shrink)
    )
    graph = find(TOKENS, predicate, settings=options)
    assert graph.num_vertices <= size, graph


@QUICK
@given(TOKENS, st.sampled_from([*PLANTS, *operation_plants()]), st.integers(0, 9))
def test_plants_leave_merges_whole(graph, name, at):
    planted = {**PLANTS, **operation_plants()}[name](graph, at)
    if planted is not None:
        ng.Graph(planted.layers_by_id.values(), planted.links_by_key.values())


def test_products_of_products_need_more_digits_than_a_number_has():
    b = ng.GraphBuilder(dtype=np.float64)
    b.input("x", 1, domain=(-1, 1))
    source = "x"
    for depth in range(6):
        for name in (f"a{depth}", f"b{depth}"):
            b.layer(name, 1, activation="identity", bias=False)
            b.edges(source, name, [0], [0], weight=1.125)
        source = b.product(f"m{depth}", f"a{depth}", f"b{depth}")
        b.output(f"y{depth}", 1, bias=False)
        b.edges(source, f"y{depth}", [0], [0], weight=1.0)
        graph = b.build()
        assert has_few_digits(graph) == is_exact(graph) == (depth < 2)
