"""Floating-point operations of a forward pass, counted on the graph."""

from __future__ import annotations

import math
from collections.abc import Iterable

from netgraph.analysis.density import admissible_edges
from netgraph.checks import checked
from netgraph.graph import Graph, LinkKey


@checked
def forward_flops(graph: Graph, *, dense: Iterable[LinkKey] = ()) -> int:
    """Count the floating-point operations of a forward pass of one sample: two per edge and position, multiply and add.

    An edge acts at every position of the grid of its target, before pooling. An edge of a convolution counts also at
    positions where it reads padding, as in published counts. Identity wires, biases, norms, activations and pools do
    not count. A missing edge costs nothing, whatever the kernel that runs its link computes.

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
