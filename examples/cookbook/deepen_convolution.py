"""Net2Deeper for convolutions (Chen et al. 2016, section 3.2): new kernels begin as the identity."""

from dataclasses import dataclass

import numpy as np

import netgraph as ng
from netgraph.testing import graphs


# region rule
@dataclass(frozen=True, kw_only=True)
class DeepenConvolution(ng.Rule):
    """Put a layer of k x k kernels on a link, their centre taps 1 and all others 0: exact behind a ReLU."""

    kernel: int = 3
    pattern = ng.link("k", src=ng.layer("p"), dst=ng.layer("c"))

    def where(self, m, stats):
        return {
            "source has maps": [len(p.output_grid) == 2 for p in m.p],
            "source is never negative": ~np.isin(m.p.id, m.graph.vertices.layer[~m.graph.vertices.nonnegative]),
            "all edges are trained": [len(k) > 0 and not k.frozen.any() for k in m.k],
        }

    def rewrite(self, m, rw):
        kind = ng.Conv2d((self.kernel, self.kernel), padding=(self.kernel // 2, self.kernel // 2))
        for k, p, c in zip(m.k, m.p, m.c, strict=True):
            n = rw.add_layer(len(p), name="deeper", grid=p.output_grid)
            rw.connect(rw.vertices(p), n, weight=1.0, tap=kind.taps // 2, kind=kind)  # the identity
            rw.connect_all(rw.vertices(p), n, weight=0.0, kind=kind)  # the rest of the kernels, to be trained
            rw.connect(n.take(k.src), rw.vertices(c).take(k.dst), weight=k.weight, tap=k.tap, kind=k.kind, port=k.port)
            rw.remove(k)

    def claim(self, m):
        return "exact"


# endregion rule

GRAPHS = graphs(kinds="conv", exact=False, activations=("relu", "identity"))


def example() -> ng.Result:
    graph = ng.convnet([[2], [2]], input_size=(1, 8, 8), classes=2, domain=(0, 1), seed=0)
    return ng.apply(DeepenConvolution(), graph, on=[("conv1_1", "conv2_1")])


def main() -> None:
    result = example()
    print(result.certificate)
    ng.viz.draw_delta(result, detail="layers").save("cookbook_deepen_convolution.svg")


if __name__ == "__main__":
    main()
