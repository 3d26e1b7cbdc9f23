"""Results of a study: tables, paired differences, stops of the stopping rules, and cost at equal score."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import fmean, stdev
from typing import Any

from netgraph.app.prepare import versions
from netgraph.app.study.jobs import Outcome, Point, Study
from netgraph.app.study.stop import EqualScore, Stop, equal_score, stops_of
from netgraph.markup import markdown
from netgraph.methods import get_method
from netgraph.tables import Table

COUNTED = (
    "One unit of cost is the training of the dense network: three forwards of every sample in every epoch, at two "
    "operations per edge and position. The cost of a network has all that led to it: rough growth or earlier levels, "
    "its own training, dense gradients, scores of paths and statistics; evaluation, optimizer and kernels that compute "
    "missing edges do not count. Seconds are those of training, validation and rewrites. Memory is the most that the "
    "process of a job had held when the network was finished; a job of growth or pruning trains several in turn."
)

PAIRED = (
    "All methods see the same split, batches in the same order, the same initial weights of the dense network, and the "
    "same settings of training."
)

NEAR = 0.01
"""Relative difference between requested and reached density above which a table shows the reached ones."""


@dataclass(frozen=True, kw_only=True)
class StudyRow:
    """Results of a method at one density, aggregated over seeds. See `Point` for the values themselves.

    Attributes:
        method: name of the method.
        target: requested density; None for a method that finds its own.
        seeds: number of seeds.
        density, density_all, edges, cost, cost_before, flops, epochs, seconds, seconds_rewriting: means.
        test, val: mean scores.
        test_std: standard deviation of the test score; None for one seed.
        isolated, memory: maxima.
        costs: mean floating-point operations by purpose.
        difference: mean difference of the test scores of this and of the reference method with the same seed; None
            without such pairs.
        difference_error: standard error of `difference`; None for less than two pairs.
        pairs: number of seeds that both methods have.
    """

    method: str
    target: float | None
    seeds: int
    density: float
    density_all: float
    edges: float
    isolated: int
    test: float
    test_std: float | None
    val: float
    epochs: float
    costs: Mapping[str, float]
    cost: float
    cost_before: float
    flops: float
    seconds: float
    seconds_rewriting: float
    memory: int
    difference: float | None
    difference_error: float | None
    pairs: int


class StudyReport:
    """Results of a study, as tables, JSON and Markdown.

    Args:
        study: settings of the study.
        outcomes: outcomes of its jobs.
    """

    def __init__(self, study: Study, outcomes: Sequence[Outcome]) -> None:
        self.study, self.outcomes = study, tuple(outcomes)
        self.methods = tuple(study.options)
        self.reference = "pwmpr" if "pwmpr" in self.methods else self.methods[0]
        self.points = tuple(point for outcome in outcomes for point in outcome.points)
        self.failures = tuple(failure for outcome in outcomes for failure in outcome.failures)
        self.rows = self._rows()
        growth = [o for o in outcomes if get_method(o.job.method).kind == "growth"]
        self.stops: tuple[Stop, ...] = tuple(
            stop for outcome in growth for stop in stops_of(outcome, higher=self.higher)
        )
        self.equal: tuple[EqualScore, ...] = self._equal()

    @property
    def higher(self) -> bool:
        """Whether a higher test score is better."""
        return self.study.metric == "accuracy"

    @property
    def targets(self) -> tuple[float, ...]:
        """Requested densities, in ascending order."""
        return tuple(sorted({row.target for row in self.rows if row.target is not None}))

    def prunes(self, method: str) -> bool:
        """Whether a method prunes a dense network level by level."""
        return get_method(method).kind == "pruning"

    def row(self, method: str, target: float | None) -> StudyRow | None:
        """Find the row of a method and a requested density, or None."""
        return next((row for row in self.rows if (row.method, row.target) == (method, target)), None)

    def _rows(self) -> tuple[StudyRow, ...]:
        groups: dict[tuple[str, float | None], list[Point]] = {}
        for point in self.points:
            groups.setdefault((point.method, point.target), []).append(point)
        reference = {(p.target, p.seed): p.test for p in self.points if p.method == self.reference}
        rows = [_row(*key, points, {} if key[0] == self.reference else reference) for key, points in groups.items()]
        return tuple(sorted(rows, key=lambda row: (self.methods.index(row.method), row.target or 0.0)))

    def _equal(self) -> tuple[EqualScore, ...]:
        """Compare every growth method with every pruning method."""
        kinds = {method: get_method(method).kind for method in self.methods}
        curves = {
            method: [r for r in self.rows if r.method == method and r.target is not None and r.target < 1]
            for method in self.methods
        }
        found = [
            equal_score(curves[grown], curves[pruned], higher=self.higher)
            for grown in self.methods
            for pruned in self.methods
            if kinds[grown] == "growth" and kinds[pruned] == "pruning"
        ]
        return tuple(one for one in found if one is not None)

    def to_json(self) -> str:
        """Text of `study.json`: settings and all results."""
        import torch

        values: dict[str, Any] = {
            **versions(torch.device("cpu")),
            "settings": {**self.study.common, "methods": {k: asdict(v) for k, v in self.study.options.items()}},
            "reference": self.reference,
            "points": [asdict(point) for point in self.points],
            "trajectories": [
                {"method": o.job.method, "seed": o.job.seed, "steps": [asdict(step) for step in o.trajectory]}
                for o in self.outcomes
                if o.trajectory
            ],
            "summary": [asdict(row) for row in self.rows],
            "stopping": [asdict(stop) for stop in self.stops],
            "equal_score": [asdict(one) for one in self.equal],
            "failures": list(self.failures),
            "counted": COUNTED,
        }
        return json.dumps(values, indent=1) + "\n"

    def tables(self) -> list[Table]:
        """Tables of scores and costs by density, methods with their own density, stopping, and cost at equal score."""
        return [*self._by_density(), *self._found(), *self._stopping(), *self._equal_table()]

    def _by_density(self) -> list[Table]:
        metric = self.study.metric
        tables = [
            self._table(f"Test {metric}, mean ± standard deviation over seeds", lambda r: _plus(r.test, r.test_std)),
            self._table("Cost in dense trainings", lambda r: f"{r.cost:.2f}"),
            self._table("Epochs of training, those that led to it included", lambda r: f"{r.epochs:.0f}"),
            self._table("Seconds (of them in rewrites)", lambda r: f"{r.seconds:.1f} ({r.seconds_rewriting:.1f})"),
            self._table("Most memory, MiB", lambda r: f"{r.memory / 2**20:.0f}"),
        ]
        if any(row.target is not None and abs(row.density / row.target - 1) > NEAR for row in self.rows):
            title = "Density that came out, higher where a start had to join isolated vertices"
            tables.append(self._table(title, lambda r: f"{r.density:.3g}"))
        if any(row.isolated for row in self.rows):
            tables.append(self._table("Isolated hidden vertices, the most of any seed", lambda r: str(r.isolated)))
        if any(row.pairs for row in self.rows):
            title = f"Test {metric} minus that of {self.reference}, mean ± standard error of paired seeds"
            tables.append(self._table(title, _difference))
        return [table for table in tables if table.rows]

    def _table(self, title: str, cell: Callable[[StudyRow], str]) -> Table:
        """Table with a row per method and a column per requested density; methods without any cell are left out."""
        lines = []
        for method in self.methods:
            cells = [cell(row) if (row := self.row(method, target)) else "" for target in self.targets]
            if any(cells):
                lines.append([method, *cells])
        return Table(title, ["method", *(f"{target:g}" for target in self.targets)], lines)

    def _found(self) -> list[Table]:
        """Table of the methods that find their own density, if there are any."""
        own = [row for row in self.rows if row.target is None]
        lines = [
            [
                r.method,
                f"{r.density:.3g}",
                _plus(r.test, r.test_std),
                f"{r.cost:.2f}",
                f"{r.seconds:.1f}",
                f"{r.memory / 2**20:.0f}",
            ]
            for r in own
        ]
        columns = ["method", "edges / dense", f"test {self.study.metric}", "cost", "seconds", "MiB"]
        return [Table("Methods with a density of their own", columns, lines)] if lines else []

    def _stopping(self) -> list[Table]:
        groups: dict[tuple[str, str, str], list[Stop]] = {}
        for stop in self.stops:
            groups.setdefault((stop.method, stop.reading, stop.when), []).append(stop)
        lines = []
        for key, stops in groups.items():
            ended = [stop for stop in stops if stop.density is not None]
            cells = [
                _mean([getattr(stop, name) for stop in ended], form)
                for name, form in (("density", ".3g"), ("test", ".4f"), ("best", ".4f"), ("cost", ".2f"))
            ]
            lines.append([*key, f"{len(ended)} of {len(stops)}", *(cells if ended else [stops[0].reason, "", "", ""])])
        columns = ["method", "reading", "fitted", "stop", "at density", "score", "best score", "cost"]
        title = "Where the plateau of rough validation scores would end growth, means over the seeds that stop"
        return [Table(title, columns, lines)] if lines else []

    def _equal_table(self) -> list[Table]:
        lines = []
        for one in self.equal:
            for side in (one.grown, one.pruned):
                cells = [_some(side.cheapest_cost, ".2f"), _some(side.cheapest_density, ".3g")]
                cells += [_some(side.sparsest_density, ".3g"), _some(side.sparsest_cost, ".2f")]
                grown = (one.grown.sparsest_density, one.grown.sparsest_cost, one.level)
                there = grown if side is one.grown else (grown[0], one.matched_cost, one.matched_test)
                cells += [_some(value, form) for value, form in zip(there, (".3g", ".2f", ".4f"), strict=True)]
                lines.append([side.method, f"{one.level:.4f}", *cells])
        columns = [
            "method",
            "level",
            "least cost",
            "at density",
            "least density",
            "its cost",
            "at density",
            "cost there",
            "score there",
        ]
        return [Table("Cost at equal score", columns, lines)] if lines else []

    def remarks(self) -> list[str]:
        """Sentences that explain the tables, and sentences about missing networks."""
        remarks = [f"{PAIRED} {COUNTED}"]
        if self.stops:
            remarks.append(
                "Stopping: 'complete' fits all points of rough growth at once, and its cost has all of that growth; "
                "'online' stops after the first step at which two fits in a row lie below the density, as the method "
                "itself would. 'gain' is where 95 % of the gain over density 0 are reached, 'literal' where 95 % of "
                "the asymptote are. The score is that of the sweep's network whose density is nearest, by ratio; the "
                "best is that of all densities. `study.json` has them seed by seed."
            )
        if self.equal:
            remarks.append(
                "Cost at equal score: the level is the lower of both methods' best mean scores, less its standard "
                "error over seeds or one thousandth, whichever is more. Between neighbouring densities mean score, "
                "cost and logarithm of the density are interpolated linearly; the dense network does not count. The "
                "last three columns have both methods at the least density at which the growing one reaches the level."
            )
        return remarks + [f"Missing: {failure}" for failure in self.failures]

    def to_markdown(self, plots: Sequence[str] = ()) -> str:
        """Text of `study.md`.

        Args:
            plots: file names of the pictures beside it.
        """
        study = self.study
        seeds = len({point.seed for point in self.points})
        lines = [
            f"# {markdown(study.name)}: {', '.join(self.methods)}",
            "",
            f"{seeds} seeds; every network was trained for {study.training.epochs} epochs.",
            "",
        ]
        for table in self.tables():
            lines += [*table.markdown("##"), ""]
        for name in plots:
            lines += [f"![{name.split('.')[0]}]({name})", ""]
        for remark in self.remarks():
            lines += [markdown(remark), ""]
        lines += ["## Settings", ""]
        lines += [f"- {name}: {markdown(value)}" for name, value in study.common.items()]
        lines += [f"- {name}: {markdown(asdict(options))}" for name, options in study.options.items()]
        return "\n".join(lines) + "\n"


def _row(
    method: str, target: float | None, points: Sequence[Point], reference: Mapping[tuple[float | None, int], float]
) -> StudyRow:
    def mean(name: str) -> float:
        return fmean(getattr(point, name) for point in points)

    kinds = {kind: None for point in points for kind in point.costs}
    pairs = [p.test - reference[target, p.seed] for p in points if (target, p.seed) in reference]
    return StudyRow(
        method=method,
        target=target,
        seeds=len(points),
        isolated=max(point.isolated for point in points),
        memory=max(point.memory for point in points),
        costs={kind: fmean(point.costs.get(kind, 0.0) for point in points) for kind in kinds},
        test_std=stdev(point.test for point in points) if len(points) > 1 else None,
        difference=fmean(pairs) if pairs else None,
        difference_error=stdev(pairs) / len(pairs) ** 0.5 if len(pairs) > 1 else None,
        pairs=len(pairs),
        **{name: mean(name) for name in _MEANS},
    )


_MEANS = (
    "density",
    "density_all",
    "edges",
    "test",
    "val",
    "epochs",
    "cost",
    "cost_before",
    "flops",
    "seconds",
    "seconds_rewriting",
)


def _plus(mean: float, spread: float | None, sign: str = "") -> str:
    return f"{mean:{sign}.4f}" + ("" if spread is None else f" ± {spread:.4f}")


def _difference(row: StudyRow) -> str:
    return "" if row.difference is None else _plus(row.difference, row.difference_error, "+")


def _mean(values: Sequence[float | None], form: str) -> str:
    known = [value for value in values if value is not None]
    return format(fmean(known), form) if known else ""


def _some(value: Any, form: str) -> str:
    return "" if value is None else format(value, form)
