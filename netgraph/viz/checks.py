"""Arguments that pictures share: graphs, graphs of one history, headings."""

from __future__ import annotations

from typing import Any

import numpy as np

from netgraph.errors import OptionError
from netgraph.graph import Graph
from netgraph.graph.columns import Array

_INSTEAD = {
    "CompiledNetwork": "lift it first: lift(net)",
    "Result": "give its .graph, or draw_delta(result)",
    "Drawing": "give its .graph",
}


def check_graph(value: Any, place: str) -> None:
    """Raise `OptionError` when a value is no graph.

    Args:
        value: what was given.
        place: for what, as in `draw`.
    """
    if not isinstance(value, Graph):
        name = type(value).__name__
        remedy = f"; {_INSTEAD[name]}" if name in _INSTEAD else ""
        raise OptionError(f"{place} needs a Graph, not {_shown(value)}{remedy}.")


def check_title(title: Any) -> None:
    """Raise `OptionError` when a heading is no text."""
    if not (title is None or isinstance(title, str)):
        raise OptionError(f"title must be a text or None, not {_shown(title)}.")


def check_history(old: Graph, new: Graph) -> None:
    """Raise `OptionError` when two graphs cannot be of one history.

    Lineages do not tell: undoing leads back to an earlier one, and a thinned start has another one than the dense
    graph. What both had from the start does: layers of an id have one role, and those of inputs and outputs one
    size; vertices of an id have one layer, and edges of an id the same ends. Branches of one start, whose rewrites
    give the same ids to different things, pass.

    Cost: O(edges + vertices), up to sorting.
    """
    if old is new:
        return
    before, after = old.layers_by_id, new.layers_by_id
    for i in before.keys() & after.keys():
        if before[i].role != after[i].role:
            raise _unrelated(f"layer {i} has role {before[i].role} in one and {after[i].role} in the other")
        sizes = len(before[i]), len(after[i])
        if before[i].role != "hidden" and sizes[0] != sizes[1]:
            raise _unrelated(
                f"layer {i} ({before[i].role}) has {sizes[0]:,} vertices in one and {sizes[1]:,} in the other"
            )
    for kind, columns, a, b in (
        ("vertex", ("layer",), old.vertices, new.vertices),
        ("edge", ("source", "target", "tap", "port"), old.edges, new.edges),
    ):
        rows = a.find(b.id)
        there = np.flatnonzero(rows >= 0)
        there = there[(a.birth[rows[there]] == 0) & (b.birth[there] == 0)]
        for name in columns:
            one, other = getattr(a, name)[rows[there]], getattr(b, name)[there]
            differ: Array = np.flatnonzero(one != other)
            if len(differ):
                at = differ[0]
                raise _unrelated(f"{kind} {b.id[there[at]]} has {name} {one[at]} in one and {other[at]} in the other")


def _unrelated(how: str) -> OptionError:
    return OptionError(
        f"The graphs are not of one history: {how}. Give graphs that rewrites lead from one to "
        "another, such as those of `Journal.replay()` or of a Result."
    )


def _shown(value: Any) -> str:
    """A value in few letters, with its type."""
    name = type(value).__name__
    if value is None or isinstance(value, int | float | str):
        return "None" if value is None else f"{repr(value)[:60]} ({name})"
    return f"a {name}"
