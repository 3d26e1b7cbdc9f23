"""The weakest edge of every triangle: a shortcut beside a path, or an edge of the path."""

from dataclasses import dataclass

import numpy as np

import netgraph as ng
from netgraph.testing import graphs


# region rule
@dataclass(frozen=True, kw_only=True)
class PruneTriangle(ng.Rule):
    """Remove the weakest edge of triangles a -> b -> c, a -> c that share no edge: bounded."""

    pattern = ng.triangle("a", "b", "c")
    exclusive = (("e1", "e2", "e3"),)  # the two other edges are in no other match, so they stay

    def rewrite(self, m, rw):
        edges = np.stack([m.e1.rows, m.e2.rows, m.e3.rows])
        weakest = np.argmin(np.abs(m.graph.edges.weight[edges]), axis=0)
        rw.remove(rw.edges(rows=edges[weakest, np.arange(len(m))]))

    def claim(self, m):
        return "bounded"


# endregion rule

GRAPHS = graphs(kinds="skip", max_inputs=1)


def start(*sizes: int) -> ng.Graph:
    return ng.draft(ng.rules.AddSkip(spread=0.5), ng.mlp(sizes, domain=(-1, 1), seed=0)).graph


def example() -> ng.Result:
    return ng.apply(PruneTriangle(), start(2, 3, 2))


def large() -> tuple[ng.Graph, str]:
    """Graph on which both forms are timed, and what it is."""
    return start(60, 60, 60), "216,000 triangles"


def main() -> None:
    result = example()
    print(result.certificate)
    ng.viz.draw_delta(result).save("cookbook_prune_triangle.svg")


if __name__ == "__main__":
    main()
