"""Floating-point operations of a forward, counted on the graph."""

from __future__ import annotations

import math
from collections.abc import Iterable

from netgraph.analysis.density import admissible_edges
from netgraph.checks import checked
from netgraph.graph import Graph, LinkKey


@checked
def forward_flops(graph: Graph, *, dense: Iterable[LinkKey] = ()) -> int:
    """Floating-point operations of a forward of one sample: two, multiply and add, per edge and position.

    An edge acts at every position of the grid of its target, before pooling; an edge of a convolution also at those
    where it reads padding, as is usual in published counts. Identity wires, biases, norms, activations and pools do
    not count. An edge that does not exist costs nothing, whatever the kernel that runs its link computes.

    Args:
        graph: any graph.
        dense: keys of links that count as if none of their edges were missing.

    Returns:
        Twice the number of multiply-adds.

    Cost: O(links).
    """
    layers, full = graph.layers_by_id, frozenset(dense)
    return 2 * sum(
        (admissible_edges(graph, [key]) if key in full else len(link)) * math.prod(layers[link.target].grid)
        for key, link in graph.links_by_key.items()
        if not link.kind.wires
    )
