"""RigL: exchange of weak edges for missing edges with large gradients, at a constant density."""

from __future__ import annotations

from dataclasses import dataclass

from netgraph.graph import Graph
from netgraph.methods.goal import Goal
from netgraph.methods.method import Method
from netgraph.methods.sparse.exchange_edges import ExchangeEdges
from netgraph.methods.sparse.options import SparseOptions, check_density, thin_start
from netgraph.methods.sparse.start import SparseInit
from netgraph.methods.start import Start


@dataclass(frozen=True, kw_only=True)
class RiglOptions(SparseOptions):
    """Options of RigL.

    Attributes:
        density: density of the network during the whole run.
        start: choice of the first edges: "phew" (walks along large weights), "erk" or "er" (at random, with a lower
            density in large links) or "uniform" (at random); the paper has "erk".
        share: fraction of the edges of every link in the first exchange; it falls to 0 along half a cosine.
        every: number of epochs between two exchanges; the paper has 100 optimizer steps.
        until: fraction of the epochs after which exchanges end.
    """

    density: float = 0.1
    start: SparseInit = "erk"
    share: float = 0.3
    every: int = 1
    until: float = 0.75

    def __post_init__(self) -> None:
        super().__post_init__()
        check_density("density", self.density)


def rigl_start(options: RiglOptions, start: Start) -> Graph:
    """Build the network at the density of the options."""
    return thin_start(options, start, options.density, options.start)


def rigl(start: Graph, options: RiglOptions | None = None) -> Method:
    """Compose RigL.

    * Where: in every link, the pairs with the largest |gradient| over one mini-batch, among all missing pairs and the
      pairs just removed.
    * How: `PruneEdges`, which is bounded, then `AddEdges` with weight 0, which is exact.
    * When: every epoch, where the paper has 100 optimizer steps, until 75 % of the run.
    * How much: the fraction `share / 2 (1 + cos(pi t / T))` of the edges of each link, where `T = until * epochs`.

    Edges that stay, or are added again at once, keep their optimizer state. New entries have step counts of their own,
    where the paper resets their slots to 0. The optimizer steps in every iteration; the published code skips the
    iteration of an exchange.

    Args:
        start: sparse network.
        options: options of the method; None is the defaults.

    Source: Evci et al. 2020, "Rigging the lottery: making all tickets winners", algorithm 1.
    """
    o = options or RiglOptions()
    part = ExchangeEdges(take="gradient", share=o.share, curve="cosine", every=o.every, until=o.until, head=o.head)
    goal = Goal.of_density(start, o.density, f"density={o.density:g}", head=o.head)
    source = "RigL: exchange weak edges for missing ones with large gradients"
    return Method("rigl", (part,), source, goal=goal, outlook=goal.outlook)
