"""The network as an ordinary `torch.nn.Module`, and `lower`, which makes one from a graph."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor, nn

from compilers.lifting.statistics import COLLECTORS, Collector
from compilers.lowering.build import build_plan
from compilers.lowering.costs import CostTable
from compilers.lowering.executor import Executor
from compilers.lowering.plan import Choice, Plan, Site
from compilers.lowering.workspace import State
from netgraph.errors import CompileError, InputError, StatisticsError, unknown_name
from netgraph.graph import Graph
from netgraph.statistics import Statistics

DTYPES = (torch.float32, torch.float64)


@dataclass(frozen=True)
class Options:
    """How a network was lowered, so that a rewritten graph is lowered alike."""

    costs: CostTable
    kernels: Mapping[str, str]


def lower(
    graph: Graph,
    *,
    device: torch.device | str = "cpu",
    dtype: torch.dtype = torch.float32,
    costs: CostTable | None = None,
    kernels: Mapping[str, str] | None = None,
) -> CompiledNetwork:
    """Compile a graph to a module that runs on batches.

    Args:
        graph: the network.
        device: where its tensors live.
        dtype: float32 or float64, of its tensors.
        costs: table by which kernels are picked; a built-in one by default.
        kernels: kernel name by layer name, to overrule the choice.

    Raises:
        CompileError: for what this compiler does not handle, naming the layer or link, and for unknown names.

    Cost: O(edges).
    """
    return lower_with(graph, Options(costs or CostTable(), dict(kernels or {})), torch.device(device), dtype)


def lower_with(
    graph: Graph,
    options: Options,
    device: torch.device,
    dtype: torch.dtype,
    *,
    settled: Mapping[Site, Choice] | None = None,
    previous: Plan | None = None,
) -> CompiledNetwork:
    """Compile as `lower` does, with choices that were made before, or after a rewrite of the graph of another plan.

    Args:
        graph: the network.
        options: how to lower.
        device: where its tensors live.
        dtype: float32 or float64, of its tensors.
        settled: choices of an earlier plan of the same graph.
        previous: the plan before a rewrite, of which what still holds is taken over.
    """
    if dtype not in DTYPES:
        raise CompileError(f"dtype {dtype} is not supported; use torch.float32 or torch.float64.")
    plan = build_plan(graph, options.costs, options.kernels, settled=settled, previous=previous)
    return CompiledNetwork(graph, plan, options, device, dtype)


class CompiledNetwork(nn.Module):
    """A lowered graph: trains in anyone's own loop, moves with `.to()`, has a `state_dict`.

    Two forwards before a backward are both right. It is differentiable once.

    Attributes:
        graph: the graph that it was lowered from; `lift` gives it back with the present weights.
        plan: how it is run.
        options: how it was lowered.
        weights: (slots,) every trainable edge weight, and pads that stay 0.
        vertex_parameters: (vertex slots,) every trained vertex column.
        running: (running slots,) running means and variances of batch norm.
        frozen_weights: (frozen slots,) weights of frozen edges of `Dense` links, which no optimizer sees.
    """

    weights: nn.Parameter
    vertex_parameters: nn.Parameter
    running: Tensor
    frozen_weights: Tensor

    def __init__(self, graph: Graph, plan: Plan, options: Options, device: torch.device, dtype: torch.dtype) -> None:
        super().__init__()
        self.graph, self.plan, self.options = graph, plan, options
        self._executor = Executor(plan)

        def tensor(values: Any) -> Tensor:
            return torch.from_numpy(values).to(device=device, dtype=dtype)

        self.weights = nn.Parameter(tensor(_initial_weights(graph, plan, frozen=False)))
        trained, running = _initial_columns(graph, plan)
        self.vertex_parameters = nn.Parameter(tensor(trained))
        self.register_buffer("running", tensor(running))
        # Not in the state dict: the graph has them.
        self.register_buffer("frozen_weights", tensor(_initial_weights(graph, plan, frozen=True)), persistent=False)

    @property
    def graph_topology_hash(self) -> str:
        """Topology hash of the graph; training does not change it."""
        return self.plan.topology_hash

    # -- running --------------------------------------------------------------------------------------

    def forward(self, x: Tensor | Mapping[str, Tensor]) -> Any:
        """Run the network.

        Args:
            x: (batch, vertices, *grid) values of the input layer, or a dict of them by layer name.

        Returns:
            (batch, vertices, *grid) values of the output layer; a dict by layer name when there are several.

        Raises:
            InputError: when an input is missing or has another shape, dtype or device.
        """
        state = State(self.weights, self.vertex_parameters, self.running, self.frozen_weights)
        outputs = self._executor.run(state, self._checked(x), training=self.training)
        if len(outputs) == 1:
            return outputs[0]
        return {layer.name: value for layer, value in zip(self.plan.outputs, outputs, strict=True)}

    def _checked(self, x: Tensor | Mapping[str, Tensor]) -> list[Tensor]:
        layers = self.plan.inputs
        given = x if isinstance(x, Mapping) else {layers[0].name: x}
        if len(given) != len(layers) or any(layer.name not in given for layer in layers):
            names = sorted(layer.name for layer in layers)
            raise InputError(f"Inputs are given for {sorted(given)}, the network has the input layers {names}.")
        inputs = [given[layer.name] for layer in layers]
        for layer, value in zip(layers, inputs, strict=True):
            if value.shape[1:] != layer.shape:
                expected = ", ".join(map(str, layer.shape))
                raise InputError(f"Input {layer.name!r} has shape {tuple(value.shape)}, expected (batch, {expected}).")
            if value.dtype != self.weights.dtype or value.device != self.weights.device:
                raise InputError(
                    f"Input {layer.name!r} is {value.dtype} on {value.device}, the network is {self.weights.dtype} "
                    f"on {self.weights.device}; convert one of them with .to()."
                )
            if len(value) != len(inputs[0]):
                raise InputError(f"Input {layer.name!r} has {len(value)} samples, others {len(inputs[0])}.")
        return inputs

    # -- statistics -----------------------------------------------------------------------------------

    def request(self, name: str) -> None:
        """Start collecting a statistic over every backward from now on: `edge_gradients`.

        Every backward counts as one mini-batch for each forward that it goes through: two forwards that are summed
        into one loss are two batches, each with its own gradient.
        Asking again starts it anew. Raises `StatisticsError` for an unknown name.
        """
        self._executor.collectors[name] = _kind(name)(self.plan.num_slots)

    def release(self, name: str) -> None:
        """Stop collecting a statistic and forget it. Raises `StatisticsError` for an unknown name."""
        _kind(name)
        self._executor.collectors.pop(name, None)

    @property
    def requested(self) -> tuple[str, ...]:
        """Names of the statistics that are being collected."""
        return tuple(self._executor.collectors)

    def statistics(self, graph: Graph | None = None) -> Statistics:
        """What was collected since the request, in the rows of `graph.edges`; frozen edges have 0.

        Columns of edges: `mean_abs_gradient`, `variance_abs_gradient` (population variance over mini-batches),
        `mean_gradient`, and the present `magnitude`.

        Args:
            graph: a graph with the same topology to check against.

        Raises:
            StatisticsError: when nothing was requested, no batch was seen, or `graph` has another topology.
        """
        if not self._executor.collectors:
            raise StatisticsError("No statistics are collected; call request('edge_gradients') before training.")
        columns: dict[str, Any] = {}
        batches = 0
        for name, collector in self._executor.collectors.items():
            if not collector.batches:
                raise StatisticsError(f"{name!r} has seen no mini-batch; run a backward after the request.")
            columns.update({k: self.edge_column(v) for k, v in collector.columns().items()})
            batches = collector.batches
        columns["magnitude"] = self.edge_column(self.weights.detach().abs())
        result = Statistics(self.graph_topology_hash, edges=columns, batches=batches)
        if graph is not None:
            result.check(graph)
        return result

    def edge_column(self, values: Tensor) -> Any:
        """(edges,) NumPy column in the order of `graph.edges` of a (slots,) tensor; 0 for frozen edges."""
        flat = values.detach().cpu().numpy()
        slots = self.plan.edge_slots
        column = flat[slots] if len(flat) else np.zeros(len(slots), dtype=flat.dtype)
        column[slots < 0] = 0
        return column

    # -- module ---------------------------------------------------------------------------------------

    def get_extra_state(self) -> Tensor:
        """Hash of topology and slot layout, by which a state dict of another network is noticed."""
        return torch.tensor(list(self.plan.digest), dtype=torch.uint8)

    def set_extra_state(self, state: Tensor) -> None:
        """Check the hash. Raises `CompileError` when the state dict is that of another topology or plan."""
        if bytes(state.tolist()) != self.plan.digest:
            raise CompileError(
                "The state dict belongs to another topology or plan; lower the graph that it was saved with, "
                "with the same costs and kernels, or carry the weights with lift and migrate."
            )

    def _load_from_state_dict(self, state_dict: Mapping[str, Any], prefix: str, *args: Any) -> None:
        # torch sets the extra state last; checked first, a refusal leaves all weights as they were.
        key = f"{prefix}_extra_state"
        if key in state_dict:
            self.set_extra_state(state_dict[key])
        super()._load_from_state_dict(state_dict, prefix, *args)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        dtype = fn(self.weights.new_empty(0)).dtype
        if dtype not in DTYPES:
            raise CompileError(f"A compiled network cannot be {dtype}; use float32 or float64.")
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> CompiledNetwork:
        """A network with its own tensors; graph and plan, which never change, are shared."""
        new = CompiledNetwork(self.graph, self.plan, self.options, self.weights.device, self.weights.dtype)
        memo[id(self)] = new
        for mine, theirs in ((self.weights, new.weights), (self.vertex_parameters, new.vertex_parameters)):
            theirs.data.copy_(mine.data)
            theirs.requires_grad_(mine.requires_grad)
            theirs.grad = copy.deepcopy(mine.grad, memo)
        new.running.copy_(self.running)
        return new.train(self.training)

    def __getstate__(self) -> dict[str, Any]:
        """Everything but the buffers of the executor; requested statistics are forgotten, as in a deep copy."""
        return {name: value for name, value in self.__dict__.items() if name != "_executor"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)  # type: ignore[no-untyped-call]
        self._executor = Executor(self.plan)

    def extra_repr(self) -> str:
        """Sizes, for `print(net)`."""
        return f"{self.graph!r}, {len(self.weights):,} weight slots, {len(self.vertex_parameters):,} vertex parameters"


def _kind(name: str) -> type[Collector]:
    if name not in COLLECTORS:
        raise StatisticsError(unknown_name("statistic", name, COLLECTORS))
    return COLLECTORS[name]


def _initial_weights(graph: Graph, plan: Plan, *, frozen: bool) -> Any:
    weights = graph.edges.weight
    flat = np.zeros(plan.num_frozen_slots if frozen else plan.num_slots, dtype=weights.dtype)
    for layer in plan.layers:
        for block in layer.blocks:
            if block.frozen == frozen and block.stop > block.start:
                flat[block.slots] = weights[block.edges]
    return flat


def _initial_columns(graph: Graph, plan: Plan) -> tuple[Any, Any]:
    trained, running = np.zeros(plan.num_vertex_slots), np.zeros(plan.num_running_slots)
    for name, where in plan.vertex_slots.items():
        flat = trained if where.trained else running
        flat[where.slots] = graph.vertices.column(name)[where.rows]
    return trained, running
