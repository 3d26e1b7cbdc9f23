"""Reader of tables (`.csv`), gzipped or not; text columns become one-hot columns."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from netgraph.app.data.files.read import read_bytes
from netgraph.app.data.raw import MISSING_MARKS, RawData
from netgraph.columns import Array
from netgraph.errors import DataError, unknown_name

# More distinct texts than this in a column is a name or an identifier, not a category.
_MAX_CATEGORIES = 1000


def read_csv(path: Path, target: str | None) -> RawData:
    """Read a table with a header; number columns are kept, text columns become one-hot columns.

    Cells lose the spaces around them. Labels are the texts of the target column, so that 7, 007 and 7.0 are three of
    them. A first column without a name that counts the rows from 0, as `DataFrame.to_csv` writes, is left out.

    Args:
        path: the file, comma-separated UTF-8, maybe gzipped.
        target: name of the column to predict.

    Returns:
        The table as one split `all`; which columns were one-hot encoded stands in the notes.

    Raises:
        DataError: the table is not regular, or `target` is missing or not one of its columns.
    """
    header, rows, lines = _csv_rows(path)
    if target is None:
        raise DataError(f"{path}: give --target, the column to predict. Columns: {', '.join(header)}.")
    if target not in header:
        raise DataError(f"{path}: {unknown_name('target column', target, header)}")
    columns: dict[str, Sequence[str]] = dict(zip(header, zip(*rows, strict=True), strict=True))
    labels = columns.pop(target)
    texts = np.array(labels, dtype=np.str_)
    targets = _as_numbers(labels)
    index = () if not _counts_rows(columns) else _without_index(columns)
    parsed: dict[str, Array] = {}
    for name, cells in columns.items():
        numbers = _as_numbers(cells)
        parsed[name] = np.array(cells, dtype=np.str_) if numbers is None else numbers
    x, names, notes = encode_table(str(path), parsed)
    stem = path.name.removesuffix(".gz").removesuffix(".csv")
    y = texts if targets is None else targets
    texts_of_numbers = None if targets is None else texts
    return RawData(
        stem, str(path), {"all": (x, y)}, columns=names, target=target, lines=lines, labels=texts_of_numbers,
        notes=(*index, *notes),
    )  # fmt: skip


def _counts_rows(columns: Mapping[str, Sequence[str]]) -> bool:
    """Whether the first of several columns has no name and counts the rows from 0."""
    name, cells = next(iter(columns.items()))
    return name == "" and len(columns) > 1 and all(cell == str(row) for row, cell in enumerate(cells))


def _without_index(columns: dict[str, Sequence[str]]) -> tuple[str, ...]:
    """Take the first column out, and say so."""
    del columns[next(iter(columns))]
    return ("The first column has no name and counts the rows from 0: it was left out. Give it a name to use it.",)


def _csv_rows(path: Path) -> tuple[list[str], list[list[str]], tuple[int, ...]]:
    """Return the header, the rows, all cells stripped, and the line where each ends; blank lines are skipped."""
    try:
        text = read_bytes(path).decode("utf-8-sig")
        reader = csv.reader(io.StringIO(text, newline=""), skipinitialspace=True, strict=True)
        numbered = [(reader.line_num, [cell.strip() for cell in row]) for row in reader if row]
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path} is not comma-separated UTF-8 text ({error}). Save it as such.") from error
    if len(numbered) < 2:
        raise DataError(f"{path} is empty: it has {len(numbered)} lines, but needs a header and samples.")
    header = numbered[0][1]
    if len(header) < 2:
        raise DataError(f"{path} has one column, {header[0]!r}. Separate the columns by commas.")
    if _as_numbers(header) is not None:
        raise DataError(f"{path}: the first line holds numbers. Put the names of the columns there.")
    if len(set(header)) < len(header):
        twice = next(name for name in header if header.count(name) > 1)
        raise DataError(f"{path}: two columns are called {twice!r}. Give each column its own name.")
    for line, row in numbered:
        if len(row) != len(header):
            raise DataError(
                f"{path}, line {line}: {len(row)} cells, but the header names {len(header)} columns. Mend that line."
            )
    return header, [row for _, row in numbered[1:]], tuple(line for line, _ in numbered[1:])


def _as_numbers(cells: Sequence[str]) -> Array | None:
    """Return a column as float64 with NaN for missing cells, or None if some cell is text."""
    try:
        return np.array([_number(cell) for cell in cells], dtype=np.float64)
    except ValueError:
        return None


def _number(cell: str) -> float:
    if cell.lower() in MISSING_MARKS:
        return math.nan
    if "_" in cell:  # float() takes 1_2 for 12, but in a table it is a name
        raise ValueError(cell)
    return float(cell)


def encode_table(source: str, columns: Mapping[str, Array]) -> tuple[Array, tuple[str, ...], tuple[str, ...]]:
    """Join columns to one float array, with a 0/1 column per distinct value of each text column.

    Returns:
        The array (rows, features), the names of its features, and a note about the text columns.
    """
    parts: list[Array] = []
    names: list[str] = []
    encoded: list[str] = []
    for name, column in columns.items():
        if column.dtype.kind != "U":
            parts.append(column[:, None])
            names.append(name)
            continue
        values, codes = np.unique(column, return_inverse=True)
        if len(values) > _MAX_CATEGORIES:
            raise DataError(
                f"{source}: text column {name!r} has {len(values)} distinct values; "
                f"at most {_MAX_CATEGORIES} are one-hot encoded. Drop the column, or replace it by numbers."
            )
        parts.append(np.equal.outer(codes, np.arange(len(values))))
        names.extend(f"{name}={value}" for value in values)
        encoded.append(f"{name} ({len(values)} values)")
    notes = (f"Text columns were one-hot encoded: {', '.join(encoded)}.",) if encoded else ()
    return np.concatenate(parts, axis=1, dtype=np.float64), tuple(names), notes
