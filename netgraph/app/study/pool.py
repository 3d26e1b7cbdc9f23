"""`netgraph compare DATA --methods ...`: run the jobs of a study in processes, and report their outcomes."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import BrokenExecutor, ProcessPoolExecutor, as_completed
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from netgraph.app.lock import sole_writer
from netgraph.app.places import check_place
from netgraph.app.requests import StudyRequest
from netgraph.app.study.directory import StudyDirectory, missing
from netgraph.app.study.jobs import Job, Outcome, Study, jobs_of, make_study
from netgraph.app.study.plot import draw_all
from netgraph.app.study.report import StudyReport
from netgraph.app.study.runs import run_job
from netgraph.errors import DataError, OptionError, TrainingError


def compare_methods(request: StudyRequest, console: Console) -> StudyReport:
    """Run all unfinished jobs of a study, and write its report.

    Every job runs in a process of its own, so that its peak memory can be measured. A finished job is a line of
    `runs.jsonl`.

    Args:
        request: settings of the study as requested.
        console: console that shows the progress.

    Raises:
        NetgraphError: for bad input, before any training.
        DataError: when no job gave a network.
        TrainingError: when a process was killed; finished jobs are kept.
        KeyboardInterrupt: when interrupted; finished jobs are kept.
    """
    study = make_study(request)
    check_place(request.directory, "study", overwrite=request.overwrite)
    with sole_writer(request.directory, make=True):
        directory = StudyDirectory(request.directory, study, overwrite=request.overwrite)
        return _compare(study, directory, request, console)


def _compare(study: Study, directory: StudyDirectory, request: StudyRequest, console: Console) -> StudyReport:
    wanted = jobs_of(study, range(request.seeds))
    outcomes = [outcome for outcome in directory.outcomes() if outcome.job in wanted]
    waiting = missing(wanted, outcomes)
    console.print(
        f"{study.name}: {len(wanted)} jobs of {len(study.options)} methods and {request.seeds} seeds, "
        f"{len(waiting)} to do; every network is trained for {study.training.epochs} epochs",
        highlight=False,
        markup=False,
    )
    columns = (TextColumn("jobs"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        bar = progress.add_task("jobs", total=len(wanted), completed=len(outcomes))
        for outcome in finished(study, waiting, request.jobs):
            directory.append(outcome)
            outcomes.append(outcome)
            progress.advance(bar)
            console.print(*_lines(outcome, study), sep="\n", highlight=False, markup=False)
    return _report(study, directory, sorted(outcomes, key=lambda o: wanted.index(o.job)), console)


def finished(study: Study, jobs: Sequence[Job], processes: int) -> Iterator[Outcome]:
    """Run jobs in several processes, started in their order, and yield each outcome as soon as it is there."""
    if not jobs:
        return
    with _pool(min(processes, len(jobs))) as pool:
        futures = [pool.submit(run_job, study, job) for job in jobs]
        for future in as_completed(futures):
            try:
                outcome = future.result()
            except BrokenExecutor as error:
                raise TrainingError(
                    "A process of the study was ended from outside, perhaps for want of memory; the same command goes "
                    "on from the last finished job, with a smaller --jobs if memory is short."
                ) from error
            yield outcome


@contextmanager
def _pool(processes: int) -> Iterator[ProcessPoolExecutor]:
    """Open a pool of processes, each for one job; an exception in the block, also an interrupt, ends all of them."""
    fork = "forkserver" in multiprocessing.get_all_start_methods()
    context = multiprocessing.get_context("forkserver" if fork else "spawn")
    if fork:  # Imports happen once instead of in every job. Optimizers import torch._dynamo.
        multiprocessing.set_forkserver_preload(["netgraph.app.study.runs", "torch._dynamo"])
    others = set(multiprocessing.active_children())
    pool = ProcessPoolExecutor(processes, context, _end_with_the_study, max_tasks_per_child=1)
    try:
        yield pool
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        for child in set(multiprocessing.active_children()) - others:
            child.terminate()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


def _end_with_the_study() -> None:
    """Set up a process for jobs: it ends at Ctrl-C without a traceback, and when its parent dies.

    Where the shell has made the study ignore Ctrl-C, because it runs in the background, the job ignores it as well.
    """
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    threading.Thread(target=_end_after_parent, daemon=True).start()


def _end_after_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _lines(outcome: Outcome, study: Study) -> list[str]:
    """Lines about a finished job: one with its scores, and one for each failure."""
    scores = [f"{p.test:.4f} at {p.density:.3g} ({p.cost:.2f})" for p in outcome.points]
    seconds = max((p.seconds for p in outcome.points), default=0.0)
    line = f"{outcome.job}: {study.metric} at density (cost) {', '.join(scores) or 'none'}; {seconds:.1f} s"
    return [line, *(f"  {failure}" for failure in outcome.failures)]


def _report(study: Study, directory: StudyDirectory, outcomes: list[Outcome], console: Console) -> StudyReport:
    report = StudyReport(study, outcomes)
    if not report.points:
        raise DataError(f"No job gave a network: {'; '.join(report.failures[:3])}")
    directory.write("study.json", report.to_json())
    try:
        drawn = draw_all(report, directory.path)
    except OptionError as error:
        drawn = ()
        console.print(f"no plots: {error}", highlight=False, markup=False)
    directory.write("study.md", report.to_markdown(drawn))
    return report
