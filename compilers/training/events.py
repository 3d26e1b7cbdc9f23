"""Events of training. A callback is a plain function of one event."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from netgraph.checks import checked
from netgraph.errors import OptionError
from netgraph.graph import Graph
from netgraph.methods import NewPhase, Proposal
from netgraph.rewriting import Result
from netgraph.schedules import StopReason


@dataclass(frozen=True)
class EpochEnded:
    """An epoch of training is over; rewrites may follow.

    Attributes:
        epoch: number of finished epochs.
        epochs: number of epochs of the run.
        metrics: its metrics.
    """

    epoch: int
    epochs: int
    metrics: Mapping[str, float]


@dataclass(frozen=True)
class Settled:
    """Everything that follows an epoch is done: the state is whole, and this is the time to save it.

    Attributes:
        epoch: number of finished epochs.
        epochs: number of epochs of the run.
    """

    epoch: int
    epochs: int


@dataclass(frozen=True)
class Proposed:
    """The method proposed a rewrite, which is about to be carried out."""

    epoch: int
    proposal: Proposal


@dataclass(frozen=True)
class Rewritten:
    """A rewrite was carried out after an epoch.

    Attributes:
        epoch: number of finished epochs.
        proposal: what the method proposed.
        result: what came of it.
        before: the trained graph before it.
        metrics: metrics of the last epoch, and the numbers of the proposal.
        seed: seed of its random values.
    """

    epoch: int
    proposal: Proposal
    result: Result
    before: Graph
    metrics: Mapping[str, float]
    seed: int


@dataclass(frozen=True)
class NothingSelected:
    """A part of the method acted, but no match was selected: a normal outcome."""

    epoch: int
    proposal: Proposal


@dataclass(frozen=True)
class PhaseBegan:
    """A new phase of training begins after an epoch."""

    epoch: int
    step: NewPhase


@dataclass(frozen=True)
class Stopped:
    """Training ended before its last epoch.

    Attributes:
        epoch: number of finished epochs.
        reason: why, and how to train on.
    """

    epoch: int
    reason: StopReason


Event = EpochEnded | Proposed | Rewritten | NothingSelected | PhaseBegan | Stopped | Settled
Callback = Callable[[Event], None]


def notify(callbacks: Sequence[Callback], event: Event) -> None:
    """Call every callback with the event, in order."""
    for callback in callbacks:
        callback(event)


@checked
def every(epochs: int, callback: Callback) -> Callback:
    """The same callback, called for every `epochs`-th `EpochEnded` and `Settled`, the last, and all other events."""
    if epochs < 1:
        raise OptionError(f"every({epochs}, ...) needs at least one epoch.")

    def wrapped(event: Event) -> None:
        if not isinstance(event, EpochEnded | Settled) or event.epoch == event.epochs or event.epoch % epochs == 0:
            callback(event)

    return wrapped
