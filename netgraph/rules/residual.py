"""Residual groups: layers whose widths are tied by identity wires."""

from __future__ import annotations

import numpy as np

from netgraph.graph import Graph, Link


def tied_layers(graph: Graph) -> list[tuple[int, ...]]:
    """List the residual groups of a graph: sets of layers that have the same width and have to be widened together.

    Two layers are in one group when a chain of tying links joins them, see `ties`. In a residual network a group
    consists of the layers along the shortcuts of one stage. Most other layers form a group of their own.

    Returns:
        Ids of the layers of each group, in topological order. The groups are in the order of their first layers. Every
        layer is in exactly one group.

    Cost: O(layers + links + wires).
    """
    order = graph.topological_order
    neighbours: dict[int, list[int]] = {i: [] for i in order}
    for link in graph.links:
        if ties(graph, link):
            neighbours[link.source].append(link.target)
            neighbours[link.target].append(link.source)
    group_of: dict[int, int] = {}
    groups: list[list[int]] = []
    for first in order:
        if first not in group_of:
            group_of[first] = len(groups)
            groups.append([])
            reached = [first]
            while reached:
                for i in neighbours[reached.pop()]:
                    if i not in group_of:
                        group_of[i] = group_of[first]
                        reached.append(i)
        groups[group_of[first]].append(first)  # in topological order, not in the order of the search
    return [tuple(group) for group in groups]


def ties(graph: Graph, link: Link) -> bool:
    """Whether a link has wires without stride that join all vertices of its two layers one to one.

    Wires with a stride, or without some vertices of either layer, such as a shortcut to more maps, tie nothing.
    """
    width = len(graph.layer(link.source))
    if not (link.kind.wires and link.kind.stride == (1, 1)) or len(graph.layer(link.target)) != width:
        return False
    return len(link) == width and all(len(np.unique(rows)) == width for rows in (link.src, link.dst))
