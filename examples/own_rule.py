"""Write a rule, apply it, print its certificate, and undo it."""

# region rule
from dataclasses import dataclass

import numpy as np

import netgraph as ng


@dataclass(frozen=True, kw_only=True)
class SplitHeavyEdges(ng.Rule):
    """Put a vertex in the middle of every edge whose weight is large, so that it can learn a bend there."""

    above: float = 0.1

    pattern = ng.edge("e", src=ng.vertex("p"), dst=ng.vertex("c"))

    def where(self, m, stats):
        return {
            "source is never negative": m.p.nonnegative,  # relu(x) = x there, so nothing changes
            "weight is large": ng.at_least(np.abs(m.e.weight), self.above),
        }

    def rewrite(self, m, rw):
        for g in m.by("target layer"):  # one new layer per target layer: no cycle is possible
            n = rw.add_layer(len(g), activation="relu", name="bend")
            rw.connect(g.p, n, weight=1.0)
            rw.connect(n, g.c, weight=g.e.weight)
            rw.remove(g.e)


# endregion rule


# region outside
@dataclass(frozen=True)
class ReadByOutputs(ng.Rule):
    """Let every output read the matched vertices: weight 0 changes nothing, and can be trained."""

    pattern = ng.vertex("v", role="hidden")

    def rewrite(self, m, rw):
        outputs = rw.vertices(rw.graph.outputs)  # no match names them
        rw.connect_all(m.v, outputs, weight=0.0)


# endregion outside


def main() -> None:
    graph = ng.mlp([8, 3], domain=(0, 1), seed=1)
    rule = SplitHeavyEdges(above=0.2)
    print(ng.explain(rule, graph))

    result = ng.apply(rule, graph)
    print(result)
    print(result.certificate)
    assert result.changed
    assert result.certificate.measured.change < 1e-12

    x = np.random.default_rng(0).random((5, 8))
    assert np.allclose(ng.interpret(graph, x), ng.interpret(result.graph, x))

    ng.viz.draw_delta(result).save("own_rule.svg")

    read = ng.apply(ReadByOutputs(), ng.mlp([8, 5, 4, 3], domain=(0, 1)), require="exact")
    assert len(read.graph.edges) == 8 * 5 + 5 * 4 + 4 * 3 + 5 * 3

    back, _ = ng.apply_delta(result.graph, result.delta.inverse())
    assert back.equals(graph)


if __name__ == "__main__":
    main()
