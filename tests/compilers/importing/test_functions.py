"""Functions of one number written by hand: known by their values, else layers for their parts, else refused."""

import math

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch_models import drawn
from toy_activation import SQUAREPLUS, registered

import netgraph as ng
from compilers.importing import from_module
from compilers.importing.ops.functions import GRID, closest
from netgraph.errors import ImportRefused
from netgraph.graph import ACTIVATIONS

WIDTH = 4


class Between(nn.Module):
    """A function between two linear layers."""

    def __init__(self, function, width=WIDTH):
        super().__init__()
        self.first, self.last = nn.Linear(3, WIDTH), nn.Linear(width, 2)
        self.function = function

    def forward(self, x):
        return self.last(self.function(self.first(x)))


def imported(function, width=WIDTH):
    """Graph of a function between two linear layers, which computes what they do."""
    module, x = drawn(Between(function, width)).eval(), torch.randn(5, 3, dtype=torch.float64)
    graph = from_module(module, x).graph
    with torch.no_grad():
        np.testing.assert_allclose(ng.interpret(graph, x.numpy()), module(x).numpy(), atol=1e-9)
    return graph


def operations(graph):
    """Activations other than the identity, and merges, in the order of layers."""
    layers = graph.layers_by_id.values()
    return [
        layer.merge.name if layer.merge else layer.activation
        for layer in layers
        if layer.merge or layer.activation != "identity"
    ]


BY_VALUE = {
    "gelu_tanh": [
        lambda z: 0.5 * z * (1 + torch.tanh(math.sqrt(2 / math.pi) * (z + 0.044715 * torch.pow(z, 3)))),
        lambda z: 0.5 * z * (1 + torch.tanh(z * math.sqrt(2 / math.pi) * (1 + 0.044715 * z * z))),
    ],
    "gelu": [lambda z: z * 0.5 * (1 + torch.erf(z / math.sqrt(2)))],
    "silu": [lambda z: z * torch.sigmoid(z), lambda z: z / (1 + torch.exp(-z)), lambda z: z.sigmoid().mul_(z)],
    "sigmoid": [lambda z: 1 / (1 + torch.exp(-z)), lambda z: torch.tanh(z / 2) / 2 + 0.5],
    "softplus": [lambda z: torch.log1p(z.exp()), lambda z: -F.logsigmoid(-z)],
    "tanh": [lambda z: 2 * torch.sigmoid(2 * z) - 1],
    "relu": [lambda z: (z + z.abs()) / 2, lambda z: z.clamp(min=0), lambda z: torch.maximum(z, torch.zeros(()))],
    "leaky_relu": [lambda z: torch.maximum(z, 0.2 * z), torch.abs],
}
"""Functions by the activation that computes them."""


@pytest.mark.parametrize(
    ("activation", "function"), [(name, function) for name, some in BY_VALUE.items() for function in some]
)
def test_activations_are_known_by_value(activation, function):
    graph = imported(function)
    assert operations(graph) == [activation]
    assert graph.num_layers == 3


def test_the_sum_of_two_layers_may_be_the_argument():
    assert operations(imported(lambda z: (z + 1) * torch.sigmoid(z + 1))) == ["silu"]


BY_PARTS = {
    "quick gelu": (lambda z: z * torch.sigmoid(1.702 * z), ["sigmoid", "product"]),
    "mish": (lambda z: z * torch.tanh(F.softplus(z)), ["softplus", "tanh", "product"]),
    "mish as one operation": (F.mish, ["softplus", "tanh", "product"]),
    "squared relu": (lambda z: F.relu(z) ** 2, ["relu", "product"]),
    "cube": (lambda z: z**3, ["product", "product"]),
    "soft cap": (lambda z: 30 * torch.tanh(z / 30), ["tanh"]),
    "sum": (lambda z: z * torch.sigmoid(z) + z, ["silu"]),
    "limits": (lambda z: z.clamp(-1, 2), ["relu", "relu"]),
    "hard swish": (F.hardswish, ["relu", "relu", "product"]),
    "tanh of tanh": (lambda z: z.tanh().tanh(), ["tanh", "tanh"]),
}
"""Functions by the layers that compute them."""


@pytest.mark.parametrize("case", BY_PARTS)
def test_other_functions_are_layers_for_their_parts(case):
    function, wanted = BY_PARTS[case]
    found = operations(imported(function))
    assert sorted(found) == sorted(wanted) or (case in {"hard swish"} and "relu6" in found)


@pytest.mark.parametrize(
    "gate", [F.glu, lambda z: z[:, :2] * z[:, 2:].sigmoid(), lambda z: z[:, 2:].sigmoid() * z[:, :2]]
)
def test_gates_are_products(gate):
    assert operations(imported(gate, 2)) == ["sigmoid", "product"]


REFUSED = {
    "exp": (torch.exp, "register_activation"),
    "elu": (F.elu, "register_activation"),
    "softsign": (F.softsign, "'tanh', which differs by up to 0.1"),
    "power": (lambda z: (z * z + 1) ** 0.75, "register_activation"),
    "quotient": (lambda z: z / z.flip(-1), "divide by constants"),
    "comparison": (lambda z: torch.where(z > 0, z, -z), "masks are constants"),
    "larger of two": (lambda z: torch.maximum(z, z.flip(-1)), "compares two different activations"),
    "exponent": (lambda z: 2.0**z, "register_activation|constant exponent|activation of a graph computes it"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_functions_without_layers_are_refused(case):
    function, text = REFUSED[case]
    with pytest.raises(ImportRefused, match=text) as caught:
        from_module(drawn(Between(function)), torch.randn(2, 3, dtype=torch.float64))
    assert caught.value.op.startswith("aten.")


def test_a_registered_activation_is_known():
    def squareplus(z):
        return (z + torch.sqrt(z * z + 4)) / 2

    with registered(SQUAREPLUS):
        assert operations(imported(squareplus)) == ["squareplus"]
    with pytest.raises(ImportRefused, match="register_activation"):
        imported(squareplus)


@pytest.mark.parametrize("name", [name for name, activation in ACTIVATIONS.items() if not activation.parameters])
def test_every_activation_is_nearest_to_itself(name):
    values = ACTIVATIONS[name].function(GRID[None].copy(), {}, 0.3)[0]
    found, slope, difference = closest(values)
    assert difference < 1e-12
    assert found == name
    assert slope == pytest.approx(0.3) or not ACTIVATIONS[name].uses_slope
