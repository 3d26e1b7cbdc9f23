"""`netgraph grow`: from a data set to a run directory."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console

from compilers import lift
from compilers.training import (
    EpochEnded,
    Event,
    Rewritten,
    Settled,
    TrainSettings,
    TrainState,
    begin,
    load_checkpoint,
    save_checkpoint,
    train,
)
from netgraph.app.epochs import keep_epoch
from netgraph.app.inputs import RunSettings
from netgraph.app.keep import harm_of_growth
from netgraph.app.lock import sole_writer
from netgraph.app.option_texts import as_typed
from netgraph.app.places import check_place, was_cut_off
from netgraph.app.prepare import PreparedRun, prepare
from netgraph.app.progress import ProgressDisplay
from netgraph.app.report import write_pictures
from netgraph.app.requests import GrowRequest
from netgraph.app.run_directory import RunDirectory
from netgraph.app.score import scores
from netgraph.app.summary import Kept, RunSummary, render_summary
from netgraph.errors import DataError, DivergenceError, OptionError
from netgraph.markup import shortened
from netgraph.methods import get_method
from netgraph.storage import file_name, forget_epochs, save

READ_OFF = ("input_shape", "fingerprint", "normalisation", "preparation")
"""Entries of a configuration that are read off the data."""


def grow(request: GrowRequest, console: Console) -> RunSummary:
    """Run or resume a request, write its run directory, and return its results.

    Raises:
        NetgraphError: for bad input, before anything is written; for a loss that is not finite, with the
            last checkpoint in place.
        OSError: when the disk is full; the last checkpoint stays.
    """
    started = time.perf_counter()
    directory = request.directory
    if not request.resume or was_cut_off(directory):
        prepared = prepare(request)
        check_place(directory, "run", overwrite=request.overwrite)
    else:
        prepared = prepare(request, RunDirectory(directory).config)
    with sole_writer(directory, make=not request.resume):
        return _grown(request, prepared, console, started)


def _grown(request: GrowRequest, prepared: PreparedRun, console: Console, started: float) -> RunSummary:
    run, state = _open(request, prepared)
    for note in prepared.notes:
        console.print(f"data: {note}", highlight=False, markup=False)
    data, test = prepared.data, prepared.dataset.x_test
    sizes = f"{len(data.x_train):,} training, {len(data.x_valid):,} validation, {len(test):,} test"
    console.print(f"{prepared.dataset.name}: {sizes} samples; start {prepared.first!r}", highlight=False, markup=False)
    for sentence in prepared.outlook:
        console.print(sentence, style="yellow", highlight=False, markup=False)
    console.print(f"writing {run.path}", highlight=False, markup=False)
    console.print(prepared.loss_note, highlight=False, markup=False)
    before = state.elapsed
    with ProgressDisplay(console, prepared.settings.epochs, state.epoch) as display:

        def record(event: Event) -> None:
            if isinstance(event, Rewritten):
                if event.result.changed:
                    run.journal.append(event.result, before=event.before, epoch=event.epoch, metrics=event.metrics,
                                       seed=event.seed, reason=event.proposal.reason)  # fmt: skip
            elif isinstance(event, EpochEnded):
                run.append_metrics({"epoch": event.epoch, **event.metrics})
                keep_epoch(run, state.net, event)
            elif isinstance(event, Settled):
                state.elapsed = before + time.perf_counter() - started
                save_checkpoint(state, run.checkpoint)

        try:
            train(state, prepared.data, prepared.settings, prepared.method, [display, record])
        except DivergenceError as error:
            raise DivergenceError(f"{error} {run.standing(state.epoch)}") from error
    state.elapsed = before + time.perf_counter() - started
    return _finish(run, prepared, state, console)


def _open(request: GrowRequest, prepared: PreparedRun) -> tuple[RunDirectory, TrainState]:
    directory = request.directory
    if not request.resume or was_cut_off(directory):
        run = RunDirectory.create(directory, prepared.config, prepared.first, overwrite=request.overwrite)
        state = begin(prepared.first, prepared.settings, prepared.data.device, costs=prepared.costs)
        return run, state
    run = RunDirectory(directory)
    _same_run(run.config, prepared.config, directory)
    if not run.checkpoint.exists() and run.undone_checkpoint.is_file():
        raise OptionError(
            f"Rewrites of the run in {os.fspath(directory)!r} were undone, so it has no checkpoint to go on from; "
            "start a new run with another --out."
        )
    if run.checkpoint.exists():
        state = load_checkpoint(run.checkpoint, prepared.settings, prepared.data.device)
    else:  # killed before the first epoch was saved
        state = begin(prepared.first, prepared.settings, prepared.data.device, costs=prepared.costs)
    run.clear_temporary()
    run.journal.truncate(state.net.graph.rewrites)
    reached = [graph for _entry, graph in run.journal.replay()]  # a damaged journal is noticed before training on
    if reached and not reached[-1].same_topology(state.net.graph):
        raise DataError(
            f"The journal in {os.fspath(directory)!r} does not lead to the graph of the checkpoint; one of them "
            "belongs to another run. Start a new one."
        )
    run.reset_metrics(state.history)
    forget_epochs(run.path, after=state.epoch)
    return run, state


def _same_run(recorded: Mapping[str, Any], asked: Mapping[str, Any], directory: Path) -> None:
    """Refuse to resume a run with other data or options than recorded; only versions and the machine may differ.

    An option that the record lacks came with a later version, and counts as left at its default; so did a fact about
    the data. Facts about the data may also differ because another version read the data in another way.
    """
    free = {"netgraph", "torch", "numpy", "python", "machine", "data_path"}
    usual = {"run": RunSettings(), "training": TrainSettings(), "options": get_method(asked["method"]).make_options()}
    for key in sorted(asked, key=READ_OFF.__contains__):  # consequences of a seed or a method are named last
        if key in READ_OFF and key not in recorded:
            continue
        old, value = recorded.get(key), asked[key]
        if key == "data" and isinstance(old, str):
            old = file_name(old)
        if key in usual and isinstance(old, dict):
            defaults = vars(usual[key])
            old = {**{name: defaults[name] for name in value.keys() & defaults.keys()}, **old}
            pairs = [(f"{key}.{name}", old.get(name), value.get(name)) for name in {**value, **old}]
        else:
            pairs = [(key, old, value)]
        for name, was, given in pairs:
            if key not in free and was != given:
                if name in READ_OFF:
                    raise DataError(
                        f"The data of the run in {os.fspath(directory)!r} are not those that it began with, or were "
                        f"read by another version of netgraph ({name}: recorded {shortened(repr(was), 60)}, now "
                        f"{shortened(repr(given), 60)}); bring them back, or start a new run."
                    )
                again = "with the same command"
                if key in usual and name not in ("training.epochs", "training.seed"):
                    again += f" and --set {name.partition('.')[2]}={as_typed(was)}"
                raise DataError(
                    f"The run in {os.fspath(directory)!r} was made with other settings ({name}: recorded "
                    f"{shortened(repr(was), 60)}, asked for {shortened(repr(given), 60)}); resume it {again}, or start "
                    "a new one."
                )


def _finish(run: RunDirectory, prepared: PreparedRun, state: TrainState, console: Console) -> RunSummary:
    """Read the test set, for the first time, for the two kept graphs, and write the results."""
    console.print("training the start alone, for comparison", highlight=False)
    alone, diverged = _alone(prepared)
    samples = {"test": prepared.test, "val": (prepared.data.x_valid, prepared.data.y_valid)}
    harm = None if diverged else harm_of_growth(state.net, alone.net, samples["val"], prepared.dataset)
    kept: Kept = "start" if harm and harm.kept else "grown"
    save(lift(alone.net), run.start_file)
    run.save_graphs(lift(state.net), kept=lift(alone.net) if kept == "start" else None)
    found = {
        f"{name}{suffix}": scores(one.net, pair, prepared.dataset)
        for suffix, one in (("", state), ("_start", alone))
        for name, pair in samples.items()
    }
    found["train"] = scores(state.net, (prepared.data.x_train, prepared.data.y_train), prepared.dataset)
    missed = prepared.method.goal.missed_by(state.net.graph) if prepared.method.goal else ""
    remarks = [remark for remark in (missed, diverged, harm.sentence if harm else "") if remark]
    summary = RunSummary.collect(run, prepared.dataset, state, alone, found, kept=kept, remarks=remarks)
    run.write_text("summary.json", summary.to_json() + "\n")
    run.write_text("summary.md", render_summary(run, summary))
    # Last: the results are there already, and a picture that fails takes none of them away.
    write_pictures(run, console)
    return summary


def _alone(prepared: PreparedRun) -> tuple[TrainState, str]:
    """Train the start alone, without growth; return its state, and a sentence when training failed, else "".

    After a failure the state is that of the start before training. Until its first growth the run did the same; alone,
    the start trains until its learning rate is 0.
    """
    began, remark = time.perf_counter(), ""
    state = begin(prepared.first, prepared.settings, prepared.data.device, costs=prepared.costs)
    try:
        train(state, prepared.data, prepared.settings)
    except DivergenceError as error:
        remark = f"The start alone could not be trained, so its scores are those before training: {error}"
        state = begin(prepared.first, prepared.settings, prepared.data.device, costs=prepared.costs)
    state.elapsed = time.perf_counter() - began
    return state, remark
