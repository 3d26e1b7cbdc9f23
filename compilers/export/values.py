"""Values of a forward: how layers lie in tensors, and text that picks and moves them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from compilers.export.forms import span
from compilers.export.text import SourceText
from netgraph.columns import Array
from netgraph.graph import Graph, Grid, Layer


@dataclass(frozen=True, eq=False)
class Value:
    """The values of a layer in the text of a forward.

    Numbers and tokens have their vertices on the last axis, `(batch, vertices)` and `(batch, tokens, vertices)`, as
    `torch.nn.Linear` reads them. Maps and heads have them behind the batch, `(batch, vertices, *grid)`.

    Attributes:
        name: name of the variable.
        layer: the layer.
        index: name of the variable with the whole numbers of an input with encoding "index".
    """

    name: str
    layer: Layer
    index: str = ""

    @property
    def last(self) -> bool:
        """Whether the vertices are the last axis."""
        return features_last(self.layer.output_grid)


class LayerWriter:
    """Writer of a part of the layers.

    Args:
        graph: the graph.
        text: the text.
        values: values of the layers written so far, by layer id.
    """

    def __init__(self, graph: Graph, text: SourceText, values: dict[int, Value]) -> None:
        self._graph, self._text, self._values = graph, text, values


def features_last(grid: Grid) -> bool:
    """Whether layers of a grid have their vertices on the last axis."""
    return len(grid) < 2


def picked(text: SourceText, value: str, rows: Array, width: int, *, last: bool, name: str) -> str:
    """Text of the vertices `rows` of a value with `width` vertices; row -1 gives zeros."""
    if len(rows) == width and (rows == np.arange(width)).all():
        return value
    axis = "..., " if last else ":, "
    known = rows[rows >= 0]
    ends = span(known)
    if ends is not None and (rows[: len(known)] >= 0).all():  # consecutive vertices, and zeros behind them
        part = value if ends == (0, width) else f"{value}[{axis}{ends[0]}:{ends[1]}]"
        more = len(rows) - len(known)
        return padded(part, more, last=last) if more else part
    if len(known) < len(rows):
        value, rows = padded(value, 1, last=last), np.where(rows < 0, width, rows)
    chosen = text.buffer(f"{name}_rows", rows.astype(np.int64))
    return f"{value}.index_select({-1 if last else 1}, {chosen})"


def padded(value: str, count: int, *, last: bool) -> str:
    """Text of a value with some vertices of zeros behind its own."""
    return f"F.pad({value}, (0, {count}))" if last else f"F.pad({value}, (0, 0, 0, 0, 0, {count}))"


def placed(value: str, offset: int, source: Grid, target: Grid) -> str:
    """Text of a value whose positions are moved by `Place(offset)`."""
    flat = (
        value if len(source) == 1 else f"{value}.unsqueeze(1)" if not source else f"{value}.flatten(2).transpose(1, 2)"
    )
    count, size = math.prod(source), math.prod(target)
    start, stop = max(offset, 0), min(count + offset, size)
    part = f"{flat}[:, {start - offset}:{stop - offset}]" if (start - offset, stop - offset) != (0, count) else flat
    if start or stop < size:
        part = f"F.pad({part}, (0, 0, {start}, {size - stop}))"
    if not target:
        return f"{part}.squeeze(1)"
    return part if len(target) == 1 else f"{part}.transpose(1, 2).unflatten(2, {target})"


def channels_second(value: str, grid: Grid) -> str:
    """Text of a value with its vertices behind the batch."""
    return f"{bracketed(value)}.transpose(1, 2)" if len(grid) == 1 else value


def channels_last(value: str, grid: Grid) -> str:
    """Text of a value with its vertices on the last axis, for a value with vertices where the grid has them."""
    return value if features_last(grid) else f"{bracketed(value)}.permute(0, 2, 3, 1)"


def channels_back(value: str, grid: Grid) -> str:
    """Text of a value with vertices where the grid has them, for one with its vertices on the last axis."""
    return value if features_last(grid) else f"{bracketed(value)}.permute(0, 3, 1, 2)"


def repeated(value: str, shape: tuple[int, ...]) -> str:
    """Text of a value without a batch for every sample; it is recorded when a buffer is read, as no method is."""
    return f"torch.broadcast_to({value}, (batch, {', '.join(map(str, shape))}))"


def bracketed(text: str) -> str:
    """The text in brackets where it has an operator outside of brackets, so that a method may follow."""
    depth = 0
    for letter in text:
        depth += (letter in "([") - (letter in ")]")
        if letter == " " and not depth:
            return f"({text})"
    return text


def columns(values: Array, grid: Grid) -> Array:
    """A vertex column in a shape that broadcasts over values on a grid."""
    return values if features_last(grid) else values.reshape(-1, 1, 1)
