"""Smaller cases from the parts of a graph."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np

from netgraph.columns import Array
from netgraph.errors import GraphError
from netgraph.graph import Graph, Layer, Link
from netgraph.testing.cases import Case
from netgraph.testing.plants import with_columns

Inputs = Mapping[str, Array]


def rebuild(case: Case, layers: list[Layer], links: list[Link], x: Inputs | None = None) -> Iterator[Case]:
    """Yield the case on a graph of these parts, if they form a valid graph and the case has no statistics."""
    try:
        graph = Graph(layers, links)
    except GraphError:
        return
    if case.stats is None:
        yield replace(case, graph=graph, x=case.x if x is None else x)


def parts(case: Case) -> tuple[list[Layer], list[Link]]:
    """Return the layers and the links of the graph."""
    return list(case.graph.layers_by_id.values()), list(case.graph.links_by_key.values())


def without_rows(case: Case, gone: Array, wires: Array | None = None) -> Iterator[Case]:
    """Yield the case without some vertices and wires, and without what merges cannot do without them.

    Args:
        case: the case.
        gone: mask of the vertices to remove, `(vertices,)`.
        wires: mask of wires into merges to remove, `(edges,)`, or None.
    """
    graph = case.graph
    gone, lost = _with_dependants(graph, gone, np.zeros(len(graph.edges), bool) if wires is None else wires)
    keep = {i: ~gone[graph.vertices.offset(i) :][: len(layer)] for i, layer in graph.layers_by_id.items()}
    layers = [_narrow(layer, keep[i]) for i, layer in graph.layers_by_id.items() if keep[i].any()]
    links = []
    for key, link in graph.links_by_key.items():
        if keep[link.source].any() and keep[link.target].any():
            start = graph.edges.offset(key)
            links.append(_thin(link, ~lost[start : start + len(link)], keep[link.source], keep[link.target]))
    x = {layer.name: _kept_inputs(layer, case.x[layer.name], keep[layer.id]) for layer in graph.inputs
         if keep[layer.id].any()}  # fmt: skip
    merging = {layer.id for layer in layers if layer.merge is not None}
    yield from rebuild(case, layers, [k for k in links if len(k) or k.target not in merging], x)


def _with_dependants(graph: Graph, gone: Array, wires: Array) -> tuple[Array, Array]:
    """Add merging vertices that lack a wire, and slots that lack one of their wires, until nothing changes."""
    edges = graph.edges
    while True:
        lost = gone[edges.source_row] | gone[edges.target_row] | wires
        more = gone.copy()
        for i, layer in graph.layers_by_id.items():
            if layer.merge is None:
                continue
            start, rows = graph.vertices.offset(i), np.flatnonzero(graph.vertices.layer[edges.target_row] == i)
            step = 2 if getattr(layer.merge, "frequencies", ()) else 1  # slots of a rotation stay in pairs
            unit = (edges.tap[rows] // step).astype(np.int64) * len(layer) + edges.target_row[rows] - start
            broken = np.isin(unit, unit[lost[rows]])
            lost[rows] |= broken
            kept = np.zeros(len(layer), bool)
            kept[(edges.target_row[rows] - start)[~broken]] = True
            more[start : start + len(layer)] |= ~kept
        if (more == gone).all() and (lost == wires).all():
            return gone, lost
        gone, wires = more, lost


def _narrow(layer: Layer, keep: Array) -> Layer:
    if keep.all():
        return layer
    return replace(
        layer,
        vertex_ids=layer.vertex_ids[keep],
        birth=layer.birth[keep],
        values={name: v[keep] for name, v in layer.values.items()},
    )


def _thin(link: Link, keep: Array, sources: Array, targets: Array) -> Link:
    """Return the link with some of its edges, between the vertices that are kept."""
    if keep.all() and sources.all() and targets.all():
        return link
    columns = {name: v[keep] for name, v in link.columns.items()}
    for name, kept in (("src", sources), ("dst", targets)):
        columns[name] = (np.cumsum(kept) - 1)[columns[name]].astype(np.int32)
    return with_columns(link, columns)


def _kept_inputs(layer: Layer, values: Array, keep: Array) -> Array:
    """Return the inputs of the kept vertices; an id of a removed one becomes 0."""
    if layer.encoding == "values":
        return values[:, keep]
    return np.asarray(np.where(keep, np.cumsum(keep) - 1, 0)[values])
