"""The tensors of a lowered graph as a module: two flat vectors, their slots by id, files, copies and moves."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor, nn

from compilers.plan import CostTable, Plan, initial_columns, initial_weights
from compilers.running.executor import Executor
from compilers.running.tracing import refuse_script
from compilers.running.workspace import FlatTensors
from compilers.statistics import Request, edge_column
from netgraph.checks import whole_numbers
from netgraph.columns import Array
from netgraph.errors import CompileError, InputError, unknown_name
from netgraph.graph import Graph
from netgraph.markup import escape

DTYPES = (torch.float32, torch.float64)

FLAT_PARAMETERS = ("weights", "vertex_parameters")
FLAT_BUFFERS = ("running", "frozen_weights")

OWN_ATTRIBUTES = frozenset(
    {"_parameters", "_buffers", "_modules", "_executor", "_requests", "graph", "plan", "options", "training"}
)
"""Attributes that a network makes of its graph, or that change with its mode; others are put on it by users."""


@dataclass(frozen=True)
class Options:
    """Options of a lowering, kept so that a rewritten graph is lowered alike."""

    costs: CostTable
    kernels: Mapping[str, str]


class FlatModule(nn.Module):
    """The tensors of a lowered graph.

    Attributes:
        graph: the graph that it was lowered from; `lift` gives it back with the present weights.
        plan: how it is run.
        options: how it was lowered.
        weights: every trainable edge weight, and pads, which are 0, `(slots,)`. Gradient steps keep pads at 0. Do not
            write to the vector in other ways; give the graph other weights and lower it.
        vertex_parameters: every trained vertex column, `(vertex slots,)`.
        running: running means and variances of batch norm, `(running slots,)`.
        frozen_weights: weights of frozen edges without wires, which no optimizer sees, `(frozen slots,)`. Part of the
            state dict where there are any.
    """

    weights: nn.Parameter
    vertex_parameters: nn.Parameter
    running: Tensor
    frozen_weights: Tensor

    def __init__(self, graph: Graph, plan: Plan, options: Options, device: torch.device, dtype: torch.dtype) -> None:
        super().__init__()
        self.graph, self.plan, self.options = graph, plan, options
        self._executor = Executor(plan)
        self._requests: dict[tuple[Any, ...], Request] = {}

        def tensor(values: Any) -> Tensor:
            return torch.from_numpy(values).to(device=device, dtype=dtype)

        self.weights = nn.Parameter(tensor(initial_weights(graph, plan, frozen=False)))
        trained, running = initial_columns(graph, plan)
        self.vertex_parameters = nn.Parameter(tensor(trained))
        self.register_buffer("running", tensor(running))
        self.register_buffer("frozen_weights", tensor(initial_weights(graph, plan, frozen=True)))
        self._keep_frozen_weights()

    def _keep_frozen_weights(self) -> None:
        """Put the frozen weights into the state dict when there are any."""
        left_out = self._non_persistent_buffers_set
        (left_out.discard if len(self.frozen_weights) else left_out.add)("frozen_weights")

    @property
    def graph_topology_hash(self) -> str:
        """Topology hash of the graph; training does not change it."""
        return self.plan.topology_hash

    def _state(self) -> FlatTensors:
        return FlatTensors(self.weights, self.vertex_parameters, self.running, self.frozen_weights)

    # -- slots ----------------------------------------------------------------------------------------

    def edge_column(self, values: Tensor) -> Any:
        """Read a NumPy column in the order of `graph.edges`, `(edges,)`, out of a tensor in the layout of `weights`.

        Args:
            values: one value per slot, such as `weights.grad`, `(slots,)`.

        Returns:
            The column; 0 for frozen edges.
        """
        return edge_column(self.plan, values)

    def edge_vector(self, column: Any) -> Tensor:
        """Put a column in the order of `graph.edges` into the layout of `weights`, `(slots,)`; 0 in pads.

        The inverse of `edge_column`, for penalties and learning rates of every edge.

        Raises:
            InputError: when the column has another length.
        """
        values = column if isinstance(column, Tensor) else torch.from_numpy(np.array(column))
        if values.shape != (len(self.graph.edges),):
            raise InputError(
                f"The column has shape {tuple(values.shape)}, but the graph has {len(self.graph.edges)} edges, "
                "with one value for each."
            )
        slots, held = self.edge_slots(), self.weights.detach()
        flat = torch.zeros_like(held)
        flat[slots[slots >= 0]] = values.detach().to(held)[slots >= 0]
        return flat

    def edge_slots(self, ids: Any = None) -> Tensor:
        """Find the slots of edges in `weights`, -1 for frozen ones, `(ids,)`.

        Args:
            ids: edge ids, such as `link.id` or a column of matches; by default all, in the order of `graph.edges`.

        Raises:
            CompileError: when an id is not in the graph.
        """
        return self._tensor(self.plan.edge_slots[self._rows("edge", self.graph.edges, ids)])

    def slot_edges(self) -> Tensor:
        """Return the id of the edge in each slot of `weights`, -1 for pads, `(slots,)`."""
        found, slots = np.full(len(self.weights), -1), self.plan.edge_slots
        found[slots[slots >= 0]] = self.graph.edges.id[slots >= 0]
        return self._tensor(found)

    def vertex_slots(self, column: str, ids: Any = None) -> Tensor:
        """Find the slots of the values of vertices in a column, -1 for vertices without a value, `(ids,)`.

        Args:
            column: name: "bias", "scale", "shift", "slope", ... lie in `vertex_parameters`, "mean" and "var" in
                `running`.
            ids: vertex ids; by default all, in the order of `graph.vertices`.

        Raises:
            CompileError: when no layer has the column, or an id is not in the graph.
        """
        found = np.full(self.graph.num_vertices, -1)
        where = self._column(column)
        found[where.rows] = where.slots
        return self._tensor(found[self._rows("vertex", self.graph.vertices, ids)])

    def slot_vertices(self, column: str) -> Tensor:
        """Return the id of the vertex in each slot of the vector that has a column, -1 in slots of other columns.

        Args:
            column: name, as `vertex_slots` takes it.
        """
        where = self._column(column)
        found = np.full(len(self.vertex_parameters if where.trained else self.running), -1)
        found[where.slots] = self.graph.vertices.id[where.rows]
        return self._tensor(found)

    def _column(self, column: str) -> Any:
        if column not in self.plan.vertex_slots:
            raise CompileError(unknown_name("column of vertices", column, self.plan.vertex_slots))
        return self.plan.vertex_slots[column]

    def _rows(self, what: str, table: Any, ids: Any) -> Any:
        if ids is None:
            return slice(None)
        given = ids.detach().cpu().numpy() if isinstance(ids, Tensor) else ids
        wanted = np.atleast_1d(whole_numbers("ids", given, error=CompileError)).reshape(-1)
        rows = table.find(wanted)
        if (missing := np.flatnonzero(rows < 0)).size:
            raise CompileError(
                f"There is no {what} {wanted[missing[0]]} in the network; its graph has the ids of net.graph."
            )
        return rows

    def _tensor(self, slots: Array) -> Tensor:
        return torch.from_numpy(slots.astype(np.int64)).to(self.weights.device)

    # -- state dicts ----------------------------------------------------------------------------------

    def get_extra_state(self) -> Tensor:
        """Hash of topology and slot layout, by which a state dict of another network is noticed."""
        return torch.tensor(list(self._digest()), dtype=torch.uint8)

    def set_extra_state(self, state: Tensor) -> None:
        """Check the hash. Raises `CompileError` when the state dict is that of another topology or plan."""
        # State dicts from before frozen weights were part of them have the first half only.
        if bytes(state.tolist()) not in (self._digest(), self.plan.digest):
            raise CompileError(
                "The state dict belongs to another topology or plan; lower the graph that it was saved with, "
                "with the same costs and kernels, or carry the weights with lift and migrate."
            )

    def _digest(self) -> bytes:
        return self.plan.digest + (self.plan.frozen_digest if len(self.frozen_weights) else b"")

    def _load_from_state_dict(self, state_dict: Mapping[str, Any], prefix: str, *args: Any) -> None:
        # torch sets the extra state last; checked first, a refusal leaves all weights as they were.
        key, frozen = f"{prefix}_extra_state", f"{prefix}frozen_weights"
        if key in state_dict:
            self.set_extra_state(state_dict[key])
            if len(self.frozen_weights) and frozen not in state_dict and len(state_dict[key]) == len(self.plan.digest):
                state_dict = {**state_dict, frozen: self.frozen_weights}
        super()._load_from_state_dict(state_dict, prefix, *args)

    # -- copies and moves -----------------------------------------------------------------------------

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        dtype = fn(self.weights.new_empty(0)).dtype
        if dtype not in DTYPES:
            raise CompileError(f"A compiled network cannot be {dtype}; use float32 or float64.")
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        """Copy the network with its tensors; share graph and plan, which never change."""
        new = type(self)(self.graph, self.plan, self.options, self.weights.device, self.weights.dtype)
        memo[id(self)] = new
        new.training = self.training
        for name in (*FLAT_PARAMETERS, *FLAT_BUFFERS):
            mine, theirs = getattr(self, name), getattr(new, name)
            theirs.data.copy_(mine.data)
            memo[id(mine)] = theirs  # an optimizer that is copied along trains the copy
            if isinstance(mine, nn.Parameter):
                theirs.requires_grad_(mine.requires_grad)
                theirs.grad = copy.deepcopy(mine.grad, memo)
        for kind in ("_parameters", "_buffers", "_modules"):
            theirs = new.__dict__[kind]
            theirs.update({k: copy.deepcopy(v, memo) for k, v in self.__dict__[kind].items() if k not in theirs})
        for name, value in self.__dict__.items():
            if name not in OWN_ATTRIBUTES:
                new.__dict__[name] = copy.deepcopy(value, memo)
        return new

    def __getstate__(self) -> dict[str, Any]:
        """Everything but the buffers of the executor; requested statistics are forgotten, as in a deep copy."""
        return {name: value for name, value in self.__dict__.items() if name not in ("_executor", "_requests")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)  # type: ignore[no-untyped-call]
        self._executor, self._requests = Executor(self.plan), {}
        self._keep_frozen_weights()  # it was pickled, perhaps, when they were in no state dict

    def _replicate_for_data_parallel(self) -> Self:
        """Make a shallow copy for another device, with buffers of its own, since replicas run at the same time."""
        if self._requests:
            raise CompileError(
                "Statistics are not collected by replicas of torch.nn.DataParallel; release them before, or run the "
                "network on one device."
            )
        replica: Self = super()._replicate_for_data_parallel()  # type: ignore[no-untyped-call]
        replica._executor, replica._requests = Executor(self.plan), {}
        return replica

    def __prepare_scriptable__(self) -> None:
        refuse_script()

    def extra_repr(self) -> str:
        """Sizes, for `print(net)`."""
        return f"{self.graph!r}, {len(self.weights):,} weight slots, {len(self.vertex_parameters):,} vertex parameters"

    def _repr_html_(self) -> str:
        return f"<div>{escape(self.extra_repr())}, on {escape(self.weights.device)}{self.plan._repr_html_()}</div>"
