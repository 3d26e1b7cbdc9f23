"""The state of a run between two epochs: everything that a resumed run needs."""

from __future__ import annotations

import os
import shutil
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch

from compilers import CompiledNetwork, lift, load_optimizer_state, lower, optimizer_state_arrays, parameter_groups
from compilers.training.settings import TrainSettings
from netgraph.container import read_container, write_container
from netgraph.errors import FileFormatError, GraphError, TrainingError
from netgraph.graph import Graph
from netgraph.methods import Action
from netgraph.serialize import from_columns, to_columns

KIND = "checkpoint"
VERSION = 1


@dataclass
class TrainState:
    """Where a run stands.

    Attributes:
        net: the network.
        optimizer: its optimizer.
        history: metrics of every finished epoch.
        actions: everything that the method did.
        start: the graph just before the first growth, trained to its plateau; None until then.
        stopped: why training ended early, or None.
        elapsed: wall seconds spent so far, earlier parts of a resumed run included.
    """

    net: CompiledNetwork
    optimizer: torch.optim.Optimizer
    history: list[dict[str, float]] = field(default_factory=list)
    actions: list[Action] = field(default_factory=list)
    start: Graph | None = None
    stopped: str | None = None
    elapsed: float = 0.0

    @property
    def epoch(self) -> int:
        """Number of finished epochs."""
        return len(self.history)


def begin(graph: Graph, settings: TrainSettings, device: torch.device) -> TrainState:
    """A fresh run at `graph`."""
    net = lower(graph, device=device)
    return TrainState(net, make_optimizer(net, settings))


def make_optimizer(net: CompiledNetwork, settings: TrainSettings) -> torch.optim.Optimizer:
    """The optimizer of the settings, on the two flat vectors of the network."""
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
    structure: dict[str, Any] = {
        "graph": graph,
        "history": state.history,
        "actions": [asdict(action) for action in state.actions],
        "stopped": state.stopped,
        "elapsed": state.elapsed,
        "optimizer": type(state.optimizer).__name__,
        "start": None,
    }
    if state.start is not None:
        structure["start"], arrays = to_columns(state.start)
        columns |= {f"start.{name}": values for name, values in arrays.items()}
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
        TrainingError: when the file is missing or damaged, naming the one before it, or of another optimizer.
    """
    try:
        structure, arrays = read_container(path, KIND, VERSION)
        graph = from_columns(structure["graph"], _part(arrays, "graph."))
        start = structure["start"]
        first = from_columns(start, _part(arrays, "start.")) if start is not None else None
        actions = [Action(**values) for values in structure["actions"]]
        history = [dict(entry) for entry in structure["history"]]
        stopped, elapsed, made_with = structure["stopped"], structure["elapsed"], structure["optimizer"]
    except (FileFormatError, GraphError, KeyError, TypeError, ValueError) as error:
        previous = Path(path).with_suffix(".previous")
        hint = f" The one before it is {os.fspath(previous)!r}; copy it over this file." if previous.is_file() else ""
        raise TrainingError(f"The checkpoint {os.fspath(path)!r} cannot be used: {error}.{hint}") from error
    net = lower(graph, device=device)
    optimizer = make_optimizer(net, settings)
    if type(optimizer).__name__ != made_with:
        raise TrainingError(
            f"The checkpoint {os.fspath(path)!r} was made with {made_with}, but optimizer={settings.optimizer!r} was "
            "asked for, which cannot go on from its state; resume with the optimizer that it was made with."
        )
    tensors = {name: torch.from_numpy(values.copy()) for name, values in _part(arrays, "optimizer.").items()}
    load_optimizer_state(optimizer, tensors)
    return TrainState(net, optimizer, history, actions, first, stopped, elapsed)


def _part(arrays: dict[str, Any], prefix: str) -> dict[str, Any]:
    return {name.removeprefix(prefix): values for name, values in arrays.items() if name.startswith(prefix)}
