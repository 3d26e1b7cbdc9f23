"""A linear vertex with one reader: its sources go past it."""

from dataclasses import dataclass

import numpy as np

import netgraph as ng
from netgraph.testing import graphs


# region rule
@dataclass(frozen=True, kw_only=True)
class ContractLinear(ng.Rule):
    """Lead every edge into a linear vertex with one reader on to that reader, as the composition of both layers."""

    pattern = ng.path("p", ng.vertex("v", role="hidden"), "c").without(ng.edge("x", src="v"))

    def where(self, m, stats):
        linear = [x.id for x in m.graph.layers if x.activation == "identity" and x.norm == "none"]
        wired = [k.source * m.graph.next_ids.layer + k.target for k in m.graph.links if k.kind.wires]
        contracted = np.isin(m.v.layer, linear)
        return {
            "v is linear": contracted,
            "c is not contracted before": ~np.isin(m.c.rows, m.v.rows[contracted]),  # take v the next time
            "vertices are numbers": m.p.scalar & m.v.scalar & m.c.scalar,
            "no wires join p's layer and c's": ~np.isin(m.p.layer * m.graph.next_ids.layer + m.c.layer, wired),
        }

    def rewrite(self, m, rw):
        rw.add_weight(m.p, m.c, weight=m.e1.weight.astype(float) * m.e2.weight)
        rw.remove(m.e1)  # v is a constant now: its bias, or dead

    def claim(self, m):
        return "exact up to rounding"


# endregion rule

GRAPHS = graphs(kinds=("dense", "skip"), activations=("identity", "relu"), min_layers=2, max_width=2)


def start(inputs: int, width: int) -> ng.Graph:
    b = ng.GraphBuilder(seed=0)
    b.input("x", inputs, domain=(-1, 1))
    b.layer("linear", width, activation="identity")
    b.output("y", 2)
    b.dense("x", "linear")
    b.edges("linear", "y", np.arange(width), np.arange(width) % 2, weight=np.linspace(0.5, -2.0, width))
    return b.build()


def example() -> ng.Result:
    return ng.apply(ContractLinear(), start(3, 2))


def large() -> tuple[ng.Graph, str]:
    """Graph on which both forms are timed, and what it is."""
    return start(100, 10_000), "a linear layer with 1,000,000 edges"


def main() -> None:
    result = example()
    print(result.certificate)
    ng.viz.draw_delta(result).save("cookbook_contract_linear.svg")


if __name__ == "__main__":
    main()
