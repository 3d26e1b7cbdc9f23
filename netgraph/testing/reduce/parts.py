"""Cases without some part: a layer, a link, a vertex, an edge, or a slot of a head."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from netgraph.graph import Layer, Link
from netgraph.testing.cases import Case
from netgraph.testing.plants import with_columns
from netgraph.testing.reduce.rebuild import parts, rebuild, without_rows


def without_layers(case: Case) -> Iterator[Case]:
    """Yield the case without one of the layers and its links, and without what merges with it."""
    for gone in case.graph.layers_by_id:
        yield from without_rows(case, case.graph.vertices.layer == gone)


def spliced(case: Case) -> Iterator[Case]:
    """Yield the case without one of the hidden layers, whose incoming or outgoing links are kept.

    Outgoing links start at one of the layer's sources or at an input, or incoming links end at one of the layer's
    targets.
    """
    layers, links = parts(case)
    for gone in layers:
        into, out = case.graph.incoming[gone.id], case.graph.outgoing[gone.id]
        if gone.role != "hidden" or not out:
            continue
        rest = [layer for layer in layers if layer is not gone]
        others = [k for k in links if gone.id not in (k.source, k.target)]
        sources = [case.graph.layer(k.source) for k in into if gone.merge is not None] or [
            case.graph.layer(into[0].source) if into else case.graph.inputs[0]
        ]
        for source in sources:
            yield from rebuild(case, rest, others + [_move_end(k, "source", "src", source) for k in out])
        for k in out if into and gone.merge is None else ():
            yield from rebuild(
                case, rest, [*others, *(_move_end(j, "target", "dst", case.graph.layer(k.target)) for j in into)]
            )


def _move_end(link: Link, end: str, rows: str, layer: Layer) -> Link:
    """Return the link with one end at another layer, without edges whose row that layer does not have."""
    keep = getattr(link, rows) < len(layer)
    columns = {name: v[keep] for name, v in link.columns.items()}
    return with_columns(link, columns, **{end: layer.id})


def without_links(case: Case) -> Iterator[Case]:
    """Yield the case without one of the links."""
    layers, links = parts(case)
    for gone in links:
        yield from rebuild(case, layers, [k for k in links if k is not gone])


def without_vertices(case: Case) -> Iterator[Case]:
    """Yield the case without one of the vertices and its edges, and without heads and channels that need it."""
    vertices = case.graph.vertices
    for i, layer in case.graph.layers_by_id.items():
        if layer.role == "position" or len(layer) == 1:
            continue
        for row in reversed(range(len(layer))):
            yield from without_rows(case, np.arange(len(vertices)) == vertices.offset(i) + row)


def without_slots(case: Case) -> Iterator[Case]:
    """Yield the case without one slot of a head: its wire from the queries, and the one from the keys."""
    edges = case.graph.edges
    for i, layer in case.graph.layers_by_id.items():
        if layer.merge is None or not layer.merge.slotted:
            continue
        into = (case.graph.vertices.layer[edges.target_row] == i) & (edges.port == 0)
        for row in reversed(np.flatnonzero(into).tolist()):
            yield from without_rows(case, np.zeros(len(case.graph.vertices), bool), np.arange(len(edges)) == row)


def without_edges(case: Case) -> Iterator[Case]:
    """Yield the case without one of the edges, apart from those of merges."""
    layers, links = parts(case)
    for place, link in enumerate(links):
        if case.graph.layer(link.target).merge is not None:
            continue
        for row in range(len(link)):
            columns = {name: np.delete(v, row) for name, v in link.columns.items()}
            yield from rebuild(case, layers, [*links[:place], with_columns(link, columns), *links[place + 1 :]])
