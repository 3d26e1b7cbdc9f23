"""Drivers: rules one after another as one rewrite, with the reason why it stopped; drafts, and a look before the leap.

python examples/drivers.py
"""

import numpy as np

import netgraph as ng
from netgraph.rules import InsertLayer, PruneEdges, PruneVertices, SplitEdges


def main() -> None:
    graph = ng.mlp([4, 6, 3], domain=(0, 1), seed=1)

    # region drive
    tidy = ng.repeat(ng.first_of(PruneEdges(below=0.05), PruneVertices()), most=10)  # dead vertices go with their edges
    grow = ng.greedy(SplitEdges(), score=lambda m, stats: np.abs(m.e.weight), budget={"edges": 12})
    result = ng.apply(ng.sequence(tidy, grow), graph)  # one rewrite: all steps, or none
    print(result)
    print(result.certificate)
    for step in result.steps[:3]:
        print(f"  {step.rule.name}: {step.count} matches")
    # endregion drive

    # region preview
    trial = ng.preview(SplitEdges(), graph, limit=3)
    print(trial)  # nothing is done
    proved = trial.draft.prove(require="exact")
    # endregion preview
    assert proved.certificate.kind == "exact"
    assert len(graph.edges) == 4 * 6 + 6 * 3
    ng.viz.draw_delta(result).save("drivers.svg")

    deeper = ng.apply(ng.sweep(InsertLayer()), graph, require="exact")
    assert deeper.graph.num_layers > graph.num_layers


if __name__ == "__main__":
    main()
