"""Previews: rules and drivers carried out on trial."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from netgraph.graph import Graph
from netgraph.markup import printable
from netgraph.rewriting.apply import Seed, draft
from netgraph.rewriting.drivers import Derivation, Driver
from netgraph.rewriting.ordering import OrderBy
from netgraph.rewriting.outcomes import Draft
from netgraph.rewriting.patterns import Matches
from netgraph.rewriting.rule import Rule
from netgraph.rewriting.search import Explanation
from netgraph.statistics import Statistics


@dataclass(frozen=True, eq=False, repr=False)
class Preview:
    """A rewrite on trial, made by `preview`. `draw` and `draw_delta` draw it, and notebooks show both pictures.

    Attributes:
        draft: the rewrite, unproved; of a driver a `Derivation`.
        matches: the matches that would be rewritten; of a driver those of its first step that changes something, or
            None when none does.
    """

    draft: Draft | Derivation
    matches: Matches | None

    @property
    def graph(self) -> Graph:
        """The graph as it is, before the rewrite."""
        return self.draft.before

    @property
    def explanation(self) -> Explanation:
        """Number of matches after each condition."""
        return self.draft.explanation

    def __repr__(self) -> str:
        return f"Preview({self.draft!r})"

    def __str__(self) -> str:
        what = self.draft.delta.summary() if self.draft.changed else "nothing would change"
        return "\n".join(map(printable, (*self.explanation.lines, f"  would be: {what}")))


def preview(
    rule: Rule | Driver,
    graph: Graph,
    stats: Statistics | None = None,
    *,
    on: Any = None,
    limit: int | None = None,
    order_by: OrderBy = None,
    rng: Seed = None,
) -> Preview:
    """Carry out a rule or driver on trial, to see its effect. Arguments as for `apply`.

    `print(preview(...))` shows the numbers of matches and the changes, `draw` the graph with the matches, or the
    nearest miss, and `draw_delta` what would be added and removed. `preview(...).draft.prove()` is the rewrite.
    """
    made: Draft | Derivation = draft(rule, graph, stats, on=on, limit=limit, order_by=order_by, rng=rng)
    if isinstance(made, Draft):
        return Preview(made, made.matches)
    return Preview(made, made.steps[0].matches if made.steps else None)
