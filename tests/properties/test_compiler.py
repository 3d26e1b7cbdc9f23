"""The compiler against the oracle on random graphs of every kind."""

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from random_graphs import random_rewrite, seeds

import netgraph as ng
from compilers import lift, lower, migrate
from netgraph import interpret, testing
from netgraph.errors import CompileError
from netgraph.graph import ACTIVATIONS
from netgraph.proof.rounding import rounding_allowance

KINDS = ("dense", "skip", "conv", "residual")
FAMILIES = {
    "padded": {"rows": "padded-dense", "maps": "padded-convolution"},
    "sparse": {"rows": "csr", "maps": "sparse-convolution"},
    "full": {"rows": "dense", "maps": "convolution"},
}
SMOOTH = ("identity", *(activation.name for activation in ACTIVATIONS.values() if not activation.exact))
FEW = settings.default.max_examples // 4
"""Where an example takes tenths of a second."""
FLOAT32 = 2.0**30
"""How much coarser float32 rounds than float64 does, doubled since the weights are rounded as well."""


@st.composite
def graphs_and_inputs(draw, kind, **options):
    graph = draw(testing.graphs(kinds=kind, exact=False, **options))
    return graph, draw(testing.inputs(graph))


def with_wide_norms(graph):
    """The same graph with a norm epsilon of 1: where nothing varies, norms of 1e-5 are steep within tiny steps."""
    layers = [
        layer
        if layer.role == "input"
        else ng.Layer(
            layer.id, layer.name, layer.vertex_ids, layer.birth, layer.values,
            **{k: v for k, v in {**layer.attributes, "norm_epsilon": 1.0}.items() if k != "name"},
        )
        for layer in graph.layers_by_id.values()
    ]  # fmt: skip
    return ng.Graph(layers, graph.links_by_key.values())


def tensors(x, dtype=torch.float64):
    return {name: torch.from_numpy(np.array(values)).to(dtype) for name, values in x.items()}


def named(graph, value):
    return value if isinstance(value, dict) else {graph.outputs[0].name: value}


def overrides(graph):
    """Kernels by layer: none, and of each family all that fit, for edges that read maps first or rows first."""
    reads = {}
    for site in lower(graph).plan.choices:
        reads.setdefault(site.layer, set()).add("maps" if site.source else "rows")
    found = [{}]
    for family, order in itertools.product(FAMILIES.values(), (("maps", "rows"), ("rows", "maps"))):
        wanted = {name: family[next(k for k in order if k in kinds)] for name, kinds in reads.items()}
        kernels = {name: kernel for name, kernel in wanted.items() if fits(graph, name, kernel)}
        if kernels not in found:
            found.append(kernels)
    return found


def fits(graph, layer, kernel):
    """Kernels that need all edges refuse a layer without."""
    try:
        lower(graph, kernels={layer: kernel})
    except CompileError as error:
        if "needs every pair" not in str(error):
            raise
        return False
    return True


def assert_close(found, expected, allowed=None):
    assert found.keys() == expected.keys()
    for name, values in expected.items():
        off = np.abs(found[name].detach().numpy() - values)
        if allowed is None:
            assert off.max() <= 1e-9 * (1 + np.abs(values).max())
        else:
            assert (off.max(axis=(0, *range(2, off.ndim))) <= allowed[name]).all()


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=2 * FEW)
@given(data=st.data())
def test_every_kernel_computes_what_the_oracle_does(kind, data):
    graph, x = data.draw(graphs_and_inputs(kind))
    for train in (False, True):
        expected = named(graph, interpret(graph, x, train=train))
        for kernels in overrides(graph):
            net = lower(graph, dtype=torch.float64, kernels=kernels).train(train)
            for recorded in (False, True):
                with torch.set_grad_enabled(recorded):
                    found = named(graph, net(tensors(x)))
                assert_close(found, expected)
            sum(v.square().sum() for v in found.values()).backward()
            pads = np.setdiff1d(np.arange(len(net.weights)), net.plan.edge_slots)
            assert not net.weights.grad.numpy()[pads].any()
            assert train or lift(net).equals(graph)


@pytest.mark.parametrize("kind", KINDS)
@given(data=st.data())
def test_float32_is_off_by_its_rounding(kind, data):
    graph, x = data.draw(graphs_and_inputs(kind))
    net = lower(graph)
    for train in (False, True):
        allowed = {k: FLOAT32 * v for k, v in rounding_allowance(graph, x, train=train).items()}
        found = named(graph, net.train(train)(tensors(x, torch.float32)))
        assert_close(found, named(graph, interpret(graph, x, train=train)), allowed)


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=FEW)
@given(data=st.data())
def test_gradients_match_finite_differences(kind, data):
    options = {"activations": SMOOTH, "pools": ("average",), "max_side": 3}
    graph, x = data.draw(graphs_and_inputs(kind, **options))
    graph, names = with_wide_norms(graph), list(x)
    train = data.draw(st.booleans())
    for kernels in overrides(graph):
        net = lower(graph, dtype=torch.float64, kernels=kernels).train(train)
        slots = torch.from_numpy(net.plan.edge_slots[net.plan.edge_slots >= 0]).long()

        def run(edges, vertices, *inputs, net=net, slots=slots):
            weights = torch.zeros_like(net.weights).index_put((slots,), edges)
            given = {"weights": weights, "vertex_parameters": vertices}
            out = torch.func.functional_call(net, given, (dict(zip(names, inputs, strict=True)),))
            return tuple(named(net.graph, out).values())

        edges = net.weights.detach()[slots].requires_grad_()
        vertices = net.vertex_parameters.detach().clone().requires_grad_()
        inputs = [values.requires_grad_() for values in tensors(x).values()]
        assert_close(named(graph, net(tensors(x))), named(graph, interpret(graph, x, train=train)))
        assert torch.autograd.gradcheck(run, (edges, vertices, *inputs), rtol=1e-4, atol=1e-5, fast_mode=True)


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=2 * FEW)
@given(data=st.data(), seed=seeds)
def test_after_a_rewrite_the_migrated_network_is_that_of_the_new_graph(kind, data, seed):
    graph, x = data.draw(graphs_and_inputs(kind))
    net = lower(graph, dtype=torch.float64)
    optimizer = torch.optim.Adam(net.parameters(), lr=0.0)
    sum(v.square().sum() for v in named(graph, net.eval()(tensors(x))).values()).backward()
    optimizer.step()
    result = random_rewrite(lift(net), seed)
    new, _ = migrate(net, optimizer, result)
    assert lift(new).equals(result.graph)
    for train in (False, True):
        expected = interpret(result.graph, x, train=train)
        assert_close(named(graph, new.train(train)(tensors(x))), named(graph, expected))
