"""Text that brings tensors of an imported module to the layout of the forward, and back."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from compilers.export.forms import span
from compilers.export.text import SourceText
from compilers.export.values import bracketed, features_last
from compilers.importing import Imported, TensorLayout
from netgraph.columns import Array
from netgraph.errors import OptionError
from netgraph.graph import Graph, Layer


class Layouts:
    """Inputs and outputs of a module: their order, and the places of their numbers.

    Args:
        graph: the graph.
        like: the import whose tensors the module takes and gives; None for `(batch, vertices, *grid)`.

    Raises:
        OptionError: when the graph has other inputs and outputs than the import.
    """

    def __init__(self, graph: Graph, like: Imported | None) -> None:
        self._by_name: dict[str, TensorLayout] = {}
        self.inputs, self.outputs = list(graph.inputs), list(graph.outputs)
        if like is not None:
            self._by_name = {layout.layer: layout for layout in (*like.inputs, *like.outputs)}
            self.inputs = _in_order(self.inputs, like.inputs, "inputs")
            self.outputs = _in_order(self.outputs, like.outputs, "outputs")

    def taken(self, text: SourceText, name: str, layer: Layer) -> str:
        """Text of the values of an input layer, for the name of an argument of the module."""
        inside = _inside(layer)
        layout = self._by_name.get(layer.name)
        if layout is None:
            return f"{name}.transpose(1, 2)" if len(layer.grid) == 1 else name
        assert layout.index is not None
        place = _places(layout, layer)
        order = _order(place, layout.shape)
        if order is None:
            rows = text.buffer(f"{layer.name}_places", np.argsort(place))
            return _reshaped(f"{_reshaped(name, layout.shape, (len(place),))}[:, {rows}]", (len(place),), inside)
        return _reshaped(_permuted(name, order), tuple(layout.shape[axis] for axis in order), inside)

    def given(self, text: SourceText, name: str, layer: Layer) -> str:
        """Text of a result of the module, for the values of an output layer."""
        inside = _inside(layer)
        layout = self._by_name.get(layer.name)
        if layout is None:
            return f"{bracketed(name)}.transpose(1, 2)" if len(layer.output_grid) == 1 else name
        place = _places(layout, layer)
        order = _order(place, layout.shape) if len(place) == math.prod(inside) else None
        if order is None:
            flat = _reshaped(name, inside, (math.prod(inside),))
            ends = span(place)
            rows = f"{ends[0]}:{ends[1]}" if ends else text.buffer(f"{layer.name}_places", place)
            return _reshaped(f"{flat}[:, {rows}]", (len(place),), layout.shape)
        back = tuple(int(axis) for axis in np.argsort(order))
        return _permuted(_reshaped(name, inside, tuple(layout.shape[axis] for axis in order)), back)


def _in_order(layers: Sequence[Layer], layouts: Sequence[TensorLayout], what: str) -> list[Layer]:
    """Layers in the order of layouts. Raises `OptionError` for other layers, or layers of another size."""
    by_name = {layer.name: layer for layer in layers}
    names = [layout.layer for layout in layouts]
    if set(names) != set(by_name):
        raise OptionError(
            f"like: the module has the {what} {sorted(names)}, the graph {sorted(by_name)}; give the import from which "
            "the graph has grown."
        )
    for layout in layouts:
        layer = by_name[layout.layer]
        size = len(layer) * math.prod(layer.output_grid)
        numbers = math.prod(layer.grid) if layout.index is None else int(layout.index.max(initial=-1)) + 1
        wanted = math.prod(layer.grid) if layout.index is None else size
        if numbers > wanted or (what == "inputs" and numbers != wanted):
            raise OptionError(
                f"like: {layout.layer!r} of the module has {numbers:,} numbers, and the layer of the graph {wanted:,}; "
                "give the import from which the graph has grown."
            )
    return [by_name[name] for name in names]


def _inside(layer: Layer) -> tuple[int, ...]:
    """Shape of one sample of a layer in the forward."""
    grid = layer.output_grid
    return (*grid, len(layer)) if features_last(grid) else (len(layer), *grid)


def _places(layout: TensorLayout, layer: Layer) -> Array:
    """Place in the forward of each number of one sample of a tensor."""
    assert layout.index is not None
    if not features_last(layer.output_grid):
        return layout.index
    row, position = np.divmod(layout.index, math.prod(layer.output_grid))
    return np.asarray(position * len(layer) + row)


def _order(place: Array, shape: Sequence[int]) -> tuple[int, ...] | None:
    """Order of axes in which the numbers of a tensor have increasing places; None when there is none."""
    count = np.arange(len(place))
    if np.array_equal(place, count):
        return tuple(range(len(shape)))
    place = place.reshape(tuple(shape))
    first = (0,) * place.ndim
    steps = [
        int(place[(*first[:axis], 1, *first[axis + 1 :])] - place[first]) if size > 1 else len(count)
        for axis, size in enumerate(shape)
    ]
    order = tuple(sorted(range(place.ndim), key=lambda axis: -steps[axis]))
    return order if np.array_equal(place.transpose(order).reshape(-1), count) else None


def _permuted(value: str, order: tuple[int, ...]) -> str:
    if order == tuple(range(len(order))):
        return value
    if order == (1, 0):
        return f"{bracketed(value)}.transpose(1, 2)"
    return f"{bracketed(value)}.permute(0, {', '.join(str(axis + 1) for axis in order)})"


def _reshaped(value: str, shape: tuple[int, ...], wanted: tuple[int, ...]) -> str:
    """Text of samples of one shape in another one."""
    if tuple(shape) == tuple(wanted):
        return value
    if len(wanted) == 1 and len(shape) > 1:
        return f"{bracketed(value)}.flatten(1)"
    sizes = ", ".join(str(int(size)) for size in (-1, *wanted))
    return f"{bracketed(value)}.reshape({sizes})"
