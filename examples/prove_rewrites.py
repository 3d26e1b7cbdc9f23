"""Read certificates of rewrites: proved exact, bounded by a number, or refused."""

from dataclasses import dataclass

import numpy as np

import netgraph as ng
from netgraph.errors import RewriteError


def main() -> None:
    # region exact
    graph = ng.mlp([64, 32, 10], domain=(0, 1), seed=1)
    split = ng.apply(ng.rules.SplitEdges(), graph, limit=100)
    print(split.certificate)
    # endregion exact
    assert split.certificate.kind == "exact"

    # region bounded
    small = graph.edges.id[np.abs(graph.edges.weight) < 0.01]
    pruned = ng.apply(ng.rules.PruneEdges(below=None), graph, on=small)
    print(pruned.certificate)
    print(pruned.certificate.bounds["output"])  # one number for each vertex of the output
    print(pruned.certificate.layers)  # how the change grows on its way
    # endregion bounded
    assert pruned.certificate.kind == "bounded"
    assert pruned.certificate.measured.change <= pruned.certificate.bound
    assert list(pruned.certificate.layers) == ["hidden1", "output"]

    # region require
    ng.apply(ng.rules.PruneEdges(below=None), graph, on=small, require=1.0)  # no output may change by more than 1
    try:
        ng.apply(ng.rules.PruneEdges(below=None), graph, on=small, require="exact")
    except RewriteError as error:
        print(error)  # and `graph` is as it was
    # endregion require
    else:
        raise AssertionError("pruning is not exact")

    # region bounds
    low, high = graph.bounds()["hidden1"]  # for every input in the domain
    print(f"vertex 0 of hidden1 lies in [{low[0]:.3f}, {high[0]:.3f}]")
    # endregion bounds
    assert (low >= 0).all()
    assert (high > low).all()

    small_split = ng.apply(ng.rules.SplitEdges(), ng.mlp([4, 3], domain=(0, 1)), limit=2)
    ng.viz.draw_delta(small_split).save("prove_rewrites.svg")  # the caption has the certificate

    # region any
    before = ng.mlp([3, 3, 2], domain=(-1, 1), seed=2)
    after = before.with_weights(before.edges.weight, vertices={"bias": np.full(before.num_vertices, 0.25)})
    print(ng.certify(before, after))
    print(ng.certify(before, after, domain=(-0.5, 0.5)))  # a smaller domain, a smaller bound or the same
    # endregion any
    assert ng.certify(before, after).kind == "bounded"
    wrong_rule()


# region wrong
@dataclass(frozen=True, kw_only=True)
class SplitAnything(ng.Rule):
    """Wrong: relu(x) is x only where x is never negative."""

    pattern = ng.edge("e", src=ng.vertex("p"), dst=ng.vertex("c"))

    def rewrite(self, m, rw):
        for g in m.by("target layer"):
            n = rw.add_layer(len(g), activation="relu")
            rw.connect(g.p, n, weight=1.0)
            rw.connect(n, g.c, weight=g.e.weight)
            rw.remove(g.e)


def wrong_rule() -> None:
    signed = ng.mlp([4, 2], domain=(-1, 1))
    print(ng.apply(SplitAnything(), signed).certificate)
    # endregion wrong
    assert ng.apply(SplitAnything(), signed).certificate.kind == "bounded"
    assert ng.apply(SplitAnything(), ng.mlp([4, 2], domain=(0, 1))).certificate.kind == "exact"


if __name__ == "__main__":
    main()
