"""IMP, iterative magnitude pruning: train a dense network, prune it by magnitude, and train again, level by level."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from netgraph.checks import checked
from netgraph.errors import OptionError
from netgraph.graph import Graph
from netgraph.methods.goal import Goal
from netgraph.methods.method import Method
from netgraph.methods.sparse.options import SparseOptions, check_density, dense_network
from netgraph.methods.sparse.prune_levels import PruneLevels
from netgraph.methods.start import Start
from netgraph.schedules import Phase


@dataclass(frozen=True, kw_only=True)
class ImpOptions(SparseOptions):
    """Options of iterative magnitude pruning.

    Attributes:
        density: density at the end of pruning.
        share: fraction of the remaining edges that is removed after every level.
        level_epochs: number of epochs of a level. A density of 0.1 takes 12 levels; a run with too few epochs ends at a
            higher density.
        rewind: whether weights return to their initial values after every level.
    """

    density: float = 0.1
    share: float = 0.2
    level_epochs: int = 10
    rewind: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        check_density("density", self.density)
        if self.density == 1:
            raise OptionError("density=1.0 prunes nothing.")


def imp_start(options: ImpOptions, start: Start) -> Graph:
    """Build the dense network."""
    return dense_network(options, start)


@checked
def imp(start: Graph, options: ImpOptions | None = None, *, name: str = "imp") -> Method:
    """Compose iterative magnitude pruning.

    * Where: the weights of smallest magnitude, over all links; every link keeps at least one edge.
    * How: `PruneEdges`, which is bounded. With `rewind` the remaining weights then return to their initial values and
      the optimizer state is reset; without it both are kept (IMP-C).
    * When: after every level of `level_epochs` epochs. The learning rate runs through its curve in every level.
    * How much: the fraction `share` of the remaining edges, rounded up. The published code removes one more.

    Args:
        start: dense network, whose weights are restored after every level.
        options: options of the method; None is the defaults.
        name: name of the method.

    Source: Frankle and Carbin 2019, "The lottery ticket hypothesis", section 2, with global pruning.
    """
    o = options or ImpOptions()
    part = PruneLevels(
        epochs=o.level_epochs, share=o.share, until=o.density, origin=start if o.rewind else None, head=o.head
    )
    source = "Iterative magnitude pruning" + (" with rewinding" if o.rewind else ", continued")
    goal = Goal.of_density(start, o.density, f"density={o.density:g}", head=o.head)
    return Method(
        name, (part,), source, opening=Phase(epochs=o.level_epochs), goal=goal, outlook=partial(_outlook, part, goal)
    )


def _outlook(part: PruneLevels, goal: Goal, start: Graph, epochs: int) -> list[str]:
    """Warning for a run with too few epochs for its levels, as a list of at most one sentence."""
    levels = part.levels(start)
    done = (epochs - 1) // part.epochs
    if done >= len(levels):
        return []
    reached = start.num_edges - sum(levels[:done])
    return [
        f"{goal.asked} will be missed: it takes {len(levels)} levels of {part.epochs} epochs, and epochs after them; "
        f"{epochs} epochs end with {reached:,} edges instead of {goal.edges:,}. Train for "
        f"{(len(levels) + 1) * part.epochs} epochs, or change level_epochs or share."
    ]
