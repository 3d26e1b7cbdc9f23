"""SET, sparse evolutionary training: exchange of weak edges for random missing edges, at a constant density."""

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
        density: density of the network during the whole run; the paper gives every link `20 (sources + targets)` edges
            instead.
        start: choice of the first edges: "phew" (walks along large weights), "erk" or "er" (at random, with a lower
            density in large links) or "uniform" (at random); the paper has "er".
        share: fraction of the positive and of the negative weights of every link that each exchange replaces.
        every: number of epochs between two exchanges.
        until: fraction of the epochs after which exchanges end.
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
    """Build the network at the density of the options."""
    return thin_start(options, start, options.density, options.start)


def sparse_evolution(start: Graph, options: SetOptions | None = None) -> Method:
    """Compose SET, sparse evolutionary training.

    * Where: missing pairs of every link, at random.
    * How: `PruneEdges`, which is bounded, then `AddEdges` with weight 0, which is exact. New weights of the published
      code are 0 in one version and normal, N(0, 0.01), in another.
    * When: after every epoch but the last.
    * How much: the fraction `share` of the positive and of the negative weights of a link, those closest to 0.

    Edges that stay keep their optimizer state; the published code makes a new optimizer.

    Args:
        start: sparse network.
        options: options of the method; None is the defaults.

    Source: Mocanu et al. 2018, "Scalable training of artificial neural networks with adaptive sparse connectivity
    inspired by network science", algorithm 1.
    """
    o = options or SetOptions()
    part = ExchangeEdges(take="random", share=o.share, curve="constant", every=o.every, until=o.until, head=o.head)
    goal = Goal.of_density(start, o.density, f"density={o.density:g}", head=o.head)
    source = "SET: exchange weak edges for missing ones at random"
    return Method("set", (part,), source, goal=goal, outlook=goal.outlook)
