"""Build a plan from a graph. Vectorised over edges; Python runs per layer and per link only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from compilers.kernels import KERNELS
from compilers.lowering.costs import CostTable
from compilers.lowering.plan import Array, Block, LayerPlan, Plan, VertexSlots
from netgraph.errors import CompileError, unknown_name
from netgraph.graph import Dense, Graph, Identity, Layer, Link


def build_plan(graph: Graph, costs: CostTable, kernels: Mapping[str, str]) -> Plan:
    """Lay out buffer, weights and kernels of a graph.

    Args:
        graph: the network.
        costs: by which kernels are picked.
        kernels: kernel name by layer name, for layers whose kernel is not to be picked.

    Raises:
        CompileError: for what this compiler does not handle, and for unknown names.

    Cost: O(edges log edges).
    """
    _check_supported(graph)
    _check_overrides(graph, kernels)
    layers = [graph.layer(i) for i in graph.topological_order]
    starts = np.cumsum([0, *map(len, layers)], dtype=np.int64)
    rows = _buffer_rows(graph, layers, starts)
    trained = _weighted_blocks(graph, layers, starts, rows, costs, kernels, frozen=False)
    frozen = _weighted_blocks(graph, layers, starts, rows, costs, kernels, frozen=True)
    wires = _wire_blocks(graph, rows)
    slots = _vertex_layout(graph, layers, starts)
    edge_slots = np.full(len(graph.edges), -1, dtype=np.int64)
    plans = []
    for i, layer in enumerate(layers):
        blocks = [found[i] for found in (trained, frozen) if i in found]
        if i in trained:
            edge_slots[trained[i].edges] = trained[i].slots
        plans.append(_layer_plan(layer, starts[i], (*blocks, *wires.get(layer.id, ())), slots))
    return Plan(
        topology_hash=graph.topology_hash,
        layers=tuple(plans),
        rows=int(starts[-1]),
        input_rows=sum(map(len, graph.inputs)),
        num_slots=max((b.stop for b in trained.values()), default=0),
        num_frozen_slots=max((b.stop for b in frozen.values()), default=0),
        num_vertex_slots=slots.trained,
        num_running_slots=slots.running,
        bias_rows=slots.bias_rows,
        edge_slots=edge_slots,
        vertex_slots=slots.columns,
    )


# -- checks -------------------------------------------------------------------------------------------


def _check_supported(graph: Graph) -> None:
    for layer in graph.layers_by_id.values():
        if layer.grid or layer.pool:
            what = f"the grid {layer.grid}" if layer.grid else "a pool"
            raise CompileError(f"Layer {layer.name!r} has {what}; this compiler handles dense graphs, with grid ().")
    for link in graph.links_by_key.values():
        where = f"Link {graph.layer(link.source).name!r} -> {graph.layer(link.target).name!r}"
        if not isinstance(link.kind, Dense | Identity):
            raise CompileError(f"{where} is {link.kind}; this compiler handles dense graphs, Dense and Identity links.")
        if link.port:
            raise CompileError(f"{where} ends at port {link.port}; ports need attention layers. Use port 0.")


def _check_overrides(graph: Graph, kernels: Mapping[str, str]) -> None:
    known = [name for name, kind in KERNELS.items() if kind.layout != "none"]
    names = {layer.name for layer in graph.layers_by_id.values()}
    for layer, kernel in kernels.items():
        if layer not in names:
            raise CompileError("kernels: " + unknown_name("layer", layer, names))
        if kernel not in known:
            raise CompileError(f"kernels[{layer!r}]: " + unknown_name("kernel", kernel, known))


# -- edges --------------------------------------------------------------------------------------------


def _buffer_rows(graph: Graph, layers: list[Layer], starts: Array) -> Array:
    """(vertices,) buffer row of each row of `graph.vertices`."""
    start_of = dict(zip((layer.id for layer in layers), starts[:-1].tolist(), strict=True))
    first = np.fromiter((start_of[i] for i in graph.layers_by_id), np.int64, graph.num_layers)
    offsets = graph.vertices.offsets
    rows: Array = np.arange(offsets[-1]) + np.repeat(first - offsets[:-1], np.diff(offsets))
    return rows


def _weighted_blocks(
    graph: Graph,
    layers: list[Layer],
    starts: Array,
    buffer_rows: Array,
    costs: CostTable,
    kernels: Mapping[str, str],
    *,
    frozen: bool,
) -> dict[int, Block]:
    """One block per target layer, by position of the layer, of all its trainable (or all its frozen) edges."""
    edges = graph.edges
    wire = np.fromiter((isinstance(k.kind, Identity) for k in graph.links_by_key.values()), bool, len(graph.links))
    wires = np.repeat(wire, np.diff(edges.offsets))
    chosen = np.flatnonzero(~wires & (edges.frozen == frozen))
    if not len(chosen):
        return {}
    dst, src = buffer_rows[edges.target_row[chosen]], buffer_rows[edges.source_row[chosen]]
    order = np.argsort(dst * starts[-1] + src)
    chosen, dst, src = chosen[order], dst[order], src[order]
    layer_of = np.repeat(np.arange(len(layers)), np.diff(starts))
    # Unique (layer, parent) pairs: the parents of all blocks at once, with the position of every edge among them.
    pairs, position = np.unique(layer_of[dst] * starts[-1] + src, return_inverse=True)
    parent_layer, parents = np.divmod(pairs, starts[-1])
    used = np.unique(parent_layer)
    edge_bounds = np.append(np.searchsorted(dst, starts[used]), len(dst)).tolist()
    parent_bounds = np.append(np.searchsorted(parent_layer, used), len(parents)).tolist()
    blocks, slot = {}, 0
    for i, (a, b), (p, q) in zip(used.tolist(), pairwise(edge_bounds), pairwise(parent_bounds), strict=True):
        local = _Local(parents[p:q], dst[a:b] - starts[i], position[a:b] - p, chosen[a:b], len(layers[i]))
        blocks[i] = _choose(local, slot, costs, kernels.get(layers[i].name), layers[i].name, frozen)
        slot = blocks[i].stop
    return blocks


@dataclass(frozen=True, eq=False)
class _Local:
    """Edges into one layer, in its own coordinates; the columns are those of `Block`."""

    parents: Array
    dst: Array
    src: Array
    edges: Array
    targets: int


def _choose(local: _Local, slot: int, costs: CostTable, override: str | None, name: str, frozen: bool) -> Block:
    """Pick the kernel of one block, and whether it reads its parents alone or every row between them."""
    low, high = int(local.parents[0]), int(local.parents[-1]) + 1
    sizes = (len(local.edges), local.targets, len(local.parents), high - low)
    choices = list(costs.choices(*sizes))
    if override is not None:
        choices = [c for c in choices if c[1] == (KERNELS[override].layout == "cells")]
    _, dense, hull = min(choices)
    if override == "dense":
        hull = hull and high - low == len(local.parents)
    parents, src = local.parents, local.src
    if hull and high - low > len(parents):
        parents, src = np.arange(low, high), parents[src] - low
    cells = local.targets * len(parents)
    full = cells == len(local.edges)
    if override == "dense" and not full:
        raise CompileError(
            f"kernels[{name!r}]: 'dense' needs every pair of parent and target, the layer has {len(local.edges):,} "
            f"edges for {cells:,} pairs. Use 'padded-dense'."
        )
    kernel = override or (("dense" if full else "padded-dense") if dense else "csr")
    slots = slot + (local.dst * len(parents) + src if dense else np.arange(len(local.edges)))
    stop = slot + (cells if dense else len(local.edges))
    dst, src = local.dst.astype(np.int32), src.astype(np.int32)
    return Block(kernel, parents, dst, src, local.edges, slots, slot, stop, local.targets, frozen)


def _wire_blocks(graph: Graph, buffer_rows: Array) -> dict[int, list[Block]]:
    """Blocks of the Identity links, by id of the target layer."""
    result: dict[int, list[Block]] = {}
    for link, start in zip(graph.links_by_key.values(), graph.edges.offsets[:-1].tolist(), strict=True):
        if isinstance(link.kind, Identity) and len(link):
            result.setdefault(link.target, []).append(_wires(graph, link, start, buffer_rows))
    return result


def _wires(graph: Graph, link: Link, start: int, buffer_rows: Array) -> Block:
    rows = buffer_rows[graph.vertices.offset(link.source) + link.src.astype(np.int64)]
    parents, src = np.unique(rows, return_inverse=True)
    edges = np.arange(start, start + len(link))
    targets = len(graph.layer(link.target))
    none = np.empty(0, dtype=np.int64)
    return Block("wires", parents, link.dst, src.astype(np.int32), edges, none, 0, 0, targets, frozen=True)


# -- vertices -----------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class _VertexLayout:
    columns: dict[str, VertexSlots]
    spans: dict[int, dict[str, tuple[int, int]]]
    running_names: frozenset[str]
    bias_rows: Array
    trained: int
    running: int


def _vertex_layout(graph: Graph, layers: list[Layer], starts: Array) -> _VertexLayout:
    """Give every vertex column its slots: biases first, in the order of rows, so that one sum is their gradient."""
    spans: dict[int, dict[str, tuple[int, int]]] = {layer.id: {} for layer in layers}
    found: dict[str, list[tuple[int, int, int]]] = {}
    bias_rows, trained, running = [np.empty(0, np.int64)], 0, 0
    running_names = set()

    def take(layer: Layer, name: str, slot: int) -> int:
        spans[layer.id][name] = (slot, slot + len(layer))
        found.setdefault(name, []).append((graph.vertices.offset(layer.id), slot, len(layer)))
        return slot + len(layer)

    for layer, start in zip(layers, starts[:-1].tolist(), strict=True):
        if layer.bias is not None:
            trained = take(layer, "bias", trained)
            bias_rows.append(np.arange(start, start + len(layer)))
    for layer in layers:
        names = set(layer.values) - {"bias"} if layer.role != "input" else set()
        if not names:
            continue
        for name in sorted(names.intersection(layer.trainable)):
            trained = take(layer, name, trained)
        for name in sorted(names.difference(layer.trainable)):
            running = take(layer, name, running)
            running_names.add(name)
    columns = {
        name: VertexSlots(_ranges(parts, 0), _ranges(parts, 1), name not in running_names)
        for name, parts in found.items()
    }
    return _VertexLayout(columns, spans, frozenset(running_names), np.concatenate(bias_rows), trained, running)


def _ranges(parts: list[tuple[int, int, int]], which: int) -> Array:
    """Concatenated ranges of `parts[k][2]` numbers from `parts[k][which]`."""
    table = np.array(parts, dtype=np.int64)
    lengths = table[:, 2]
    before = np.cumsum(lengths) - lengths
    result: Array = np.arange(lengths.sum()) + np.repeat(table[:, which] - before, lengths)
    return result


def _layer_plan(layer: Layer, start: int, blocks: tuple[Block, ...], slots: _VertexLayout) -> LayerPlan:
    spans = slots.spans[layer.id]
    running = {name: span for name, span in spans.items() if name in slots.running_names}
    trained = {name: span for name, span in spans.items() if name != "bias" and name not in running}
    return LayerPlan(
        id=layer.id,
        name=layer.name,
        role=layer.role,
        start=int(start),
        stop=int(start) + len(layer),
        activation=layer.activation,
        slope=layer.slope,
        norm=layer.norm,
        norm_epsilon=layer.norm_epsilon,
        norm_momentum=layer.norm_momentum,
        blocks=blocks,
        parameters=trained,
        running=running,
    )
