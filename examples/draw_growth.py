"""Draw a small network before and after its edges were split."""

from pathlib import Path

import numpy as np

import netgraph as ng
from netgraph.rules import SplitEdges


def main() -> None:
    start = ng.mlp([6, 3], domain=(0, 1), seed=2)
    heaviest = ng.apply(SplitEdges(), start, limit=4, order_by=lambda m, stats: np.abs(m.e.weight))
    again = ng.apply(SplitEdges(cross="none"), heaviest.graph, limit=2, order_by=lambda m, stats: m.p.layer)
    for name, graph in (("start.svg", start), ("grown.svg", again.graph)):
        ng.viz.draw(graph, detail="vertices", title=f"{graph.num_edges} edges").save(name)
        print(f"{name}: {graph!r}")
        assert Path(name).read_text().startswith("<svg")
    assert again.certificate.kind == "exact"


if __name__ == "__main__":
    main()
