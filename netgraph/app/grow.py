"""`netgraph grow`: from a data set to a run directory."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from rich.console import Console

from compilers import CompiledNetwork, CostTable, lift, tuned_costs
from compilers.training import (
    EpochEnded,
    Event,
    Rewritten,
    Settled,
    TrainingData,
    TrainSettings,
    TrainState,
    begin,
    evaluate,
    load_checkpoint,
    save_checkpoint,
    train,
)
from netgraph import __version__
from netgraph.app.data import Dataset, load_dataset, split_validation
from netgraph.app.options import split_assignments
from netgraph.app.progress import ProgressDisplay
from netgraph.app.run_directory import RunDirectory
from netgraph.app.summary import RunSummary, render_summary
from netgraph.errors import DataError, OptionError, unknown_name
from netgraph.graph import Array, Graph, mlp
from netgraph.methods import Method, get_method
from netgraph.serialize import save
from netgraph.viz import draw


@dataclass(frozen=True, kw_only=True)
class RunSettings:
    """Options about data and machine.

    Attributes:
        validation: share of the training data that is held out for triggers and choices.
        samples: use at most so many training samples; 0 uses all.
        threads: torch threads. Steps of networks with some 100,000 edges gain nothing from more than one, and
            results depend on the number to the last bits.
        costs: by which kernels are picked: "built-in", the same everywhere, or "tuned", as `netgraph tune` measured
            them on this machine.
    """

    validation: float = 1 / 12
    samples: int = 0
    threads: int = 1
    costs: Literal["built-in", "tuned"] = "built-in"

    def __post_init__(self) -> None:
        if self.costs not in ("built-in", "tuned"):
            raise OptionError(unknown_name("costs", self.costs, ("built-in", "tuned")))
        if self.threads < 1:
            raise OptionError(f"threads={self.threads} is below 1.")
        if self.samples < 0:
            raise OptionError(f"samples={self.samples} is negative; 0 uses all.")
        if not 0 < self.validation < 1:
            raise OptionError(f"validation={self.validation} is not a share between 0 and 1.")


@dataclass(frozen=True, kw_only=True)
class GrowRequest:
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
    seed: int = 0
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


@dataclass(frozen=True)
class _Plan:
    """Everything that a run is made of before it starts."""

    dataset: Dataset
    data: TrainingData
    settings: TrainSettings
    method: Method
    first: Graph
    config: dict[str, Any]
    costs: CostTable | None = None


SMALL = 5_000
"""Training samples below which other training options suit better."""

SMALL_TRAINING: dict[str, Any] = {"epochs": 100, "batch_size": 32, "learning_rate": 4e-3}


def default_training(samples: int) -> dict[str, Any]:
    """Training options that suit the size of a data set; `--set` overrules them."""
    return dict(SMALL_TRAINING) if samples < SMALL else {}


def grow(request: GrowRequest, console: Console) -> RunSummary:
    """Run or resume a request, write its run directory, and return its results.

    Raises:
        NetgraphError: for bad input, before anything is written; for a loss that is not finite, with the
            last checkpoint in place.
        OSError: when the disk is full; the last checkpoint stays.
    """
    started = time.perf_counter()
    plan = _prepare(request)
    run, state = _open(request, plan)
    for note in plan.dataset.notes:
        console.print(f"data: {note}", highlight=False, markup=False)
    sizes = (
        f"{len(plan.data.x_train):,} training, {len(plan.data.x_valid):,} validation, {len(plan.dataset.x_test):,} test"
    )
    console.print(f"{plan.dataset.name}: {sizes} samples; start {plan.first!r}", highlight=False, markup=False)
    console.print(f"writing {run.path}", highlight=False, markup=False)
    before = state.elapsed
    with ProgressDisplay(console, plan.settings.epochs, state.epoch) as display:

        def record(event: Event) -> None:
            if isinstance(event, Rewritten):
                if event.result.changed:
                    run.journal.append(event.result, before=event.before, epoch=event.epoch,
                                       metrics=event.metrics, seed=event.seed)  # fmt: skip
            elif isinstance(event, EpochEnded):
                run.append_metrics({"epoch": event.epoch, **event.metrics})
            elif isinstance(event, Settled):
                state.elapsed = before + time.perf_counter() - started
                save_checkpoint(state, run.checkpoint)

        train(state, plan.data, plan.settings, plan.method, [display, record])
    state.elapsed = before + time.perf_counter() - started
    return _finish(run, plan, state, console)


def _prepare(request: GrowRequest) -> _Plan:
    spec = get_method(request.method)
    if "epochs" in request.assignments and request.epochs is not None:
        raise OptionError("epochs is given by --epochs and by --set; give it once.")
    if "seed" in request.assignments:
        raise OptionError("The seed is set by --seed, since it also splits the data; remove it from --set.")
    data_values, train_values, method_values = split_assignments(
        request.assignments, RunSettings, TrainSettings, spec.options
    )
    options = RunSettings(**data_values)
    torch.set_num_threads(options.threads)
    dataset = load_dataset(
        request.data, seed=request.seed, target=request.target, task=request.task, limit=options.samples or None
    )
    data = _training_data(dataset, options, request)
    given = {"seed": request.seed, **({"epochs": request.epochs} if request.epochs is not None else {})}
    settings = TrainSettings(**{**default_training(len(data.x_train)), **train_values, **given})
    first = mlp([dataset.features, dataset.outputs], domain=dataset.domain, seed=request.seed)
    method_options = spec.resolve(spec.options(**method_values), first)
    config = {
        "netgraph": __version__, "torch": torch.__version__, "numpy": np.__version__,
        "python": platform.python_version(), "machine": platform.machine(),
        "data": request.data, "target": request.target, "task": dataset.task,
        "fingerprint": dataset.fingerprint, "device": request.device,
        "method": request.method, "run": asdict(options), "training": asdict(settings),
        "options": asdict(method_options), "seed": request.seed,
    }  # fmt: skip
    costs = tuned_costs(data.device) if options.costs == "tuned" else None
    return _Plan(dataset, data, settings, spec.build(first, method_options), first, config, costs)


def _training_data(dataset: Dataset, options: RunSettings, request: GrowRequest) -> TrainingData:
    x, y = dataset.x_train, dataset.y_train
    if dataset.x_valid is not None and dataset.y_valid is not None:
        parts = (x, y, dataset.x_valid, dataset.y_valid)
    else:
        train_rows, valid_rows = split_validation(dataset, fraction=options.validation, seed=request.seed)
        parts = (x[train_rows], y[train_rows], x[valid_rows], y[valid_rows])
    try:
        device = torch.device(request.device)
        torch.zeros(1, device=device).item()
    except (RuntimeError, AssertionError) as error:
        raise OptionError(f"--device {request.device!r} cannot be used here: {error}") from error
    task: Any = dataset.task
    return TrainingData.from_arrays(*parts, task=task, device=device)


def _open(request: GrowRequest, plan: _Plan) -> tuple[RunDirectory, TrainState]:
    directory = request.directory
    if not request.resume:
        run = RunDirectory.create(directory, plan.config, plan.first, overwrite=request.overwrite)
        state = begin(plan.first, plan.settings, plan.data.device, costs=plan.costs)
        return run, state
    run = RunDirectory(directory)
    _same_run(run.config, plan.config, directory)
    if not run.checkpoint.is_file() and run.undone_checkpoint.is_file():
        raise OptionError(
            f"Rewrites of the run in {os.fspath(directory)!r} were undone, so it has no checkpoint to go on from; "
            "start a new run with another --out."
        )
    if run.checkpoint.is_file():
        state = load_checkpoint(run.checkpoint, plan.settings, plan.data.device)
    else:  # killed before the first epoch was saved
        state = begin(plan.first, plan.settings, plan.data.device, costs=plan.costs)
    run.clear_temporary()
    run.journal.truncate(state.net.graph.rewrites)
    reached = [graph for _entry, graph in run.journal.replay()]  # a damaged journal is noticed before training on
    if reached and not reached[-1].same_topology(state.net.graph):
        raise DataError(
            f"The journal in {os.fspath(directory)!r} does not lead to the graph of the checkpoint; one of them "
            "belongs to another run. Start a new one."
        )
    run.reset_metrics(state.history)
    return run, state


def _same_run(recorded: Mapping[str, Any], asked: Mapping[str, Any], directory: Path) -> None:
    """A resumed run must be the recorded one; only versions and the kind of machine may differ."""
    free = {"netgraph", "torch", "numpy", "python", "machine"}
    for key, value in asked.items():
        if key not in free and recorded.get(key) != value:
            different = f"{key}: recorded {recorded.get(key)!r}, asked for {value!r}"
            raise DataError(
                f"The run in {os.fspath(directory)!r} was made with other settings ({different}); "
                "resume it with the same command, or start a new one."
            )


def _finish(run: RunDirectory, plan: _Plan, state: TrainState, console: Console) -> RunSummary:
    """Read the test set, for the first time, for the two kept graphs, and write the results."""
    console.print("training the linear start alone, for comparison", highlight=False)
    began = time.perf_counter()
    # Until its first growth the run did the same; alone, the start goes on to its plateau at a learning rate of 0.
    alone = train(begin(plan.first, plan.settings, plan.data.device, costs=plan.costs), plan.data, plan.settings)
    seconds = time.perf_counter() - began
    save(lift(alone.net), run.start_file)
    save(lift(state.net), run.graph_file)
    test = _tensors(plan, plan.dataset.x_test, plan.dataset.y_test)
    scores = {
        "test": _score(state.net, test, plan),
        "test_start": _score(alone.net, test, plan),
        "val": _score(state.net, (plan.data.x_valid, plan.data.y_valid), plan),
    }
    summary = RunSummary.collect(run, plan.dataset, state, plan.first, seconds, scores)
    run.write_text("summary.json", summary.to_json() + "\n")
    run.write_text("summary.md", render_summary(run, summary))
    draw(lift(state.net), title=f"{plan.dataset.name}, {plan.config['method']}").save(run.path / "topology.svg")
    return summary


def _tensors(plan: _Plan, x: Array, y: Array) -> tuple[torch.Tensor, torch.Tensor]:
    kind = np.int64 if plan.dataset.task == "classification" else np.float32
    device = plan.data.device
    return torch.from_numpy(x.astype(np.float32)).to(device), torch.from_numpy(y.astype(kind)).to(device)


def _score(net: CompiledNetwork, data: tuple[torch.Tensor, torch.Tensor], plan: _Plan) -> float:
    """Accuracy, or root mean squared error in the units of the targets, which were standardised one by one."""
    scores = evaluate(net, *data, plan.dataset.task)
    if plan.dataset.target_std is None:
        return scores["accuracy"]
    x, y = data
    with torch.no_grad():
        error = (net(x) - y).double().cpu().numpy() * plan.dataset.target_std
    return float(np.sqrt(np.mean(error**2)))
