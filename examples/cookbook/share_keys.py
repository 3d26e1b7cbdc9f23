"""Attention: heads with equal keys share them, as in grouped-query attention."""

from dataclasses import dataclass

import numpy as np

import netgraph as ng
from netgraph.testing import graphs


# region rule
@dataclass(frozen=True, kw_only=True)
class ShareKeys(ng.Rule):
    """Let heads read one of two equal keys or values, by wires to the same slots: exact."""

    twins = ng.pair(*(ng.vertex(name, role="hidden") for name in "ab"), alike=ng.distance("incoming", at_most=0.0))
    pattern = ng.all_of(twins, ng.edge("w", src="b", dst="h", frozen=True))
    exclusive = ("w",)

    def where(self, m, stats):
        linear = [x.id for x in m.graph.layers if x.activation == "identity" and x.norm == "none"]
        return {
            "a is the first of its kind": ~np.isin(m.a.rows, m.b.rows),
            "a and b are linear, as keys are": np.isin(m.a.layer, linear),
            "a merge reads b": np.isin(m.h.layer, [x.id for x in m.graph.layers if x.merge is not None]),
        }

    def rewrite(self, m, rw):
        for g in m.by("w link"):
            rw.connect(g.a, g.h, weight=1.0, tap=g.w.tap, kind=g.w.kind, port=g.w.port[0], frozen=True)
        rw.remove(m.w)

    def claim(self, m):
        return "exact"


# endregion rule


def coarse(graph: ng.Graph) -> ng.Graph:
    """Round weights to -1, 0 and 1, so that keys are often equal."""
    bias = np.sign(graph.vertices.column("bias"))
    return graph.with_weights(np.sign(graph.edges.weight), vertices={"bias": bias})


GRAPHS = graphs(kinds="attention").map(coarse)


def start(width: int, heads: int) -> ng.Graph:
    b = ng.GraphBuilder(seed=0)
    b.input("x", width, grid=(3,), domain=(-1, 1))
    for name in ("q", "k", "v"):
        b.layer(name, 2 * heads, grid=(3,), activation="identity")
        b.dense("x", name)
    b.attend("heads", "q", "k", heads=heads)
    b.mix("mix", "heads", "v")
    b.output("y", 1, grid=(3,))
    b.dense("mix", "y")
    graph = b.build()
    weight, first = graph.edges.weight.copy(), graph.edges.offset((graph.layers["x"].id, graph.layers["k"].id, 0))
    one, size = first + heads * width, heads * width
    weight[one : one + size] = weight[first:one]  # the keys of the second half of the heads are those of the first
    return graph.with_weights(weight)


def example() -> ng.Result:
    return ng.apply(ShareKeys(), start(2, 2))


def large() -> tuple[ng.Graph, str]:
    """Graph on which both forms are timed, and what it is."""
    return start(64, 1000), "1,000 heads of 64 features"


def main() -> None:
    result = example()
    print(result.certificate)
    ng.viz.draw_delta(result).save("cookbook_share_keys.svg")


if __name__ == "__main__":
    main()
