"""Multilayer perceptrons."""

import torch
import torch.nn.functional as F
from torch import nn


class Perceptron(nn.Sequential):
    """A chain with batch norm and dropout after a flatten."""

    def __init__(self):
        super().__init__(
            nn.Flatten(), nn.Linear(12, 9), nn.BatchNorm1d(9), nn.ReLU(), nn.Dropout(0.0), nn.Linear(9, 7), nn.Tanh(),
            nn.Linear(7, 3),
        )  # fmt: skip

    def example(self):
        return torch.randn(4, 1, 3, 4, dtype=torch.float64)


class Activations(nn.Module):
    """One layer after the other, each with another activation."""

    def __init__(self):
        super().__init__()
        kinds = (
            nn.ReLU(), nn.GELU(), nn.GELU(approximate="tanh"), nn.SiLU(), nn.Tanh(), nn.Sigmoid(), nn.Softplus(),
            nn.LeakyReLU(0.2), nn.PReLU(5), nn.ReLU6(), nn.Identity(),
        )  # fmt: skip
        self.layers = nn.ModuleList(nn.Linear(5, 5) for _ in kinds)
        self.activations = nn.ModuleList(kinds)

    def forward(self, x):
        for layer, activation in zip(self.layers, self.activations, strict=True):
            x = activation(layer(x))
        return x

    def example(self):
        return torch.randn(3, 5, dtype=torch.float64)


class SharedSum(nn.Module):
    """A hidden value with a norm and an activation that others read before and after them."""

    def __init__(self):
        super().__init__()
        self.inner, self.norm, self.one, self.two = nn.Linear(4, 6), nn.LayerNorm(6), nn.Linear(6, 3), nn.Linear(6, 3)

    def forward(self, x):
        h = self.inner(x)
        return self.one(F.relu(h)) + self.two(self.norm(h)) + h[:, :3]

    def example(self):
        return torch.randn(3, 4, dtype=torch.float64)


class ScaledResidual(nn.Module):
    """Residual blocks whose branch is scaled by a constant, and by a parameter per feature."""

    def __init__(self, width=6, depth=2):
        super().__init__()
        self.blocks = nn.ModuleList(nn.ModuleDict(self.block(width)) for _ in range(depth))
        self.scales = nn.ParameterList(nn.Parameter(torch.full((width,), 0.1)) for _ in range(depth))

    @staticmethod
    def block(width):
        return {"norm": nn.LayerNorm(width), "one": nn.Linear(width, 2 * width), "two": nn.Linear(2 * width, width)}

    def forward(self, x):
        for block, scale in zip(self.blocks, self.scales, strict=True):
            x = x + 0.5 * scale * block["two"](F.gelu(block["one"](block["norm"](x))))
        return x

    def example(self):
        return torch.randn(3, 6, dtype=torch.float64)


class GatedPerceptron(nn.Module):
    """RMS norm written out, and a gated MLP."""

    def __init__(self, width=6, hidden=10):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(width))
        self.gate, self.up, self.down = (
            nn.Linear(width, hidden, bias=False), nn.Linear(width, hidden, bias=False),
            nn.Linear(hidden, width, bias=False),
        )  # fmt: skip

    def forward(self, x):
        h = x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6) * self.scale
        return x + self.down(F.silu(self.gate(h)) * self.up(h))

    def example(self):
        return torch.randn(3, 6, dtype=torch.float64)


class DenseBlocks(nn.Module):
    """Every layer reads all layers before it."""

    def __init__(self, width=4, growth=3, depth=3):
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(width + growth * i, growth) for i in range(depth))
        self.head = nn.Linear(width + growth * depth, 2)

    def forward(self, x):
        for layer in self.layers:
            x = torch.cat([x, layer(x).relu()], dim=1)
        return self.head(x)

    def example(self):
        return torch.randn(3, 4, dtype=torch.float64)


class Functional(nn.Module):
    """Parameters of the module itself, and functions in place of modules."""

    def __init__(self):
        super().__init__()
        self.w1, self.b1 = nn.Parameter(torch.empty(8, 5)), nn.Parameter(torch.empty(8))
        self.w2, self.b2 = nn.Parameter(torch.empty(8, 2)), nn.Parameter(torch.empty(2))

    def forward(self, x):
        x = F.linear(x, self.w1, self.b1).clamp(min=0)
        return x @ self.w2 + self.b2

    def example(self):
        return torch.randn(3, 5, dtype=torch.float64)
