"""Edge lists in files: graphs of tables of edges and of vertices, as CSV or TSV."""

from __future__ import annotations

import csv
import io
import os
from pathlib import Path
from typing import Any

import numpy as np

from netgraph.columns import Array
from netgraph.errors import FileFormatError, GraphError
from netgraph.exchange.arrays import from_edges
from netgraph.graph import DAG_TEXTS, REMEDY_WHOLE, Graph, dag_values
from netgraph.storage import read_file

_ENDS = ("source", "target")


def vertices_beside(path: Path) -> Path:
    """Path of the table of vertices that belongs to a table of edges: `edges.vertices.csv` for `edges.csv`."""
    return path.with_name(f"{path.stem}.vertices{path.suffix}")


def read_edges(path: Path, most: int, **options: Any) -> Graph:
    """Read a table of edges, and the table of vertices beside it where there is one.

    Raises:
        FileFormatError: for a file that is no such table.
        GraphError: for edges that make no graph, or that no edge list can describe.
    """
    edges = _columns(path, most, headless=True)
    _refuse_places(edges, path)
    numbers: dict[str, Any] = {"weight": _numbers(edges, "weight", path)} if "weight" in edges else {}
    if "id" in edges:
        numbers["ids"] = _whole(edges["id"], "id", path)
    if "frozen" in edges:
        numbers["frozen"] = np.array([text.lower() in ("true", "1") for text in edges["frozen"]], bool)
    beside = vertices_beside(path)
    vertices: dict[str, Any] | None = None
    names: list[Any] = [edges[name] for name in _ENDS]
    if beside.exists():
        found = _columns(beside, most, headless=False)
        if "id" not in found:
            raise FileFormatError(
                f"{os.fspath(beside)!r} has no column 'id', only {', '.join(found)}; add it, or rename the file."
            )
        vertices = {name: found[name] for name in DAG_TEXTS if name in found}
        vertices |= {name: _numbers(found, name, beside) for name in dag_values() & found.keys()}
        names.append(found["id"])
    if all(text.isdecimal() for column in names for text in column):
        names = [[int(text) for text in column] for column in names]
    if vertices is not None:
        vertices["id"] = names[2]
    try:
        return from_edges(names[0], names[1], vertices=vertices, **numbers, **options)
    except GraphError as error:
        raise GraphError(f"{os.fspath(path)!r}: {error}") from None


def _columns(path: Path, most: int, *, headless: bool) -> dict[str, list[str]]:
    """Columns of a table by name, in lower case; without a heading, columns are source, target and weight."""
    where = repr(os.fspath(path))
    try:
        text = read_file(path, most).decode("utf-8-sig")
        rows = [
            row
            for row in csv.reader(io.StringIO(text, newline=""), delimiter="\t" if path.suffix == ".tsv" else ",")
            if row
        ]
    except (UnicodeDecodeError, csv.Error) as error:
        raise FileFormatError(f"{where} is no table in UTF-8: {error}.") from None
    if not rows:
        raise FileFormatError(f"{where} is empty; give a heading, source,target,weight, and a line per edge.")
    heading = [name.strip().lower() for name in rows[0]]
    if headless and not set(_ENDS) <= set(heading):
        if len(heading) not in (2, 3) or set(_ENDS) & set(heading):
            raise FileFormatError(f"{where} has the columns {', '.join(rows[0])}; name two of them source and target.")
        heading, rows = ["source", "target", "weight"][: len(heading)], [[], *rows]
    if len(set(heading)) < len(heading):
        twice = next(name for at, name in enumerate(heading) if name in heading[:at])
        raise FileFormatError(f"{where} has two columns {twice!r}; rename one.")
    for line, row in enumerate(rows[1:], 2):
        if len(row) != len(heading):
            raise FileFormatError(f"{where}, row {line}: {len(row)} cells for {len(heading)} columns.")
    columns = zip(*rows[1:], strict=True) if len(rows) > 1 else [() for _name in heading]
    return {name: list(values) for name, values in zip(heading, columns, strict=True)}


def _numbers(columns: dict[str, list[str]], name: str, path: Path) -> Array:
    """A column of numbers; NaN for empty cells of vertices."""
    texts = columns[name]
    try:
        return np.array([text or "nan" for text in texts], np.str_).astype(np.float64)
    except ValueError:
        row = next(at for at, text in enumerate(texts) if not _is_number(text))
        raise FileFormatError(f"{os.fspath(path)!r}, row {row + 2}: {name} {texts[row]!r} is no number.") from None


def _is_number(text: str) -> bool:
    try:
        float(text or "nan")
    except ValueError:
        return False
    return True


def _whole(texts: list[str], name: str, path: Path) -> Array:
    try:
        return np.array([int(text) for text in texts], np.int64)
    except (ValueError, OverflowError):
        row = next(at for at, text in enumerate(texts) if not text.isdecimal() or len(text) > 18)
        raise FileFormatError(
            f"{os.fspath(path)!r}, row {row + 2}: {name} {texts[row]!r} is no whole number."
        ) from None


def _refuse_places(edges: dict[str, list[str]], path: Path) -> None:
    """Refuse edges with a place in a kernel, and edges into the port of a merge."""
    for name, meaning in (("tap", "a position in a kernel"), ("port", "an operand of a merge")):
        for row, text in enumerate(edges.get(name, ())):
            if text not in ("", "0"):
                ends = " -> ".join(edges[end][row] for end in _ENDS)
                raise GraphError(
                    f"{os.fspath(path)!r}, row {row + 2}: the edge {ends} has the {name} {text}, {meaning}, which a "
                    f"plain DAG has not. {REMEDY_WHOLE}"
                )
