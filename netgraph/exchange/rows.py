"""Rows of columns as text: one text per row, made of a template and the values of the row."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from netgraph.columns import Array
from netgraph.graph import without_value

Quote = Callable[[str], str]

CHUNK = 1 << 16
"""Number of rows of which texts are made at a time."""


class TextCell(NamedTuple):
    """One column in the text of a row: `before`, the value, `after`.

    In rows without a value nothing stands there, or the value alone is left out where the text is `kept`.
    """

    before: str
    values: Array
    after: str = ""
    kept: bool = False


def row_texts(cells: Sequence[TextCell], quote: Quote, *, end: str = "") -> Iterator[list[str]]:
    """Yield the texts of many rows at a time, each made of its cells and `end`.

    Args:
        cells: cells with columns of the same length.
        quote: function that escapes a text for its place.
        end: text after the last cell of each row.

    Cost: O(rows * cells); a text per cell and per row.
    """
    for start in range(0, len(cells[0].values), CHUNK):
        template, parts = [], []
        for before, values, after, kept in cells:
            part = values[start : start + CHUNK]
            gaps, found = without_value(part), value_texts(part, quote)
            if gaps.any() and kept:
                found = ["" if gap else text for gap, text in zip(gaps.tolist(), found, strict=True)]
            if gaps.any() and not kept:
                found = [
                    "" if gap else f"{before}{text}{after}" for gap, text in zip(gaps.tolist(), found, strict=True)
                ]
                template.append("%s")
            else:
                template.append(f"{before.replace('%', '%%')}%s{after.replace('%', '%%')}")
            parts.append(found)
        whole = "".join([*template, end.replace("%", "%%")])
        yield [whole % row for row in zip(*parts, strict=True)]


def table(cells: Sequence[TextCell], quote: Quote, *, end: str = "") -> Iterator[str]:
    """Yield the texts of rows one after the other, many at a time; arguments are those of `row_texts`."""
    for found in row_texts(cells, quote, end=end):
        yield "".join(found)


def value_texts(values: Array, quote: Quote) -> list[str]:
    """Return the text of each value: numbers in the fewest digits that give them back, `true`, `Infinity`, `NaN`."""
    if values.dtype == object:
        distinct = {text: quote(text) for text in set(values.tolist())}
        return [distinct[text] for text in values.tolist()]
    if values.dtype.kind == "b":
        return ["true" if value else "false" for value in values.tolist()]
    if values.dtype.kind != "f":
        return list(map(str, values.tolist()))
    with np.errstate(over="ignore", invalid="ignore"):
        short: list[str] = values.astype(str).tolist()
        exact = np.array(short, np.float64).astype(values.dtype) == values
    found = short
    if not exact.all():
        exactly = zip(short, values.tolist(), exact.tolist(), strict=True)
        found = [text if same else _plain(value) for text, value, same in exactly]
    if np.isinf(values).any():
        found = [text.replace("inf", "Infinity") for text in found]
    return found


def _plain(value: float) -> str:
    return "NaN" if np.isnan(value) else repr(value)
