"""Units whose values go up and down together, by their correlation on data."""

from dataclasses import dataclass

import numpy as np

import netgraph as ng
from netgraph.testing import graphs


# region rule
@dataclass(frozen=True, kw_only=True)
class FoldCorrelated(ng.Rule):
    """Let the readers of a vertex read s a + t in its place, where a is correlated with it: bounded."""

    def values(graph, stats=None):  # on drawn inputs, `(vertices, samples)`; take a batch of your data instead
        found = ng.interpret_layers(graph, ng.proof.sample_inputs(graph, 64, np.random.default_rng(0)))
        return np.concatenate([found[x.name].reshape(64, len(x), -1).mean(2).T for x in graph.layers_by_id.values()])

    pattern = ng.all_of(ng.pair("a", "b", alike=ng.correlation(values, at_least=0.99)), ng.edge("e", src="b", dst="c"))
    exclusive = ("e",)

    def where(self, m, stats):
        first, biased = ~np.isin(m.a.rows, m.b.rows), ~np.isnan(m.c.column("bias"))
        return {"a is the first of its kind": first, "vertices are numbers": m.a.scalar, "c has a bias": biased}

    def rewrite(self, m, rw):
        h, bias, c = type(self).values(m.graph), m.graph.vertices.column("bias"), m.c.unique()
        s = h.std(axis=1)[m.b.rows] / h.std(axis=1)[m.a.rows]
        t = h.mean(axis=1)[m.b.rows] - s * h.mean(axis=1)[m.a.rows]
        rw.add_weight(m.a, m.c, weight=s * m.e.weight)
        rw.set_bias(c, (bias + np.bincount(m.c.rows, t * m.e.weight, len(bias)))[c.rows])
        rw.remove(m.e)

    def claim(self, m):
        return "bounded"


# endregion rule

GRAPHS = graphs(kinds=("dense", "skip"), exact=False, weights="dyadic", bias=True, min_layers=1)


def start(inputs: int, width: int, pairs: int) -> ng.Graph:
    graph = ng.mlp([inputs, width, 2], domain=(0, 1), seed=0)
    weight = np.abs(graph.edges.weight)
    first, second = weight[: width * inputs].reshape(width, inputs)[: 2 * pairs].reshape(2, pairs, inputs)
    second[:] = 0.7 * first + 0.01 / inputs  # goes up and down with the first
    return graph.with_weights(weight)


def example() -> ng.Result:
    return ng.apply(FoldCorrelated(), start(3, 3, 1))


def large() -> tuple[ng.Graph, str]:
    """Graph on which both forms are timed, and what it is."""
    return start(100, 2000, 1000), "2,000 vertices of 100 inputs, half of them correlated with others"


def main() -> None:
    result = example()
    print(result.certificate)
    ng.viz.draw_delta(result).save("cookbook_fold_correlated.svg")


if __name__ == "__main__":
    main()
