"""`migrate`: a network and its optimizer, carried across a rewrite by id."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import torch

from compilers.lifting.attachments import carry_attachments, check_attachments
from compilers.lifting.carry import carry_optimizer, check_held, check_newcomers
from compilers.lifting.lift import lift
from compilers.lifting.newcomers import Newcomers
from compilers.plan import KINDS
from compilers.running import CompiledNetwork, Options, lower_with
from netgraph.columns import Array
from netgraph.errors import CompileError
from netgraph.graph import Graph


class RewriteResult(Protocol):
    """The result of a rewrite, as `migrate` reads it: `graph`, `delta.before.topology_hash` and `delta.graphs`."""

    @property
    def graph(self) -> Graph:
        """The new graph, with its weights."""

    @property
    def delta(self) -> Any:
        """The changes that the rewrite made."""


def migrate(
    net: CompiledNetwork,
    optimizer: torch.optim.Optimizer,
    result: RewriteResult,
    *,
    newcomers: Newcomers = "eased",
) -> tuple[CompiledNetwork, torch.optim.Optimizer]:
    """Network and optimizer for a rewritten graph; the old ones stay valid.

    Weights come from `result.graph`. Optimizer state is carried by edge id, and by vertex id and column.
    New entries start as in an optimizer that was just made; `newcomers` says under which step count. Statistics that
    are requested are requested of the new network, from the start, but for those of layers that are gone. Hooks,
    attributes, buffers and modules that were put on the network or the optimizer go along, or are refused by name.
    Schedulers hold on to the old optimizer: make new ones. Gradients (`.grad`) are not carried.

    Args:
        net: the network of the graph before the rewrite.
        optimizer: of this network, perhaps of other modules as well, and of any class whose state is tensors of the
            parameters' shape and numbers, or what `register_state` says. Where a network has several, the others are
            carried by `carry_optimizer`.
        result: of the rewrite.
        newcomers: "eased" gives new entries a step count of their own for their first 100 steps, so that they do not
            jump (`compilers.ease_in`). "zero" leaves them the step count that all share, as most
            papers do: Adam then moves them by up to 6.6 learning rates in a step, at its usual betas.

    Raises:
        OptionError: when `newcomers` is neither, the optimizer holds no parameter of the network, or it keeps
            something that cannot be carried.
        CompileError: when the rewrite started from another topology, or from other weights than the network has now,
            or something was put on the network that cannot be carried.
    """
    check_newcomers(newcomers)
    check_attachments(net)
    check_held(optimizer, net)
    if not hasattr(result, "delta"):
        raise CompileError(f"result is {type(result).__name__}; give what apply returned, whose delta is read as well.")
    before = result.delta.before.topology_hash
    if before != net.graph_topology_hash:
        raise CompileError(
            f"The rewrite started from topology {before[:8]}, the network has {net.graph_topology_hash[:8]}: "
            "lift the network before rewriting, and migrate it after every rewrite."
        )
    graphs = getattr(result.delta, "graphs", None)
    if graphs is not None and not _has_values_of(net, graphs[0]):
        raise CompileError(
            "The rewrite started from other weights or vertex values than the network has now, which would be lost: "
            "lift the network before rewriting, and do not train it before migrating it."
        )
    new = _lower_alike(net, result.graph)
    carry_attachments(net, new)
    return new, carry_optimizer(optimizer, net, new, newcomers)


def _has_values_of(net: CompiledNetwork, graph: Graph) -> bool:
    """Whether lifting would give the values of the graph, bit for bit in the dtype of the network."""
    lifted, plan = lift(net), net.plan
    dtype = net.weights.detach().cpu().numpy().dtype

    def same(mine: Array, theirs: Array, rows: Array) -> bool:
        return mine[rows].astype(dtype).tobytes() == theirs[rows].astype(dtype).tobytes()

    weighted = (plan.edge_slots >= 0) | (plan.frozen_slots >= 0)
    return same(lifted.edges.weight, graph.edges.weight, np.flatnonzero(weighted)) and all(
        same(lifted.vertices.column(name), graph.vertices.column(name), where.rows)
        for name, where in plan.vertex_slots.items()
    )


def _lower_alike(net: CompiledNetwork, graph: Graph) -> CompiledNetwork:
    names = {layer.name for layer in graph.layers_by_id.values()}
    kernels = {name: kernel for name, kernel in net.options.kernels.items() if name in names}
    place = (net.weights.device, net.weights.dtype)
    try:
        new = lower_with(graph, Options(net.options.costs, kernels), *place, previous=net.plan)
    except CompileError:
        # A layer that the caller wanted dense may have lost an edge.
        padded = {name: KINDS[kernel].padded or kernel for name, kernel in kernels.items()}
        new = lower_with(graph, Options(net.options.costs, padded), *place, previous=net.plan)
    new.train(net.training)
    for request in net.requested:
        if {request.options.get(key) for key in ("source", "target", "layer")} - {None} <= names:
            new.request(request.name, **request.options)
    return new
