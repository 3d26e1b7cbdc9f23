"""Picture of the changes of a rewrite, with one box per layer."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence, Set

import numpy as np

from netgraph.columns import Array
from netgraph.graph import Layer, LinkKey
from netgraph.markup import shortened
from netgraph.viz.colors import (
    ADDED,
    ADDED_FILL,
    CHANGED,
    CHANGED_FILL,
    FAINT,
    GRAY,
    INK,
    PAPER,
    QUIET,
    REMOVED,
    REMOVED_FILL,
)
from netgraph.viz.delta.difference import Difference
from netgraph.viz.dot import caption
from netgraph.viz.fold import MOST_ARROWS, Box, fold
from netgraph.viz.layers import GAP_LOOK, Page, gap_line, group_lines, group_note, links_by_arrow, order_and_kin, shape
from netgraph.viz.layout import columns
from netgraph.viz.text import format_count, literal, plain, visible
from netgraph.viz.words import operation_names, port_line, vertex_noun

_BOXES = {
    "added": {"fillcolor": ADDED_FILL, "color": ADDED, "penwidth": "2.4"},
    "removed": {"fillcolor": REMOVED_FILL, "color": REMOVED, "penwidth": "1.6", "style": "rounded,filled,dashed"},
    "changed": {"fillcolor": CHANGED_FILL, "color": CHANGED, "penwidth": "2"},
    "kept": {"fillcolor": PAPER, "color": GRAY, "fontcolor": QUIET},
}
_LEGEND = "Green: added. Red: removed (dashed: all of it). Amber: changed, or both added and removed. Grey: kept."

Tally = Mapping[str, int]
"""Numbers of vertices or edges by their state: "added", "changed", "kept" and "removed"."""


def layer_delta_dot(difference: Difference, title: str | None, facts: Sequence[str]) -> str:
    """Draw both graphs in one picture, as DOT, with the numbers of changes at boxes and arrows.

    Args:
        difference: the changes.
        title: heading, or None.
        facts: lines below it.
    """
    layers = {**difference.old.layers_by_id, **difference.new.layers_by_id}
    vertices, links = _vertex_tallies(difference), _link_tallies(difference)
    kinds = {**difference.old.links_by_key, **difference.new.links_by_key}
    states = {i: _state(difference, i, vertices[i]) for i in layers}
    touched = _touched(layers, vertices, links, states)
    near = set(touched)
    marks = {i: (states[i], i in near) for i in layers}
    order, kin = order_and_kin(columns([difference.old, difference.new]), layers, kinds, marks)
    pairs = list(dict.fromkeys((source, target) for source, target, _port in links))
    boxes = fold(order, pairs, kin, touched)
    page = Page(boxes, pairs)
    for box in boxes:
        _box(page, box, layers, vertices, states)
    page.frame_blocks(boxes)
    notes = _arrows(page, boxes, layers, links, {key for key, link in kinds.items() if link.kind.wires})
    caption(page.dot, title, [*facts, _LEGEND, *notes, *group_note(boxes)])
    return str(page.dot.source)


def _vertex_tallies(difference: Difference) -> dict[int, dict[str, int]]:
    old, new = difference.old.vertices, difference.new.vertices
    kept = ~difference.vertices_added & ~difference.vertices_changed
    owners = {
        "added": new.layer[difference.vertices_added],
        "changed": new.layer[difference.vertices_changed],
        "kept": new.layer[kept],
        "removed": old.layer[difference.vertices_removed],
    }
    result: dict[int, dict[str, int]] = defaultdict(lambda: dict.fromkeys(owners, 0))
    for name, layer in owners.items():
        for i, n in zip(*(column.tolist() for column in np.unique(layer, return_counts=True)), strict=True):
            result[i][name] = n
    return result


def _link_tallies(difference: Difference) -> dict[LinkKey, dict[str, int]]:
    new, old = difference.new, difference.old
    masks = {
        "added": (new, difference.edges_added),
        "changed": (new, difference.edges_changed),
        "kept": (new, difference.edges_kept),
        "removed": (old, difference.edges_removed),
    }
    result: dict[LinkKey, dict[str, int]] = {
        key: dict.fromkeys(masks, 0) for key in {**old.links_by_key, **new.links_by_key}
    }
    for name, (graph, mask) in masks.items():
        sums = _sums(mask, graph.edges.offsets)
        for key, n in zip(graph.links_by_key, sums, strict=True):
            result[key][name] = n
    return result


def _sums(mask: Array, offsets: Array) -> list[int]:
    running = np.concatenate([[0], np.cumsum(mask)])
    return [int(n) for n in np.diff(running[offsets])]


def _state(difference: Difference, i: int, tally: Tally) -> str:
    state = difference.layer_state(i)
    return "changed" if state == "kept" and _moved(tally) else state


def _moved(tally: Tally) -> int:
    return tally["added"] + tally["removed"] + tally["changed"]


def _touched(
    layers: Mapping[int, Layer],
    vertices: Mapping[int, Tally],
    links: Mapping[LinkKey, Tally],
    states: Mapping[int, str],
) -> list[int]:
    """Ids of layers that were added, removed or changed, or have such links, the most important first."""
    changes = {i: _moved(vertices[i]) + (states[i] != "kept") for i in layers}
    for (source, target, _port), tally in links.items():
        for i in (source, target):
            changes[i] += _moved(tally)
    # An added or removed layer matters more than its neighbours, which only gained or lost edges to it.
    rank = {"added": 2, "removed": 2, "changed": 1, "kept": 0}
    touched = [i for i, n in changes.items() if n]
    return sorted(touched, key=lambda i: (-rank[states[i]], -changes[i]))


# ---- boxes and arrows ----------------------------------------------------------------------------------


def _box(
    page: Page, box: Box, layers: Mapping[int, Layer], tallies: Mapping[int, Tally], states: Mapping[int, str]
) -> None:
    own = [layers[i] for i in box.layers]
    tally = _total([tallies[i] for i in box.layers])
    lines = _vertex_lines(tally, *vertex_noun(own[0])) if box.kind == "layer" else _vertex_lines(tally)
    if box.kind == "gap":
        page.box(box, [gap_line(box), *lines], 1, (), **GAP_LOOK)
        return
    first, state = own[0], states[box.layers[0]]
    size = tally["kept"] + tally["added"] + tally["changed"] + tally["removed"]
    if box.kind == "group":
        page.box(box, [*group_lines(own), *lines], size, operation_names(first), peripheries="2", **_BOXES[state])
        return
    name = shortened(visible(first.name))
    does = [line for line in operation_names(first) if line != name]
    look = {**shape(first), **_BOXES[state]}
    page.box(box, [plain(name), *lines], size, does, tooltip=literal(first.name), **look)


def _total(tallies: Sequence[Tally]) -> dict[str, int]:
    return {name: sum(tally[name] for tally in tallies) for name in ("added", "changed", "kept", "removed")}


def _vertex_lines(tally: Tally, one: str = "vertex", many: str = "vertices") -> list[str]:
    lines = [_came_and_went(tally, one, many)] if tally["added"] or tally["removed"] else []
    lines += [f"{tally['changed']:,} changed"] if tally["changed"] else []
    lines += [f"{format_count(tally['kept'], one, many)} kept"] if tally["kept"] or not lines else []
    return lines


def _came_and_went(tally: Tally, one: str, many: str) -> str:
    """Format the added and removed numbers, as in `+1,200 / -640 edges`; a number of 0 is left out."""
    numbers = [("+", tally["added"]), ("-", tally["removed"])]
    said = [(sign, n) for sign, n in numbers if n]
    noun = one if len(said) == 1 and said[0][1] == 1 else many
    return f"{' / '.join(f'{sign}{n:,}' for sign, n in said)} {noun}"


def _arrows(
    page: Page,
    boxes: Sequence[Box],
    layers: Mapping[int, Layer],
    links: Mapping[LinkKey, Tally],
    wires: Set[LinkKey],
) -> list[str]:
    keys, tallies = list(links), list(links.values())
    arrows = links_by_arrow(boxes, links)
    total = {ends: _total([tallies[at] for at in members]) for ends, members in arrows.items()}
    drawn = set(sorted(arrows, key=lambda ends: (-_moved(total[ends]), -total[ends]["kept"]))[:MOST_ARROWS])
    for ends, members in arrows.items():
        if ends in drawn:
            source, target, port = ends
            alone = source.kind == target.kind == "layer"
            lines = port_line(layers[target.layers[0]], port) if alone else []
            for noun, own in (("edge", False), ("wire", True)):
                of_kind = [tallies[at] for at in members if (keys[at] in wires) is own]
                lines += _edge_lines(_total(of_kind), noun) if of_kind else []
            page.arrow(source, target, lines, sum(total[ends].values()), **_arrow_look(total[ends]))
    missing = len(arrows) - len(drawn)
    return [f"The {missing:,} arrows with the fewest changes are left out."] if missing else []


def _edge_lines(tally: Tally, noun: str) -> list[str]:
    lines = [_came_and_went(tally, noun, f"{noun}s")] if tally["added"] or tally["removed"] else []
    lines += [f"{tally['changed']:,} changed"] if tally["changed"] else []
    return lines + ([f"{format_count(tally['kept'], noun)} kept"] if tally["kept"] or not lines else [])


def _arrow_look(tally: Tally) -> dict[str, str]:
    if tally["removed"] and not tally["added"]:
        gone = {} if tally["kept"] or tally["changed"] else {"style": "dashed"}
        return {"color": REMOVED, "fontcolor": REMOVED, **gone}
    if tally["added"] and not tally["removed"]:
        return {"color": ADDED, "fontcolor": ADDED}
    if _moved(tally):
        return {"color": CHANGED, "fontcolor": INK}
    return {"color": FAINT}
