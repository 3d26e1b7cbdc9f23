"""Net2Wider (Chen et al. 2016, section 3.1): a layer gets copies of its vertices, drawn with replacement."""

from dataclasses import dataclass

import numpy as np

import netgraph as ng


# region rule
@dataclass(frozen=True, kw_only=True)
class WidenByCopies(ng.Rule):
    """Add `count` copies of drawn vertices, which share the outgoing weights: exact."""

    count: int = 2
    noise: float = 0.0  # part of its share that a copy may lose, so that training moves the copies apart
    pattern = ng.layer("l", role="hidden")

    def where(self, m, stats):
        wired = [end for k in m.graph.links if k.kind.wires for end in (k.source, k.target)]
        return {
            "norm acts vertex by vertex": ~ng.rules.under_coupling_norm(m.graph, m.l.id),
            "no wires, whose weight 1 cannot be shared": ~np.isin(m.l.id, wired),
        }

    def rewrite(self, m, rw):
        drawn = [rw.rng.integers(len(layer), size=self.count) for layer in m.l]
        parts = [1 + np.bincount(d, minlength=len(layer)) for d, layer in zip(drawn, m.l, strict=True)]
        rw.split_vertices(rw.vertices(m.l), np.concatenate(parts), noise=self.noise)

    def claim(self, m):
        return "exact"


# endregion rule


def example() -> ng.Result:
    return ng.apply(WidenByCopies(), ng.mlp([3, 3, 2], domain=(-1, 1), seed=0))


def main() -> None:
    result = example()
    print(result.certificate)
    ng.viz.draw_delta(result).save("cookbook_widen_by_copies.svg")


if __name__ == "__main__":
    main()
