"""Shortcuts of paths, also between layers that no link joins yet."""

from dataclasses import dataclass

import numpy as np

import netgraph as ng
from netgraph.testing import graphs


# region rule
@dataclass(frozen=True, kw_only=True)
class AddShortcuts(ng.Rule):
    """Add the missing edge a -> c of every path a -> b -> c, at weight 0: exact, and trained from then on."""

    pattern = ng.all_of(ng.path("a", "b", "c"), ng.missing_edge("e", src="a", dst="c", links="any"))
    exclusive = ("e",)  # several paths have the same ends

    def rewrite(self, m, rw):
        rw.connect(m.a, m.c, weight=0.0, tap=m.e.tap)

    def claim(self, m):
        return "exact"


# endregion rule

GRAPHS = graphs(min_layers=2)


def example() -> ng.Result:
    strength = lambda m, stats: np.abs(m.e1.weight * m.e2.weight)  # noqa: E731
    return ng.apply(AddShortcuts(), ng.mlp([3, 3, 2], domain=(-1, 1), seed=0), order_by=strength, limit=3)


def large() -> tuple[ng.Graph, str]:
    """Graph on which both forms are timed, and what it is."""
    return ng.mlp([100, 100, 100], seed=0), "1,000,000 paths"


def main() -> None:
    result = example()
    print(result.certificate)
    ng.viz.draw_delta(result).save("cookbook_add_shortcuts.svg")


if __name__ == "__main__":
    main()
