"""Text of layers that merge: products, heads of attention, and values weighted by heads."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from compilers.export.forms import head_groups, head_table
from compilers.export.text import SourceText
from compilers.export.values import LayerWriter, Value, features_last, picked
from netgraph.columns import Array
from netgraph.errors import CompileError
from netgraph.graph import Graph, Layer, Link, PortWires, port_wires


class PortText(NamedTuple):
    """Values of a port, joined from its sources.

    Attributes:
        text: text of the values.
        width: number of their vertices.
        rows: row of the source of each wire in them, `(wires,)`.
        wires: the wires.
    """

    text: str
    width: int
    rows: Array
    wires: PortWires


class Merging(LayerWriter):
    """Writer of merging layers."""

    def __init__(self, graph: Graph, text: SourceText, values: dict[int, Value]) -> None:
        super().__init__(graph, text, values)
        self._writers = {"product": self._product, "attend": self._attend, "mix": self._mix}

    def waits(self, layer: Layer) -> bool:
        """Whether a layer of heads is written together with the only layer that reads it."""
        if layer.merge is None or not layer.merge.gives_heads or layer.role == "output":
            return False
        readers = self._graph.outgoing[layer.id]
        if len(readers) != 1 or not self._reads_heads(readers[0]):
            return False
        wires = port_wires(self._graph, readers[0].target)[0]
        used = wires.src[np.concatenate([[True], wires.src[1:] != wires.src[:-1]])] if len(wires) else wires.src
        return len(wires.sources) == 1 and len(used) == len(layer) and bool((used == np.arange(len(layer))).all())

    def _reads_heads(self, link: Link) -> bool:
        merge = self._graph.layer(link.target).merge
        return merge is not None and link.port in merge.head_ports

    def write(self, layer: Layer, name: str) -> str:
        """Text of the values that a merge makes. Raises `CompileError` for a merge without a text."""
        assert layer.merge is not None
        writer = self._writers.get(layer.merge.name)
        if writer is None:
            raise CompileError(
                f"Layer {layer.name!r} merges by {layer.merge.name!r}, which has no function of torch; export graphs "
                f"with the merges {', '.join(sorted(self._writers))}."
            )
        return writer(layer, name)

    def _ports(self, layer: Layer) -> tuple[PortText, PortText]:
        first, second = (self._joined(wires) for wires in port_wires(self._graph, layer.id))
        return first, second

    def _joined(self, wires: PortWires) -> PortText:
        names = [self._values[i].name if i in self._values else "" for i in wires.sources]
        widths = [len(self._graph.layer(i)) for i in wires.sources]
        starts = np.cumsum([0, *widths])
        rows = starts[wires.source] + wires.src
        if len(wires.sources) == 1:
            return PortText(names[0], widths[0], rows, wires)
        axis = -1 if features_last(self._graph.layer(wires.sources[0]).output_grid) else 1
        return PortText(f"torch.cat(({', '.join(names)}), dim={axis})", int(starts[-1]), rows, wires)

    # -- products ---------------------------------------------------------------------------------

    def _product(self, layer: Layer, name: str) -> str:
        last = features_last(layer.grid)
        parts = [
            picked(self._text, port.text, port.rows, port.width, last=last, name=f"{name}_{which}")
            for port, which in zip(self._ports(layer), ("gate", "value"), strict=True)
        ]
        return " * ".join(parts)

    # -- attention --------------------------------------------------------------------------------

    def _attend(self, layer: Layer, name: str) -> str:
        queries, keys = self._queries_and_keys(layer, name)
        merge: Any = layer.merge
        scores = f"{queries} @ {keys}.transpose(-2, -1) * {merge.scale!r}"
        if merge.causal:
            mask = np.where(merge.visible(layer.grid), 0.0, -np.inf)
            scores = f"{scores} + {self._text.buffer(f'{name}_mask', mask)}"
        return f"torch.softmax({scores}, dim=-1)"

    def _queries_and_keys(self, layer: Layer, name: str) -> tuple[str, str]:
        """Names of the queries and keys of heads, `(batch, heads, positions, slots)`, turned by their angles."""
        merge: Any = layer.merge
        names = []
        for port, which, positions in zip(self._ports(layer), ("queries", "keys"), layer.grid, strict=True):
            table = head_table(port.wires.dst, port.rows, len(layer))
            slots = head_table(port.wires.dst, port.wires.slot, len(layer))
            own = self._text.variable(f"{name}_{which}")
            self._text.line(f"{own} = {self._heads(port, table, own)}")
            if any(merge.frequencies):
                pairs = np.array([*merge.frequencies, 0.0])[np.where(slots < 0, -2, slots)[:, ::2] // 2]
                angles = pairs[:, None, :] * np.arange(positions)[:, None]
                angles = angles[0] if (angles == angles[0]).all() else angles
                cos, sin = (self._text.buffer(f"{own}_{f.__name__}", f(angles)) for f in (np.cos, np.sin))
                self._text.helpers.add("rotate")
                self._text.line(f"{own} = rotate({own}, {cos}, {sin})")
            names.append(own)
        return names[0], names[1]

    def _heads(self, port: PortText, table: Array, name: str) -> str:
        """Text of the features of heads, `(batch, heads, positions, features)`, by a table of rows, -1 for zeros."""
        heads, features = table.shape
        groups = head_groups(table)
        table = table[:: heads // groups]
        flat = picked(self._text, port.text, table.reshape(-1), port.width, last=True, name=name)
        text = f"{flat}.unflatten(-1, ({groups}, {features})).transpose(1, 2)"
        return text if groups == heads else f"{text}.repeat_interleave({heads // groups}, dim=1)"

    def _mix(self, layer: Layer, name: str) -> str:
        weights, values = self._ports(layer)
        head = weights.rows  # one wire per vertex, ordered by vertex
        used, number = np.unique(head, return_inverse=True)
        order = np.argsort(number, kind="stable")
        table = head_table(number[order], values.rows[order], len(used))
        own = self._text.variable(f"{name}_values")
        self._text.line(f"{own} = {self._heads(values, table, own)}")
        mixed = self._weighted(layer, name, weights, used, own)
        place = np.empty(len(layer), np.int64)
        start = np.searchsorted(number[order], number[order], side="left")
        place[order] = number[order] * table.shape[1] + np.arange(len(order)) - start
        return picked(self._text, f"{mixed}.transpose(1, 2).flatten(2)", place, table.size, last=True, name=name)

    def _weighted(self, layer: Layer, name: str, weights: PortText, used: Array, values: str) -> str:
        """Text of values weighted by heads, `(batch, heads, positions, features)`."""
        source = self._graph.layer(weights.wires.sources[0])
        if not self.waits(source):
            heads = picked(self._text, weights.text, used, weights.width, last=False, name=f"{name}_heads")
            return f"({heads} @ {values})"
        queries, keys = self._queries_and_keys(source, source.name)
        merge: Any = source.merge
        causal = ", is_causal=True" if merge.causal else ""
        return f"F.scaled_dot_product_attention({queries}, {keys}, {values}{causal}, scale={merge.scale!r})"
