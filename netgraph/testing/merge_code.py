"""Merges as calls of the builder, where it adds a layer with its wires by one call."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from netgraph.columns import Array
from netgraph.graph import Graph, Identity, Layer, Link

Wires = tuple[Array, Array, Array]
"""Rows of sources, rows of targets and slots of the wires into one port."""


def merge_call(graph: Graph, layer: Layer) -> str | None:
    """Write the call that adds a merging layer and its wires; None when the builder has no call for them."""
    links = sorted(graph.incoming[layer.id], key=lambda k: k.port)
    if layer.merge is None or [k.port for k in links] != [0, 1] or layer.role != "hidden" or layer.values:
        return None
    usual = Layer(layer.id, layer.name, layer.vertex_ids, layer.birth, activation="identity", grid=layer.grid,
                  merge=layer.merge)  # fmt: skip
    if layer.attributes != usual.attributes:
        return None
    one, two = (graph.layer(k.source) for k in links)
    found = _CALLS[layer.merge.name](layer, one, two)
    if found is None or not all(_has(k, wires) for k, wires in zip(links, found[1], strict=True)):
        return None
    words = [repr(layer.name), repr(one.name), repr(two.name), *found[0]]
    return f"b.{layer.merge.name}({', '.join(words)})"


def _has(link: Link, wires: Wires) -> bool:
    columns = (link.src, link.dst, link.tap)
    return link.kind == Identity() and all(np.array_equal(a, b) for a, b in zip(columns, wires, strict=True))


Call = Callable[[Layer, Layer, Layer], tuple[list[str], tuple[Wires, Wires]] | None]
"""Function of a layer and its two sources: further words of the call, and the wires that it adds."""


def _product(layer: Layer, _gate: Layer, _up: Layer) -> tuple[list[str], tuple[Wires, Wires]]:
    rows = np.arange(len(layer))
    return [], ((rows, rows, 0 * rows),) * 2


def _attend(layer: Layer, queries: Layer, keys: Layer) -> tuple[list[str], tuple[Wires, Wires]] | None:
    merge: Any = layer.merge
    heads, slots = len(layer), len(queries) // len(layer)
    if not slots or len(queries) % heads or len(keys) % slots or not len(keys) // slots or heads % (len(keys) // slots):
        return None
    shared = heads // (len(keys) // slots)
    head, slot = np.divmod(np.arange(heads * slots), slots)
    words = [f"heads={heads}", f"scale={merge.scale!r}"]
    words += ["causal=True"] if merge.causal else []
    words += [f"frequencies={merge.frequencies!r}"] if merge.frequencies else []
    return words, ((head * slots + slot, head, slot), (head // shared * slots + slot, head, slot))


def _mix(layer: Layer, attention: Layer, values: Layer) -> tuple[list[str], tuple[Wires, Wires]] | None:
    heads, channels = len(attention), len(layer) // len(attention)
    if not channels or len(layer) % heads or len(values) % channels or heads % (len(values) // channels or heads + 1):
        return None
    shared = heads // (len(values) // channels)
    rows = np.arange(len(layer))
    head, channel = np.divmod(rows, channels)
    words = [f"groups={heads // shared}"] if shared > 1 else []
    return words, ((head, rows, 0 * rows), (head // shared * channels + channel, rows, 0 * rows))


_CALLS: dict[str, Call] = {"product": _product, "attend": _attend, "mix": _mix}
