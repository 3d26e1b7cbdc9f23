"""Whole-graph checks; what a layer or a link can check alone stands with them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from netgraph.errors import GraphError
from netgraph.graph.layer import Layer
from netgraph.graph.link import Link

if TYPE_CHECKING:
    from netgraph.graph.graph import Graph


def validate_graph(graph: Graph, layers: Sequence[Layer], links: Sequence[Link]) -> None:
    """Check names, ids, shapes, roles and acyclicity. O(edges) plus one sort of the ids.

    Args:
        graph: the graph under construction.
        layers: its layers as given, so that duplicate ids show.
        links: its links as given.

    Raises:
        GraphError: naming the first thing that is wrong.
    """
    _validate_keys(graph, layers, links)
    for layer in layers:
        layer.validate()
    for link in links:
        validate_link(graph, link)
    _validate_ids(graph)
    _validate_roles(graph)
    graph.topological_order  # noqa: B018 (raises on a cycle)


def validate_link(graph: Graph, link: Link) -> None:
    """Check one link against the two layers that it joins. Raises `GraphError`."""
    for end in (link.source, link.target):
        if end not in graph.layers_by_id:
            raise GraphError(f"{link!r} names the layer id {end}, which is not in the graph.")
    source, target = graph.layer(link.source), graph.layer(link.target)
    where = f"Link {source.name!r} -> {target.name!r}"
    if target.role == "input":
        raise GraphError(f"{where} ends at an input layer; inputs take no edges.")
    if link.source == link.target:
        raise GraphError(f"{where} joins a layer to itself, which is a cycle.")
    link.validate(len(source), len(target), where)
    try:
        grid = link.kind.output_grid(source.output_grid)
    except GraphError as error:
        raise GraphError(f"{where}: {error}") from None
    if grid != target.grid and not (grid == (1, 1) and target.grid == ()):
        raise GraphError(f"{where} ({link.kind}) gives the grid {grid}, but the target has the grid {target.grid}.")


def _validate_keys(graph: Graph, layers: Sequence[Layer], links: Sequence[Link]) -> None:
    if len(graph.layers_by_id) < len(layers):
        raise GraphError("Two layers have the same id; every layer needs its own.")
    if len(graph._names) < len(layers):
        names = [layer.name for layer in layers]
        double = next(name for name in names if names.count(name) > 1)
        raise GraphError(f"Two layers are called {double!r}; give one another name.")
    if len(graph.links_by_key) < len(links):
        keys = [link.key for link in links]
        double_key = next(key for key in keys if keys.count(key) > 1)
        raise GraphError(f"Two links have the key (source, target, port) = {double_key}; merge their edges.")


def _validate_ids(graph: Graph) -> None:
    for kind, ids, limit in (
        ("vertex", graph.vertices.id, graph.next_ids.vertex),
        ("edge", graph.edges.id, graph.next_ids.edge),
    ):
        if not len(ids):
            continue
        ordered = np.sort(ids)
        if ordered[0] < 0 or ordered[-1] >= limit:
            raise GraphError(f"The {kind} ids {ordered[0]}..{ordered[-1]} must lie in 0..{limit - 1} (next_ids).")
        repeated = ordered[1:][ordered[1:] == ordered[:-1]]
        if len(repeated):
            raise GraphError(f"The {kind} id {repeated[0]} occurs twice; ids are unique in a graph.")
    if graph.layers_by_id and max(graph.layers_by_id) >= graph.next_ids.layer:
        raise GraphError(f"The layer id {max(graph.layers_by_id)} must be below next_ids.layer.")


def _validate_roles(graph: Graph) -> None:
    for role, found in (("input", graph.inputs), ("output", graph.outputs)):
        if not found:
            raise GraphError(f"The graph has no {role} layer; it needs at least one.")
