"""Carry a network and its optimizer across a rewrite, by id."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from compilers.lifting.lift import lift
from compilers.lowering import CompiledNetwork
from compilers.lowering.lower import lower_with
from compilers.lowering.network import Options
from compilers.lowering.plan import Array
from netgraph.errors import CompileError
from netgraph.graph import Graph

SECOND_MOMENTS = frozenset({"exp_avg_sq", "max_exp_avg_sq", "square_avg", "sum"})
"""State of which new entries start at the level of their layer: at 0 they would move by several learning rates."""


class RewriteResult(Protocol):
    """What a rewrite returns, as `migrate` reads it: `graph`, `delta.before.topology_hash` and `delta.graphs`."""

    @property
    def graph(self) -> Graph:
        """The new graph, with its weights."""

    @property
    def delta(self) -> Any:
        """What the rewrite did."""


def migrate(
    net: CompiledNetwork, optimizer: torch.optim.Optimizer, result: RewriteResult
) -> tuple[CompiledNetwork, torch.optim.Optimizer]:
    """Network and optimizer for a rewritten graph; the old ones stay valid.

    Weights come from `result.graph`. Optimizer state is carried by edge id, and by vertex id and column.
    New entries start with momentum 0, and with second moments at the mean of the survivors of their layer (for
    vertices also of their column), so that they do not jump although the step count is shared. Statistics that are
    requested are requested of the new network, from the start, but for those of layers that are gone. Schedulers
    hold on to the old optimizer: make new ones.

    Args:
        net: the network of the graph before the rewrite.
        optimizer: of any class whose state is tensors of the parameters' shape, and scalars.
        result: of the rewrite.

    Raises:
        CompileError: when the rewrite started from another topology, or from other weights than the network has now.
    """
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
    return new, _carry_optimizer(optimizer, net, new)


def _has_values_of(net: CompiledNetwork, graph: Graph) -> bool:
    """Whether lifting would give the trained values of the graph, bit for bit in the dtype of the network."""
    lifted, plan = lift(net), net.plan
    dtype = net.weights.detach().cpu().numpy().dtype

    def same(mine: Array, theirs: Array, rows: Array) -> bool:
        return mine[rows].astype(dtype).tobytes() == theirs[rows].astype(dtype).tobytes()

    return same(lifted.edges.weight, graph.edges.weight, np.flatnonzero(plan.edge_slots >= 0)) and all(
        same(lifted.vertices.column(name), graph.vertices.column(name), where.rows)
        for name, where in plan.vertex_slots.items()
    )


def _lower_alike(net: CompiledNetwork, graph: Graph) -> CompiledNetwork:
    names = {layer.name for layer in graph.layers_by_id.values()}
    kernels = {name: kernel for name, kernel in net.options.kernels.items() if name in names}
    options = Options(net.options.costs, kernels)
    new = lower_with(graph, options, net.weights.device, net.weights.dtype, previous=net.plan)
    new.train(net.training)
    new.weights.requires_grad_(net.weights.requires_grad)
    new.vertex_parameters.requires_grad_(net.vertex_parameters.requires_grad)
    for request in net.requested:
        if {request.options.get(key) for key in ("source", "target", "layer")} - {None} <= names:
            new.request(request.name, **request.options)
    return new


# -- optimizer ----------------------------------------------------------------------------------------


def _carry_optimizer(
    optimizer: torch.optim.Optimizer, old: CompiledNetwork, new: CompiledNetwork
) -> torch.optim.Optimizer:
    replaced: dict[Tensor, tuple[Tensor, _Carry]] = {
        old.weights: (new.weights, _edge_carry(old, new)),
        old.vertex_parameters: (new.vertex_parameters, _vertex_carry(old, new)),
    }
    groups = []
    for group in optimizer.param_groups:
        parameters = [replaced[p][0] if p in replaced else p for p in group["params"]]
        groups.append({**group, "params": parameters})
    accepted = inspect.signature(type(optimizer)).parameters
    defaults = {name: value for name, value in optimizer.defaults.items() if name in accepted}
    carried = type(optimizer)(groups, **defaults)
    for parameter, state in optimizer.state.items():
        if parameter not in replaced:
            carried.state[parameter] = dict(state)
            continue
        target, carry = replaced[parameter]
        carried.state[target] = {
            key: carry.take(value, seed=key in SECOND_MOMENTS)
            if isinstance(value, Tensor) and value.shape == parameter.shape
            else (value.clone() if isinstance(value, Tensor) else value)
            for key, value in state.items()
        }
    return carried


@dataclass(frozen=True, eq=False)
class _Carry:
    """Where the entries of one new flat vector come from.

    Attributes:
        size: length of the new vector.
        slots: (entries,) slot of each entry in it; the others are pads.
        sources: (entries,) slot in the old vector, -1 for what is new.
        groups: (entries,) number of the group within which second moments are alike.
    """

    size: int
    slots: Array
    sources: Array
    groups: Array

    def take(self, old: Tensor, *, seed: bool) -> Tensor:
        """The new vector: survivors from `old`; new entries 0, or the mean of the survivors of their group."""
        flat = old.detach().cpu().numpy()
        survives = self.sources >= 0
        values = np.zeros(len(self.slots), dtype=flat.dtype)
        values[survives] = flat[self.sources[survives]]
        if seed:
            values[~survives] = self._level(values, survives)[self.groups[~survives]]
        out = np.zeros(self.size, dtype=flat.dtype)
        out[self.slots] = values
        return torch.from_numpy(out).to(old.device)

    def _level(self, values: Array, survives: Array) -> Array:
        """(groups,) mean over survivors; that over all survivors where a group has none, or only zeros."""
        n = int(self.groups.max(initial=-1)) + 1
        counts = np.bincount(self.groups[survives], minlength=n)
        sums = np.bincount(self.groups[survives], weights=values[survives], minlength=n)
        overall = sums.sum() / max(counts.sum(), 1)
        means: Array = np.where(sums > 0, sums / np.maximum(counts, 1), overall)
        return means


def _edge_carry(old: CompiledNetwork, new: CompiledNetwork) -> _Carry:
    """Edges by id; alike are those into the same layer."""
    edges = new.graph.edges
    trained = np.flatnonzero(new.plan.edge_slots >= 0)
    rows = old.graph.edges.find(edges.id[trained])
    # Row -1, a new edge, is the last one of slot_of: -1 as well.
    slot_of = np.append(old.plan.edge_slots, -1)
    layer = new.graph.vertices.layer[edges.target_row[trained]]
    return _Carry(new.plan.num_slots, new.plan.edge_slots[trained], slot_of[rows], _dense_ranks(layer))


def _vertex_carry(old: CompiledNetwork, new: CompiledNetwork) -> _Carry:
    """Vertex columns by vertex id and name; alike are those of the same layer and column."""
    vertices = new.graph.vertices
    slots, sources, groups = [np.empty(0, np.int64)], [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    columns = [(name, where) for name, where in sorted(new.plan.vertex_slots.items()) if where.trained]
    for number, (name, where) in enumerate(columns):
        slot_of = np.full(len(old.graph.vertices) + 1, -1, dtype=np.int64)
        if name in old.plan.vertex_slots:
            slot_of[old.plan.vertex_slots[name].rows] = old.plan.vertex_slots[name].slots
        rows = old.graph.vertices.find(vertices.id[where.rows])
        slots.append(where.slots)
        # Row -1, a new vertex, is the last one of slot_of: -1 as well.
        sources.append(slot_of[rows])
        groups.append(vertices.layer[where.rows] * len(columns) + number)
    ranks = _dense_ranks(np.concatenate(groups))
    return _Carry(new.plan.num_vertex_slots, np.concatenate(slots), np.concatenate(sources), ranks)


def _dense_ranks(values: Array) -> Array:
    """Numbers 0, 1, ... for equal values."""
    ranks: Array = np.unique(values, return_inverse=True)[1]
    return ranks
