"""Checks of the arguments that several pictures share: graphs, histories of graphs, titles."""

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
    """Raise `OptionError` when an argument is not a graph.

    Args:
        value: the argument.
        place: function or plot that needs the graph, for the message, such as "draw".
    """
    if not isinstance(value, Graph):
        name = type(value).__name__
        remedy = f"; {_INSTEAD[name]}" if name in _INSTEAD else ""
        raise OptionError(f"{place} needs a Graph, not {_shown(value)}{remedy}.")


def check_title(title: Any) -> None:
    """Raise `OptionError` when a title is neither a text nor None."""
    if not (title is None or isinstance(title, str)):
        raise OptionError(f"title must be a text or None, not {_shown(title)}.")


def check_history(*graphs: Graph) -> None:
    """Raise `OptionError` when two consecutive graphs are not of one history, see `check_one_history`.

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
    """Short description of a value and its type."""
    name = type(value).__name__
    if value is None or isinstance(value, int | float | str):
        return "None" if value is None else f"{repr(value)[:60]} ({name})"
    return f"a {name}"
