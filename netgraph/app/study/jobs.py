"""A study with every option settled, its jobs and their outcomes."""

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
"""Options that a study sets itself, each with the argument that sets it."""

SHARED = ("widths", "head")
"""Options of sparse methods that have to be the same for all."""


@dataclass(frozen=True, kw_only=True)
class Study:
    """Settings that all jobs of a study share, with every option settled.

    Attributes:
        data, target, task: what is learned.
        name: of the data set.
        metric: "accuracy" or "rmse", of the test set.
        fingerprint: of the data, split by seed 0.
        densities: rising.
        run: data and machine.
        training: of every network; the seed is that of the job.
        dense: the network that methods make sparse.
        options: of every method, by name.
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
        """Settings that all methods share, as they are written down."""
        values = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "options"}
        kept = {
            name: asdict(value) if hasattr(value, "__dataclass_fields__") else value for name, value in values.items()
        }
        return {**kept, "densities": list(self.densities)}

    def key(self, method: str) -> str:
        """A hash of the settings of a method's jobs, unlike that of all others."""
        text = json.dumps([self.common, method, asdict(self.options[method])], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


@dataclass(frozen=True, kw_only=True)
class Job:
    """One process: a method and a seed, and for methods of a fixed density one of them."""

    method: str
    seed: int
    density: float | None = None

    def __str__(self) -> str:
        return f"{self.method}, seed {self.seed}" + (f", density {self.density:g}" if self.density is not None else "")


@dataclass(frozen=True, kw_only=True)
class Point:
    """One finished network.

    Attributes:
        method, seed: what it comes from.
        target: the density that was asked for; None where a method finds its own.
        density: of the links that may be sparse; over all edges of the dense network where `target` is None.
        density_all: its edges over those of the dense network.
        edges: trainable edges.
        isolated: hidden vertices without an edge in, or without one out.
        test, val: accuracy, or root mean squared error, on test and validation data.
        epochs: of training, those on the way included.
        costs: floating-point operations by what they were for, those on the way included.
        cost: their sum, in trainings of the dense network.
        cost_before: what of it was spent before the last training began: by rough growth, or earlier levels.
        flops: of a forward of one sample.
        seconds: wall time of training, validation and rewrites, those on the way included.
        seconds_rewriting: what of it went into scores and rewrites.
        memory: most bytes that the process had held until then.
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
    """A network on the way of rough growth, just before a step; the last one is where growth ended.

    Attributes:
        density: of the links that may be sparse.
        val: validation accuracy, or minus the root mean squared error; None for the last, which was not trained.
        epochs: of rough training so far.
        cost: so far, in trainings of the dense network.
        topology: `netgraph.analysis.topology_metrics`; None where a number is not finite.
    """

    density: float
    val: float | None
    epochs: int
    cost: float
    topology: Mapping[str, float | None]


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """The networks of a job, and the failures to make some.

    Attributes:
        job: which.
        points: its finished networks.
        trajectory: of rough growth.
        failures: why networks are missing, in words.
    """

    job: Job
    points: tuple[Point, ...] = ()
    trajectory: tuple[GrowthStep, ...] = ()
    failures: tuple[str, ...] = ()

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Outcome:
        """The inverse of `dataclasses.asdict`; further entries are left out."""
        return cls(
            job=Job(**values["job"]),
            points=tuple(Point(**point) for point in values["points"]),
            trajectory=tuple(GrowthStep(**step) for step in values["trajectory"]),
            failures=tuple(values["failures"]),
        )


def make_study(request: StudyRequest) -> Study:
    """Settle every option of a request, and look at its data.

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
        name: _settled(spec, {**common, "model": request.model, **own[name]}, request, training.epochs)
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
    """Raise `NetgraphError` for options that no network of these data goes with, at any density."""
    network = dense_network(dense, start)
    for name, given in options.items():
        spec = get_method(name)
        first = network if isinstance(given, SparseOptions) else spec.start(given, start)
        check_augment(training, first)
        spec.build(first, spec.resolve(given, first))


def _by_method(request: StudyRequest) -> tuple[dict[str, str], dict[str, dict[str, str]]]:
    """Texts of options for all, and those for one method; every one has a home."""
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
    """Those of the options that a dataclass has, converted."""
    names = {f.name for f in fields(target)}
    return split_assignments({key: text for key, text in values.items() if key in names}, target)[0]


def _settled(spec: MethodSpec, values: Mapping[str, str], request: StudyRequest, epochs: int) -> Any:
    """Options of a method as a study uses them; the density of fixed ones is that of the job."""
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
    """All jobs of a study, the longest ones first."""
    jobs: list[Job] = []
    for seed in seeds:
        for method in study.options:
            densities = study.densities if get_method(method).kind == "fixed" else (None,)
            jobs += [Job(method=method, seed=seed, density=density) for density in densities]
    return sorted(jobs, key=lambda job: (-_expected_cost(study, job), job.seed))


def _expected_cost(study: Study, job: Job) -> float:
    """Rough cost of a job in dense trainings. A sparse training costs more than in proportion to its density."""
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
