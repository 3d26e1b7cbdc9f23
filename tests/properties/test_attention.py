"""Laws of attention, on drawn graphs: the compiler against the oracle, causality, padding, and the order of heads."""

import os

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from random_graphs import random_rewrite, seeds
from token_graphs import all_causal, forward_layers, lengthened, permuted, token_graphs, with_inputs

import netgraph as ng
from benchmarks import soundness
from compilers import lift, lower, migrate
from netgraph.graph import ACTIVATIONS
from netgraph.testing import assert_same_outputs, inputs

LONG = os.environ.get("HYPOTHESIS_PROFILE") == "long"
FEW = 100 if LONG else 12
SMOOTH = tuple(activation.name for activation in ACTIVATIONS.values() if not activation.exact)
GRAPHS = token_graphs()
SMALL = token_graphs(activations=("identity", *SMOOTH), pools=("average",), max_positions=3, max_width=2, max_layers=2)


def tensors(x):
    """Numbers in float64; ids stay whole."""
    return {name: torch.from_numpy(np.array(values)) for name, values in x.items()}


def named(graph, value):
    return value if isinstance(value, dict) else {graph.outputs[0].name: value}


def assert_close(found, expected, room=1e-9):
    assert found.keys() == expected.keys()
    for name, values in expected.items():
        off = np.abs(found[name].detach().numpy() - values).max(initial=0.0)
        assert off <= room * (1 + np.abs(values).max(initial=0.0))


@settings(max_examples=2_000 if LONG else 40)
@given(with_inputs(GRAPHS))
def test_compiled_networks_compute_what_the_oracle_does(given):
    graph, x = given
    net = lower(graph, dtype=torch.float64)
    for train in (False, True):
        expected = named(graph, ng.interpret(graph, x, train=train))
        for recorded in (False, True):
            with torch.set_grad_enabled(recorded):
                assert_close(named(graph, net.train(train)(tensors(x))), expected)
    assert lift(lower(graph, dtype=torch.float64)).equals(graph)


@settings(max_examples=FEW)
@given(with_inputs(SMALL), st.booleans())
def test_gradients_match_finite_differences(given, train):
    graph, x = given
    graph = with_wide_norms(graph)
    net = lower(graph, dtype=torch.float64).train(train)
    slots = torch.from_numpy(net.plan.edge_slots[net.plan.edge_slots >= 0]).long()
    names, ids = (
        [n for n, v in x.items() if v.dtype == float],
        {n: v for n, v in tensors(x).items() if v.dtype != torch.float64},
    )

    def run(edges, vertices, *inputs):
        weights = torch.zeros_like(net.weights).index_put((slots,), edges)
        given = {**ids, **dict(zip(names, inputs, strict=True))}
        out = torch.func.functional_call(net, {"weights": weights, "vertex_parameters": vertices}, (given,))
        return tuple(named(graph, out).values())

    edges = net.weights.detach()[slots].requires_grad_()
    vertices = net.vertex_parameters.detach().clone().requires_grad_()
    numbers = [tensors(x)[name].requires_grad_() for name in names]
    assert torch.autograd.gradcheck(run, (edges, vertices, *numbers), rtol=1e-4, atol=1e-5, fast_mode=True)


def with_wide_norms(graph):
    """The same graph with a norm epsilon of 1: where nothing varies, norms of 1e-5 are steep within tiny steps."""
    return ng.Graph(
        [
            ng.Layer(x.id, x.name, x.vertex_ids, x.birth, x.values,
                     **{k: v for k, v in {**x.attributes, "norm_epsilon": 1.0}.items() if k != "name"})
            if x.norm != "none" else x
            for x in graph.layers_by_id.values()
        ],
        graph.links_by_key.values(),
    )  # fmt: skip


@settings(max_examples=FEW)
@given(with_inputs(SMALL), seeds)
def test_derivatives_forwards_and_backwards_agree(given, seed):
    graph, x = given
    net = lower(with_wide_norms(graph), dtype=torch.float64).eval()
    draw = torch.Generator().manual_seed(seed)
    along = [torch.randn(p.shape, generator=draw, dtype=p.dtype) for p in net.parameters()]
    along[0][np.setdiff1d(np.arange(len(net.weights)), net.plan.edge_slots)] = 0
    value, tangent = net.jvp(tensors(x), weights=along[0], vertex_parameters=along[1])
    _, pull = net.vjp(tensors(x))
    back = {name: torch.randn(v.shape, generator=draw, dtype=v.dtype) for name, v in named(graph, value).items()}
    gradients = pull(back if isinstance(value, dict) else next(iter(back.values())))
    one = sum(float((back[name] * v).sum()) for name, v in named(graph, tangent).items())
    parts = [float((a * g).sum()) for a, g in zip(along, gradients, strict=True)]
    assert one == pytest.approx(sum(parts), rel=1e-8, abs=1e-8 * (1 + sum(map(abs, parts))))


@given(with_inputs(GRAPHS.map(all_causal)), st.integers(0, 3), st.data())
def test_later_tokens_do_not_move_earlier_values_of_causal_attention(given, first, data):
    graph, x = given
    other = data.draw(inputs(graph))
    mixed = {name: np.concatenate([v[..., :first], other[name][..., first:]], axis=-1) for name, v in x.items()
             if len(graph.layer(name).grid) == 1}  # fmt: skip
    assume(mixed)
    one, two = (ng.interpret_layers(graph, {**x, **changed}) for changed in ({}, mixed))
    assert_same_at_first_positions(graph, one, two, first)


@given(with_inputs(GRAPHS.map(all_causal)), st.integers(1, 2))
def test_padding_to_the_right_moves_nothing_under_a_causal_mask(given, extra):
    graph, x = given
    assume(all(len(layer.grid) == 1 for layer in graph.inputs))
    try:
        longer = lengthened(graph, extra)
    except ng.errors.GraphError:
        assume(False)
    padded = {name: np.concatenate([v, v[..., :1].repeat(extra, axis=-1)], axis=-1) for name, v in x.items()}
    one, two = ng.interpret_layers(graph, x), ng.interpret_layers(longer, padded)
    assert_same_at_first_positions(graph, one, two, None, padded=True)


def assert_same_at_first_positions(graph, one, two, first, *, padded=False):
    """Values of layers that look back only, at positions before the first that may differ."""
    known = forward_layers(graph, padded=padded)
    for i in known:
        layer = graph.layer(i)
        if len(layer.grid) == 1 and layer.role != "position":
            end = layer.grid[0] if first is None else first
            a, b = one[layer.name][..., :end], two[layer.name][..., :end]
            np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12)


@settings(max_examples=2 * FEW)
@given(GRAPHS, seeds)
def test_the_order_of_heads_and_channels_does_not_matter(graph, seed):
    other = permuted(graph, seed)
    for train in (False, True):
        assert_same_outputs(graph, other, exact=False, train=train)


@settings(max_examples=FEW)
@given(with_inputs(GRAPHS), seeds)
def test_after_a_rewrite_the_migrated_network_is_that_of_the_new_graph(given, seed):
    graph, x = given
    net = lower(graph, dtype=torch.float64).eval()
    optimizer = torch.optim.Adam(net.parameters(), lr=0.0)
    sum(v.square().sum() for v in named(graph, net(tensors(x))).values()).backward()
    optimizer.step()
    result = random_rewrite(lift(net), seed)
    new, _ = migrate(net, optimizer, result)
    assert lift(new).equals(result.graph)
    for train in (False, True):
        expected = named(graph, ng.interpret(result.graph, x, train=train))
        assert_close(named(graph, new.train(train)(tensors(x))), expected)


def test_no_measured_difference_of_random_rewrites_exceeds_its_bound():
    tally = soundness.Tally()
    soundness.run(10_000 if LONG else 60, 0, tally, ["attention"])
    assert tally.pairs >= (5_000 if LONG else 20)
    assert {level for _, level in tally.levels} >= {"exact", "bounded"}
    assert tally.closest <= 1 + 1e-6
