"""The state of a run between two epochs: everything that a resumed run needs."""

from __future__ import annotations

import math
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch

from compilers.lifting import BORN, lift, load_optimizer_state, optimizer_state_arrays, parameter_groups
from compilers.plan import Choice, CostTable, Plan, Site
from compilers.running import CompiledNetwork, Options, lower, lower_with
from compilers.training.finite import not_finite, not_finite_of
from compilers.training.natural import NaturalGradient
from compilers.training.settings import TrainSettings
from netgraph.errors import DivergenceError, FileFormatError, NetgraphError, TrainingError
from netgraph.graph import Graph
from netgraph.methods import Action
from netgraph.schedules import STOP_REASON_SHAPE, Phase, StopReason
from netgraph.storage import (
    GRAPH_SHAPE,
    Entries,
    Flag,
    Items,
    Maybe,
    Number,
    Record,
    Row,
    Text,
    Whole,
    from_columns,
    read_container,
    shape_of,
    to_columns,
    write_container,
)

CHECKPOINT_KIND = "checkpoint"
CHECKPOINT_VERSION = 3

FORWARDS_PER_STEP = 3
"""Cost of a training step, in forwards: one, and two for the backward (gradients of weights and of values)."""

VECTORS = ("weights", "vertex_parameters", "running")

METRICS = ("train_loss", "learning_rate", "val_loss", "edges", "flops", "seconds")
"""Entries of the history for every epoch; the validation score beside it has the name of the metric."""

DTYPES = {"float32": torch.float32, "float64": torch.float64}

_STRUCTURE = Record(
    {
        "graph": GRAPH_SHAPE,
        "lowering": Record(
            {
                "dtype": Text(tuple(DTYPES)),
                "costs": shape_of(CostTable),
                "kernels": Entries(Text()),
                "choices": Items(Row((Text(), Text(), Flag(), Text(), Flag(), Whole()))),
                "plan": Text(),
            }
        ),
        "history": Items(Record(dict.fromkeys(METRICS, Number()), others=Number())),
        "actions": Items(shape_of(Action)),
        "stopped": STOP_REASON_SHAPE,
        "elapsed": Number(),
        "rewriting": Number(),
        "phase": Record({"start": Whole(), "epochs": Maybe(Whole(1)), "curve": Maybe(Text())}),
        "costs": Entries(Number()),
        "optimizer": Text(),
    }
)


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
        rewriting: wall seconds between epochs so far, on statistics, rewrites and their callbacks.
        phase: the present phase of training.
        phase_start: epochs finished when it began.
        costs: floating-point operations so far by their use: "training" (three forwards a step), "statistics"
            (of edges), "dense gradients" (of missing edges as well), "paths" (scores by paths).
    """

    net: CompiledNetwork
    optimizer: torch.optim.Optimizer
    history: list[dict[str, float]] = field(default_factory=list)
    actions: list[Action] = field(default_factory=list)
    stopped: StopReason | None = None
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
    """Start a run: lower the graph, and make its optimizer. `costs` replaces the built-in costs that pick kernels."""
    net = lower(graph, device=device, costs=costs)
    return TrainState(net, make_optimizer(net, settings))


def make_optimizer(net: CompiledNetwork, settings: TrainSettings) -> torch.optim.Optimizer:
    """Make the optimizer of the settings for the two flat vectors of the network."""
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
        DivergenceError: when metrics, weights, running statistics or optimizer state are not finite; the last good one
            stays.
    """
    losses = state.history[-1] if state.history else {}
    bad = [name for name, value in losses.items() if not math.isfinite(value)]
    if bad := bad + not_finite(state.net, state.optimizer):
        stays = (
            f"The checkpoint {os.fspath(path)!r} of an earlier epoch stays" if Path(path).exists() else "There is none"
        )
        raise DivergenceError(
            f"{', '.join(bad)} are not finite after epoch {state.epoch}, which no run could be resumed from. {stays}; "
            "go on with a lower learning rate, or clip gradients."
        )
    graph, arrays = to_columns(lift(state.net))
    columns = {f"graph.{name}": values for name, values in arrays.items()}
    for name, tensor in optimizer_state_arrays(state.optimizer).items():
        columns[f"optimizer.{name}"] = tensor.detach().cpu().numpy()
    if state.net.weights.dtype != torch.float32:  # The graph may be float32, which rounds them.
        for name in (*VECTORS, *(("frozen_weights",) if len(state.net.frozen_weights) else ())):
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
        "stopped": None if state.stopped is None else asdict(state.stopped),
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
            os.link(os.path.realpath(target), previous)  # of a symbolic link, the file that is going to be replaced
        except OSError:  # a file system without hard links
            shutil.copyfile(target, previous)
    write_container(target, CHECKPOINT_KIND, CHECKPOINT_VERSION, structure, columns)


def load_checkpoint(path: str | os.PathLike[str], settings: TrainSettings, device: torch.device) -> TrainState:
    """Read a state written by `save_checkpoint`; training goes on from it as if it had never stopped.

    Raises:
        TrainingError: when the file is missing or damaged, naming the one before it, or of another optimizer,
            or when its network is now lowered to another plan.
    """
    try:
        structure, arrays = _read(path)
        graph = _graph(structure, arrays, path)
        began = dict(structure["phase"])
        start, phase, history = began.pop("start"), Phase(**began), structure["history"]
        actions = [Action(**values) for values in structure["actions"]]
        if latest := max([start, *(action.epoch for action in actions)]) > len(history):
            raise FileFormatError(f"it did something after epoch {latest}, but has {len(history)} epochs")
        net = _lowered(graph, path, device, structure["lowering"])
        _put_vectors(net, _part(arrays, "net."))
    except TrainingError:
        raise
    except NetgraphError as error:
        raise _unusable(path, str(error)) from error
    optimizer, made_with = make_optimizer(net, settings), structure["optimizer"]
    if type(optimizer).__name__ != made_with:
        raise TrainingError(
            f"The checkpoint {os.fspath(path)!r} was made with {made_with}, but optimizer={settings.optimizer!r} was "
            "asked for, which cannot go on from its state; resume with the optimizer that it was made with."
        )
    tensors = {name: torch.from_numpy(values.copy()) for name, values in _part(arrays, "optimizer.").items()}
    _check_optimizer_state(path, make_optimizer(net, settings), net, tensors)
    held = {f"optimizer state {name!r}": tensor for name, tensor in tensors.items()}
    if bad := not_finite(net, optimizer) + not_finite_of(held):
        raise _unusable(path, f"{', '.join(bad)} are not finite.")
    load_optimizer_state(optimizer, tensors)
    return TrainState(
        net,
        optimizer,
        history=history,
        actions=actions,
        stopped=StopReason.from_json(structure["stopped"]),
        elapsed=structure["elapsed"],
        rewriting=structure["rewriting"],
        phase=phase,
        phase_start=start,
        costs=structure["costs"],
    )


def _unusable(path: str | os.PathLike[str], what: str) -> TrainingError:
    previous = Path(path).with_suffix(".previous")
    hint = f" The one before it is {os.fspath(previous)!r}; copy it over this file." if previous.is_file() else ""
    return TrainingError(f"The checkpoint {os.fspath(path)!r} cannot be used: {what}{hint}")


def checkpoint_graph(path: str | os.PathLike[str]) -> Graph:
    """Read the graph of a checkpoint with its trained weights.

    Raises:
        FileFormatError, GraphError: when the file is missing or damaged.
    """
    structure, arrays = _read(path)
    return _graph(structure, arrays, path)


def _read(path: str | os.PathLike[str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The values and arrays of a checkpoint, all of a known kind."""
    structure, arrays = read_container(path, CHECKPOINT_KIND, CHECKPOINT_VERSION, _STRUCTURE)
    for name in arrays:
        if name.partition(".")[0] not in ("graph", "optimizer", "net"):
            raise FileFormatError(f"{os.fspath(path)!r} is damaged: nothing uses its array {name!r}.")
    return structure, arrays


def _graph(structure: dict[str, Any], arrays: dict[str, Any], path: str | os.PathLike[str]) -> Graph:
    return from_columns(structure["graph"], _part(arrays, "graph."), repr(os.fspath(path)))


def _put_vectors(net: CompiledNetwork, vectors: dict[str, Any]) -> None:
    """Take over the vectors of a network in float64, all of them. Raises `FileFormatError` when they do not fit."""
    wanted = set(VECTORS) if net.weights.dtype != torch.float32 else set()
    # Frozen weights are those of the graph in files from before they were written.
    if vectors.keys() not in (wanted, {*wanted, *(("frozen_weights",) if wanted and len(net.frozen_weights) else ())}):
        raise FileFormatError(f"its vectors are {sorted(vectors)}, which do not fit a network of {net.weights.dtype}.")
    with torch.no_grad():
        for name, values in vectors.items():
            own, given = getattr(net, name), torch.from_numpy(values.copy())
            if (given.shape, given.dtype) != (own.shape, own.dtype):
                raise FileFormatError(
                    f"its vector {name!r} is {given.dtype} of shape {tuple(given.shape)}, the network needs "
                    f"{own.dtype} of shape {tuple(own.shape)}."
                )
            own.copy_(given)


def _check_optimizer_state(
    path: str | os.PathLike[str], fresh: torch.optim.Optimizer, net: CompiledNetwork, given: Mapping[str, torch.Tensor]
) -> None:
    """Compare the state with that of an optimizer after a step: names, shapes and dtypes. None at all is that before.

    Raises:
        TrainingError: naming the first entry that differs.
    """
    parameters = (net.weights, net.vertex_parameters)
    known = {name: (tuple(t.shape), t.dtype) for name, t in _stepped_state(fresh, parameters).items()}
    found = {name: (tuple(t.shape), t.dtype) for name, t in given.items()}
    for at, parameter in enumerate(parameters):
        if (name := f"{at}.{BORN}") in found:  # there while entries are new
            known[name] = (tuple(parameter.shape), parameter.dtype)
    wrong = sorted(name for name in found.keys() | known.keys() if found.get(name) != known.get(name))
    if given and wrong:
        words = [f"{s[1]} of shape {s[0]}" if (s := side.get(wrong[0])) else "none" for side in (found, known)]
        raise TrainingError(
            f"The checkpoint {os.fspath(path)!r} cannot be used: its optimizer state {wrong[0]!r} is {words[0]}, and "
            f"{type(fresh).__name__} of this network has {words[1]}; it belongs to another network."
        )


def _stepped_state(fresh: torch.optim.Optimizer, parameters: Sequence[torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return the state that an optimizer has after its first step; the parameters stay."""
    if isinstance(fresh, NaturalGradient):  # which has none, and needs a batch to step
        return {}
    kept = [parameter.detach().clone() for parameter in parameters]
    for parameter in parameters:
        parameter.grad = torch.zeros_like(parameter)
    fresh.step()
    with torch.no_grad():
        for parameter, values in zip(parameters, kept, strict=True):
            parameter.grad = None
            parameter.copy_(values)
    return optimizer_state_arrays(fresh)


def _lowered(
    graph: Graph, path: str | os.PathLike[str], device: torch.device, lowering: Mapping[str, Any]
) -> CompiledNetwork:
    """The network, lowered as it was: only then does the state of the optimizer belong to the same slots."""
    options = Options(CostTable(**lowering["costs"]), lowering["kernels"])
    choices = {Site(*row[:3]): Choice(*row[3:]) for row in lowering["choices"]}
    try:
        net = lower_with(graph, options, device, DTYPES[lowering["dtype"]], settled=choices)
    except NetgraphError as error:
        raise TrainingError(f"The network of the checkpoint {os.fspath(path)!r} cannot be lowered: {error}") from error
    if net.plan.digest.hex() != lowering["plan"] or choices != net.plan.choices:
        raise TrainingError(
            f"The network of the checkpoint {os.fspath(path)!r} is now lowered to another plan than the one it was "
            "trained with, which the optimizer state does not fit; resume with the netgraph that wrote it."
        )
    return net


def _choice_rows(plan: Plan) -> list[list[Any]]:
    """The choice of each site: the fields of its `Site`, then the fields of its `Choice`."""
    return [[*site, *choice] for site, choice in plan.choices.items()]


def _part(arrays: dict[str, Any], prefix: str) -> dict[str, Any]:
    return {name.removeprefix(prefix): values for name, values in arrays.items() if name.startswith(prefix)}
