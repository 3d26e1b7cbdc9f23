"""Modules of torch made of a function and a few layers, and examples for them."""

import torch
from torch import nn


class Of(nn.Module):
    """A module of a function of its layers and of the inputs."""

    def __init__(self, function, **layers):
        super().__init__()
        self.function = function
        for name, layer in layers.items():
            setattr(self, name, layer)

    def forward(self, *inputs):
        return self.function(self, *inputs)


def linear(n=4, m=4):
    return nn.Linear(n, m)


def flat():
    return torch.randn(3, 4)


def maps():
    return torch.randn(3, 4, 6, 6)


def tokens():
    return torch.randn(3, 5, 4)


def ids():
    return torch.randint(0, 7, (3, 5))
