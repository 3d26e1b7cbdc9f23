"""Pairs of plain torch modules: one network and what a transform made of it, rightly or wrongly.

Weights are multiples of 1/8 where a transform divides or adds them, so that float32 holds the results.
"""

import copy
import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval, fuse_linear_bn_eval


@dataclass(frozen=True)
class Pair:
    """Two modules, an example input, and the domain of the inputs."""

    old: nn.Module
    new: nn.Module
    example: Any
    domain: tuple[float, float] | None = (-1.0, 1.0)


def eighths(*shape, seed=0, limit=8):
    rng = np.random.default_rng(seed)
    values = rng.integers(1, limit + 1, shape) * rng.choice([-1, 1], shape)
    return torch.tensor(values / 8, dtype=torch.float32)


def refill(module, seed=0):
    """Give all weights values that are multiples of 1/8, and batch norms statistics."""
    for number, (name, values) in enumerate(module.state_dict().items()):
        if values.is_floating_point() and values.ndim:
            drawn = eighths(*values.shape, seed=100 * seed + number)
            values.copy_(drawn.abs() if "running_var" in name else drawn)
    return module.eval()


def mlp(*sizes, activation=nn.ReLU, seed=0):
    layers = []
    for source, target in itertools.pairwise(sizes):
        layers += [nn.Linear(source, target), activation()]
    return refill(nn.Sequential(*layers[:-1]), seed)


def vector(size=6):
    return eighths(2, size, seed=99)


def picked(old, rows, place=0, divide=True, activation=nn.ReLU):
    """Sequential of two linear layers with the hidden units `rows` of `old`; outgoing weights shared by the copies."""
    count = torch.bincount(torch.tensor(rows), minlength=old[0].out_features)[rows]
    new = nn.Sequential(
        nn.Linear(old[0].in_features, len(rows)), activation(), nn.Linear(len(rows), old[2].out_features)
    )
    with torch.no_grad():
        new[0].weight.copy_(old[0].weight[rows])
        new[0].bias.copy_(old[0].bias[rows])
        new[2].weight.copy_(old[2].weight[:, rows] / (count if divide else 1))
        new[2].bias.copy_(old[2].bias)
    return new.eval()


def edited(module, edit):
    """Copy of a module after `edit(copy)`."""
    new = copy.deepcopy(module)
    with torch.no_grad():
        edit(new)
    return new.eval()


class Attention(nn.Module):
    """Self-attention with a residual and an output per token; any number of heads and any size of keys and values."""

    def __init__(self, width=8, heads=4, size=2, seed=0):
        super().__init__()
        self.heads, self.size = heads, size
        self.q, self.k, self.v = (nn.Linear(width, heads * size) for _ in range(3))
        self.o, self.out = nn.Linear(heads * size, width), nn.Linear(width, 3)
        refill(self, seed)

    def forward(self, x):
        batch, tokens, _ = x.shape
        q, k, v = (part(x).view(batch, tokens, -1, self.size).transpose(1, 2) for part in (self.q, self.k, self.v))
        mixed = nn.functional.scaled_dot_product_attention(q, k, v)
        return self.out(x + self.o(mixed.transpose(1, 2).reshape(batch, tokens, -1)))


def with_heads(old, heads):
    """Attention with some heads of another one, in the given order."""
    rows = torch.cat([torch.arange(old.size) + head * old.size for head in heads])
    new = Attention(old.q.in_features, len(heads), old.size)
    new.load_state_dict({
        name: values if name.startswith("out") or name == "o.bias"
        else values[:, rows] if name == "o.weight" else values[rows]
        for name, values in old.state_dict().items()
    })  # fmt: skip
    return new.eval()


def tokens(width=8):
    return eighths(2, 5, width, seed=98)


class ConvNet(nn.Module):
    """Convolutions with batch norm, a pool and a linear layer."""

    def __init__(self, channels=6, norm=True, seed=0):
        super().__init__()
        self.first = nn.Conv2d(2, channels, 3, padding=1)
        self.norm = nn.BatchNorm2d(channels) if norm else nn.Identity()
        self.second = nn.Conv2d(channels, 4, 3, stride=2, padding=1)
        self.pool, self.head = nn.MaxPool2d(2), nn.Linear(16, 3)
        refill(self, seed)

    def forward(self, x):
        x = self.pool(torch.relu(self.norm(self.first(x))))
        return self.head(torch.relu(self.second(x)).flatten(1))


def image():
    return eighths(2, 2, 8, 8, seed=97)


class Block(nn.Module):
    """MLP block of a pre-norm transformer, and a read-out."""

    def __init__(self, width=4, hidden=6, outputs=3, seed=0):
        super().__init__()
        self.embed = nn.Linear(5, width)
        self.norm, self.up, self.down = nn.LayerNorm(width), nn.Linear(width, hidden), nn.Linear(hidden, width)
        self.final, self.head = nn.LayerNorm(width), nn.Linear(width, outputs)
        refill(self, seed)

    def forward(self, x):
        x = self.embed(x)
        x = x + self.down(nn.functional.gelu(self.up(self.norm(x))))
        return self.head(self.final(x))


def lemon(old, shares=(0.5, 0.5), copies=2):
    """Block of twice the width: writers copied, readers shared out; exact under layer norm."""
    width = old.norm.normalized_shape[0]
    new = Block(copies * width, old.up.out_features, old.head.out_features)
    state = {}
    for name, values in old.state_dict().items():
        if name in ("up.weight", "head.weight"):
            values = torch.cat([values * share for share in shares], 1)
        elif name.split(".")[0] in ("embed", "norm", "down", "final"):
            values = torch.cat([values] * copies)
        state[name] = values
    new.load_state_dict(state)
    return new.eval()


class Residual(nn.Module):
    """Convolutional network with blocks `x + f(x)`."""

    def __init__(self, blocks=1, zero_last=False, seed=0):
        super().__init__()
        self.stem = nn.Conv2d(2, 4, 3, padding=1)
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.Conv2d(4, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 4, 3, padding=1))
            for _ in range(blocks)
        )
        self.head = nn.Linear(4, 3)
        refill(self, seed)
        if zero_last:
            with torch.no_grad():
                self.blocks[-1][2].weight.zero_()
                self.blocks[-1][2].bias.zero_()

    def forward(self, x):
        x = torch.relu(self.stem(x))
        for block in self.blocks:
            x = x + block(x)
        return self.head(x.mean((2, 3)))


def fused(old, epsilon=None):
    """ConvNet with its batch norm folded by torch; `epsilon` in place of that of the norm."""
    new = copy.deepcopy(old)
    norm = copy.deepcopy(old.norm)
    if epsilon is not None:
        norm.eps = epsilon
    new.first, new.norm = fuse_conv_bn_eval(new.first, norm), nn.Identity()
    return new.eval()


def permuted_channels(old, order, statistics=True):
    def edit(new):
        for values in (new.first.weight, new.first.bias, new.norm.weight, new.norm.bias):
            values.copy_(values[order])
        if statistics:
            for values in (new.norm.running_mean, new.norm.running_var):
                values.copy_(values[order])
        new.second.weight.copy_(new.second.weight[:, order])

    return edited(old, edit)


def deeper(old):
    """Two-layer network with an identity layer behind its hidden one."""
    width = old[0].out_features
    middle = nn.Linear(width, width)
    with torch.no_grad():
        middle.weight.copy_(torch.eye(width))
        middle.bias.zero_()
    return nn.Sequential(*copy.deepcopy(old)[:2], middle, nn.ReLU(), copy.deepcopy(old)[2]).eval()


def rescaled(old, factor=2.0, outgoing=True):
    def edit(new):
        new[0].weight.mul_(factor)
        new[0].bias.mul_(factor)
        if outgoing:
            new[2].weight.div_(factor)

    return edited(old, edit)


def flipped(old, rows):
    def edit(new):
        new[0].weight[rows] *= -1
        new[0].bias[rows] *= -1
        new[2].weight[:, rows] *= -1

    return edited(old, edit)


def zeroed_outgoing(old, rows):
    def edit(new):
        new[2].weight[:, rows] = 0

    return edited(old, edit)


def slots_permuted(old, both=True):
    """Attention with the two numbers of every query swapped, and those of every key."""

    def edit(new):
        order = torch.arange(old.heads * old.size).view(-1, old.size).flip(1).reshape(-1)
        for part in (new.q, new.k) if both else (new.q,):
            part.weight.copy_(part.weight[order])
            part.bias.copy_(part.bias[order])

    return edited(old, edit)


def zero_head(old, head):
    def edit(new):
        new.o.weight[:, head * old.size : (head + 1) * old.size] = 0

    return edited(old, edit)


def pruned(old, below):
    def edit(new):
        for values in (new[0].weight, new[2].weight):
            values[values.abs() < below] = 0

    return edited(old, edit)


def merged(old):
    """Two-layer network whose units 0 and 1 are equal, and the network in which they are one."""
    twice = picked(old, [0, *range(old[0].out_features)], divide=False)
    one = picked(old, list(range(old[0].out_features)), divide=False)
    with torch.no_grad():
        one[2].weight[:, 0] = twice[2].weight[:, 0] + twice[2].weight[:, 1]
    return twice, one


def norm_into_linear(old):
    """Block whose first layer norm has its scale and shift in the linear layer behind it."""

    def edit(new):
        new.up.bias.add_(new.up.weight @ new.norm.bias)
        new.up.weight.mul_(new.norm.weight)
        new.norm.weight.fill_(1)
        new.norm.bias.zero_()

    return edited(old, edit)


def linear_norm(seed=0):
    return refill(nn.Sequential(nn.Linear(6, 5), nn.BatchNorm1d(5), nn.Tanh(), nn.Linear(5, 3)), seed)


def linear_fused(old):
    return nn.Sequential(fuse_linear_bn_eval(old[0], old[1]), *copy.deepcopy(old)[2:]).eval()


def uneven(old):
    """Network with a copy of unit 2, of whose outgoing weights the unit keeps one quarter and the copy has the rest."""
    return edited(
        picked(old, [*range(old[0].out_features), 2], divide=False),
        lambda net: (net[2].weight[:, 2].mul_(0.25), net[2].weight[:, -1].mul_(0.75)),
    )


def stream():
    return eighths(2, 4, 5, seed=96)
