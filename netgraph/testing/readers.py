"""Readers: functions that make graphs of the networks of other packages, found by entry points."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from netgraph.errors import OptionError
from netgraph.graph import Graph

GROUP = "netgraph.readers"
"""Group of entry points. Each names a function `reader(value, example, domain) -> Graph | None`.

It returns None for values that are not its own. `example` and `domain` are those of `assert_same_function`.
"""

Reader = Callable[[Any, Any, Any], Graph | None]


def as_graph(value: Any, example: Any, domain: Any) -> Graph:
    """Return a graph as it is, and any other network as the first reader that knows it reads it.

    Raises:
        OptionError: when no reader takes the value.
    """
    if isinstance(value, Graph):
        return value
    missing: list[str] = []
    for entry, reader in _readers(missing):
        graph = reader(value, example, domain)
        if graph is None:
            continue
        if not isinstance(graph, Graph):
            raise OptionError(
                f"The reader {entry.name!r} ({entry.value}) returned {type(graph).__name__}, not a Graph."
            )
        return graph
    known = ", ".join(repr(entry.name) for entry in entry_points(group=GROUP)) or "none"
    raise OptionError(
        f"{type(value).__module__}.{type(value).__qualname__} is no Graph, and no reader of the entry points {GROUP!r} "
        f"takes it (installed: {known}{''.join(missing)}). Give graphs, or install the package that reads it."
    )


def _readers(missing: list[str]) -> Iterator[tuple[EntryPoint, Reader]]:
    """Yield the installed readers; a text is added to `missing` for each that lacks a package."""
    for entry in entry_points(group=GROUP):
        try:
            yield entry, entry.load()
        except ModuleNotFoundError as error:
            missing.append(f"; {entry.name!r} needs {error.name}")
