"""The first structural change of NEAT (Stanley and Miikkulainen 2002, section 3.1): a vertex on an edge."""

from dataclasses import dataclass

import netgraph as ng


# region rule
@dataclass(frozen=True, kw_only=True)
class AddVertex(ng.Rule):
    """Put a vertex on an edge of weight w: weight 1 into it, w out of it, and a PReLU that begins linear: exact."""

    pattern = ng.edge("e", src=ng.vertex("p"), dst=ng.vertex("c"))

    def rewrite(self, m, rw):
        for g in m.by("target layer", "port", "source grid", "link kind"):  # one layer each: no cycle is possible
            n = rw.add_layer(len(g), activation="prelu", values={"slope": 1.0}, name="neat", grid=g.p.grid)
            rw.connect(g.p, n, weight=1.0)
            rw.connect(n, g.c, weight=g.e.weight, tap=g.e.tap, kind=g.e.kind, port=g.e.port[0])
            rw.remove(g.e)

    def claim(self, m):
        return "exact"


# endregion rule


def example() -> ng.Result:
    graph = ng.mlp([3, 2, 2], domain=(-1, 1), seed=0)
    return ng.apply(AddVertex(), graph, limit=1, order_by="random", rng=4)  # one edge at random, as NEAT does


def main() -> None:
    result = example()
    print(result.certificate)
    ng.viz.draw_delta(result).save("cookbook_add_vertex.svg")


if __name__ == "__main__":
    main()
