"""Floating-point operations of a forward pass, counted on the graph."""

from __future__ import annotations

import math
from collections.abc import Iterable

from netgraph.analysis.density import admissible_edges
from netgraph.checks import checked
from netgraph.graph import Graph, Layer, LinkKey


@checked
def forward_flops(graph: Graph, *, dense: Iterable[LinkKey] = ()) -> int:
    """Count the floating-point operations of a forward pass of one sample: two per edge and position, multiply and add.

    An edge acts at every position of the grid of its target, before pooling. An edge of a convolution counts also at
    positions where it reads padding, as in published counts. Identity wires, biases, norms, activations and pools do
    not count. A missing edge costs nothing, whatever the kernel that runs its link computes.

    A table multiplies nothing. A link from an input of ids counts one addition per edge of the row that it reads, at
    every position; where rows have different numbers of edges, their mean counts, rounded up. A link from positions
    counts one addition per edge, because each row is read at one position.

    A merge counts its products: one per position and vertex of a product; for attention on T queries and S keys
    `2 T S` per slot of a head, for its logits, and `2 T S` per vertex of the mix. A causal mask saves nothing here, as
    in published counts. The softmax, the scale and the rotation do not count.

    Args:
        graph: any graph.
        dense: keys of links that count as if none of their edges were missing.

    Returns:
        The number of operations; without tables and merges twice the number of multiply-adds.

    Cost: O(links).
    """
    layers, full = graph.layers_by_id, frozenset(dense)
    edges = sum(
        _link_flops(layers[key[0]], layers[key[1]], admissible_edges(graph, [key]) if key in full else len(link))
        for key, link in graph.links_by_key.items()
        if not link.kind.wires
    )
    return edges + sum(_merge_flops(graph, layer) for layer in layers.values() if layer.merge is not None)


def _link_flops(source: Layer, target: Layer, edges: int) -> int:
    if source.role == "position":
        return edges
    if source.encoding == "index":
        return -(-edges // len(source)) * math.prod(target.grid)
    return 2 * edges * math.prod(target.grid)


def _merge_flops(graph: Graph, layer: Layer) -> int:
    """Operations of a merge, by the grids that its two ports read and the number of its wires into port 0."""
    links = graph.incoming[layer.id]
    grids = [next(graph.layer(k.source).output_grid for k in links if k.port == port) for port in (0, 1)]
    assert layer.merge is not None
    return layer.merge.flops((grids[0], grids[1]), sum(len(k) for k in links if k.port == 0))
