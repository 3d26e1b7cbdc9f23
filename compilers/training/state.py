"""The state of a run between two epochs: everything that a resumed run needs."""

from __future__ import annotations

import os
import shutil
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch

from compilers import (
    CompiledNetwork,
    CostTable,
    lift,
    load_optimizer_state,
    lower,
    optimizer_state_arrays,
    parameter_groups,
)
from compilers.lowering.lower import lower_with
from compilers.lowering.network import Options
from compilers.lowering.plan import Choice, Plan, Site
from compilers.training.natural import NaturalGradient
from compilers.training.settings import TrainSettings
from netgraph.container import read_container, write_container
from netgraph.errors import CompileError, FileFormatError, GraphError, OptionError, TrainingError
from netgraph.graph import Graph
from netgraph.methods import Action
from netgraph.schedules import Phase
from netgraph.serialize import from_columns, to_columns

KIND = "checkpoint"
VERSION = 3

FORWARDS_PER_STEP = 3
"""What a training step costs in forwards: a backward is two, for the gradients of the weights and of the values."""

VECTORS = ("weights", "vertex_parameters", "running")


@dataclass
class TrainState:
    """Where a run stands.

    Attributes:
        net: the network.
        optimizer: its optimizer.
        history: metrics of every finished epoch.
        actions: everything that the method did.
        stopped: why training ended early, or None.
        elapsed: wall seconds spent so far, earlier parts of a resumed run included.
        rewriting: wall seconds between epochs so far, on statistics, rewrites and telling the callbacks of them.
        phase: the present phase of training.
        phase_start: epochs finished when it began.
        costs: floating-point operations so far by what they were for: "training" (three forwards a step), "statistics"
            (of edges), "dense gradients" (of missing edges as well), "paths" (scores by paths).
    """

    net: CompiledNetwork
    optimizer: torch.optim.Optimizer
    history: list[dict[str, float]] = field(default_factory=list)
    actions: list[Action] = field(default_factory=list)
    stopped: str | None = None
    elapsed: float = 0.0
    rewriting: float = 0.0
    phase: Phase = field(default_factory=Phase)
    phase_start: int = 0
    costs: dict[str, float] = field(default_factory=dict)

    @property
    def epoch(self) -> int:
        """Number of finished epochs."""
        return len(self.history)


def begin(graph: Graph, settings: TrainSettings, device: torch.device, *, costs: CostTable | None = None) -> TrainState:
    """A fresh run at `graph`; `costs` by which kernels are picked are the built-in ones unless given."""
    net = lower(graph, device=device, costs=costs)
    return TrainState(net, make_optimizer(net, settings))


def make_optimizer(net: CompiledNetwork, settings: TrainSettings) -> torch.optim.Optimizer:
    """The optimizer of the settings, on the two flat vectors of the network."""
    if settings.optimizer == "natural":
        vectors = [net.weights, net.vertex_parameters]
        return NaturalGradient(
            vectors, settings.learning_rate, damping=settings.damping, weight_decay=settings.weight_decay
        )
    groups = parameter_groups(net, weight_decay=settings.weight_decay)
    if settings.optimizer == "sgd":
        return torch.optim.SGD(groups, lr=settings.learning_rate, momentum=0.9)
    cls = torch.optim.AdamW if settings.optimizer == "adamw" else torch.optim.Adam
    return cls(groups, lr=settings.learning_rate, fused=True)


def save_checkpoint(state: TrainState, path: str | os.PathLike[str]) -> None:
    """Write the state to one file, completely or not at all; the one before it stays beside it as `.previous`.

    Raises:
        OSError: when it cannot be written; the last good checkpoint stays.
    """
    graph, arrays = to_columns(lift(state.net))
    columns = {f"graph.{name}": values for name, values in arrays.items()}
    for name, tensor in optimizer_state_arrays(state.optimizer).items():
        columns[f"optimizer.{name}"] = tensor.detach().cpu().numpy()
    if state.net.weights.dtype != torch.float32:  # The graph may be float32, which rounds them.
        for name in VECTORS:
            columns[f"net.{name}"] = getattr(state.net, name).detach().cpu().numpy()
    structure: dict[str, Any] = {
        "graph": graph,
        "lowering": {
            "dtype": str(state.net.weights.dtype).removeprefix("torch."),
            "costs": asdict(state.net.options.costs),
            "kernels": dict(state.net.options.kernels),
            "choices": _choice_rows(state.net.plan),
            "plan": state.net.plan.digest.hex(),
        },
        "history": state.history,
        "actions": [asdict(action) for action in state.actions],
        "stopped": state.stopped,
        "elapsed": state.elapsed,
        "rewriting": state.rewriting,
        "phase": {"start": state.phase_start, **asdict(state.phase)},
        "costs": state.costs,
        "optimizer": type(state.optimizer).__name__,
    }
    target = Path(path)
    if target.exists():
        previous = target.with_suffix(".previous")
        previous.unlink(missing_ok=True)
        try:
            os.link(target, previous)
        except OSError:  # a file system without hard links
            shutil.copyfile(target, previous)
    write_container(target, KIND, VERSION, structure, columns)


def load_checkpoint(path: str | os.PathLike[str], settings: TrainSettings, device: torch.device) -> TrainState:
    """Read a state written by `save_checkpoint`; training goes on from it as if it had never stopped.

    Raises:
        TrainingError: when the file is missing or damaged, naming the one before it, or of another optimizer,
            or when its network is now lowered to another plan.
    """
    try:
        structure, arrays = read_container(path, KIND, VERSION)
        graph = from_columns(structure["graph"], _part(arrays, "graph."))
        actions = [Action(**values) for values in structure["actions"]]
        history = [dict(entry) for entry in structure["history"]]
        stopped, made_with = structure["stopped"], structure["optimizer"]
        elapsed, rewriting = structure["elapsed"], structure["rewriting"]
        began = dict(structure["phase"])
        start, phase, costs = int(began.pop("start")), Phase(**began), dict(structure["costs"])
        lowering = structure["lowering"]
        dtype, digest = {"float32": torch.float32, "float64": torch.float64}[lowering["dtype"]], lowering["plan"]
        options = Options(CostTable(**lowering["costs"]), dict(lowering["kernels"]))
        choices = _choices(lowering["choices"])
    except (FileFormatError, GraphError, OptionError, KeyError, TypeError, ValueError) as error:
        previous = Path(path).with_suffix(".previous")
        hint = f" The one before it is {os.fspath(previous)!r}; copy it over this file." if previous.is_file() else ""
        what = f"it has no {error}" if isinstance(error, KeyError) else str(error)
        raise TrainingError(f"The checkpoint {os.fspath(path)!r} cannot be used: {what}.{hint}") from error
    net = _lowered(graph, path, device, dtype, options, choices, digest)
    with torch.no_grad():
        for name, values in _part(arrays, "net.").items():
            getattr(net, name).copy_(torch.from_numpy(values.copy()))
    optimizer = make_optimizer(net, settings)
    if type(optimizer).__name__ != made_with:
        raise TrainingError(
            f"The checkpoint {os.fspath(path)!r} was made with {made_with}, but optimizer={settings.optimizer!r} was "
            "asked for, which cannot go on from its state; resume with the optimizer that it was made with."
        )
    tensors = {name: torch.from_numpy(values.copy()) for name, values in _part(arrays, "optimizer.").items()}
    load_optimizer_state(optimizer, tensors)
    return TrainState(net, optimizer, history, actions, stopped, elapsed, rewriting, phase, start, costs)


def checkpoint_graph(path: str | os.PathLike[str]) -> Graph:
    """The graph of a checkpoint with its trained weights.

    Raises:
        FileFormatError, GraphError: when the file is missing or damaged.
    """
    structure, arrays = read_container(path, KIND, VERSION)
    try:
        return from_columns(structure["graph"], _part(arrays, "graph."))
    except (KeyError, TypeError, ValueError) as error:
        raise FileFormatError(f"{os.fspath(path)!r} does not hold a valid checkpoint: {error!r}") from error


def _lowered(
    graph: Graph,
    path: str | os.PathLike[str],
    device: torch.device,
    dtype: torch.dtype,
    options: Options,
    choices: dict[Site, Choice],
    digest: str,
) -> CompiledNetwork:
    """The network, lowered as it was: only then does the state of the optimizer belong to the same slots."""
    try:
        net = lower_with(graph, options, device, dtype, settled=choices)
    except CompileError as error:
        raise TrainingError(f"The network of the checkpoint {os.fspath(path)!r} cannot be lowered: {error}") from error
    if net.plan.digest.hex() != digest or choices != net.plan.choices:
        raise TrainingError(
            f"The network of the checkpoint {os.fspath(path)!r} is now lowered to another plan than the one it was "
            "trained with, which the optimizer state does not fit; resume with the netgraph that wrote it."
        )
    return net


def _choice_rows(plan: Plan) -> list[list[Any]]:
    """How each part of the network is run: the fields of its `Site`, then those of its `Choice`."""
    return [[*site, *choice] for site, choice in plan.choices.items()]


def _choices(rows: Any) -> dict[Site, Choice]:
    """What `_choice_rows` gave. Raises `ValueError` naming the first row that cannot be meant."""
    found = {}
    for row in rows:
        if not isinstance(row, list) or [type(value) for value in row] != [str, str, bool, str, bool, int]:
            raise ValueError(f"{row!r} is no choice of a kernel")
        found[Site(*row[:3])] = Choice(*row[3:])
    return found


def _part(arrays: dict[str, Any], prefix: str) -> dict[str, Any]:
    return {name.removeprefix(prefix): values for name, values in arrays.items() if name.startswith(prefix)}
