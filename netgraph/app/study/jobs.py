"""Settings of a study, its jobs, and their outcomes."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from compilers.training import TrainSettings, check_augment
from netgraph.app.hardware import set_up_process
from netgraph.app.inputs import RunSettings, read_inputs
from netgraph.app.options import split_assignments
from netgraph.app.prepare import default_training
from netgraph.app.requests import StudyRequest
from netgraph.errors import OptionError, unknown_name
from netgraph.methods import MethodSpec, SparseOptions, Start, get_method
from netgraph.methods.sparse import dense_network

ELSEWHERE = {
    "epochs": "every network is trained for --budget epochs",
    "level_epochs": "every level has --budget epochs",
    "seed": "a study has --seeds",
    "density": "a study has --densities",
    "model": "all methods have one --model",
    "stop": "a study grows through all densities, and judges the stopping rules afterwards",
    "rough": "a study grows through all densities, and trains each network for --budget epochs after it",
}
"""Reasons why a study does not take an option by `--set`, by the name of the option."""

SHARED = ("widths", "head")
"""Names of the options that must be equal for all sparse methods of a study."""


@dataclass(frozen=True, kw_only=True)
class Study:
    """Settings of a study, complete with all defaults.

    Attributes:
        data: name or path of the data set, as requested.
        target: name of the target column, or None.
        task: task, "classification" or "regression"; None derives it from the data.
        name: short name of the data set.
        metric: score of the test set, "accuracy" or "rmse".
        fingerprint: fingerprint of the data, split by seed 0.
        densities: densities to compare, in ascending order.
        run: options of data and machine.
        training: training options of every network; each job replaces the seed by its own.
        dense: options of the dense network that the methods make sparse.
        options: options of every method, by name of the method.
    """

    data: str
    target: str | None
    task: str | None
    name: str
    metric: str
    fingerprint: str
    densities: tuple[float, ...]
    run: RunSettings
    training: TrainSettings
    dense: SparseOptions
    options: Mapping[str, Any]

    @property
    def common(self) -> dict[str, Any]:
        """Settings that all methods share, as values for JSON."""
        values = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "options"}
        kept = {
            name: asdict(value) if hasattr(value, "__dataclass_fields__") else value for name, value in values.items()
        }
        return {**kept, "densities": list(self.densities)}

    def key(self, method: str) -> str:
        """Hash of all settings on which the jobs of a method depend, 16 hexadecimal digits."""
        text = json.dumps([self.common, method, asdict(self.options[method])], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


@dataclass(frozen=True, kw_only=True)
class Job:
    """Work of one process: all networks of one method and one seed.

    Attributes:
        method: name of the method.
        seed: seed of data, network and training.
        density: density of the network for methods of a fixed density, which have a job for each; None otherwise.
    """

    method: str
    seed: int
    density: float | None = None

    def __str__(self) -> str:
        return f"{self.method}, seed {self.seed}" + (f", density {self.density:g}" if self.density is not None else "")


@dataclass(frozen=True, kw_only=True)
class Point:
    """Results of one finished network.

    Epochs, costs and times count everything that led to the network, such as rough growth or earlier levels.

    Attributes:
        method: method of the job.
        seed: seed of the job.
        target: requested density; None for a method that finds its own.
        density: density of the links that may be sparse; `density_all` where `target` is None.
        density_all: edges of the network over edges of the dense network.
        edges: number of trainable edges.
        isolated: number of hidden vertices without an edge in or without an edge out.
        test: accuracy, or root mean squared error, on the test data.
        val: the same on the validation data.
        epochs: number of epochs of training.
        costs: floating-point operations by purpose.
        cost: sum of `costs`, in trainings of the dense network.
        cost_before: part of `cost` that was spent before the last training, by rough growth or earlier levels.
        flops: floating-point operations of a forward of one sample.
        seconds: wall time of training, validation and rewrites.
        seconds_rewriting: part of `seconds` that was spent on scores and rewrites.
        memory: peak memory of the process up to this network, in bytes.
    """

    method: str
    seed: int
    target: float | None
    density: float
    density_all: float
    edges: int
    isolated: int
    test: float
    val: float
    epochs: int
    costs: Mapping[str, float]
    cost: float
    cost_before: float
    flops: int
    seconds: float
    seconds_rewriting: float
    memory: int


@dataclass(frozen=True, kw_only=True)
class GrowthStep:
    """State of a network during rough growth, just before a step. The last state is the network after all steps.

    Attributes:
        density: density of the links that may be sparse.
        val: validation accuracy, or negative root mean squared error; None for the last state, which was not trained.
        epochs: number of epochs of rough training so far.
        cost: cost so far, in trainings of the dense network.
        topology: metrics by name, see `netgraph.analysis.topology_metrics`; None for a value that is not finite.
    """

    density: float
    val: float | None
    epochs: int
    cost: float
    topology: Mapping[str, float | None]


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """Results of a job.

    Attributes:
        job: the job.
        points: results of its finished networks.
        trajectory: states of the network during rough growth; empty for other kinds of methods.
        failures: sentences about missing networks, with the reasons.
    """

    job: Job
    points: tuple[Point, ...] = ()
    trajectory: tuple[GrowthStep, ...] = ()
    failures: tuple[str, ...] = ()

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Outcome:
        """Make an outcome of the values of `dataclasses.asdict`; additional entries are ignored."""
        return cls(
            job=Job(**values["job"]),
            points=tuple(Point(**point) for point in values["points"]),
            trajectory=tuple(GrowthStep(**step) for step in values["trajectory"]),
            failures=tuple(values["failures"]),
        )


def make_study(request: StudyRequest) -> Study:
    """Make the settings of a study: complete the options of a request with defaults, and check them with its data.

    Raises:
        NetgraphError: for options that do not exist or do not fit, and for data that cannot be used.
    """
    common, own = _by_method(request)
    specs = {name: get_method(name) for name in request.methods}
    run = RunSettings(**_pick(common, RunSettings))
    dense = SparseOptions(**_pick({"model": request.model, **common}, SparseOptions))
    set_up_process(run.threads)
    inputs = read_inputs(request.data, run, 0, target=request.target, task=request.task)
    given = {**default_training(len(inputs.parts[0])), **_pick(common, TrainSettings), "seed": 0}
    if request.budget is not None:
        given["epochs"] = request.budget
    training = TrainSettings(**given)
    options = {
        name: _complete_options(spec, {**common, "model": request.model, **own[name]}, request, training.epochs)
        for name, spec in specs.items()
    }
    _check_methods(options, dense, training, inputs.start)
    return Study(
        data=request.data,
        target=request.target,
        task=request.task,
        name=inputs.dataset.name,
        metric="accuracy" if inputs.dataset.task == "classification" else "rmse",
        fingerprint=inputs.dataset.fingerprint,
        densities=tuple(sorted(request.densities)),
        run=run,
        training=training,
        dense=dense,
        options=options,
    )


def _check_methods(options: Mapping[str, Any], dense: SparseOptions, training: TrainSettings, start: Start) -> None:
    """Raise `NetgraphError` for options that fit no network for these data, at any density."""
    network = dense_network(dense, start)
    for name, given in options.items():
        spec = get_method(name)
        first = network if isinstance(given, SparseOptions) else spec.start(given, start)
        check_augment(training, first)
        spec.build(first, spec.resolve(given, first))


def _by_method(request: StudyRequest) -> tuple[dict[str, str], dict[str, dict[str, str]]]:
    """Split the assignments of a request into texts of common options, and texts of options by method.

    Raises:
        OptionError: for an option that no part of the study has, or that a study sets itself.
    """
    kinds = {name: get_method(name).options for name in request.methods}
    spelled = {name.replace("-", "_"): name for name in request.methods}
    common: dict[str, str] = {}
    own: dict[str, dict[str, str]] = {name: {} for name in request.methods}
    for key, text in request.assignments.items():
        prefix, dot, name = key.rpartition(".")
        if name in ELSEWHERE:
            raise OptionError(f"--set {key}={text} does not apply to a study: {ELSEWHERE[name]}.")
        if not dot:
            known = {
                f.name for kind in (RunSettings, TrainSettings, SparseOptions, *kinds.values()) for f in fields(kind)
            }
            if key not in known:
                raise OptionError(unknown_name("option", key, known - set(ELSEWHERE)))
            common[key] = text
            continue
        if prefix not in spelled:
            raise OptionError(f"--set {key}={text}: " + unknown_name("method of the study", prefix, request.methods))
        method = spelled[prefix]
        if name in SHARED and issubclass(kinds[method], SparseOptions):
            raise OptionError(f"--set {key}={text} would compare different networks; set {name} for all methods.")
        split_assignments({name: text}, kinds[method])
        own[method][name] = text
    return common, own


def _pick(values: Mapping[str, str], target: type[Any]) -> dict[str, Any]:
    """Convert the texts of all options that a dataclass has, and drop all others."""
    names = {f.name for f in fields(target)}
    return split_assignments({key: text for key, text in values.items() if key in names}, target)[0]


def _complete_options(spec: MethodSpec, values: Mapping[str, str], request: StudyRequest, epochs: int) -> Any:
    """Options of a method in a study; for methods of a fixed density each job replaces the density."""
    options = spec.make_options(**_pick(values, spec.options))
    low, high = min(request.densities), max(request.densities)
    if spec.kind == "growth":
        if options.start_density > high:
            raise OptionError(
                f"start_density={options.start_density} is above all --densities; there is nothing to grow. Give a "
                "lower one by --set start_density=..."
            )
        every = options.every if request.epochs_per_step is None else request.epochs_per_step
        return replace(options, density=high, stop="none", rough=1.0, every=every)
    if spec.kind == "pruning":
        return replace(options, density=low, level_epochs=epochs)
    return options


def jobs_of(study: Study, seeds: Sequence[int]) -> list[Job]:
    """All jobs of a study, in descending order of their expected cost."""
    jobs: list[Job] = []
    for seed in seeds:
        for method in study.options:
            densities = study.densities if get_method(method).kind == "fixed" else (None,)
            jobs += [Job(method=method, seed=seed, density=density) for density in densities]
    return sorted(jobs, key=lambda job: (-_expected_cost(study, job), job.seed))


def _expected_cost(study: Study, job: Job) -> float:
    """Rough cost of a job, in trainings of the dense network; sparse trainings cost more than their density."""
    options = study.options[job.method]
    kind = get_method(job.method).kind
    if kind == "growth":
        steps = math.log(max(1.0, options.density / options.start_density)) / math.log1p(options.ratio)
        rough: float = steps * options.every / study.training.epochs
        return 0.5 * (rough + len(study.densities)) + sum(study.densities)
    if kind == "pruning":
        levels: float = 1 + math.log(options.density) / math.log(1 - options.share)
        return levels * 0.75
    return 1.0 if job.density is None else 0.5 + job.density
