"""`build_plan`: the plan of a graph. Vectorised over edges; Python runs per layer and per link only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from compilers.plan.block import Block, Choice, Site
from compilers.plan.blocks import Lowering, gives_maps
from compilers.plan.choose import Chooser
from compilers.plan.costs import CostTable
from compilers.plan.plan import LayerPlan, Plan, VertexSlots
from compilers.plan.reads import PortReads, port_reads
from netgraph.columns import Array, spans
from netgraph.errors import CompileError, GraphError
from netgraph.graph import Graph, Layer, check_summed_port


def build_plan(
    graph: Graph,
    costs: CostTable,
    kernels: Mapping[str, str],
    *,
    settled: Mapping[Site, Choice] | None = None,
    previous: Plan | None = None,
) -> Plan:
    """Lay out buffer, weights and kernels of a graph.

    Args:
        graph: the network.
        costs: by which kernels are picked.
        kernels: kernel name by layer name, for layers whose kernel is not to be picked.
        settled: choices of an earlier plan of the same graph, taken instead of being made again.
        previous: the plan of the graph before a rewrite; edges of links that are still the same are taken from it in
            the order of their blocks.

    Raises:
        CompileError: for unknown names, for kernels that cannot run the edges they are given, and for ports that files
            of earlier versions gave to layers that sum.

    Cost: O(edges).
    """
    for link in graph.links_by_key.values():
        try:
            check_summed_port(graph, link)
        except GraphError as error:
            raise CompileError(str(error)) from error
    chooser = Chooser(costs, kernels, settled or {})
    chooser.check_names({layer.name for layer in graph.layers_by_id.values()})
    layers = [graph.layer(i) for i in graph.topological_order]
    widths = [0 if gives_maps(layer) else len(layer) for layer in layers]
    starts = np.cumsum([0, *widths], dtype=np.int64).tolist()
    inputs = sum(len(layer) for layer in graph.inputs if not gives_maps(layer))
    lowering = Lowering(
        graph,
        layers,
        dict(zip((layer.id for layer in layers), starts, strict=False)),
        inputs,
        chooser,
        previous.site_edges if previous is not None else {},
    )
    slots = _vertex_layout(graph, layers, starts)
    plans = [
        _layer_plan(layer, starts[i], lowering.blocks(layer), port_reads(graph, layer, lowering.place), slots)
        for i, layer in enumerate(layers)
    ]
    chooser.check_obeyed()
    return Plan(
        topology_hash=graph.topology_hash,
        layers=tuple(plans),
        rows=starts[-1],
        input_rows=inputs,
        num_slots=lowering.slots[False],
        num_frozen_slots=lowering.slots[True],
        num_vertex_slots=slots.trained,
        num_running_slots=slots.running,
        bias_rows=slots.bias_rows,
        edge_slots=_edge_slots(graph, plans, lowering.slots[False]),
        vertex_slots=slots.columns,
        choices=chooser.choices,
        site_edges=lowering.site_edges,
    )


def _edge_slots(graph: Graph, plans: list[LayerPlan], slots: int) -> Array:
    result = np.full(len(graph.edges), -1, dtype=np.int32 if slots < 2**31 else np.int64)
    for plan in plans:
        for block in plan.blocks:
            if not block.frozen:
                result[block.edges] = block.slots
    return result


# -- vertices -----------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class _VertexLayout:
    columns: dict[str, VertexSlots]
    places: dict[int, dict[str, tuple[int, int]]]
    running_names: frozenset[str]
    bias_rows: Array
    trained: int
    running: int


def _vertex_layout(graph: Graph, layers: list[Layer], starts: list[int]) -> _VertexLayout:
    """Give every vertex column its slots. Biases of rows come first: few sums over slices then give their gradients."""
    places: dict[int, dict[str, tuple[int, int]]] = {layer.id: {} for layer in layers}
    found: dict[str, list[tuple[int, int, int]]] = {}
    bias_rows, trained, running = [np.empty(0, np.int64)], 0, 0
    running_names = set()

    def take(layer: Layer, name: str, slot: int) -> int:
        places[layer.id][name] = (slot, slot + len(layer))
        found.setdefault(name, []).append((graph.vertices.offset(layer.id), slot, len(layer)))
        return slot + len(layer)

    for layer, start in zip(layers, starts, strict=False):
        if layer.bias is not None and not layer.grid:
            trained = take(layer, "bias", trained)
            bias_rows.append(np.arange(start, start + len(layer)))
    for layer in layers:
        names = set(layer.values) if not layer.is_source else set()
        if not layer.grid:
            names.discard("bias")
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
    return _VertexLayout(columns, places, frozenset(running_names), np.concatenate(bias_rows), trained, running)


def _ranges(parts: list[tuple[int, int, int]], which: int) -> Array:
    """Concatenate ranges of `parts[k][2]` numbers that begin at `parts[k][which]`."""
    table = np.array(parts, dtype=np.int64)
    return spans(table[:, which], table[:, 2])


def _layer_plan(
    layer: Layer, start: int, blocks: tuple[Block, ...], reads: tuple[PortReads, ...], slots: _VertexLayout
) -> LayerPlan:
    places = slots.places[layer.id]
    running = {name: span for name, span in places.items() if name in slots.running_names}
    trained = {name: span for name, span in places.items() if name != "bias" and name not in running}
    return LayerPlan(
        id=layer.id,
        name=layer.name,
        role=layer.role,
        width=len(layer),
        start=start,
        stop=start + (0 if gives_maps(layer) else len(layer)),
        activation=layer.activation,
        slope=layer.slope,
        norm=layer.norm,
        norm_epsilon=layer.norm_epsilon,
        norm_momentum=layer.norm_momentum,
        grid=layer.grid,
        output_grid=layer.output_grid,
        pool=layer.pool,
        blocks=blocks,
        merge=layer.merge,
        reads=reads,
        bias=places.get("bias"),
        parameters=trained,
        running=running,
        encoding=layer.encoding,
    )


# -- values -------------------------------------------------------------------------------------------


def initial_weights(graph: Graph, plan: Plan, *, frozen: bool) -> Array:
    """Lay out the trained weights, or the frozen ones, in the slots of the plan; pads are 0, `(slots,)`."""
    weights = graph.edges.weight
    flat = np.zeros(plan.num_frozen_slots if frozen else plan.num_slots, dtype=weights.dtype)
    for layer in plan.layers:
        for block in layer.blocks:
            if block.frozen == frozen and block.stop > block.start:
                flat[block.slots] = weights[block.edges]
    return flat


def initial_columns(graph: Graph, plan: Plan) -> tuple[Array, Array]:
    """Lay out the trained vertex columns, and the running statistics, in the slots of the plan."""
    trained, running = np.zeros(plan.num_vertex_slots), np.zeros(plan.num_running_slots)
    for name, where in plan.vertex_slots.items():
        flat = trained if where.trained else running
        flat[where.slots] = graph.vertices.column(name)[where.rows]
    return trained, running
