"""Part of RigL and SET that exchanges edges at a fixed density."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from netgraph.analysis import sparse_links
from netgraph.checks import Checked
from netgraph.criteria import exchange_by_gradient, uniform_scores, weakest_by_sign
from netgraph.errors import OptionError
from netgraph.methods.method import Context, Proposal, epochs_done
from netgraph.rules import AddEdges, PruneEdges
from netgraph.schedules import get_curve


@dataclass(frozen=True, kw_only=True)
class ExchangeEdges(Checked):
    """Remove weak edges of every link, and add the same number of other edges with weight 0.

    Attributes:
        take: "gradient": remove the edges of smallest magnitude and add the pairs with the largest |gradient|, among
            all missing pairs and the pairs just removed (RigL). "random": remove the smallest positive and the largest
            negative weights and add missing pairs at random (SET).
        share: fraction of the edges of every link in the first exchange.
        curve: curve along which this fraction falls until `until`, a name in `netgraph.schedules.CURVES`.
        every: number of epochs between two exchanges.
        until: fraction of the epochs after which exchanges end.
        head: whether to exchange edges of links into output layers as well.
    """

    take: Literal["gradient", "random"] = "gradient"
    share: float = 0.3
    curve: str = "cosine"
    every: int = 1
    until: float = 0.75
    head: bool = False

    name = "exchange"

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("share", "until"):
            if not 0 < getattr(self, name) <= 1:
                raise OptionError(f"{name}={getattr(self, name)} is outside 0..1.")
        if self.every < 1:
            raise OptionError(f"every={self.every} is below 1 epoch.")
        get_curve(self.curve)

    def propose(self, context: Context) -> Iterator[Proposal]:
        """Propose one exchange: a removal, then an addition. Propose nothing in epochs without an exchange."""
        done, last = epochs_done(context), round(self.until * context.epochs, 9)
        if done % self.every or done >= last:
            return
        share = self.share * get_curve(self.curve)(done / last)
        graph, links = context.graph, sparse_links(context.graph, head=self.head)
        reason = f"{share:.3g} of every link"
        if self.take == "gradient":
            gone, pairs = exchange_by_gradient(graph, links, context.dense_gradients(links), share, context.rng)
            yield Proposal(self.name, PruneEdges(below=None), gone, f"the weakest, {reason}")
            yield Proposal(self.name, AddEdges(), pairs, "the largest gradients instead")
            return
        sizes = [len(graph.links_by_key[key]) for key in links]
        gone = weakest_by_sign(graph, links, share)
        yield Proposal(self.name, PruneEdges(below=None), gone, f"the weakest of each sign, {reason}")
        left = context.graph
        missing = [size - len(left.links_by_key[key]) for key, size in zip(links, sizes, strict=True)]
        drawn = [uniform_scores(left, [key]).sample(n, context.rng) for key, n in zip(links, missing, strict=True) if n]
        yield Proposal(self.name, AddEdges(), np.concatenate([np.zeros((0, 3), np.int64), *drawn]), "as many at random")

    def pending(self, context: Context) -> bool:
        """Whether a later exchange is due."""
        done = epochs_done(context)
        return done - done % self.every + self.every < self.until * context.epochs
