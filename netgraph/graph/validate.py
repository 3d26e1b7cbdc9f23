"""Checks of a whole graph. Checks of a single layer or link are methods of `Layer` and `Link`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from netgraph.columns import WEIGHT_DTYPES, concatenate
from netgraph.errors import GraphError
from netgraph.graph.layer import Layer
from netgraph.graph.link import Link, in_order
from netgraph.graph.wires import LARGEST_SLOT, check_port, check_wires

if TYPE_CHECKING:
    from netgraph.graph.graph import Graph


def validate_graph(graph: Graph, layers: Sequence[Layer], links: Sequence[Link]) -> None:
    """Check names, ids, shapes, roles, and that links form no cycle.

    Args:
        graph: the graph under construction.
        layers: its layers as given, in which duplicate ids are still visible.
        links: its links as given, in which duplicate keys are still visible.

    Raises:
        GraphError: for the first fault; the message names its place.

    Cost: O(edges + vertices), and one sort of all ids.
    """
    _validate_keys(graph, layers, links)
    for layer in layers:
        layer.validate()
    sound = _edges_are_sound(graph, links)
    for link in links:
        validate_link(graph, link, edges=not sound)
    for layer in layers:
        if layer.merge is not None:
            check_wires(graph, layer)
    _validate_ids(graph)
    _validate_roles(graph)
    graph.topological_order  # noqa: B018 (raises on a cycle)


def validate_link(graph: Graph, link: Link, *, edges: bool = True) -> None:
    """Check one link against the two layers that it joins. Raises `GraphError`.

    `edges`: whether to check the columns of its edges as well.
    """
    for end in (link.source, link.target):
        if end not in graph.layers_by_id:
            raise GraphError(f"{link!r} names the layer id {end}, which is not in the graph.")
    source, target = graph.layer(link.source), graph.layer(link.target)
    where = f"Link {graph.link_name(link.source, link.target)}"
    if target.is_source:
        what, those = ("an input layer", "inputs") if target.role == "input" else ("a layer of positions", "positions")
        raise GraphError(f"{where} ends at {what}; {those} take no edges.")
    if link.source == link.target:
        raise GraphError(f"{where} joins a layer to itself, which is a cycle.")
    if edges:
        slotted = target.merge is not None and target.merge.slotted
        link.validate(len(source), len(target), where, LARGEST_SLOT + 1 if slotted else link.kind.taps)
    check_port(link, target, where)
    if target.merge is not None:
        return  # `check_wires` compares the grids of both ports
    try:
        fits = link.kind.fits(source.output_grid, target.grid)
    except GraphError as error:
        raise GraphError(f"{where}: {error}") from None
    if not fits:
        grid = link.kind.output_grid(source.output_grid)
        raise GraphError(f"{where} ({link.kind}) gives the grid {grid}, but the target has the grid {target.grid}.")


def _edges_are_sound(graph: Graph, links: Sequence[Link]) -> bool:
    """Return whether the edges of all links surely pass `Link.validate`.

    The columns of all links are checked at once, which is faster than link by link. False means that a link may have a
    fault: the caller must check each link to find it.
    """
    layers = graph.layers_by_id
    for k in links:
        shape = (len(k),)
        plain = not k.kind.wires and k.weight.dtype in WEIGHT_DTYPES
        if not plain or k.source not in layers or k.target not in layers:
            return False
        if not k.src.shape == k.dst.shape == k.tap.shape == k.weight.shape == k.birth.shape == k.frozen.shape == shape:
            return False
    sizes = [len(k) for k in links]
    link = np.repeat(np.arange(len(links)), sizes)
    columns = {name: concatenate([getattr(k, name) for k in links], np.int32) for name in ("src", "dst", "tap")}
    limits = {
        "src": [len(layers[k.source]) for k in links],
        "dst": [len(layers[k.target]) for k in links],
        "tap": [k.kind.taps for k in links],
    }
    for name, limit in limits.items():
        if ((columns[name] < 0) | (columns[name] >= np.array(limit, dtype=np.int64)[link])).any():
            return False
    weight = concatenate([k.weight for k in links], np.float32)
    return bool(np.isfinite(weight).all()) and in_order(link, columns["dst"], columns["src"], columns["tap"])


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
        ordered = ids if in_order(ids) else np.sort(ids)
        if ordered[0] < 0 or ordered[-1] >= limit:
            raise GraphError(f"The {kind} ids {ordered[0]}..{ordered[-1]} must lie in 0..{limit - 1} (next_ids).")
        repeated = ordered[1:][ordered[1:] == ordered[:-1]]
        if len(repeated):
            raise GraphError(f"The {kind} id {repeated[0]} occurs twice; ids are unique in a graph.")
    for layer_id in (min(graph.layers_by_id, default=0), max(graph.layers_by_id, default=0)):
        if graph.layers_by_id and not 0 <= layer_id < graph.next_ids.layer:
            raise GraphError(f"The layer id {layer_id} must lie in 0..{graph.next_ids.layer - 1} (next_ids).")


def _validate_roles(graph: Graph) -> None:
    for role, found in (("input", graph.inputs), ("output", graph.outputs)):
        if not found:
            raise GraphError(f"The graph has no {role} layer; it needs at least one.")
