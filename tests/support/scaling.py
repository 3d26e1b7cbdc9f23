"""A graph whose edges have their ids as weights, and a rule that scales weights."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

import netgraph as ng
from netgraph.rewriting import Rule, at_least


def weighted():
    """Graph with edges 0..7 with the weights 0..7; ids 8, 9 into the output."""
    b = ng.GraphBuilder(dtype=np.float64)
    b.input("x", 4, domain=(0, 1))
    b.layer("h", 2)
    b.output("y", 1)
    b.edges("x", "h", [0, 1, 2, 3] * 2, [0] * 4 + [1] * 4, weight=range(8))
    b.edges("h", "y", [0, 1], [0, 0], weight=[0.5, -0.5])
    return b.build()


@dataclass(frozen=True, kw_only=True)
class Scale(Rule):
    """Scale weights, and claim to be exact when told to."""

    factor: float = 2.0
    claims: str | None = None
    at_least: float | None = None
    margin: bool = True

    pattern: ClassVar = ng.edge("e", src=ng.vertex("p"), dst=ng.vertex("c"))

    def where(self, m, stats):
        if self.at_least is None:
            return np.ones(len(m), dtype=bool)
        condition = at_least(m.e.weight, self.at_least)
        return {"weight is large": condition if self.margin else condition.holds, "target is hidden": m.c.layer == 1}

    def rewrite(self, m, rw):
        rw.set_weight(m.e, m.e.weight * self.factor)

    def claim(self, m):
        return self.claims
