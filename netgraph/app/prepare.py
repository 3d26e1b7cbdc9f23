"""A run before it starts: its options, its data and its first graph."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

import numpy as np
import torch

from compilers import CostTable, tuned_costs
from compilers.training import TrainingData, TrainSettings, check_augment
from netgraph import __version__
from netgraph.app.data import Dataset, ImageLayout, Normalisation, dataset_names
from netgraph.app.hardware import hardware, set_up_process
from netgraph.app.inputs import Inputs, RunSettings, read_inputs
from netgraph.app.losses import loss_note
from netgraph.app.options import split_assignments
from netgraph.app.requests import GrowRequest
from netgraph.errors import DataError, OptionError
from netgraph.graph import Graph
from netgraph.methods import Method, get_method
from netgraph.storage import ShapeError, expanded, file_name, shape_of, there


@dataclass(frozen=True, kw_only=True)
class PreparedRun:
    """A run before it starts: data, options, method and first graph.

    Attributes:
        dataset: the data as loaded, test samples included.
        data: training and validation samples as the network takes them.
        settings: how to train.
        method: how to grow.
        first: the graph at which growth starts.
        config: what `config.json` holds.
        inputs: the data before the graph was known.
        costs: by which kernels are picked; None for the built-in ones.
    """

    dataset: Dataset
    data: TrainingData
    settings: TrainSettings
    method: Method
    first: Graph
    config: dict[str, Any]
    inputs: Inputs
    costs: CostTable | None

    @property
    def outlook(self) -> Sequence[str]:
        """Sentences about a size that the method was asked for and this run may miss."""
        return self.method.outlook(self.first, self.settings.epochs)

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences for the user about changes to the data."""
        return (*self.dataset.notes, *([self.normalisation.note] if self.normalisation else []))

    @property
    def loss_note(self) -> str:
        """Sentences for the user about how the losses of an epoch are measured."""
        return loss_note(asdict(self.settings), self.dataset.task, self.dataset.outputs)

    @property
    def normalisation(self) -> Normalisation | None:
        """Normalisation of the inputs, or None."""
        return self.inputs.normalisation

    @property
    def maps(self) -> ImageLayout | None:
        """Layout by which images become maps; None when samples are fed flat."""
        return self.inputs.layout if self.first.inputs[0].grid else None

    @property
    def test(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Inputs and targets of the test samples, as the network takes them, on the device of the others."""
        return self.inputs.test(self.first, self.data.device)


SMALL = 5_000
"""Training samples below which other training options suit better."""

SMALL_TRAINING: dict[str, Any] = {"epochs": 100, "batch_size": 32, "learning_rate": 4e-3}


def default_training(samples: int) -> dict[str, Any]:
    """Training options that suit the size of a data set; `--set` overrules them."""
    return dict(SMALL_TRAINING) if samples < SMALL else {}


def prepare(request: GrowRequest, recorded: Mapping[str, Any] | None = None) -> PreparedRun:
    """Read data and options of a request, and make the graph at which it starts.

    Args:
        request: what was asked for.
        recorded: configuration of the run that goes on. Options that the request leaves out are as recorded there,
            whatever their defaults are by now.

    Raises:
        NetgraphError: for options that do not exist or do not fit, and for data that cannot be used.
    """
    if "epochs" in request.assignments and request.epochs is not None:
        raise OptionError("epochs is given by --epochs and by --set; give it once.")
    if "seed" in request.assignments:
        raise OptionError("The seed is set by --seed, since it also splits the data; remove it from --set.")
    run_values, train_values, method_values = split_assignments(
        request.assignments, RunSettings, TrainSettings, get_method(request.method).options
    )
    if request.epochs is not None:
        train_values["epochs"] = request.epochs
    if recorded is None:
        return _prepared(request, run_values, train_values, method_values)
    known = _known_options(recorded, request.method)
    return _prepared(
        replace(request, task=request.task or recorded.get("task")),
        {**known["run"], **run_values},
        {**known["training"], **train_values},
        {**known["options"], **method_values},
        filled={name: known["options"][name] for name in method_values.keys() & known["options"].keys()},
    )


def _known_options(recorded: Mapping[str, Any], method: str) -> dict[str, dict[str, Any]]:
    """Select the options in a configuration that this version has; those of the method only if it is the recorded one.

    Raises:
        DataError: when one is of another kind than it has to be.
    """
    parts = dict(_parts_of(method))
    known: dict[str, dict[str, Any]] = {}
    for name, kind in parts.items():
        values = {} if name == "options" and recorded.get("method") != method else recorded.get(name, {})
        known[name] = {f.name: values[f.name] for f in fields(kind) if f.name in values}
        _made(name, kind, known[name])
    return known


def _parts_of(method: str) -> tuple[tuple[str, type[Any]], ...]:
    """Names of the options in a configuration, and their classes."""
    return ("run", RunSettings), ("training", TrainSettings), ("options", get_method(method).options)


def _made(name: str, kind: type[Any], values: Mapping[str, Any]) -> None:
    """Raise `DataError` when options in a configuration are none of their kind."""
    try:
        shape_of(kind).check(values)
        kind(**values)
    except ShapeError as error:
        raise DataError(
            f"The configuration of the run cannot be used ({error.at(name)}): it is damaged, or another version of "
            "netgraph wrote it. Make the run again."
        ) from error


def prepare_again(config: Mapping[str, Any]) -> PreparedRun:
    """Prepare a recorded run anew, from its configuration; only changed data give another fingerprint.

    Args:
        config: as `RunDirectory.whole_config`.

    Raises:
        DataError: for a configuration that is damaged or of another version of netgraph.
        NetgraphError: for data that cannot be read any more.
    """
    names = ("method", "seed", "device", "target", "task")
    request = GrowRequest(data=_found(config), **{name: config[name] for name in names}, assignments={})
    for name, kind in _parts_of(request.method):
        _made(name, kind, config[name])
    values = config["run"], config["training"], config["options"]
    return _prepared(request, *values)


def _absolute(data: str) -> str | None:
    """Where a file of data lies, whatever the working directory; None of names."""
    path = expanded(data)
    return os.path.abspath(path) if data not in dataset_names() and there(path) else None  # noqa: PTH100 (keeps links)


def _found(config: Mapping[str, Any]) -> str:
    """Return the source of the data of a run: the path of the file it read, or else the name that the user gave."""
    path = config.get("data_path")
    return file_name(path if isinstance(path, str) and there(file_name(path)) else config["data"])


def _prepared(
    request: GrowRequest,
    run_values: Mapping[str, Any],
    train_values: Mapping[str, Any],
    method_values: Mapping[str, Any],
    *,
    filled: Mapping[str, Any] | None = None,
) -> PreparedRun:
    """Prepare a request with its options; `filled` has earlier values of options that stand for others."""
    spec = get_method(request.method)
    options = RunSettings(**run_values)
    device = _device(request.device)
    set_up_process(options.threads)
    inputs = read_inputs(request.data, options, request.seed, target=request.target, task=request.task)
    method_options = spec.make_options(**method_values)
    first = spec.start(method_options, inputs.start)
    data = inputs.training(first, device)
    suitable = {**default_training(len(data.x_train)), **spec.training}
    settings = TrainSettings(**{**suitable, **train_values, "seed": request.seed})
    check_augment(settings, first)
    resolved = spec.resolve(method_options, first)
    again = {k: v for k, v in (filled or {}).items() if getattr(resolved, k) != getattr(method_options, k)}
    method_options = replace(resolved, **again)
    dataset, normalisation = inputs.dataset, inputs.normalisation
    config = {
        **versions(device),
        "data": request.data, "data_path": _absolute(request.data), "target": request.target, "task": dataset.task,
        "input_shape": list(dataset.input_shape), "fingerprint": dataset.fingerprint,
        "normalisation": normalisation.to_json() if normalisation else None, "preparation": inputs.preparation,
        "device": request.device,
        "method": request.method, "run": {**asdict(options), "normalise": normalisation is not None},
        "training": asdict(settings),
        "options": asdict(method_options), "seed": request.seed,
    }  # fmt: skip
    return PreparedRun(
        dataset=dataset,
        data=data,
        settings=settings,
        method=spec.build(first, method_options),
        first=first,
        config=config,
        inputs=inputs,
        costs=tuned_costs(device) if options.costs == "tuned" else None,
    )


def versions(device: torch.device) -> dict[str, str]:
    """Versions of the packages, and the machine."""
    return {
        "netgraph": __version__, "torch": torch.__version__, "numpy": np.__version__,
        "python": platform.python_version(), "machine": hardware(device),
    }  # fmt: skip


def _device(name: str) -> torch.device:
    """The torch device of a name; raises `OptionError` when it cannot be used."""
    try:
        device = torch.device(name)
        torch.zeros(1, device=device).item()
    except (RuntimeError, AssertionError) as error:
        raise OptionError(f"--device {name!r} cannot be used here: {error}") from error
    return device
