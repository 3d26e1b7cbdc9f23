"""Part of iterative magnitude pruning that prunes after every level of training."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from netgraph.analysis import admissible_edges, sparse_links
from netgraph.checks import Checked
from netgraph.criteria import removable_edges, weakest
from netgraph.errors import OptionError
from netgraph.graph import Graph
from netgraph.methods.method import Context, NewPhase, Proposal, Step, actions_of, clip_step, epochs_done
from netgraph.rules import PruneEdges
from netgraph.schedules import Phase


@dataclass(frozen=True, kw_only=True)
class PruneLevels(Checked):
    """Remove a fraction of the edges after every level, by smallest magnitude over all links, and train again.

    Frozen edges and the edge of largest magnitude of every link are never removed.

    Attributes:
        epochs: number of epochs of a level, over which the learning rate runs through its curve once.
        share: fraction of the remaining edges that a step removes, rounded up. A step is slightly stretched where it
            then ends exactly at a goal.
        until: density at which pruning ends; the last step is shortened to end there.
        through: intermediate densities that steps must reach exactly.
        origin: graph whose weights are restored after every step, with a reset of the optimizer state (rewinding);
            None keeps the present weights.
        head: whether links into output layers are pruned as well.
    """

    epochs: int
    share: float = 0.2
    until: float = 0.1
    through: tuple[float, ...] = ()
    origin: Graph | None = None
    head: bool = False

    name = "prune"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.epochs < 1:
            raise OptionError(f"A level of epochs={self.epochs} trains nothing.")
        if not 0 < self.share < 1:
            raise OptionError(f"share={self.share} is outside 0..1.")
        if not 0 <= self.until < 1:
            raise OptionError(f"until={self.until} is outside 0..1.")

    def propose(self, context: Context) -> Iterator[Step]:
        """Propose a pruning step and the phase of the next level, after the last epoch of a level."""
        past = actions_of(context, self.name)
        if epochs_done(context) - (past[-1].epoch if past else 0) < self.epochs:
            return  # before `context.graph`, which copies the weights from the network
        graph = context.graph
        links = sparse_links(graph, head=self.head)
        count = self._surplus(graph)
        if not count:
            return
        before = sum(len(graph.links_by_key[key]) for key in links)
        cells = admissible_edges(graph, links)
        reason = f"density {before / cells:.4g} to {(before - count) / cells:.4g}, by smallest magnitude"
        yield Proposal(self.name, PruneEdges(below=None), weakest(graph, links, count), reason)
        how = "from the trained weights" if self.origin is None else "from the first weights"
        level = f"a level of {self.epochs} epochs {how}"
        # There is no rewrite after the last epoch.
        if context.epochs - epochs_done(context) <= self.epochs and self._surplus(context.graph):
            level += f", the last: {context.epochs} epochs do not reach density {self.until:g}"
        yield NewPhase(self.name, Phase(epochs=self.epochs), level, self.origin)

    def pending(self, context: Context) -> bool:
        """Whether a later pruning step is due."""
        return self._surplus(context.graph) > 0

    def levels(self, graph: Graph) -> list[int]:
        """Predict the numbers of edges that are removed after each level, until pruning ends."""
        links = sparse_links(graph, head=self.head)
        cells, edges = admissible_edges(graph, links), sum(len(graph.links_by_key[key]) for key in links)
        room, result = removable_edges(graph, links), []
        while count := self._step(edges, cells, room):
            result.append(count)
            edges, room = edges - count, room - count
        return result

    def _surplus(self, graph: Graph) -> int:
        """Number of edges that the step after the present level removes; 0 when pruning has ended."""
        links = sparse_links(graph, head=self.head)
        cells, edges = admissible_edges(graph, links), sum(len(graph.links_by_key[key]) for key in links)
        return self._step(edges, cells, removable_edges(graph, links))

    def _step(self, edges: int, cells: int, room: int) -> int:
        """Number of edges that the next step removes.

        Args:
            edges: present edges.
            cells: admissible edges.
            room: largest number of edges that may be removed.
        """
        over = [edges - round(density * cells) for density in (self.until, *self.through)]
        return min(clip_step(math.ceil(self.share * edges), over), max(0, over[0]), room)
