"""Edge lists: a table of edges and a table of vertices, as CSV or TSV."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from netgraph.columns import Array
from netgraph.exchange.rows import TextCell, table
from netgraph.graph import GraphColumns


def edge_list(columns: GraphColumns, separator: str) -> Iterator[str]:
    """Yield the text of a table of edges: ids of source and target, weight, and all other columns."""
    ids = columns.vertices["id"]
    ends = {name: ids[columns.edges[name]] for name in ("source", "target")}
    order = [*ends, *(["weight"] if "weight" in columns.edges else [])]
    found = {**columns.edges, **ends}
    yield from _table({name: found[name] for name in dict.fromkeys([*order, *found])}, separator)


def vertex_list(columns: GraphColumns, separator: str) -> Iterator[str]:
    """Yield the text of a table of vertices: all columns."""
    yield from _table(columns.vertices, separator)


def _table(columns: Mapping[str, Array], separator: str) -> Iterator[str]:
    def quote(text: str) -> str:
        if not any(mark in text for mark in (separator, '"', "\n", "\r")):
            return text
        return '"' + text.replace('"', '""') + '"'

    yield separator.join(map(quote, columns)) + "\n"
    cells = [TextCell(separator if at else "", values, kept=True) for at, values in enumerate(columns.values())]
    yield from table(cells, quote, end="\n")
