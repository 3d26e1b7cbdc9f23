"""Operations of layers that merge: products, heads of attention, and values weighted by heads."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple, cast

import numpy as np

from compilers.export.forms import head_table
from compilers.export.onnx.picks import picked
from compilers.export.onnx.sources import OperationWriter
from netgraph.columns import Array
from netgraph.errors import CompileError
from netgraph.graph import Attend, Layer, PortWires, port_wires


class PortValues(NamedTuple):
    """Values that a port reads, joined from its sources.

    Attributes:
        value: name of the values.
        width: number of their vertices.
        axes: number of axes of their grid.
        rows: row of the source of each wire in them, `(wires,)`.
        wires: the wires.
    """

    value: str
    width: int
    axes: int
    rows: Array
    wires: PortWires


class MergeOperations(OperationWriter):
    """Writer of merging layers."""

    def write(self, layer: Layer) -> str:
        """Write the merge of a layer, with its biases, and return its name."""
        assert layer.merge is not None
        writer = MERGES.get(layer.merge.name)
        if writer is None:
            raise CompileError(
                f"Layer {layer.name!r} merges by {layer.merge.name!r}, for which ONNX has no operations here; export "
                f"graphs with the merges {', '.join(sorted(MERGES))}."
            )
        first, second = (self._port(layer, wires) for wires in port_wires(self._graph, layer.id))
        return writer(self, layer, first, second)

    def _port(self, layer: Layer, wires: PortWires) -> PortValues:
        sources = [self._graph.layer(i) for i in wires.sources]
        values = [self._sources.value(source) for source in sources]
        starts = np.cumsum([0, *map(len, sources)])
        value = values[0]
        if len(values) > 1:
            value = self._parts.add("Concat", *values, scope=self._parts.layer(layer), axis=1)
        return PortValues(value, int(starts[-1]), len(sources[0].output_grid), starts[wires.source] + wires.src, wires)

    def _picked(self, layer: Layer, port: PortValues, rows: Array, which: str) -> str:
        scope = self._parts.layer(layer)
        return picked(self._parts, port.value, rows, port.width, port.axes, scope=scope, name=f"{scope}.{which}")

    # -- products ---------------------------------------------------------------------------------

    def product(self, layer: Layer, gate: PortValues, value: PortValues) -> str:
        """Multiply both ports."""
        parts = [self._picked(layer, port, port.rows, which) for port, which in ((gate, "gate"), (value, "value"))]
        return self._parts.add("Mul", *parts, scope=self._parts.layer(layer))

    # -- attention --------------------------------------------------------------------------------

    def attend(self, layer: Layer, queries: PortValues, keys: PortValues) -> str:
        """Softmax over the keys of the scaled products of queries and keys, `(batch, heads, queries, keys)`."""
        parts, scope, merge = self._parts, self._parts.layer(layer), cast(Attend, layer.merge)
        q = self._slots(layer, queries, "queries", layer.grid[0])
        k = self._slots(layer, keys, "keys", layer.grid[1])
        q = parts.add("Transpose", q, scope=scope, perm=[0, 1, 3, 2])
        q = parts.add("Mul", q, parts.shared("attention_scale", merge.scale), scope=scope)
        logits = parts.add("MatMul", q, k, scope=scope)
        if merge.causal:
            hidden = np.where(merge.visible(layer.grid), 0.0, np.finfo(np.float32).min)
            logits = parts.add("Add", logits, parts.shared("causal_mask", hidden), scope=scope)
        return parts.add("Softmax", logits, scope=scope, axis=-1)

    def _slots(self, layer: Layer, port: PortValues, which: str, positions: int) -> str:
        """Values of the slots of heads, `(batch, heads, slots, positions)`, turned by their angles.

        Heads with fewer slots than others have zeros behind them.
        """
        parts, scope, merge = self._parts, self._parts.layer(layer), cast(Attend, layer.merge)
        rows = head_table(port.wires.dst, port.rows, len(layer))
        value = self._heads(layer, port, rows, which)
        if not any(merge.frequencies):
            return value
        # A pair (a, b) turns to (a cos - b sin, b cos + a sin): a second value has the other one of each pair.
        slots = head_table(port.wires.dst, port.wires.slot, len(layer))
        other = rows.reshape(len(rows), -1, 2)[:, :, ::-1].reshape(rows.shape)
        angle = np.array([*merge.frequencies, 0.0])[np.where(slots < 0, -1, slots // 2)][:, :, None]
        angle = angle * np.arange(positions)
        cos, sin = np.cos(angle), np.sin(angle) * np.tile([-1.0, 1.0], rows.shape[1] // 2)[:, None]
        if (angle == angle[0]).all():
            cos, sin = cos[0], sin[0]
        swapped = self._heads(layer, port, other, f"{which}.other")
        turned = (
            parts.add("Mul", part, parts.shared(f"rotary_{name}", table), scope=scope)
            for part, name, table in ((value, "cos", cos), (swapped, "sin", sin))
        )
        return parts.add("Add", *turned, scope=scope)

    def _heads(self, layer: Layer, port: PortValues, table: Array, which: str) -> str:
        """Vertices by head, `(batch, heads, vertices of a head, positions)`, by a table of rows, -1 for zeros."""
        flat = self._picked(layer, port, table.reshape(-1), which)
        return self._parts.add("Reshape", flat, self._parts.whole(0, *table.shape, -1), scope=self._parts.layer(layer))

    def mix(self, layer: Layer, heads: PortValues, values: PortValues) -> str:
        """Weight the values of each head by it."""
        parts, scope = self._parts, self._parts.layer(layer)
        used, number = np.unique(heads.rows, return_inverse=True)  # one wire per vertex, ordered by vertex
        order = np.argsort(number, kind="stable")
        table = head_table(number[order], values.rows[order], len(used))
        weights = self._picked(layer, heads, used, "heads")
        weights = parts.add("Transpose", weights, scope=scope, perm=[0, 1, 3, 2])
        mixed = parts.add("MatMul", self._heads(layer, values, table, "values"), weights, scope=scope)
        mixed = parts.add("Reshape", mixed, parts.whole(0, table.size, layer.grid[0]), scope=scope)
        place = np.empty(len(layer), np.int64)
        start = np.searchsorted(number[order], number[order], side="left")
        place[order] = number[order] * table.shape[1] + np.arange(len(order)) - start
        return picked(parts, mixed, place, table.size, 1, scope=scope, name=f"{scope}.channels")


MERGES: Mapping[str, Callable[[MergeOperations, Layer, PortValues, PortValues], str]] = {
    "product": MergeOperations.product,
    "attend": MergeOperations.attend,
    "mix": MergeOperations.mix,
}
"""Writers of merges by name."""
