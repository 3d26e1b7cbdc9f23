"""Small rules for tests of drivers."""

from dataclasses import dataclass

import numpy as np

import netgraph as ng
from netgraph.rewriting import Rule


@dataclass(frozen=True)
class Flip(Rule):
    """Change the sign of every weight."""

    pattern = ng.edge("e", src=ng.vertex("p"), dst=ng.vertex("c"))

    def rewrite(self, m, rw):
        rw.set_weight(m.e, -m.e.weight)


@dataclass(frozen=True)
class Renew(Rule):
    """Put a new edge of the same weight in the place of every edge."""

    pattern = Flip.pattern

    def rewrite(self, m, rw):
        rw.remove(m.e)
        for g in m.by("link"):
            rw.connect(g.p, g.c, weight=g.e.weight)


@dataclass(frozen=True)
class Halve(Rule):
    """Halve the weights above a limit."""

    above: float = 1.0
    pattern = Flip.pattern

    def where(self, m, stats):
        return np.abs(m.e.weight) > self.above

    def rewrite(self, m, rw):
        rw.set_weight(m.e, m.e.weight / 2)


@dataclass(frozen=True)
class Jitter(Rule):
    """Add noise to every weight."""

    pattern = Flip.pattern

    def rewrite(self, m, rw):
        rw.set_weight(m.e, m.e.weight + rw.rng.random(len(m)))


@dataclass(frozen=True)
class Refused(Rule):
    """Remove an output, which every graph refuses."""

    pattern = ng.vertex("v", role="output")

    def rewrite(self, m, rw):
        rw.remove(m.v)


@dataclass(frozen=True)
class Note(Rule):
    """Halve the weights of edges with a large gradient."""

    pattern = Flip.pattern

    def where(self, m, stats):
        return stats.edge("mean_abs_gradient")[m.e.rows] > 0

    def rewrite(self, m, rw):
        rw.set_weight(m.e, m.e.weight / 2)
