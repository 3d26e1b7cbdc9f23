"""A batch norm that moves into the weights and biases before it, as deployment tools do."""

from dataclasses import dataclass

import numpy as np

import netgraph as ng


# region rule
@dataclass(frozen=True, kw_only=True)
class FoldBatchNorm(ng.Rule):
    """Fold the batch norm of a layer into its weights and biases: exact up to rounding in eval mode."""

    pattern = ng.layer("l", role="hidden")

    def where(self, m, stats):
        return {
            "layer has a batch norm": [x.norm == "batch" for x in m.l],
            "no wires, whose weight 1 stays": ~np.isin(m.l.id, [k.target for k in m.graph.links if k.kind.wires]),
        }

    def rewrite(self, m, rw):
        for x in m.l:
            v = rw.vertices(x)
            factor = v.column("scale") / np.sqrt(v.column("var") + x.norm_epsilon)
            into = rw.edges(rows=np.isin(m.graph.edges.target_row, v.rows))
            rw.set_weight(into, into.weight * factor[into.targets.rows - v.rows[0]])
            rw.set_norm(x, "none", bias=True)
            rw.set_bias(v, v.column("shift") + ((0 if x.bias is None else x.bias) - v.column("mean")) * factor)

    def claim(self, m):
        return "bounded"  # in train mode it changes the function: the norm would follow the batch


# endregion rule


def example() -> ng.Result:
    graph = ng.convnet([[2], [2]], input_size=(1, 8, 8), classes=2, domain=(0, 1), seed=0)
    trained = {"mean": np.full(graph.num_vertices, 0.25), "var": np.full(graph.num_vertices, 0.5)}
    return ng.apply(FoldBatchNorm(), graph.with_weights(vertices=trained))


def main() -> None:
    result = example()
    print(result.certificate)
    ng.viz.draw_delta(result, detail="layers").save("cookbook_fold_batch_norm.svg")


if __name__ == "__main__":
    main()
