"""Activations: layers that read by wires and apply a function."""

from __future__ import annotations

from typing import Any

import numpy as np

from compilers.importing.codes import Coded
from compilers.importing.ops.norms import wired
from compilers.importing.reading import reading
from compilers.importing.sums import result, set_column
from compilers.importing.walk import ModuleWalk, operation
from netgraph.graph import ACTIVATIONS


def activated(walk: ModuleWalk, value: Coded, activation: str, **attributes: Any) -> Coded:
    """Apply an activation to a value."""
    if activation not in ACTIVATIONS:
        walk.refuse(f"there is no activation {activation!r}", "register it: netgraph.graph.register_activation")
    read = reading(walk, value)
    return result(walk, read, wired(walk, read, activation=activation, **attributes))


@operation("relu", "silu")
def plain(walk: ModuleWalk, value: Coded) -> Coded:
    """Activation of the name of the operation."""
    return activated(walk, value, walk.op_name.removesuffix("_"))


@operation("gelu")
def gelu(walk: ModuleWalk, value: Coded, *, approximate: str = "none") -> Coded:
    """GELU, exact or by tanh."""
    return activated(walk, value, "gelu" if approximate == "none" else "gelu_tanh")


@operation("leaky_relu")
def leaky_relu(walk: ModuleWalk, value: Coded, negative_slope: float = 0.01) -> Coded:
    """Leaky ReLU with its slope."""
    return activated(walk, value, "leaky_relu", slope=float(negative_slope))


@operation("rrelu")
def rrelu(
    walk: ModuleWalk,
    value: Coded,
    lower: float = 1 / 8,
    upper: float = 1 / 3,
    training: bool = False,
    generator: Any = None,
) -> Coded:
    """In eval mode, leaky ReLU with the mean of the slopes."""
    if training:
        walk.refuse("it draws slopes in eval mode, too", "use torch.nn.RReLU, or pass training=self.training")
    return activated(walk, value, "leaky_relu", slope=(float(lower) + float(upper)) / 2)


@operation("prelu")
def prelu(walk: ModuleWalk, value: Coded, weight: Any) -> Coded:
    """PReLU with one slope per channel."""
    read = reading(walk, value, (1,))
    made = wired(walk, read, activation="prelu")
    if tuple(weight.shape) != (made.width,):
        walk.refuse(
            f"{made.width} features share {tuple(weight.shape)} slopes, and every vertex has a slope of its own",
            f"use torch.nn.PReLU({made.width}), or LeakyReLU",
        )
    set_column(walk, made, "slope", weight)
    made.columns["slope"] = np.asarray(made.columns["slope"])
    return result(walk, read, made)
