"""Arguments that pictures share: graphs, graphs of one history, headings."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from netgraph.errors import GraphError, OptionError
from netgraph.graph import Graph, check_one_history

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


def check_history(*graphs: Graph) -> None:
    """Raise `OptionError` when the ids of graphs that follow one another do not mean the same, see `check_one_history`.

    Cost: O(edges + vertices), up to sorting.
    """
    for old, new in pairwise(graphs):
        try:
            check_one_history(old, new)
        except GraphError as error:
            raise OptionError(
                f"The graphs are not of one history: {error}. Give graphs that rewrites lead from one to "
                "another, such as those of `Journal.replay()` or of a Result."
            ) from None


def _shown(value: Any) -> str:
    """A value in few letters, with its type."""
    name = type(value).__name__
    if value is None or isinstance(value, int | float | str):
        return "None" if value is None else f"{repr(value)[:60]} ({name})"
    return f"a {name}"
