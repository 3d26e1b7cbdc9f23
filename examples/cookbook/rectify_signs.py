"""Concatenated ReLU (Shang et al. 2016): positive and negative parts of signed values as vertices of their own."""

from dataclasses import dataclass

import numpy as np

import netgraph as ng


# region rule
@dataclass(frozen=True, kw_only=True)
class RectifySigns(ng.Rule):
    """Let edges from signed vertices read relu(x) and relu(-x), by w and -w: exact, since their difference is x."""

    pattern = ng.edge("e", src=ng.vertex("p"), dst=ng.vertex("c"))

    def where(self, m, stats):
        return {"source may be negative": ~m.p.nonnegative}

    def rewrite(self, m, rw):
        for g in m.by("source layer"):
            v = g.p.unique()  # all edges of a vertex share its two parts
            for sign, name in ((1.0, "positive"), (-1.0, "negative")):
                n = rw.add_layer(len(v), activation="relu", name=name, grid=v.grid)
                rw.connect(v, n, weight=sign)
                for h in g.by("link"):
                    part = n.take(np.searchsorted(v.rows, h.p.rows))
                    rw.connect(part, h.c, weight=sign * h.e.weight, tap=h.e.tap, kind=h.e.kind, port=h.e.port[0])
            rw.remove(g.e)

    def claim(self, m):
        return "exact"


# endregion rule


def example() -> ng.Result:
    return ng.apply(RectifySigns(), ng.mlp([2, 3, 2], domain=(-1, 1), seed=0))


def main() -> None:
    result = example()
    print(result.certificate)
    ng.viz.draw_delta(result).save("cookbook_rectify_signs.svg")


if __name__ == "__main__":
    main()
