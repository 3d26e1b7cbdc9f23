"""Patterns of several edges: paths, forks, what must be absent, pairs that are alike, and edges that close a path.

python examples/joined_patterns.py
"""

from dataclasses import dataclass

import numpy as np

import netgraph as ng


# region close
@dataclass(frozen=True)
class CloseTriangles(ng.Rule):
    """Add an edge around the middle of every path of two edges: weight 0 changes nothing, and can be trained."""

    pattern = ng.all_of(ng.path("a", "b", "c"), ng.missing_edge("new", src="a", dst="c", links="any"))
    exclusive = ("new",)  # an edge around several middles is added once

    def rewrite(self, m, rw):
        rw.connect(m.a, m.c, weight=0.0)

    def claim(self, m):
        return "exact"


# endregion close


# region needs
@dataclass(frozen=True, kw_only=True)
class CloseBusyTriangles(CloseTriangles):
    """Add such edges only around paths along which the loss changes much."""

    least: float = 0.0
    needs = ng.Needs(edges=("mean_abs_gradient",))  # refused at once without it

    def where(self, m, stats):
        gradient = stats.edge("mean_abs_gradient")
        along = gradient[m.e1.rows] * gradient[m.e2.rows]
        return {"gradients along the path are large": ng.at_least(along, self.least), "along": ng.computed(along)}


# endregion needs


def main() -> None:
    graph = ng.mlp([3, 4, 2], domain=(0, 1), seed=1)

    # region look
    lonely = ng.path("a", "b", "c").without(ng.edge("x", src="b"))  # b has no reader but c
    either = ng.either(ng.fork("p", "a", "b"), ng.join("a", "b", "p"))  # two edges that share an end
    few = ng.path("a", "b", "c").first(5)  # the search ends at the fifth
    busy = ng.path("a", ng.vertex("b", where=lambda v: v.in_degree > 2), "c", edges=("into", "out"))
    alike = ng.pair("a", "b", alike=ng.cosine("incoming", at_least=0.9))  # weights that point in one direction
    for pattern in (lonely, either, few, busy, alike):
        matches, stages = pattern.match(graph)
        print(f"{len(matches):>3} matches after {stages[-1][0]!r}")
    # endregion look

    closed = ng.apply(CloseTriangles(), graph, require="exact")
    print(closed.certificate)
    assert len(closed.graph.edges) == graph.num_edges + 3 * 2

    gradient = np.random.default_rng(0).random(graph.num_edges)  # in training: collected, see "Statistics"
    stats = ng.Statistics(graph.topology_hash, edges={"mean_abs_gradient": gradient})
    # region order
    rule = CloseBusyTriangles(least=0.2)
    print(ng.explain(rule, graph, stats))
    busy = ng.apply(rule, graph, stats, order_by=lambda m, stats: m.computed["along"], limit=2)
    # endregion order
    assert len(busy.graph.edges) == graph.num_edges + 2
    ng.viz.draw_delta(busy).save("joined_patterns.svg")


if __name__ == "__main__":
    main()
