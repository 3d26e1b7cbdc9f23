"""Modules of other forms: several inputs and outputs, constants in the forward, and parts in containers."""

from collections import OrderedDict

import torch
import torch.nn.functional as F
from torch import nn


class TwoInputs(nn.Module):
    """An image and numbers beside it."""

    def __init__(self):
        super().__init__()
        self.conv, self.numbers, self.head = nn.Conv2d(1, 3, 3), nn.Linear(4, 5), nn.Linear(3 * 4 + 5, 2)

    def forward(self, image, numbers):
        maps = F.max_pool2d(self.conv(image).relu(), 2)
        return self.head(torch.cat([maps.flatten(1), self.numbers(numbers).tanh()], dim=1))

    def example(self):
        return torch.randn(3, 1, 6, 6, dtype=torch.float64), torch.randn(3, 4, dtype=torch.float64)


class SeveralHeads(nn.Module):
    """A dict of outputs, one of which reads another."""

    def __init__(self):
        super().__init__()
        self.trunk = nn.Sequential(OrderedDict(inner=nn.Linear(5, 6), activation=nn.ReLU()))
        self.heads = nn.ModuleDict({"classes": nn.Linear(6, 3), "value": nn.Linear(6, 1)})
        self.last = nn.Linear(3, 2)

    def forward(self, x):
        h = self.trunk(x)
        classes = self.heads["classes"](h)
        return {"classes": classes, "value": self.heads["value"](h).squeeze(-1), "last": self.last(classes.tanh())}

    def example(self):
        return torch.randn(3, 5, dtype=torch.float64)


class Features(nn.Module):
    """Hidden values as outputs beside the last one."""

    def __init__(self):
        super().__init__()
        self.one, self.two, self.head = nn.Conv2d(1, 2, 3), nn.Conv2d(2, 3, 3), nn.Linear(3, 2)

    def forward(self, x):
        low = self.one(x).relu()
        high = self.two(low).relu()
        return self.head(high.mean((2, 3))), low, high

    def example(self):
        return torch.randn(2, 1, 6, 7, dtype=torch.float64)


class Normalised(nn.Module):
    """Images that the module itself normalises by constants."""

    def __init__(self):
        super().__init__()
        self.register_buffer("pixel_mean", torch.tensor([0.5, 0.25, 0.125]).view(1, 3, 1, 1))
        self.register_buffer("pixel_std", torch.tensor([0.25, 0.5, 0.125]).view(1, 3, 1, 1))
        self.conv, self.head = nn.Conv2d(3, 4, 3, padding=1), nn.Linear(4, 2)

    def forward(self, x):
        x = (x - self.pixel_mean) / self.pixel_std
        return self.head(self.conv(x).relu().mean((2, 3)))

    def example(self):
        return torch.rand(2, 3, 5, 5, dtype=torch.float64)


class Halves(nn.Module):
    """Features in two halves: one is transformed and added to the other, which stays (a reversible block)."""

    def __init__(self):
        super().__init__()
        self.one, self.two = nn.Linear(3, 3), nn.Linear(3, 3)

    def forward(self, x):
        a, b = x.chunk(2, dim=1)
        b = b + self.one(a).tanh()
        a = a + self.two(b).tanh()
        return torch.cat([a, b], dim=1)

    def example(self):
        return torch.randn(3, 6, dtype=torch.float64)


class Frozen(nn.Module):
    """A trained head on a body without gradients, with constants in arithmetic."""

    def __init__(self):
        super().__init__()
        self.body, self.head = nn.Linear(4, 5), nn.Linear(5, 2)
        self.body.requires_grad_(False)

    def forward(self, x):
        h = 1.0 - torch.sigmoid(self.body(2 * x - 1)) / 4
        return -self.head(h) + 0.5

    def example(self):
        return torch.rand(3, 4, dtype=torch.float64)


class Mixer(nn.Module):
    """Features of each pixel and their mean beside them, and one weight per map for all positions."""

    def __init__(self):
        super().__init__()
        self.inner, self.outer = nn.Conv2d(2, 4, 1), nn.Conv2d(4, 2, 1)
        self.scale, self.shift = nn.Parameter(torch.ones(1, 4, 1, 1)), nn.Parameter(torch.zeros(1, 4, 1, 1))

    def forward(self, x):
        h = self.inner(x) * self.scale + self.shift
        return x + self.outer(F.gelu(h))

    def example(self):
        return torch.randn(2, 2, 4, 3, dtype=torch.float64)
