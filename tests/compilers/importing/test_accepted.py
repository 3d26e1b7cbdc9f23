"""Modules that look as if no graph could equal them, although one does."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from small_modules import Of, flat, ids, linear, maps, tokens
from torch import nn

import netgraph as ng
from compilers.importing import from_module


def frozen():
    return nn.Sequential(linear().requires_grad_(False), nn.ReLU())


def token_gate(m, x):
    return m.a(m.token.expand(len(x), -1)) * m.b(x)


CASES = {
    "relu6": (lambda: nn.Sequential(linear(), nn.ReLU6(), linear()), flat),
    "rrelu": (lambda: nn.Sequential(linear(), nn.RReLU(), linear()), flat),
    "hardswish": (lambda: nn.Sequential(linear(), nn.Hardswish(), linear()), flat),
    "mish": (lambda: nn.Sequential(linear(), nn.Mish(), linear()), flat),
    "abs": (lambda: Of(lambda m, x: m.a(x).abs(), a=linear()), flat),
    "glu": (lambda: nn.Sequential(linear(4, 8), nn.GLU()), flat),
    "highway": (lambda: Of(lambda m, x: (t := torch.sigmoid(m.a(x))) * m.b(x) + (1 - t) * x, a=linear(), b=linear()),
                flat),
    "dropout": (lambda: nn.Sequential(linear(), nn.Dropout(0.5), linear()), flat),
    "convolution of a mirrored image": (lambda: Of(lambda m, x: m.a(x.flip(-1)), a=nn.Conv2d(4, 2, 3)), maps),
    "reversed channels": (lambda: Of(lambda m, x: m.a(x).flip(1), a=nn.Conv2d(4, 4, 1)), maps),
    "channel shuffle": (lambda: nn.Sequential(nn.Conv2d(4, 4, 1, groups=2), nn.ChannelShuffle(2),
                                              nn.Conv2d(4, 4, 1, groups=2)), maps),
    "pixel unshuffle": (lambda: nn.Sequential(nn.Conv2d(4, 4, 3, padding=1), nn.PixelUnshuffle(2),
                                              nn.Conv2d(16, 2, 3)), maps),
    "overlapping windows of tokens": (lambda: Of(lambda m, x: m.a(x.unfold(1, 2, 1).flatten(2)), a=linear(8, 4)),
                                      tokens),
    "batch norm of a sequence": (lambda: nn.Sequential(nn.BatchNorm1d(4), nn.ReLU()), lambda: torch.randn(3, 4, 9)),
    "a gate from a token": (lambda: Of(token_gate, a=linear(), b=linear(), token=nn.Parameter(torch.ones(1, 4))), flat),
    "two tables, one id": (lambda: Of(lambda m, x: m.a(x) + m.b(x), a=nn.Embedding(7, 4), b=nn.Embedding(7, 4)), ids),
    "heads that give weights, unread": (lambda: Of(lambda m, x: m.a(x, x, x)[0],
                                                   a=nn.MultiheadAttention(4, 2, batch_first=True)), tokens),
    "a list of inputs": (lambda: Of(lambda m, x: m.a(x[0]) + m.b(x[1]), a=linear(), b=linear()),
                         lambda: ([flat(), flat()],)),
    "a dict of outputs": (lambda: Of(lambda m, x: {"one": m.a(x), "two": F.relu(m.b(x))}, a=linear(), b=linear()),
                          flat),
    "an output twice": (lambda: Of(lambda m, x: [m.a(x)] * 2, a=linear()), flat),
    "an input as output": (lambda: Of(lambda m, x: (x, m.a(x)), a=linear()), flat),
    "an input that nothing reads": (lambda: Of(lambda m, x, y: m.a(x), a=linear()), lambda: (flat(), flat())),
    "one sample": (lambda: nn.Sequential(linear(), nn.ReLU()), lambda: torch.randn(1, 4)),
    "frozen": (frozen, flat),
    "joined features": (lambda: Of(lambda m, x: torch.hstack([m.a(x), x]), a=linear()), flat),
    "joined tokens": (lambda: Of(lambda m, x: torch.hstack([m.a(x), x]), a=linear()), tokens),
    "joined columns": (lambda: Of(lambda m, x: torch.column_stack([m.a(x), x]), a=linear()), flat),
    "stacked features": (lambda: Of(lambda m, x: torch.stack([m.a(x), x], -1).flatten(1), a=linear()), flat),
    "joined channels of tokens": (lambda: Of(lambda m, x: torch.dstack([m.a(x), x]), a=linear()), tokens),
    "nothing": (nn.Identity, flat),
    "no layers": (nn.Sequential, flat),
    "a number as argument": (lambda: Of(lambda m, x, k: m.a(x) * k, a=linear()), lambda: (flat(), 2.0)),
}  # fmt: skip


def leaves(value):
    return [leaf for leaf in torch.utils._pytree.tree_leaves(value) if isinstance(leaf, torch.Tensor)]


@pytest.mark.parametrize("name", CASES)
def test_the_graph_computes_what_the_module_computes(name):
    torch.manual_seed(0)
    make, example = CASES[name]
    module, given = make().double().eval(), example()
    imported = from_module(module, torch.utils._pytree.tree_map(_double, given))
    again = torch.utils._pytree.tree_map(_double, example())
    with torch.no_grad():
        wanted = leaves(module(*(again if isinstance(again, tuple) else (again,))))
    inputs = {layer: x.numpy() for layer, x in imported.to_inputs(again).items()}
    found = imported.from_outputs(ng.interpret(imported.graph, inputs))
    assert len(found) == len(wanted)
    for one, two in zip(found, wanted, strict=True):
        np.testing.assert_allclose(one.numpy(), two.numpy(), rtol=1e-9, atol=1e-9)


def _double(value):
    return value.double() if isinstance(value, torch.Tensor) and value.is_floating_point() else value


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_modules_of_every_precision_are_imported(dtype):
    module = nn.Sequential(linear(), nn.ReLU(), linear()).to(dtype)
    graph = from_module(module, flat().to(dtype)).graph
    weight = graph.links["input", "0"].weight.reshape(4, 4)
    np.testing.assert_array_equal(weight, module[0].weight.detach().double().numpy())


def test_a_value_that_the_module_detaches_is_noted():
    imported = from_module(Of(lambda m, x: m.b(m.a(x).detach()), a=linear(), b=linear()), flat())
    assert imported.notes == ("the module: gradients pass where the module detaches a value.",)
