"""Residual groups: layers that identity wires tie to one width."""

from __future__ import annotations

import numpy as np

from netgraph.graph import Graph, Link


def tied_layers(graph: Graph) -> list[tuple[int, ...]]:
    """The layers of a graph by residual group: those of a group keep one width, and widen together.

    Two layers are of one group when a chain of tying links joins them (see `ties`). In a residual network these are
    the layers that the shortcuts of one stage run through; most other layers are alone in their group.

    Returns:
        Ids of the layers of each group, in topological order, and the groups in that of their first layers. Every
        layer is in one group.

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
        groups[group_of[first]].append(first)  # in the order of the layers, not that of the search
    return [tuple(group) for group in groups]


def ties(graph: Graph, link: Link) -> bool:
    """Whether a link is an identity without a stride that joins all vertices of both its layers one to one.

    Wires that stride, or that leave vertices out on either side, such as a shortcut to more maps, tie nothing.
    """
    width = len(graph.layer(link.source))
    if not (link.kind.wires and link.kind.pointwise) or len(graph.layer(link.target)) != width:
        return False
    return len(link) == width and all(len(np.unique(rows)) == width for rows in (link.src, link.dst))
