"""Units that compute the same: the readers of one read the other."""

from dataclasses import dataclass

import numpy as np

import netgraph as ng
from netgraph.testing import graphs


# region rule
@dataclass(frozen=True, kw_only=True)
class MergeEqual(ng.Rule):
    """Let the readers of a vertex read an equal one of its layer, by summed weights: exact up to rounding."""

    twins = ng.pair(*(ng.vertex(name, role="hidden") for name in "ab"), alike=ng.distance("incoming", at_most=0.0))
    pattern = ng.all_of(twins, ng.edge("e", src="b", dst="c"))
    exclusive = ("e",)

    def where(self, m, stats):
        columns = [m.graph.vertices.column(name) for x in m.graph.layers for name in x.values]
        same = [np.nan_to_num(column)[m.a.rows] == np.nan_to_num(column)[m.b.rows] for column in columns]
        return {
            "a is the first of its kind": ~np.isin(m.a.rows, m.b.rows),
            "norm acts vertex by vertex": ~ng.rules.under_coupling_norm(m.graph, m.a.layer),
            "values of a and b are equal": np.logical_and.reduce(same),
        }

    def rewrite(self, m, rw):
        rw.add_weight(m.a, m.c, weight=m.e.weight, tap=m.e.tap)
        rw.remove(m.e)  # b has no reader left: PruneVertices takes it away

    def claim(self, m):
        return "exact up to rounding"


# endregion rule

GRAPHS = graphs(kinds=("dense", "conv"), weights="zeros", min_layers=1)


def start(inputs: int, width: int, pairs: int) -> ng.Graph:
    graph = ng.mlp([inputs, width, 2], domain=(-1, 1), seed=0)
    weight = graph.edges.weight.copy()
    first, second = weight[: width * inputs].reshape(width, inputs)[: 2 * pairs].reshape(2, pairs, inputs)
    second[:] = first
    return graph.with_weights(weight)


def example() -> ng.Result:
    return ng.apply(MergeEqual(), start(3, 3, 1))


def large() -> tuple[ng.Graph, str]:
    """Graph on which both forms are timed, and what it is."""
    return start(100, 2000, 1000), "2,000 vertices of 100 inputs, half of them copies"


def main() -> None:
    result = example()
    print(result.certificate)
    ng.viz.draw_delta(result).save("cookbook_merge_equal.svg")


if __name__ == "__main__":
    main()
