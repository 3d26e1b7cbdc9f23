"""Dead vertices: a ReLU whose sum is never above 0, by the intervals of the graph."""

from dataclasses import dataclass

import numpy as np

import netgraph as ng


# region rule
@dataclass(frozen=True, kw_only=True)
class RemoveDead(ng.Rule):
    """Remove vertices that are 0 for every input in the domain, by `graph.bounds()`: exact."""

    pattern = ng.vertex("v", role="hidden")

    def where(self, m, stats):
        bounds = m.graph.bounds()
        low, high = (np.concatenate([bounds[x.name][i] for x in m.graph.layers_by_id.values()]) for i in (0, 1))
        return {
            "norm acts vertex by vertex": ~ng.rules.under_coupling_norm(m.graph, m.v.layer),
            "no wires, which merges may need": ~ng.rewriting.at_wires(m.v),
            "value is at least 0": low[m.v.rows] >= 0,
            "value is at most 0": ng.at_most(high[m.v.rows], 0.0),
        }

    def rewrite(self, m, rw):
        rw.remove(m.v)

    def claim(self, m):
        return "exact"


# endregion rule


def example() -> ng.Result:
    graph = ng.mlp([3, 4, 2], domain=(0, 1), seed=0)
    edges, hidden = graph.edges, graph.layers["hidden1"].vertex_ids
    dead = np.isin(edges.target, hidden[:2])  # only negative weights reach these two
    return ng.apply(RemoveDead(), graph.with_weights(np.where(dead, -np.abs(edges.weight), edges.weight)))


def main() -> None:
    result = example()
    print(result.certificate)
    ng.viz.draw_delta(result).save("cookbook_remove_dead.svg")


if __name__ == "__main__":
    main()
