"""Units whose incoming weights point the same way."""

from dataclasses import dataclass

import numpy as np

import netgraph as ng
from netgraph.testing import graphs


# region rule
@dataclass(frozen=True, kw_only=True)
class MergeAlike(ng.Rule):
    """Let the readers of a ReLU read another one with incoming weights of nearly the same direction: bounded."""

    twins = ng.pair(*(ng.vertex(name, role="hidden") for name in "ab"), alike=ng.cosine("incoming", at_least=0.98))
    pattern = ng.all_of(twins, ng.edge("e", src="b", dst="c"))
    exclusive = ("e",)

    def where(self, m, stats):
        scaling = [x.id for x in m.graph.layers if x.norm == "none" and x.activation == "relu"]
        return {
            "relu(s z) = s relu(z)": np.isin(m.a.layer, scaling),
            "a is the first of its kind": ~np.isin(m.a.rows, m.b.rows),
        }

    def rewrite(self, m, rw):
        edges, bias = m.graph.edges, np.nan_to_num(m.graph.vertices.column("bias"))
        length = np.sqrt(bias**2 + np.bincount(edges.target_row, edges.weight.astype(float) ** 2, len(bias)))
        rw.add_weight(m.a, m.c, weight=length[m.b.rows] / length[m.a.rows] * m.e.weight, tap=m.e.tap)
        rw.remove(m.e)

    def claim(self, m):
        return "bounded"


# endregion rule

GRAPHS = graphs(kinds=("dense", "conv"), activations="relu", min_layers=1)


def start(inputs: int, width: int, pairs: int) -> ng.Graph:
    graph = ng.mlp([inputs, width, 2], domain=(-1, 1), seed=0)
    weight, noise = graph.edges.weight.copy(), np.random.default_rng(0)
    first, second = weight[: width * inputs].reshape(width, inputs)[: 2 * pairs].reshape(2, pairs, inputs)
    second[:] = 0.5 * first + noise.normal(0, 0.02, first.shape) * abs(first)  # nearly half of the first
    return graph.with_weights(weight)


def example() -> ng.Result:
    return ng.apply(MergeAlike(), start(3, 3, 1))


def large() -> tuple[ng.Graph, str]:
    """Graph on which both forms are timed, and what it is."""
    return start(100, 2000, 1000), "2,000 vertices of 100 inputs, half of them alike to others"


def main() -> None:
    result = example()
    print(result.certificate)
    ng.viz.draw_delta(result).save("cookbook_merge_alike.svg")


if __name__ == "__main__":
    main()
