"""Exchange edges at a fixed density: a part for RigL and SET."""

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
    """Give up edges of every link and take as many others, at weight 0.

    Attributes:
        take: "gradient": the pairs with the largest |gradient|, those just given up included, for the edges of
            smallest magnitude (RigL); "random": missing pairs at random for the smallest positive and the largest
            negative weights (SET).
        share: of the edges of every link, at first.
        curve: how the share falls until `until`, a name in `netgraph.schedules.CURVES`.
        every: epochs between two exchanges.
        until: share of the epochs after which there are no more.
        head: whether links into output layers take part.
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
        """One exchange, when it is time."""
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
        """Whether an exchange is still to come."""
        done = epochs_done(context)
        return done - done % self.every + self.every < self.until * context.epochs
