"""Statistics and generator that a rule declares to need."""

from __future__ import annotations

from dataclasses import dataclass

from netgraph.checks import Checked
from netgraph.errors import StatisticsError
from netgraph.statistics import Statistics


@dataclass(frozen=True, kw_only=True)
class Needs(Checked):
    """Declaration of a rule: the statistics that it reads, and whether its `where` draws random numbers.

    Attributes:
        edges: names of edge statistics, such as "mean_abs_gradient".
        vertices: names of vertex statistics.
        generator: whether `m.rng`, the generator of the search, is read in `where`.
    """

    edges: tuple[str, ...] = ()
    vertices: tuple[str, ...] = ()
    generator: bool = False

    def check(self, rule: str, stats: Statistics | None) -> None:
        """Raise `StatisticsError` unless the statistics have every column that the rule of this name needs."""
        for kind, names, have in (
            ("edge", self.edges, () if stats is None else stats.edges),
            ("vertex", self.vertices, () if stats is None else stats.vertices),
        ):
            if lacking := [name for name in names if name not in have]:
                given = "no statistics were given" if stats is None else f"the statistics have {sorted(have)}"
                raise StatisticsError(
                    f"{rule} needs the {kind} statistic {lacking[0]!r}, and {given}; collect it, and give the "
                    "statistics after the graph."
                )
