"""Activations of neat-python as sums of vertices."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np


class FormVertex(NamedTuple):
    """A vertex in place of a node: `weight f(scale z + shift)` of the argument `z` of the node."""

    scale: float = 1.0
    shift: float = 0.0
    weight: float = 1.0


@dataclass(frozen=True)
class Form:
    """An activation of neat-python as a sum of vertices with one activation `f`, and a constant `offset`.

    Attributes:
        activation: name of `f`.
        parts: vertices of the sum.
        offset: constant that is added.
        slope: fixed slope of `f`.
        most: largest argument of `f`; beyond it neat-python computes something else.
    """

    activation: str
    parts: tuple[FormVertex, ...] = (FormVertex(),)
    offset: float = 0.0
    slope: float = 0.01
    most: float = np.inf

    @property
    def alone(self) -> bool:
        """Whether one vertex has the value of the node."""
        return len(self.parts) == 1 and self.parts[0].weight == 1 and self.offset == 0


FORMS: dict[str, Form] = {
    "identity": Form("identity"),
    "relu": Form("relu"),
    "lelu": Form("leaky_relu", slope=0.005),
    "sigmoid": Form("sigmoid", (FormVertex(5.0),)),
    "tanh": Form("tanh", (FormVertex(2.5),)),
    "softplus": Form("softplus", (FormVertex(5.0, weight=0.2),), most=60.0),
    "clamped": Form("relu", (FormVertex(shift=1.0), FormVertex(shift=-1.0, weight=-1.0)), offset=-1.0),
    "abs": Form("relu", (FormVertex(), FormVertex(-1.0))),
    "hat": Form("relu", (FormVertex(shift=1.0), FormVertex(weight=-2.0), FormVertex(shift=-1.0))),
}
"""Activations of neat-python that have a form, by name.

neat-python limits arguments of sigmoid and softplus from below, of sigmoid and tanh on both sides, at 60: this changes
values by less than `1e-26`.
"""
