"""Words for layers, links and named values in pictures: sizes, operations, ports and positions."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from netgraph.graph import Layer, Link, get_norm
from netgraph.viz.text import format_count, times

_LONGEST_VALUE = 160


def vertex_noun(layer: Layer) -> tuple[str, str]:
    """Return the noun for the vertices of a layer, singular and plural: heads, positions, symbols or vertices."""
    if layer.merge is not None and layer.merge.gives_heads:
        return "head", "heads"
    if layer.role == "position":
        return "position", "positions"
    return ("symbol", "symbols") if layer.encoding == "index" else ("vertex", "vertices")


def size_line(layer: Layer) -> str:
    """Format the number of vertices of a layer with its grid, as in `64 vertices on 8x8` and `4 heads on 32x32`."""
    size = format_count(len(layer), *vertex_noun(layer))
    if layer.encoding == "index" and layer.grid:
        return f"{size} at {format_count(math.prod(layer.grid), 'position')}"
    if not layer.grid or (layer.grid == (len(layer),) and layer.role == "position"):
        return size
    return f"{size} on {times(layer.grid)}"


def operation_names(layer: Layer) -> tuple[str, ...]:
    """Return the names of the operations of a layer (merge, norm, activation, pool), or the role of a source."""
    if layer.is_source:
        return ("index input" if layer.encoding == "index" else "input" if layer.role == "input" else "positions",)
    label = get_norm(layer.norm).label
    norm = [label] if label else []
    pool = [f"{layer.pool.kind} pool {times(layer.pool.size)}"] if layer.pool else []
    if layer.merge is None:
        return (*norm, layer.activation, *pool)
    activation = [layer.activation] if layer.activation != "identity" else []
    return (*layer.merge.words, *norm, *activation, *pool)


def port_line(target: Layer, port: int) -> list[str]:
    """Return the name of a port in a list: none for the only port of a layer that sums."""
    if target.merge is not None:
        return [target.merge.port_names[port]]
    return [f"port {port}"] if port else []


def kind_lines(link: Link, source: Layer, target: Layer) -> tuple[str, ...]:
    """Return the kind of a link in lines, with the positions that it reads or writes; `()` for the simplest kinds."""
    if not link.kind.places:
        return link.kind.words
    read = link.kind.positions(source.output_grid, target.grid)[0]
    written = np.flatnonzero(read >= 0)
    sources, targets = math.prod(source.output_grid), math.prod(target.grid)
    if len(written) == targets < sources:
        return (f"{_range(int(read[0]), targets)} of {sources:,}",)
    if len(written) == sources < targets:
        return (f"to {_range(int(written[0]), sources)} of {targets:,}",)
    return () if len(written) == sources == targets else link.kind.words


def value_lines(values: Mapping[str, Any], between: str) -> str:
    """Format named values in lines, with `between` after each name; floats have four digits, long texts are cut."""
    return "\n".join(f"{name.replace('_', ' ')}{between}{_short(value)}" for name, value in values.items())


def _short(value: Any) -> str:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return f"{value:,}" if isinstance(value, int) else f"{value:,.4g}"
    text = str(value)
    return text if len(text) <= _LONGEST_VALUE else f"{text[: _LONGEST_VALUE - 1]}…"


def _range(first: int, count: int) -> str:
    """Format positions that follow each other, as in `position 3` and `positions 3 to 7`."""
    return f"position {first:,}" if count == 1 else f"positions {first:,} to {first + count - 1:,}"
