"""Wires into the ports of merging layers: their columns and their checks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from netgraph.columns import Array, concatenate
from netgraph.errors import GraphError
from netgraph.graph.link import Link, in_order
from netgraph.graph.merges import Merge

if TYPE_CHECKING:
    from netgraph.graph.graph import Graph
    from netgraph.graph.layer import Layer

LARGEST_SLOT = 2**15 - 1
"""Largest slot of a wire into a head."""


@dataclass(frozen=True, eq=False)
class PortWires:
    """All wires into one port of a merging layer, sorted by row of the target and slot.

    Attributes:
        sources: ids of the source layers, one per link into the port, in increasing order.
        source: index of the source layer of each wire in `sources`, `(wires,)`.
        src: row of the source in its layer, `(wires,)`.
        dst: row of the target, `(wires,)`.
        slot: slot of each wire, `(wires,)`; 0 where the merge has no slots.
        edge: id of each wire, `(wires,)`.
    """

    sources: tuple[int, ...]
    source: Array
    src: Array
    dst: Array
    slot: Array
    edge: Array

    def __len__(self) -> int:
        return len(self.dst)

    @classmethod
    def of(cls, links: list[Link]) -> PortWires:
        """Join the wires of links into one port. Costs one sort of the wires when there are several links."""
        source = np.repeat(np.arange(len(links)), [len(k) for k in links])
        src, dst, slot = (concatenate([getattr(k, name) for k in links], np.int32) for name in ("src", "dst", "tap"))
        edge = concatenate([k.id for k in links], np.int64)
        if not in_order(dst, slot):
            order = np.lexsort((source, slot, dst))
            source, src, dst, slot, edge = source[order], src[order], dst[order], slot[order], edge[order]
        return cls(tuple(k.source for k in links), source, src, dst, slot, edge)


def port_wires(graph: Graph, layer: int) -> tuple[PortWires, PortWires]:
    """Wires into ports 0 and 1 of the merging layer with this id. Costs one sort of its wires."""
    links = graph.incoming[layer]
    return PortWires.of([k for k in links if k.port == 0]), PortWires.of([k for k in links if k.port == 1])


def check_summed_port(graph: Graph, link: Link) -> None:
    """Refuse a link to another port than 0 of a layer without a merge. Raises `GraphError`.

    Files and journals of earlier versions may have such links, whose edges count as if they ended at port 0.
    """
    target = graph.layer(link.target)
    if link.port and target.merge is None:
        raise GraphError(
            f"Link {graph.link_name(link.source, link.target)} ends at port {link.port}; layer {target.name!r} sums "
            "all that arrives at port 0. Use port 0, or give the layer a merge."
        )


def check_port(link: Link, target: Layer, where: str) -> None:
    """Check the kind and the port of a link against the merge of its target, if it has one. Raises `GraphError`."""
    merge = target.merge
    if merge is None:
        return
    if not (link.kind.wires and link.kind.pointwise):
        raise GraphError(
            f"{where} ({link.kind}) ends at the merging layer {target.name!r}, which takes Identity wires only; "
            "put a layer with the weights between them."
        )
    if link.port > 1:
        raise GraphError(
            f"{where} ends at port {link.port} of layer {target.name!r}; port 0 takes its {merge.port_names[0]}, "
            f"port 1 its {merge.port_names[1]}."
        )


def check_wires(graph: Graph, layer: Layer) -> None:
    """Check all wires into a merging layer. Raises `GraphError` that names the layer, the vertex and the port.

    Costs O(wires log wires).
    """
    merge, where = layer.merge, f"Layer {layer.name!r}"
    assert merge is not None
    ports = port_wires(graph, layer.id)
    for port, wires in enumerate(ports):
        _check_counts(layer, merge, port, wires)
    if merge.slotted:
        _check_slots(layer, ports)
    grids = []
    for port, wires in enumerate(ports):
        found = {graph.layer(i).output_grid for i in wires.sources}
        if len(found) > 1:
            raise GraphError(f"{where} reads the grids {sorted(found)} at port {port}; give it sources of one grid.")
        grids.append(found.pop())
    try:
        grid = merge.output_grid((grids[0], grids[1]))
    except GraphError as error:
        raise GraphError(f"{where}: {error}.") from None
    if grid != layer.grid:
        raise GraphError(f"{where} has the grid {layer.grid}, and its {merge.name} gives {grid}; declare that grid.")
    for port in merge.head_ports:
        sources = [graph.layer(i) for i in ports[port].sources]
        if stray := next((x.name for x in sources if x.merge is None or not x.merge.gives_heads), None):
            raise GraphError(f"{where} reads layer {stray!r} at port {port}, which has no heads of attention.")


def _check_counts(layer: Layer, merge: Merge, port: int, wires: PortWires) -> None:
    counts = np.bincount(wires.dst, minlength=len(layer))
    wrong = counts == 0 if merge.slotted else counts != 1
    if wrong.any():
        row = int(np.argmax(wrong))
        needed = "at least one wire" if merge.slotted else "exactly one wire"
        raise GraphError(
            f"Layer {layer.name!r}: vertex {layer.vertex_ids[row]} has {counts[row]} wires at port {port} "
            f"({merge.port_names[port]}); a vertex of a {merge.name} needs {needed} there."
        ).concerning(vertices=[int(layer.vertex_ids[row])], layers=[layer.id])


def _check_slots(layer: Layer, ports: tuple[PortWires, PortWires]) -> None:
    """Check that the slots of each head are the same at both ports, each once."""
    keys = [wires.dst.astype(np.int64) * (LARGEST_SLOT + 1) + wires.slot for wires in ports]
    for port, key in enumerate(keys):
        if (double := key[1:] == key[:-1]).any():
            _raise_slot(layer, int(key[1:][np.argmax(double)]), f"two wires at port {port}; give each its own slot")
    if not np.array_equal(keys[0], keys[1]):
        only: Array = np.setxor1d(keys[0], keys[1])
        _raise_slot(layer, int(only[0]), "a wire at one port only; a query and a key are multiplied slot by slot")
    frequencies = getattr(layer.merge, "frequencies", ())
    if not frequencies:
        return
    wires = ports[0]
    if (beyond := wires.slot >= 2 * len(frequencies)).any():
        count = len(frequencies)
        _raise_slot(layer, int(keys[0][np.argmax(beyond)]), f"no frequency; {count} frequencies turn {2 * count} slots")
    other = np.isin(keys[0] ^ 1, keys[0], assume_unique=True)
    if not other.all():
        _raise_slot(
            layer, int(keys[0][np.argmin(other)]), "no partner; rotation turns the slots 2i and 2i + 1 together"
        )


def _raise_slot(layer: Layer, key: int, fault: str) -> None:
    row, slot = divmod(key, LARGEST_SLOT + 1)
    vertex = int(layer.vertex_ids[row])
    raise GraphError(f"Layer {layer.name!r}: slot {slot} of head {vertex} has {fault}.").concerning(
        vertices=[vertex], layers=[layer.id]
    )
