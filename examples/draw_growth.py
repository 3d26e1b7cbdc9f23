"""Draw a small network before and after its edges were split, as SVG files."""

import sys
import tempfile
from pathlib import Path

import numpy as np

import netgraph as ng
from netgraph.rules import SplitEdges


def main(folder: Path) -> None:
    start = ng.mlp([6, 3], domain=(0, 1), seed=2)
    heaviest = ng.apply(SplitEdges(), start, limit=4, order_by=lambda m, stats: np.abs(m.e.weight))
    again = ng.apply(SplitEdges(cross="none"), heaviest.graph, limit=2, order_by=lambda m, stats: m.p.layer)
    for name, graph in (("start", start), ("grown", again.graph)):
        path = folder / f"{name}.svg"
        ng.viz.draw(graph, detail="vertices", title=f"{graph.num_edges} edges").save(path)
        print(f"{path}: {graph!r}")
        assert path.read_text().startswith("<svg")
    assert again.certificate.kind == "exact"


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(Path(sys.argv[1]))
    else:
        with tempfile.TemporaryDirectory() as temporary:
            main(Path(temporary))
