"""The second structural change of NEAT (Stanley and Miikkulainen 2002, section 3.1): an edge anywhere."""

from dataclasses import dataclass

import netgraph as ng


# region rule
@dataclass(frozen=True, kw_only=True)
class AddEdge(ng.Rule):
    """Join two vertices that no edge joins, wherever no cycle closes: exact at weight 0, else bounded."""

    spread: float = 0.0  # NEAT draws the weight, and the function changes

    pattern = ng.missing_edge("e", src="p", dst="c", links="any")

    def rewrite(self, m, rw):
        rw.connect(m.p, m.c, weight=rw.uniform(-self.spread, self.spread), tap=m.e.tap)

    def claim(self, m):
        return "bounded" if self.spread else "exact"


# endregion rule


def example() -> ng.Result:
    return ng.apply(AddEdge(), ng.mlp([3, 3, 3, 2], domain=(-1, 1), seed=0), limit=1, order_by="random", rng=1)


def main() -> None:
    result = example()
    print(result.certificate)
    ng.viz.draw_delta(result).save("cookbook_add_edge.svg")


if __name__ == "__main__":
    main()
