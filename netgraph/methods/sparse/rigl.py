"""RigL: keep the density, give up weak edges for missing ones with large gradients."""

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
        density: density of the network, which stays.
        start: how the edges of the start are chosen: "phew" (walks along large weights), "erk" or "er" (at random,
            fewer in large links) or "uniform" (at random); the paper has "erk".
        share: share of the edges of every link that are exchanged at first; it falls to 0 along half a cosine.
        every: epochs from one exchange to the next; the paper has 100 steps.
        until: share of the epochs after which there are no more exchanges.
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
    """The network thinned out to its density."""
    return thin_start(options, start, options.density, options.start)


def rigl(start: Graph, options: RiglOptions | None = None) -> Method:
    """Put RigL together.

    Where: in every link, the pairs with the largest |gradient| over one mini-batch among all that are not kept, those
    just given up included. How: `PruneEdges` (bounded), then `AddEdges` at weight 0 (exact). When: every epoch, where
    the paper has 100 steps, until 75 % of the run. How much: share / 2 (1 + cos(pi t / T)) of the edges of each link.
    Optimizer state of edges that stay, or are taken back, survives; new entries have their own step counts, where the
    paper has zero slots. The optimizer steps in every iteration; the published code skips that of an exchange.

    Args:
        start: the sparse network.
        options: how to exchange.

    Source: Evci et al. 2020, "Rigging the lottery: making all tickets winners", algorithm 1.
    """
    o = options or RiglOptions()
    part = ExchangeEdges(take="gradient", share=o.share, curve="cosine", every=o.every, until=o.until, head=o.head)
    goal = Goal.of_density(start, o.density, f"density={o.density:g}", head=o.head)
    source = "RigL: exchange weak edges for missing ones with large gradients"
    return Method("rigl", (part,), source, goal=goal, outlook=goal.outlook)
