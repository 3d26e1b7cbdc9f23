"""Readers: functions that make graphs of the networks of other packages, found by entry points."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from importlib.metadata import entry_points
from typing import Any

from netgraph.errors import OptionError
from netgraph.graph import Graph

GROUP = "netgraph.readers"
"""Group of entry points. Each names a function `reader(value, example, domain) -> (graph, order)`.

It returns None for values that are not its own. `example` and `domain` are those of `assert_same_function`; the graph
declares the domain. `order` is equal for two networks whose inputs and outputs have the same shapes and the same order
of numbers, so that rows and positions of the graphs correspond.
"""

Reader = Callable[[Any, Any, Any], tuple[Graph, Hashable] | None]


def read(value: Any, example: Any, domain: Any) -> tuple[Graph, Hashable]:
    """Graph and order of a network: a graph as it is, and any other value as the first reader that knows it reads it.

    Raises:
        OptionError: when no reader takes the value.
    """
    if isinstance(value, Graph):
        return value, None
    missing: list[str] = []
    for reader in _readers(missing):
        if (found := reader(value, example, domain)) is not None:
            return found
    known = ", ".join(repr(entry.name) for entry in entry_points(group=GROUP)) or "none"
    raise OptionError(
        f"{type(value).__module__}.{type(value).__qualname__} is no Graph, and no reader of the entry points {GROUP!r} "
        f"takes it (installed: {known}{''.join(missing)}). Give graphs, or install the package that reads it."
    )


def _readers(missing: list[str]) -> Iterator[Reader]:
    """Yield the installed readers; a text is added to `missing` for each that lacks a package."""
    for entry in entry_points(group=GROUP):
        try:
            yield entry.load()
        except ModuleNotFoundError as error:
            missing.append(f"; {entry.name!r} needs {error.name}")
