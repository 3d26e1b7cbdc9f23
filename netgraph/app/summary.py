"""Results of a run, for people (`summary.md`, a table) and for programs (`--json`)."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, asdict, dataclass, field, fields
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_type_hints

from netgraph.analysis import density, forward_flops, isolated_vertices, sparse_links
from netgraph.app.data import Dataset
from netgraph.app.losses import loss_note
from netgraph.app.memory import peak_memory
from netgraph.app.run_directory import RunDirectory
from netgraph.app.score import ClassScores, Scores, ScoreTable, TargetScores, score_tables
from netgraph.app.verdicts import Verdicts, in_words, verdicts
from netgraph.errors import DataError
from netgraph.markup import markdown
from netgraph.proof import LEVELS, Certificate, rounded_up
from netgraph.rewriting import Entry
from netgraph.schedules import STOP_REASON_SHAPE, StopReason
from netgraph.storage import Entries, Maybe, Number, Record, Shape, ShapeError, shape_of
from netgraph.tables import Table
from netgraph.viz import format_count

if TYPE_CHECKING:
    from compilers.training import TrainState

Kept = Literal["grown", "start"]
"""The network that a run ends with: the grown one, or its start."""

EVIDENCE = (
    "Proved of every input in the declared domain; measured is the largest change over a probe batch. Both are "
    "relative to the range of the output."
)
"""Explanation of the numbers of `evidence`."""


@dataclass(frozen=True, kw_only=True)
class RunSummary:
    """Results of a run that has ended.

    Attributes:
        metric: "accuracy" or "rmse", of the test set.
        test, test_start: of the final graph, and of the start trained alone for the whole run, to its plateau.
        val: of the final graph, on the validation data, in the units of the test score.
        edges, edges_start, edges_peak: trainable edges at the end, at the start, and at most.
        vertices, layers, layers_start: sizes.
        rewrites: number of rewrites.
        growth_proof: the weakest certificate of any rewrite that added edges; None when nothing grew.
        growth_bound: largest proved bound of these, relative to the range of an output; None where one has none.
        growth_change: largest measured change of these, relative to the range of an output.
        grown_at: epochs before the first growth; None when nothing grew.
        seconds, seconds_start: wall time of the run, and of training the start alone.
        seconds_rewriting: those of the run that went into statistics, rewrites and their journal.
        flops, flops_start: floating-point operations of all training steps, of both.
        costs: those of the run by what they were for, training steps among them (see `TrainState.costs`).
        inference_flops: of a forward of one sample through the final graph.
        peak_memory: most bytes that this process had in memory so far.
        density: of the links of the final graph that may be sparse (see `netgraph.analysis.sparse_links`).
        isolated: hidden vertices of the final graph that no edge enters, or none leaves.
        epochs: finished epochs.
        seed: of the run.
        stopped: why it ended early, or None.
        verdicts: number of rewrites by their change of the number of edges, and by level of their certificates. Runs
            of earlier versions have neither these nor the next two.
        classes: names of the classes; empty for regression.
        kept: "grown", or "start" where growth did harm: the network in `graph.safetensors`.
        remarks: sentences about the run as a whole, such as a size that was missed, or harm that growth did.
        scores: all of `test`, `val` and `train`, of the final graph, and of `test_start` and `val_start`, of the start
            alone: loss without label smoothing, balanced accuracy, recall and confusion, or R² and the error of the
            mean.
    """

    data: str
    method: str
    metric: str
    test: float
    test_start: float
    val: float
    edges: int
    edges_start: int
    edges_peak: int
    vertices: int
    layers: int
    layers_start: int
    rewrites: int
    growth_proof: str | None
    growth_bound: float | None
    growth_change: float
    grown_at: int | None
    seconds: float
    seconds_start: float
    seconds_rewriting: float
    flops: float
    flops_start: float
    costs: Mapping[str, float]
    inference_flops: int
    peak_memory: int
    density: float
    isolated: int
    epochs: int
    seed: int
    stopped: StopReason | None
    verdicts: Verdicts = field(default_factory=dict)
    classes: Sequence[str] = ()
    kept: Kept = "grown"
    remarks: Sequence[str] = ()
    scores: Mapping[str, Scores] = field(default_factory=dict)

    @classmethod
    def collect(
        cls,
        run: RunDirectory,
        dataset: Dataset,
        state: TrainState,
        alone: TrainState,
        scores: Mapping[str, Scores],
        *,
        kept: Kept = "grown",
        remarks: Sequence[str] = (),
    ) -> RunSummary:
        """Put the results together.

        Args:
            run: the run directory, for journal and configuration.
            dataset: what it was trained on.
            state: the final state.
            alone: the final state of the start, trained alone.
            scores: `test`, `test_start`, `val` and `val_start`.
            kept: the network in `graph.safetensors`.
            remarks: sentences about the run as a whole.
        """
        final, start = state.net.graph, alone.net.graph
        entries = run.journal.entries()
        sizes = [start.num_edges, *(entry.edges for entry in entries)]
        grown = [entry for entry, before in zip(entries, sizes, strict=False) if entry.edges > before]
        proofs = [entry.certificate for entry in grown]
        measured = [proof.measured for proof in proofs if proof.measured]
        bounds = [m.bound for m in measured if m.bound is not None]
        return cls(
            data=dataset.name,
            method=run.config["method"],
            metric="accuracy" if dataset.task == "classification" else "rmse",
            test=scores["test"].score,
            test_start=scores["test_start"].score,
            val=scores["val"].score,
            edges=final.num_edges,
            edges_start=start.num_edges,
            edges_peak=max(sizes),
            vertices=final.num_vertices,
            layers=final.num_layers,
            layers_start=start.num_layers,
            rewrites=len(entries),
            growth_proof=max((proof.level for proof in proofs), key=LEVELS.index, default=None),
            growth_bound=max(bounds, default=0.0) if len(bounds) == len(proofs) else None,
            growth_change=max((m.relative for m in measured), default=0.0),
            grown_at=grown[0].epoch if grown else None,
            seconds=state.elapsed,
            seconds_start=alone.elapsed,
            seconds_rewriting=state.rewriting,
            flops=sum(entry["flops"] for entry in state.history),
            flops_start=sum(entry["flops"] for entry in alone.history),
            costs=state.costs,
            inference_flops=forward_flops(final),
            peak_memory=peak_memory(),
            density=density(final, sparse_links(final, head=run.config["options"].get("head", False))),
            isolated=len(isolated_vertices(final)),
            epochs=state.epoch,
            seed=run.config["seed"],
            stopped=state.stopped,
            verdicts=verdicts(entries, start.num_edges),
            classes=list(dataset.classes),
            kept=kept,
            remarks=list(remarks),
            scores=scores,
        )

    @classmethod
    def from_json(cls, values: Mapping[str, Any], file: Path) -> RunSummary:
        """The inverse of `to_json`. Raises `DataError`, which names `file`, when something is missing or cannot be."""
        metric = values.get("metric")
        names = {f"test_{metric}": "test", f"test_{metric}_start": "test_start", f"val_{metric}": "val"}
        known = {names.get(key, key): value for key, value in values.items()}
        scores: Any = ClassScores if metric == "accuracy" else TargetScores
        try:
            _shape(scores).check(known)
            for key in ("test", "test_start"):
                if known.get("scores") and key not in known["scores"]:
                    raise ShapeError(MISSING, "").at(key).at("scores")
            known["stopped"] = StopReason.from_json(known["stopped"])
            summary = cls(**{**known, "scores": {key: scores(**one) for key, one in known.get("scores", {}).items()}})
            for key, one in summary.scores.items():
                if isinstance(one, ClassScores) and not one.fits(len(summary.classes)):
                    raise ShapeError("", f"numbers of {len(summary.classes)} classes").at(key).at("scores")
        except ShapeError as error:
            raise DataError(
                f"{os.fspath(file)!r} is damaged, or of another version of netgraph: {error}. Bring the file "
                "back, or make the run again by `netgraph grow`."
            ) from error
        return summary

    def to_json(self) -> str:
        """One line with the keys that programs read."""
        values: dict[str, Any] = {
            f"test_{self.metric}": self.test,
            f"test_{self.metric}_start": self.test_start,
            f"val_{self.metric}": self.val,
            **{k: v for k, v in asdict(self).items() if k not in ("test", "test_start", "val")},
        }
        return json.dumps(values)

    @property
    def proof(self) -> str:
        """The proof of growth, in a clause."""
        if self.growth_proof is None:
            return "nothing grew"
        measured = f"measured {self.growth_change:.1e} of the outputs' range"
        if self.growth_proof == "exact":
            return f"growth proved exact, {measured}"
        bound = (
            "without a bound"
            if self.growth_bound is None
            else f"within {rounded_up(self.growth_bound, 2, 'e')} of the range"
        )
        return f"growth proved {self.growth_proof}, {bound}; {measured}"

    @property
    def warnings(self) -> list[str]:
        """Sentences about faults, and about facts that the figures hide, such as a class that is never predicted."""
        named = {"test": "test", "val": "validation"}
        found = (one.warnings(self.classes, named[key]) for key, one in self.scores.items() if key in named)
        return [*self.remarks, *next((sentences for sentences in found if sentences), [])]

    @property
    def score_tables(self) -> list[ScoreTable]:
        """Tables of all scores."""
        return score_tables(self.scores, self.classes)

    @property
    def counted(self) -> str:
        """The rewrites counted by effect and by proof."""
        kinds = in_words(self.verdicts)
        return f"{format_count(self.rewrites, 'rewrite')}{': ' if kinds else ''}{kinds}"

    @property
    def _second(self) -> list[str]:
        """Name of the score beside the first, where there is one."""
        return (["balanced"] if self.metric == "accuracy" else ["R²"]) if self.scores else []

    def table(self) -> Table:
        """Before and after growth, side by side."""
        sides = (
            ("start alone", "test_start", self.test_start, self.edges_start, self.layers_start, self.seconds_start,
             self.flops_start),
            ("grown", "test", self.test, self.edges, self.layers, self.seconds, self.flops),
        )  # fmt: skip
        rows = [
            [label, _score(test), *([_second(self.scores[key])] if self._second else []), f"{edges:,}", str(layers),
             f"{seconds:.1f}", f"{flops:.2e}"]
            for label, key, test, edges, layers, seconds, flops in sides
        ]  # fmt: skip

        units = "rmse in the units of the target; " if self.metric == "rmse" else ""
        return Table(
            f"{self.data}: before and after growth ({self.method}, seed {self.seed})",
            ["", f"test {self.metric}", *self._second, "edges", "layers", "seconds", "FLOPs"],
            rows,
            note=f"{units}peak {self.edges_peak:,} edges; {self.counted}; {self.proof}",
        )


@cache
def _shape(scores: Any) -> Record:
    """The shape of a summary by the names of its fields, with scores of a kind."""
    types = get_type_hints(RunSummary)
    shapes = {f.name: shape_of(types[f.name]) for f in fields(RunSummary) if f.name != "scores"}
    special: dict[str, Shape] = {
        "growth_bound": Maybe(Number(finite=False, low=0)),
        "growth_change": Number(finite=False, low=0),
        "stopped": STOP_REASON_SHAPE,
    }
    optional = frozenset(
        f.name for f in fields(RunSummary) if f.default is not MISSING or f.default_factory is not MISSING
    )
    return Record({**shapes, **special, "scores": Entries(shape_of(scores))}, optional)


def render_summary(run: RunDirectory, summary: RunSummary) -> str:
    """The text of `summary.md`."""
    config = run.config
    lines = [
        f"# {markdown(summary.data)}, grown by {markdown(summary.method)}",
        "",
        *summary.table().markdown(),
        "",
        *(line for sentence in summary.warnings for line in (f"**{markdown(sentence)}**", "")),
        f"{summary.epochs} epochs, seed {summary.seed}, at most {summary.edges_peak:,} edges, "
        f"{summary.vertices:,} vertices at the end."
        + (f" Ended early: {markdown(summary.stopped)}." if summary.stopped else ""),
        "",
        "The start was trained alone as long. FLOPs are those of all training steps.",
        "",
        loss_note(config["training"], config["task"], len(summary.classes)),
        "",
        f"{_sentence(summary.counted)} {_sentence(summary.proof)}",
        "",
        f"Density {summary.density:.4g} where links may be sparse; {summary.isolated:,} isolated hidden vertices. "
        f"A forward of one sample takes {summary.inference_flops:,} FLOPs. Spent, in FLOPs: {_costs(summary.costs)}; "
        f"at most {summary.peak_memory / 1e6:,.0f} MB of memory, {summary.seconds_rewriting:.1f} s for rewrites.",
        "",
        "![The final topology](topology.svg)",
        "",
        *(line for table in summary.score_tables for line in (*table.markdown("###"), "")),
        *_rewrites(run.journal.entries()).markdown("##"),
        "",
        EVIDENCE,
        "",
        "## Settings",
        "",
        *(
            f"- {markdown(k)}: {markdown(v)}"
            for k, v in {**config["training"], **config["options"], **config["run"]}.items()
        ),
        "",
        markdown(f"{environment(config)} Data {config['data']}, fingerprint {config['fingerprint']}."),
        "",
    ]
    return "\n".join(lines)


def _rewrites(entries: Sequence[Entry]) -> Table:
    """The rewrites of a run, with the evidence for each."""
    columns = ("#", "epoch", "rule", "matches", "what changed", "edges", "proved", "at most", "measured")
    rows = [
        (e.rewrite, e.epoch, e.rule, f"{e.matches:,}", e.summary, f"{e.edges:,}", e.certificate.level,
         *evidence(e.certificate))
        for e in entries
    ]  # fmt: skip
    return Table("Rewrites", columns, rows, left=(2, 4, 6))


def _sentence(clause: str) -> str:
    return f"{clause[0].upper()}{clause[1:]}."


def _second(scores: Scores) -> str:
    """The score beside the first, as a cell: balanced accuracy, or R²."""
    if isinstance(scores, ClassScores):
        return _score(scores.balanced_accuracy)
    return "" if scores.r2 is None else _score(scores.r2)


def evidence(certificate: Certificate) -> tuple[str, str]:
    """The bound and the measured change, relative to the range of the output, as cells; empty without any."""
    measured = certificate.measured
    if measured is None:
        return "", ""
    bound = "" if measured.bound is None else rounded_up(measured.bound, 2, "e")
    return bound, f"{measured.relative:.1e}"


def environment(config: Mapping[str, Any]) -> str:
    """The versions and the machine of a run, in a sentence."""
    return (
        f"netgraph {config['netgraph']}, torch {config['torch']}, numpy {config['numpy']}, "
        f"Python {config['python']} on {config['machine']}, device {config['device']}."
    )


def _costs(costs: Mapping[str, float]) -> str:
    return ", ".join(f"{kind} {flops:.2e}" for kind, flops in costs.items())


def _score(value: float) -> str:
    return f"{value:.4f}"
