"""A link of low rank: its matrix becomes a product of two narrow ones, by singular values."""

from dataclasses import dataclass

import numpy as np

import netgraph as ng


# region rule
@dataclass(frozen=True, kw_only=True)
class FactoriseLink(ng.Rule):
    """Put a linear layer of `rank` vertices on a link: at full rank only rounding changes, below it is bounded."""

    rank: int = 2
    pattern = ng.link("k", src=ng.layer("p"), dst=ng.layer("c"))

    def where(self, m, stats):
        return {"all edges are trained": [len(k) > 0 and not k.frozen.any() for k in m.k]}

    def rewrite(self, m, rw):
        for k, p, c in zip(m.k, m.p, m.c, strict=True):
            w = np.zeros((len(c), len(p) * k.kind.taps))
            w[k.dst, k.src * k.kind.taps + k.tap] = k.weight
            left, size, right = np.linalg.svd(w, full_matrices=False)
            r = min(self.rank, len(size))
            root = np.sqrt(size[:r])
            n = rw.add_layer(r, activation="identity", bias=False, name="rank", grid=c.grid)
            rw.connect_all(rw.vertices(p), n, weight=(root[:, None] * right[:r]).ravel(), kind=k.kind)
            rw.connect_all(n, rw.vertices(c), weight=(left[:, :r] * root).ravel(), port=k.port)
            rw.remove(k)

    def claim(self, m):
        return "bounded"


# endregion rule


def example() -> ng.Result:
    graph = ng.mlp([6, 5, 2], domain=(-1, 1), seed=0)
    return ng.apply(FactoriseLink(), graph, on=[("input", "hidden1")])


def main() -> None:
    result = example()
    print(result.certificate)
    ng.viz.draw_delta(result).save("cookbook_factorise_link.svg")


if __name__ == "__main__":
    main()
