"""`netgraph compare --static`: a grown network beside the same architecture trained from scratch."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, get_args

from rich.console import Console

from compilers.training import begin, train
from netgraph.app.lock import sole_writer
from netgraph.app.prepare import PreparedRun, prepare_again
from netgraph.app.progress import ProgressDisplay
from netgraph.app.run_directory import RunDirectory
from netgraph.app.score import score
from netgraph.app.summary import RunSummary
from netgraph.errors import DataError, OptionError
from netgraph.graph import Graph, Init, reinitialised
from netgraph.markup import markdown
from netgraph.schedules import StopReason
from netgraph.tables import Table

FILES = ("static.json", "static.md")

COUNTED = (
    "Both were trained on the same samples in the same order, with the same settings for as many epochs; the static "
    "network has the final architecture of the run from its first epoch on, and fresh weights. Seconds are those of "
    "training and validating in every epoch, and for the grown network also of its statistics and rewrites and of "
    "writing them to the journal; loading, checkpoints and tests do not count. FLOPs are those of all training steps."
)


@dataclass(frozen=True, kw_only=True)
class Trained:
    """Results of one of the two networks.

    Attributes:
        test: accuracy, or root mean squared error, on the test set.
        edges: trainable edges at the end.
        epochs: finished epochs.
        seconds: wall time of training, validation, statistics and rewrites.
        flops: floating-point operations of all training steps.
        hardware: processor or accelerator of the training.
        stopped: reason for an early end, or None.
    """

    test: float
    edges: int
    epochs: int
    seconds: float
    flops: float
    hardware: str
    stopped: StopReason | None


@dataclass(frozen=True, kw_only=True)
class StaticComparison:
    """Results of a grown network, and of the same architecture trained from scratch.

    Attributes:
        data, method, metric, seed: those of the run.
        init: initialisation of the weights of the static network, the same as that of the start of growth.
        grown, static: results of the two networks.
    """

    data: str
    method: str
    metric: str
    seed: int
    init: str
    grown: Trained
    static: Trained

    @property
    def ratios(self) -> dict[str, float | None]:
        """Ratios of the results of the grown network to those of the static one; None where the latter is 0."""
        pairs = {name: (getattr(self.grown, name), getattr(self.static, name)) for name in _COMPARED}
        return {name: grown / static if static else None for name, (grown, static) in pairs.items()}

    def to_json(self) -> str:
        """All results and ratios, for programs."""
        return json.dumps({**asdict(self), "ratios": self.ratios, "counted": COUNTED}, indent=2)

    def remarks(self) -> list[str]:
        """Sentences about how the numbers were counted."""
        remarks = [COUNTED]
        if self.grown.hardware != self.static.hardware:
            remarks.append(
                f"The seconds are not comparable: the run was made on {self.grown.hardware}, the static network "
                f"trained on {self.static.hardware}."
            )
        for label, side in (("grown", self.grown), ("static", self.static)):
            if side.stopped:
                remarks.append(f"The {label} network ended early: {side.stopped}.")
        return remarks

    def table(self) -> Table:
        """Make a table of both networks side by side, with ratios."""
        sides = [
            [label, f"{t.test:.4f}", f"{t.edges:,}", str(t.epochs), f"{t.seconds:.2f}", f"{t.flops:.2e}"]
            for label, t in (("grown", self.grown), ("static", self.static))
        ]
        ratios = ["grown / static", *("" if r is None else f"{r:.3f}" for r in self.ratios.values())]
        title = f"{self.data}: grown by {self.method} and trained from scratch (seed {self.seed})"
        return Table(title, ["", f"test {self.metric}", "edges", "epochs", "seconds", "FLOPs"], [*sides, ratios])

    def to_markdown(self) -> str:
        """The text of `static.md`."""
        lines = [
            f"# {markdown(self.data)}: grown by {markdown(self.method)}, and the same architecture trained from "
            "scratch",
            "",
            *self.table().markdown(),
            "",
            f"Seed {self.seed}; weights of the static network were drawn by {self.init!r}, as those of the start.",
        ]
        for remark in self.remarks():
            lines += ["", markdown(remark)]
        return "\n".join(lines) + "\n"


_COMPARED = ("test", "edges", "epochs", "seconds", "flops")


def compare_static(run: RunDirectory, console: Console, *, overwrite: bool = False) -> StaticComparison:
    """Train the final architecture of a run from scratch, under the conditions of the run, and write both down.

    Only `static.json` and `static.md` are written, when all is done.

    Args:
        run: a run that has ended.
        console: where progress and the table are printed.
        overwrite: replace a comparison that is there.

    Raises:
        OptionError: when there is a comparison already, or the run has not ended.
        DataError: when the data are not those of the run, or a file of the run cannot be used.
        DivergenceError: when the loss of the static network is no longer finite.
    """
    there = [name for name in FILES if (run.path / name).exists()]
    if there and not overwrite:
        raise OptionError(
            f"{os.fspath(run.path)!r} holds a comparison already ({there[0]}); read it, or replace it by --overwrite."
        )
    with sole_writer(run.path):  # All the time: no other run may take its place before this one is written.
        return _compared(run, console)


def _compared(run: RunDirectory, console: Console) -> StaticComparison:
    config, final = run.whole_config, run.grown
    grown = _grown(run, config)
    prepared = prepare_again(config)
    if prepared.config["fingerprint"] != config["fingerprint"]:
        raise DataError(
            f"{config['data']!r} has changed since the run in {os.fspath(run.path)!r}: its fingerprint is "
            f"{prepared.config['fingerprint']} and was {config['fingerprint']}. Bring back the data of the run."
        )
    init, thin = drawn_by(prepared.first, config["seed"])
    first = reinitialised(final, seed=config["seed"], init=init, thin=thin)
    console.print(
        f"{prepared.dataset.name}: training {first!r} from scratch for {prepared.settings.epochs} epochs",
        highlight=False, markup=False,
    )  # fmt: skip
    comparison = StaticComparison(
        data=prepared.dataset.name,
        method=config["method"],
        metric="accuracy" if prepared.dataset.task == "classification" else "rmse",
        seed=config["seed"],
        init=init,
        grown=grown,
        static=_static(prepared, first, console),
    )
    run.write_text("static.md", comparison.to_markdown())
    run.write_text("static.json", comparison.to_json() + "\n")
    return comparison


def drawn_by(first: Graph, seed: int) -> tuple[Init, bool]:
    """Find the way in which the weights of a first graph were drawn, the one that gives them again.

    Returns:
        The name of the way, and whether a dense network was drawn and then thinned out.

    Raises:
        DataError: when no way does, so that a comparison would not start alike.
    """
    for thin in (False, True):
        for init in get_args(Init):
            if reinitialised(first, seed=seed, init=init, thin=thin).equals(first):
                return init, thin
    raise DataError(
        f"The start {first!r} was drawn by seed {seed} in none of the ways {', '.join(get_args(Init))}, so the static "
        "network cannot be drawn alike; let the method make its start by one GraphBuilder with that seed."
    )


def _grown(run: RunDirectory, config: Mapping[str, Any]) -> Trained:
    """Results of a run, from its own files."""
    values, metrics = run.read_summary(), run.read_metrics()
    if values is None and run.undone_checkpoint.is_file():
        raise OptionError(
            f"Rewrites of the run in {os.fspath(run.path)!r} were undone, so it has no final network to compare with; "
            "make the run again with another --out."
        )
    if values is None:
        raise OptionError(
            f"The run in {os.fspath(run.path)!r} has no summary.json: it has not ended. Finish it by "
            "`netgraph grow ... --resume`, or compare another run."
        )
    summary = RunSummary.from_json(values, run.path / "summary.json")
    if any("seconds" not in entry for entry in metrics):
        raise DataError(
            f"The metrics in {os.fspath(run.path)!r} lack the seconds of an epoch: they are damaged, or another "
            "version of netgraph wrote them. Make the run again."
        )
    return Trained(
        test=summary.test,
        edges=summary.edges,
        epochs=summary.epochs,
        seconds=sum(entry["seconds"] for entry in metrics) + summary.seconds_rewriting,
        flops=summary.flops,
        hardware=config["machine"],
        stopped=summary.stopped,
    )


def _static(prepared: PreparedRun, first: Graph, console: Console) -> Trained:
    """Train a graph as it is."""
    state = begin(first, prepared.settings, prepared.data.device, costs=prepared.costs)
    with ProgressDisplay(console, prepared.settings.epochs, label="training") as display:
        train(state, prepared.data, prepared.settings, None, [display])
    return Trained(
        test=score(state.net, prepared.test, prepared.dataset),
        edges=first.num_edges,
        epochs=state.epoch,
        seconds=sum(entry["seconds"] for entry in state.history) + state.rewriting,
        flops=sum(entry["flops"] for entry in state.history),
        hardware=prepared.config["machine"],
        stopped=state.stopped,
    )
