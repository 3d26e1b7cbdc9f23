"""Progress of a network that grows: a line per epoch, a line per rewrite, and a bar."""

from __future__ import annotations

from types import TracebackType
from typing import Any, Self

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from compilers.training import EpochEnded, Event, NothingSelected, PhaseBegan, Proposed, Rewritten, Settled, Stopped
from netgraph.markup import printable
from netgraph.methods import Proposal
from netgraph.rewriting import (
    Derivation,
    Draft,
    EdgeRows,
    LayerPairRows,
    LayerRows,
    LinkRows,
    PairRows,
    Result,
    Rewrite,
    VertexRows,
)


class ProgressDisplay:
    """A callback that prints to a console; a context manager around the bar.

    Args:
        console: where to print.
        epochs: epochs of the run.
        done: epochs finished before, in a resumed run.
        label: what happens, in a word.
    """

    def __init__(self, console: Console, epochs: int, done: int = 0, *, label: str = "growing") -> None:
        self._console = console
        columns = (TextColumn(label), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
        self._progress = Progress(*columns, console=console, transient=True)
        self._bar = self._progress.add_task("epochs", total=epochs, completed=done)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def __call__(self, event: Event) -> None:
        """Show one event."""
        if isinstance(event, EpochEnded):
            self._print(_epoch_line(event))
        elif isinstance(event, Proposed):
            self._announce(event.proposal)
        elif isinstance(event, Rewritten):
            self._say(rewrite_line(event), "cyan")
        elif isinstance(event, NothingSelected):
            self._announce(event.proposal)
            text = f"{event.proposal.part}: nothing to rewrite ({event.proposal.reason})"
            self._say(text, "yellow")
        elif isinstance(event, PhaseBegan):
            text = f"{event.step.part}: new phase ({event.step.reason})"
            self._say(text, "magenta")
        elif isinstance(event, Stopped):
            self._say(f"stopped: {event.reason}", "yellow")
        elif isinstance(event, Settled):
            self._progress.update(self._bar, completed=event.epoch)

    def _announce(self, proposal: Proposal) -> None:
        if proposal.announcement:
            self._say(proposal.announcement)

    def _say(self, text: str, style: str = "") -> None:
        """A line of its own, on any console, whatever names are in it."""
        self._print(f"  {printable(text)}", style=style, markup=False, emoji=False)

    def _print(self, text: str, **options: Any) -> None:
        """Print a line; a terminal wraps it, a file or a pipe gets it whole."""
        self._console.print(text, highlight=False, soft_wrap=not self._console.is_terminal, **options)


def _epoch_line(event: EpochEnded) -> str:
    m = event.metrics
    score = (
        f"val_acc {m['val_accuracy']:.4f}" if "val_accuracy" in m else f"val_rmse {m['val_rmse']:.4g} (standardised)"
    )
    width = len(str(event.epochs))
    return (
        f"epoch {event.epoch:>{width}}/{event.epochs}  loss {m['train_loss']:.4f} train, {m['val_loss']:.4f} val  "
        f"{score}  edges {int(m['edges']):,}  {m['seconds']:.2f} s"
    )


def rewrite_line(event: Rewritten) -> str:
    """A rewrite in one line: the rule, the place, the matches, and the change of the output."""
    result = event.result
    return (
        f"{result.rule.name} x {result.count:,} {places(result)}: {result.delta.summary()}; "
        f"{result.certificate.brief()} ({event.proposal.reason})"
    )


def places(result: Rewrite) -> str:
    """Where a rewrite acted: the links of its edges, or the layers of its vertices, at most three by name.

    Of a driver, the number of its steps and the reason why it stopped.
    """
    if isinstance(result, Derivation):
        n = len(result.steps)
        return f"in {n:,} {'step' if n == 1 else 'steps'} ({result.reason})"
    assert isinstance(result, Draft | Result)  # the other outcomes, which have matches
    graph, root = result.before, result.matches.root
    if isinstance(root, LinkRows):
        pairs = [key[:2] for key in root.key]
    elif isinstance(root, LayerPairRows):
        pairs = list(zip(root.source.tolist(), root.target.tolist(), strict=True))
    elif isinstance(root, EdgeRows):
        keys = list(graph.links_by_key)
        pairs = [keys[k][:2] for k in dict.fromkeys(root.link.tolist())]
    elif isinstance(root, PairRows):
        ends = np.stack([graph.vertices.layer[graph.vertices.rows(ids)] for ids in (root.source, root.target)])
        pairs = [(source, target) for source, target in np.unique(ends, axis=1).T.tolist()]
    else:
        pairs = []
    names = [f"{graph.layer(source).name}->{graph.layer(target).name}" for source, target in pairs]
    if isinstance(root, VertexRows | LayerRows):
        names = [graph.layer(i).name for i in dict.fromkeys(root.layer.tolist())]
    return "in " + ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
