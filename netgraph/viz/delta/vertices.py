"""Picture of the changes of a rewrite, with one circle per vertex."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from netgraph.columns import Array
from netgraph.graph import Graph
from netgraph.viz.arrows import link_ends, most_important, pairs_of, room_for
from netgraph.viz.colors import (
    ADDED,
    ADDED_FILL,
    CHANGED,
    CHANGED_FILL,
    FAINT,
    GRAY,
    PAPER,
    QUIET,
    REMOVED,
    REMOVED_FILL,
)
from netgraph.viz.delta.difference import Difference
from netgraph.viz.dot import Notes
from netgraph.viz.layout import Layout, Pixels, layout
from netgraph.viz.vertices import Arrows, circle, draw_arrows, empty_picture, frame

FRAMES = {
    "added": {"line": ADDED, "penwidth": "2.2"},
    "removed": {"line": REMOVED, "penwidth": "1.6", "style": "rounded,dashed"},
    "changed": {"line": CHANGED, "penwidth": "2"},
    "kept": {"line": GRAY},
}
_CIRCLES = {
    "added": {"fillcolor": ADDED_FILL, "color": ADDED, "penwidth": "2"},
    "removed": {"fillcolor": REMOVED_FILL, "color": REMOVED, "penwidth": "1.4", "style": "filled,dashed"},
    "changed": {"fillcolor": CHANGED_FILL, "color": CHANGED, "penwidth": "1.6"},
    "kept": {"fillcolor": PAPER, "color": GRAY, "fontcolor": QUIET},
}
# In drawing order: later ones cover earlier ones.
_EDGES = {
    "kept": {"color": FAINT, "penwidth": "0.7"},
    "changed": {"color": CHANGED, "penwidth": "1.4"},
    "removed": {"color": REMOVED, "penwidth": "1.2", "style": "dashed"},
    "added": {"color": ADDED, "penwidth": "1.9"},
}
LEGEND = [(ADDED, "added"), (REMOVED, "removed (dashed)"), (CHANGED, "values changed"), (FAINT, "kept")]


def vertex_delta_dot(difference: Difference, title: str | None, facts: Sequence[str], pixels: Pixels | None) -> str:
    """Draw both graphs in one picture, as DOT, each item with the colour of its state.

    Args:
        difference: the changes.
        title: heading, or None.
        facts: lines of the legend.
        pixels: shape of the input, see `layout`.
    """
    places = layout([difference.old, difference.new], pixels=pixels)
    dot = empty_picture(places)
    _frames(dot, places, difference)
    _circles(dot, places, difference)
    groups = _groups(difference, room_for(places.height))
    top, bottom = draw_arrows(dot, places, _together(groups))
    notes = Notes(dot, top, bottom)
    notes.title(title)
    for fact in facts:
        notes.line(fact)
    for group in groups:
        if len(group.rows) < group.total:
            notes.line(
                f"{len(group.rows):,} of {group.total:,} arrows of what was {group.name} are drawn, "
                "the largest by |weight|."
            )
    notes.colors("Colours", LEGEND)
    return str(dot.source)


def _frames(dot: Any, places: Layout, difference: Difference) -> None:
    old, new = difference.old.layers_by_id, difference.new.layers_by_id
    for i in places.frames:
        frame(dot, places, new.get(i) or old[i], **FRAMES[difference.layer_state(i)])


def _circles(dot: Any, places: Layout, difference: Difference) -> None:
    state = np.where(difference.vertices_added, "added", np.where(difference.vertices_changed, "changed", "kept"))
    removed = difference.old.vertices.id[difference.vertices_removed]
    now = difference.new.vertices.id
    gone = removed[~np.isin(removed, now)]
    states = [*state.tolist(), *["removed"] * len(gone)]
    ids = np.concatenate([now, gone])
    for i, name, where in zip(ids.tolist(), states, places.places(ids).tolist(), strict=True):
        circle(dot, places, i, where, f"vertex {i}: {name}", **_CIRCLES[name])


@dataclass(frozen=True, eq=False)
class _Group:
    """Edges in one state, "added" for example.

    Attributes:
        name: the state.
        graph: the graph that has these edges.
        rows: rows of the edges that are drawn, in the table of edges of the graph.
        total: number of arrows if all edges were drawn.
    """

    name: str
    graph: Graph
    rows: Array
    total: int


def _groups(difference: Difference, room: int) -> list[_Group]:
    new, old = difference.new, difference.old
    masks = {
        "kept": difference.edges_kept,
        "changed": difference.edges_changed,
        "removed": difference.edges_removed,
        "added": difference.edges_added,
    }
    groups = []
    for name in _EDGES:
        graph = old if name == "removed" else new
        table = graph.edges.where(masks[name])
        importance = np.abs(table.weight.astype(np.float64))
        pairs = pairs_of(table, importance)
        limit = room // 2
        chosen = most_important(table.link[pairs.row], importance[pairs.row], limit) if len(pairs) else pairs.row
        groups.append(_Group(name, graph, table.rows[pairs.row[chosen]], len(pairs)))
    return groups


def _together(groups: Sequence[_Group]) -> Arrows:
    columns: list[Array] = []
    attributes: list[dict[str, str]] = []
    for group in groups:
        edges, rows = group.graph.edges, group.rows
        ends = link_ends(group.graph)[edges.link[rows]]
        columns.append(np.stack([edges.source[rows], edges.target[rows], ends[:, 0], ends[:, 1]]))
        attributes += [{**_EDGES[group.name], "tooltip": f"edge {i}: {group.name}"} for i in edges.id[rows].tolist()]
    source, target, source_layer, target_layer = np.concatenate(columns, axis=1)
    return Arrows(source, target, source_layer, target_layer, attributes)
