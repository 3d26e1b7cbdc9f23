"""Graphs leave as modules of torch and come back as graphs that compute the same: 1,000 in the long run."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from attention_graphs import block
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from map_graphs import inputs_of

import netgraph as ng
from compilers.export import to_module
from compilers.importing import from_module
from netgraph import testing
from netgraph.errors import ImportRefused
from netgraph.graph import ACTIVATIONS

EXAMPLES = settings(max_examples=200 if settings().max_examples > 100 else 6)
WRITTEN = sorted(set(ACTIVATIONS) - {"rational"})
"""Activations whose formula in a module is recognised."""


def drawn(*kinds):
    return testing.graphs(kinds=kinds, exact=False, activations=WRITTEN)


def in_float64(graph):
    layers = [
        replace(layer, values={name: values.astype(np.float64) for name, values in layer.values.items()})
        for layer in graph.layers_by_id.values()
    ]
    links = [
        link if link.kind.wires else link.with_weight(link.weight.astype(np.float64))
        for link in graph.links_by_key.values()
    ]
    return ng.Graph(layers, links)


@st.composite
def blocks(draw):
    """Blocks of transformers of every form."""
    heads = draw(st.sampled_from([1, 2, 4]))
    return block(
        heads=heads, groups=draw(st.sampled_from([g for g in (1, 2, 4) if heads % g == 0])),
        keys=draw(st.sampled_from([2, 4])), values=draw(st.integers(1, 3)), tokens=draw(st.integers(2, 5)),
        norm=draw(st.sampled_from(["layer", "rms"])), causal=draw(st.booleans()), rotary=draw(st.booleans()),
        scale=draw(st.sampled_from([0.5, 1.0])), gated=draw(st.booleans()), activation=draw(st.sampled_from(WRITTEN)),
        seed=draw(st.integers(0, 1000)),
    )  # fmt: skip


def assert_comes_back(graph, *, refused=False):
    """The module of a graph and the graph of this module compute what the graph does.

    With `refused` it may be refused: drawn graphs have tables and channels of heads that depend on no input.
    """
    assume(all(layer.is_source or any(map(len, graph.incoming[layer.id])) for layer in graph.layers_by_id.values()))
    graph = in_float64(graph)
    x = inputs_of(graph, 3)
    wanted = ng.interpret(graph, x, check_domain=False)
    wanted = wanted if isinstance(wanted, dict) else {graph.outputs[0].name: wanted}
    example = tuple(torch.from_numpy(x[layer.name]) for layer in graph.inputs)
    module = to_module(graph).eval()
    found = module(*example)
    found = found if isinstance(found, tuple) else (found,)
    assert_near([y.detach().numpy() for y in found], wanted)
    try:
        imported = from_module(module, example, verify=False)
    except ImportRefused:
        assume(not refused)
        raise
    values = {name: value.numpy() for name, value in imported.to_inputs(example).items()}
    back = ng.interpret(imported.graph, values, check_domain=False)
    assert_near([y.numpy() for y in imported.from_outputs(back)], wanted)


def assert_near(found, wanted):
    for one, two in zip(found, wanted.values(), strict=True):
        np.testing.assert_allclose(one, two, rtol=0, atol=1e-8 * max(1.0, float(np.abs(two).max(initial=0))))


@pytest.mark.parametrize("kinds", [("dense", "skip"), ("conv",), ("residual",)], ids="-".join)
def test_networks_of_numbers_and_maps_come_back(kinds):
    EXAMPLES(given(graph=drawn(*kinds))(lambda graph: assert_comes_back(graph)))()


@EXAMPLES
@given(blocks())
def test_blocks_of_transformers_come_back(graph):
    assert_comes_back(graph)


@EXAMPLES
@given(drawn("tokens", "attention"))
def test_networks_of_tokens_come_back_or_are_refused(graph):
    assert_comes_back(graph, refused=True)
