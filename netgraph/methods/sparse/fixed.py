"""PHEW and random sparse networks, whose edges are chosen before training and never change."""

from __future__ import annotations

from dataclasses import dataclass

from netgraph.checks import checked
from netgraph.graph import Graph
from netgraph.methods.goal import Goal
from netgraph.methods.method import Method
from netgraph.methods.sparse.options import SparseOptions, check_density, thin_start
from netgraph.methods.sparse.start import SparseInit
from netgraph.methods.start import Start


@dataclass(frozen=True, kw_only=True)
class PhewOptions(SparseOptions):
    """Options of PHEW, and of other fixed sparse networks.

    Attributes:
        density: density of the network during the whole run.
        start: choice of its edges: "phew" (walks along large weights), "erk" or "er" (at random, with a lower density
            in large links) or "uniform" (at random).
    """

    density: float = 0.1
    start: SparseInit = "phew"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_density("density", self.density)


def fixed_start(options: PhewOptions, start: Start) -> Graph:
    """Build the network at the density of the options."""
    return thin_start(options, start, options.density, options.start)


@checked
def fixed(start: Graph, options: PhewOptions | None = None, *, name: str = "phew") -> Method:
    """Compose the method that trains a sparse network without any rewrite.

    * Where: edges on random walks along large initial weights (PHEW), or random edges; they keep their initial weights.
    * How, when, how much: `sparse_start`, once, before training. There is no optimizer state to carry.

    Args:
        start: sparse network.
        options: options by which the network was made; None is the defaults.
        name: name of the method.

    Source: Patil and Dovrolis 2021, "PHEW: constructing sparse networks that learn fast and generalize well without
    training data"; Evci et al. 2020 for "erk".
    """
    o = options or PhewOptions()
    goal = Goal.of_density(start, o.density, f"density={o.density:g}", head=o.head)
    return Method(name, (), "Fixed sparse networks", goal=goal, outlook=goal.outlook)
