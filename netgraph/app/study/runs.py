"""Execution of one job of a study: training of all networks of a method for one seed."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from compilers import CostTable, lift, tuned_costs
from compilers.training import (
    FORWARDS_PER_STEP,
    EpochEnded,
    Event,
    Proposed,
    Rewritten,
    TrainingData,
    TrainSettings,
    TrainState,
    begin,
    check_augment,
    train,
)
from netgraph.analysis import (
    admissible_edges,
    density,
    forward_flops,
    isolated_vertices,
    sparse_links,
    topology_metrics,
)
from netgraph.app.hardware import set_up_process
from netgraph.app.inputs import Inputs, read_inputs
from netgraph.app.memory import peak_memory
from netgraph.app.score import score
from netgraph.app.study.jobs import GrowthStep, Job, Outcome, Point, Study
from netgraph.errors import DivergenceError, NetgraphError
from netgraph.graph import Graph
from netgraph.methods import GrowEdges, Method, PruneLevels, clip_step, get_method
from netgraph.methods.sparse import dense_network
from netgraph.rules import AddEdges
from netgraph.schedules import StopReason

CPU = torch.device("cpu")


def run_job(study: Study, job: Job) -> Outcome:
    """Train all networks of one job.

    An error while a network is made or trained becomes a failure in the outcome, so that the study goes on.
    """
    work: dict[str, Callable[[_JobRun], None]] = {
        "growth": _grow,
        "pruning": _prune,
        "fixed": _fixed,
        "single": _single,
    }
    run: _JobRun | None = None
    try:
        run = _JobRun(study, job)
        work[run.spec.kind](run)
    except NetgraphError as error:
        points = tuple(run.points) if run else ()
        trajectory = tuple(run.trajectory) if run else ()
        failures = (*(run.failures if run else ()), f"{job}: {error}")
        return Outcome(job=job, points=points, trajectory=trajectory, failures=failures)
    return Outcome(job=job, points=tuple(run.points), trajectory=tuple(run.trajectory), failures=tuple(run.failures))


@dataclass
class Spent:
    """Epochs, operations and time that a network has taken so far.

    Attributes:
        epochs: number of epochs of training.
        costs: floating-point operations by purpose.
        seconds: wall time.
        rewriting: part of `seconds` that was spent on scores and rewrites.
    """

    epochs: int = 0
    costs: Mapping[str, float] = field(default_factory=dict)
    seconds: float = 0.0
    rewriting: float = 0.0


class _JobRun:
    """Running job: its data and settings, and the networks and failures so far."""

    def __init__(self, study: Study, job: Job) -> None:
        self.study, self.job = study, job
        set_up_process(study.run.threads)
        self.inputs: Inputs = read_inputs(study.data, study.run, job.seed, target=study.target, task=study.task)
        self.spec = get_method(job.method)
        self.options: Any = study.options[job.method]
        if job.density is not None:
            self.options = replace(self.options, density=job.density)
        self.settings: TrainSettings = replace(study.training, seed=job.seed)
        self.first: Graph = self.spec.start(self.options, self.inputs.start)
        check_augment(self.settings, self.first)
        self.data: TrainingData = self.inputs.training(self.first, CPU)
        self.test: tuple[Tensor, Tensor] = self.inputs.test(self.first, CPU)
        self.table: CostTable | None = tuned_costs(CPU) if study.run.costs == "tuned" else None
        dense = dense_network(study.dense, self.inputs.start)
        self.dense_edges = dense.num_edges
        self.unit = float(FORWARDS_PER_STEP) * self.settings.epochs * len(self.data.x_train) * forward_flops(dense)
        self.links = sparse_links(self.first, head=getattr(self.options, "head", False))
        self.cells = admissible_edges(self.first, self.links)
        # The imports of the first optimizer of a process take seconds, which must not count for a method.
        self.begin(self.first, self.settings)
        self.points: list[Point] = []
        self.trajectory: list[GrowthStep] = []
        self.failures: list[str] = []

    def method(self) -> Method:
        return self.spec.build(self.first, self.spec.resolve(self.options, self.first))

    def begin(self, graph: Graph, settings: TrainSettings) -> TrainState:
        return begin(graph, settings, CPU, costs=self.table)

    def edges(self, graph: Graph) -> int:
        """Number of edges of the links that may be sparse."""
        return sum(len(graph.links_by_key[key]) for key in self.links)

    def matching_density(self, graph: Graph) -> float | None:
        """Density of the study that equals the density of the graph up to half an edge, or None."""
        edges = self.edges(graph)
        return next((d for d in self.study.densities if round(d * self.cells) == edges), None)

    def cost(self, costs: Mapping[str, float]) -> float:
        """Sum of operations, in trainings of the dense network."""
        return sum(costs.values()) / self.unit

    def keep(self, state: TrainState, target: float | None, before: Spent, spent: Spent) -> None:
        """Score a trained network and add it to the points.

        Args:
            state: state of the training, with the network.
            target: requested density; None for a method that finds its own.
            before: epochs, operations and time before the last training of the network.
            spent: all epochs, operations and time for the network.
        """
        graph, dataset = lift(state.net), self.inputs.dataset
        of_all = graph.num_edges / self.dense_edges
        self.points.append(
            Point(
                method=self.job.method,
                seed=self.job.seed,
                target=target,
                density=of_all if target is None else density(graph, self.links),
                density_all=of_all,
                edges=graph.num_edges,
                isolated=len(isolated_vertices(graph)),
                test=score(state.net, self.test, dataset),
                val=score(state.net, (self.data.x_valid, self.data.y_valid), dataset),
                epochs=spent.epochs,
                costs=dict(spent.costs),
                cost=self.cost(spent.costs),
                cost_before=self.cost(before.costs),
                flops=forward_flops(graph),
                seconds=spent.seconds,
                seconds_rewriting=spent.rewriting,
                memory=peak_memory(),
            )
        )

    def train_and_keep(self, graph: Graph, target: float | None, before: Spent, method: Method | None = None) -> None:
        """Train a graph for the epochs of the study and add it to the points; a divergence becomes a failure.

        Args:
            graph: graph to train.
            target: requested density; None for a method that finds its own.
            before: epochs, operations and time before this training.
            method: method that may rewrite the graph, or None.
        """
        began = time.perf_counter()
        try:
            state = train(self.begin(graph, self.settings), self.data, self.settings, method)
        except DivergenceError as error:
            where = "" if target is None else f", density {target:g}"
            self.failures.append(f"{self.job.method}, seed {self.job.seed}{where}: {error}")
            return
        spent = Spent(
            before.epochs + state.epoch,
            {
                kind: before.costs.get(kind, 0.0) + state.costs.get(kind, 0.0)
                for kind in {**before.costs, **state.costs}
            },
            before.seconds + time.perf_counter() - began,
            before.rewriting + state.rewriting,
        )
        self.keep(state, target, before, spent)


def _fixed(run: _JobRun) -> None:
    run.train_and_keep(run.first, run.job.density, Spent(), run.method())


def _single(run: _JobRun) -> None:
    run.train_and_keep(run.first, None, Spent(), run.method())


class _Clock:
    """Clock of a run, which leaves out the time of measurements that only the study needs."""

    def __init__(self, state: TrainState) -> None:
        self._state = state
        self._began = self._ended = time.perf_counter()
        self._left_out = 0.0

    def epoch_ended(self) -> None:
        """Record the end of an epoch, after which rewrites follow."""
        self._ended = time.perf_counter()

    def leave_out(self, since: float) -> None:
        """Subtract the seconds from `since` to now from the wall time and from the time of rewrites."""
        seconds = time.perf_counter() - since
        self._left_out += seconds
        self._state.rewriting -= seconds  # The training loop will add all time between epochs, this included.

    def spent(self, now: float) -> Spent:
        """Epochs, operations and time until `now`, a time between the end of an epoch and the end of its rewrites."""
        state = self._state
        rewriting = state.rewriting + now - self._ended
        return Spent(state.epoch, dict(state.costs), now - self._began - self._left_out, rewriting)


def _grow(run: _JobRun) -> None:
    """Grow through all densities in one rough run, then train the network of each density.

    Each density below that of the start becomes a failure, unless the start is the network for it.
    """
    method, options = run.method(), run.options
    densities = run.study.densities
    method = replace(
        method,
        parts=tuple(replace(p, through=densities) if isinstance(p, GrowEdges) else p for p in method.parts),
    )
    captured: dict[float, tuple[Graph, Spent]] = {}
    edges = run.edges(run.first)
    too_low = [d for d in densities if round(d * run.cells) < edges]
    at_start = run.matching_density(run.first)
    if at_start is None:  # A start with added edges for isolated vertices counts as the requested density.
        at_start = max((d for d in too_low if d >= options.start_density), default=None)
    if at_start is not None:
        captured[at_start] = (run.first, Spent())
    for target in too_low:
        if target not in captured:
            run.failures.append(
                f"{run.job}: no network of density {target:g}, since the start has {edges / run.cells:.4g} already"
            )
    steps = growth_steps(edges, run.cells, densities, options.ratio)
    if steps:
        _rough(run, method, steps, captured)
    for target, (graph, before) in captured.items():
        run.train_and_keep(graph, target, before)


def _rough(run: _JobRun, method: Method, steps: int, captured: dict[float, tuple[Graph, Spent]]) -> None:
    """Grow through all densities at a constant learning rate, without extensive training.

    Graph and cost at each density are stored in `captured`, and each step in the trajectory of the run. When growth
    does not reach the highest density, a failure is added to the run.
    """
    options = run.options
    each = max(run.settings.epochs, options.stall) if options.stall else options.every
    # There is no rewrite after the last epoch, hence one more epoch.
    settings = replace(run.settings, epochs=steps * each + 1, patience=0)
    state = run.begin(run.first, settings)
    clock = _Clock(state)
    seen: list[float] = []  # cost after the last epoch, before scores
    last = max(run.study.densities)

    def watch(event: Event) -> None:
        if isinstance(event, EpochEnded):
            clock.epoch_ended()
            seen[:] = [run.cost(state.costs)]
        if not isinstance(event, Rewritten) or event.proposal.part != GrowEdges.name:
            return
        now = time.perf_counter()
        if not run.trajectory or run.trajectory[-1].epochs != event.epoch:
            run.trajectory.append(_step(run, event.before, event.metrics, event.epoch, seen[0]))
        target = run.matching_density(event.result.graph)
        # The hybrid method also prunes, after which the graph may have a density of the study by accident.
        if target is not None and isinstance(event.proposal.rule, AddEdges):
            captured[target] = (event.result.graph, clock.spent(now))
            if target == last:
                run.trajectory.append(_step(run, event.result.graph, {}, event.epoch, run.cost(state.costs)))
                state.stopped = StopReason.density_reached(target)
        clock.leave_out(now)

    train(state, run.data, settings, method, [watch])
    if last not in captured:
        run.failures.append(f"{run.job}: growth did not reach density {last:g} in {state.epoch} epochs")


def _step(run: _JobRun, graph: Graph, metrics: Mapping[str, float], epochs: int, cost: float) -> GrowthStep:
    val = metrics.get("val_accuracy", -metrics["val_rmse"] if "val_rmse" in metrics else None)
    topology = {k: v if math.isfinite(v) else None for k, v in topology_metrics(graph).items()}
    return GrowthStep(density=density(graph, run.links), val=val, epochs=epochs, cost=cost, topology=topology)


def growth_steps(edges: int, cells: int, densities: tuple[float, ...], ratio: float) -> int:
    """Number of steps that `GrowEdges` takes from `edges` edges through all densities."""
    goals, steps = [round(d * cells) for d in densities], 0
    while any(goal > edges for goal in goals):
        edges, steps = edges + clip_step(max(1, math.floor(ratio * edges)), (goal - edges for goal in goals)), steps + 1
    return steps


def _prune(run: _JobRun) -> None:
    """Prune the dense network level by level; keep the trained networks, dense and at each density of the study."""
    options, densities = run.options, run.study.densities
    method = run.method()
    method = replace(
        method,
        parts=tuple(replace(p, through=densities) if isinstance(p, PruneLevels) else p for p in method.parts),
    )
    levels = 1 + pruning_steps(run.cells, densities, options.share)
    settings = replace(run.settings, epochs=levels * options.level_epochs)
    state = run.begin(run.first, settings)
    clock = _Clock(state)
    before = [Spent()]

    def level_ended() -> None:
        now = time.perf_counter()
        spent = clock.spent(now)
        graph = state.net.graph
        target = 1.0 if run.edges(graph) == run.cells else run.matching_density(graph)
        if target is not None:
            run.keep(state, target, before[0], spent)
        before[0] = spent
        clock.leave_out(now)

    def watch(event: Event) -> None:
        if isinstance(event, EpochEnded):
            clock.epoch_ended()
        elif isinstance(event, Proposed) and event.proposal.part == PruneLevels.name:
            level_ended()

    train(state, run.data, settings, method, [watch])
    clock.epoch_ended()
    level_ended()


def pruning_steps(cells: int, densities: tuple[float, ...], share: float) -> int:
    """Number of steps that `PruneLevels` takes from a dense network through all densities."""
    goals, edges, steps = [round(d * cells) for d in densities], cells, 0
    while any(goal < edges for goal in goals):
        edges, steps = edges - clip_step(math.ceil(share * edges), (edges - goal for goal in goals)), steps + 1
    return steps
