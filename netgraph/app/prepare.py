"""What a run is made of before it starts: options, data and the first graph."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

from compilers import CostTable, tuned_costs
from compilers.training import TrainingData, TrainSettings, check_augment
from netgraph import __version__
from netgraph.app.data import (
    Dataset,
    ImageLayout,
    Normalisation,
    dataset_names,
    image_layout,
    load_dataset,
    split_validation,
)
from netgraph.app.hardware import check_threads, hardware
from netgraph.app.losses import loss_note
from netgraph.app.memory import keep_freed_memory
from netgraph.app.options import split_assignments
from netgraph.checks import Checked, Seed
from netgraph.columns import Array
from netgraph.errors import DataError, OptionError
from netgraph.graph import Graph
from netgraph.methods import Method, Start, get_method
from netgraph.storage import ShapeError, expanded, file_name, shape_of, there


@dataclass(frozen=True, kw_only=True)
class RunSettings(Checked):
    """Options about data and machine.

    Attributes:
        normalise: whether inputs become (x - mean) / deviation, by channel of images, else by feature; mean and
            deviation are those of the training samples. None does it where features come in units of their own, as the
            columns of a table.
        validation: share of the training data that is held out for triggers and choices.
        samples: most training samples that are used; 0 uses all.
        threads: number of torch threads. Steps of networks with some 100,000 edges gain nothing from more than one, and
            results depend on the number to the last bits.
        costs: costs by which kernels are picked: "built-in", the same everywhere, or "tuned", as `netgraph tune`
            measured them on this machine.
    """

    normalise: bool | None = None
    validation: float = 1 / 12
    samples: int = 0
    threads: int = 1
    costs: Literal["built-in", "tuned"] = "built-in"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_threads(self.threads)
        if self.samples < 0:
            raise OptionError(f"samples={self.samples} is negative; 0 uses all.")
        if not 0 < self.validation < 1:
            raise OptionError(f"validation={self.validation} is not a share between 0 and 1.")


@dataclass(frozen=True, kw_only=True)
class GrowRequest(Checked):
    """What was asked for on the command line.

    Attributes:
        data: name of a data set, a path, or openml:NAME.
        method: name of the method.
        out: run directory; None makes one below `runs`.
        seed: of data split, initial weights, batch order and rewrites.
        epochs: epochs, or None for the default.
        device: torch device.
        target: target column of a CSV file.
        task: "classification" or "regression"; None infers it from the targets.
        assignments: further options by name.
        resume: go on with the run in `out`.
        overwrite: replace the run in `out`.
    """

    data: str
    method: str = "ssonn"
    out: Path | None = None
    seed: Seed = 0
    epochs: int | None = None
    device: str = "cpu"
    target: str | None = None
    task: str | None = None
    assignments: Mapping[str, str]
    resume: bool = False
    overwrite: bool = False

    @property
    def directory(self) -> Path:
        """The run directory."""
        if self.out is not None:
            return self.out
        stem = Path(self.data.replace("openml:", "openml-")).name.split(".")[0] or "data"
        return Path("runs") / f"{stem}-{self.method}-seed{self.seed}"


@dataclass(frozen=True, kw_only=True)
class PreparedRun:
    """Everything that a run is made of before it starts.

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
        """What was done to the data, for the user."""
        return (*self.dataset.notes, *([self.normalisation.note] if self.normalisation else []))

    @property
    def loss_note(self) -> str:
        """How the losses of an epoch are measured, for the user."""
        return loss_note(asdict(self.settings), self.dataset.task, self.dataset.outputs)

    @property
    def normalisation(self) -> Normalisation | None:
        """How inputs are normalised, or None."""
        return self.inputs.normalisation

    @property
    def maps(self) -> ImageLayout | None:
        """How images become maps; None when samples are fed flat."""
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
    """The options in a configuration that this version has; none of a method but the recorded one.

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
    """Names of the options in a configuration, and what they are."""
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
    """What `prepare` made for a run, from its configuration; only data that have changed give another fingerprint.

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
    """The data of a run: the file that it read, or when it is not there any more, that of the name it was given."""
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
    """A request with its options; `filled` has what was filled in before for values that stand for others."""
    spec = get_method(request.method)
    options = RunSettings(**run_values)
    device = _device(request.device)
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
        "normalisation": normalisation.to_json() if normalisation else None, "device": request.device,
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
    """What runs here: versions and the machine."""
    return {
        "netgraph": __version__, "torch": torch.__version__, "numpy": np.__version__,
        "python": platform.python_version(), "machine": hardware(device),
    }  # fmt: skip


@dataclass(frozen=True, kw_only=True, eq=False)
class Inputs:
    """A data set split by a seed, before it is known whether a network takes it flat or as maps.

    Attributes:
        dataset: the data as loaded, test samples included.
        seed: that split them.
        layout: how rows become maps; None when samples are no images.
        normalisation: how inputs are normalised, or None.
        parts: inputs and targets to train on, then those to validate with, as loaded.
    """

    dataset: Dataset
    seed: int
    layout: ImageLayout | None
    normalisation: Normalisation | None
    parts: tuple[Array, Array, Array, Array]

    @property
    def start(self) -> Start:
        """What a method is told of the data."""
        dataset, layout = self.dataset, self.layout
        shape = (dataset.features,) if layout is None else layout.shape
        last = layout is not None and layout.channels_last
        domain = self.normalisation.domain(dataset.domain) if self.normalisation else dataset.domain
        task: Any = dataset.task
        return Start(shape=shape, outputs=dataset.outputs, domain=domain, seed=self.seed, channels_last=last, task=task)

    def training(self, first: Graph, device: torch.device) -> TrainingData:
        """Training and validation samples as a graph takes them, on a device."""
        x_train, y_train, x_valid, y_valid = self.parts
        x_train, x_valid = (self._taken(x, first) for x in (x_train, x_valid))
        task: Any = self.dataset.task
        return TrainingData.from_arrays(x_train, y_train, x_valid, y_valid, task=task, device=device)

    def test(self, first: Graph, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
        """Inputs and targets of the test samples as a graph takes them, on a device."""
        classification = self.dataset.task == "classification"
        x = self._taken(self.dataset.x_test, first)
        y = self.dataset.y_test.astype(np.int64 if classification else np.float32)
        return torch.from_numpy(x).to(device), torch.from_numpy(y).to(device)

    def _taken(self, x: Array, first: Graph) -> Array:
        rows = self.normalisation.apply(x) if self.normalisation else x
        return self.layout.as_maps(rows) if self.layout and first.inputs[0].grid else rows


def read_inputs(data: str, options: RunSettings, seed: int, *, target: str | None, task: str | None) -> Inputs:
    """Read a data set and split it. Sets the threads of torch, too.

    Args:
        data: name of a data set, a path, or openml:NAME.
        options: about data and machine.
        seed: of the split.
        target: target column of a CSV file.
        task: "classification" or "regression"; None infers it from the targets.

    Raises:
        NetgraphError: for data that cannot be read or used.
    """
    torch.set_num_threads(options.threads)
    keep_freed_memory()
    dataset = load_dataset(data, seed=seed, target=target, task=task, limit=options.samples or None)
    layout = image_layout(dataset.input_shape)
    parts = _parts(dataset, options, seed)
    normalise = dataset.own_scales if options.normalise is None else options.normalise
    normalisation = Normalisation.measured(parts[0], layout) if normalise else None
    return Inputs(dataset=dataset, seed=seed, layout=layout, normalisation=normalisation, parts=parts)


def _parts(dataset: Dataset, options: RunSettings, seed: int) -> tuple[Array, Array, Array, Array]:
    """Inputs and targets to train on, and those to validate with."""
    x, y = dataset.x_train, dataset.y_train
    if dataset.x_valid is not None and dataset.y_valid is not None:
        return x, y, dataset.x_valid, dataset.y_valid
    train_rows, valid_rows = split_validation(dataset, fraction=options.validation, seed=seed)
    return x[train_rows], y[train_rows], x[valid_rows], y[valid_rows]


def _device(name: str) -> torch.device:
    """The torch device of a name; raises `OptionError` when it cannot be used."""
    try:
        device = torch.device(name)
        torch.zeros(1, device=device).item()
    except (RuntimeError, AssertionError) as error:
        raise OptionError(f"--device {name!r} cannot be used here: {error}") from error
    return device
