"""SET: keep the density, give up weak edges for missing ones at random."""

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
class SetOptions(SparseOptions):
    """Options of SET.

    Attributes:
        density: density of the network, which stays; the paper sets it by the number of edges of every link, 20
            (sources + targets).
        start: how the edges of the start are chosen: "phew" (walks along large weights), "erk" or "er" (at random,
            fewer in large links) or "uniform" (at random); the paper has "er".
        share: share of the positive and of the negative weights of every link that are exchanged.
        every: epochs from one exchange to the next.
        until: share of the epochs after which there are no more exchanges.
    """

    density: float = 0.1
    start: SparseInit = "er"
    share: float = 0.3
    every: int = 1
    until: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_density("density", self.density)


def set_start(options: SetOptions, start: Start) -> Graph:
    """The network thinned out to its density."""
    return thin_start(options, start, options.density, options.start)


def sparse_evolution(start: Graph, options: SetOptions | None = None) -> Method:
    """Put SET, sparse evolutionary training, together.

    Where: missing pairs of every link, at random. How: `PruneEdges` (bounded), then `AddEdges` at weight 0 (exact);
    the published code has 0 in one version and N(0, 0.01) in another. When: after every epoch but the last. How much:
    30 % of the smallest positive and of the largest negative weights. Optimizer state of edges that stay survives; the
    published code makes a new optimizer.

    Args:
        start: the sparse network.
        options: how to exchange.

    Source: Mocanu et al. 2018, "Scalable training of artificial neural networks with adaptive sparse connectivity
    inspired by network science", algorithm 1.
    """
    o = options or SetOptions()
    part = ExchangeEdges(take="random", share=o.share, curve="constant", every=o.every, until=o.until, head=o.head)
    goal = Goal.of_density(start, o.density, f"density={o.density:g}", head=o.head)
    source = "SET: exchange weak edges for missing ones at random"
    return Method("set", (part,), source, goal=goal, outlook=goal.outlook)
