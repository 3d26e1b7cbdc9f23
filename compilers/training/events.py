"""Events of training. A callback is a plain function of one event."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from netgraph.checks import checked
from netgraph.errors import OptionError
from netgraph.graph import Graph
from netgraph.methods import NewPhase, Proposal
from netgraph.rewriting import Rewrite
from netgraph.schedules import StopReason
from netgraph.statistics import Statistics


@dataclass(frozen=True)
class EpochEnded:
    """Event after every epoch of training, before its rewrites.

    Attributes:
        epoch: number of finished epochs.
        epochs: number of epochs of the run.
        metrics: metrics of the epoch.
        signals: statistics that the method has collected over the last mini-batches, or None.
    """

    epoch: int
    epochs: int
    metrics: Mapping[str, float]
    signals: Statistics | None = None


@dataclass(frozen=True)
class Settled:
    """Event after every epoch and all its rewrites: the state is complete and can be saved.

    Attributes:
        epoch: number of finished epochs.
        epochs: number of epochs of the run.
    """

    epoch: int
    epochs: int


@dataclass(frozen=True)
class Proposed:
    """Event before a rewrite that the method proposed."""

    epoch: int
    proposal: Proposal


@dataclass(frozen=True)
class Rewritten:
    """Event after a rewrite, which is carried out between two epochs.

    Attributes:
        epoch: number of finished epochs.
        proposal: the proposal of the method.
        result: the result of the rewrite: a `Result`, of a driver a `Derivation`.
        before: the trained graph before the rewrite.
        metrics: metrics of the last epoch, and the numbers of the proposal.
        seed: seed of the random values of the rewrite.
    """

    epoch: int
    proposal: Proposal
    result: Rewrite
    before: Graph
    metrics: Mapping[str, float]
    seed: int


@dataclass(frozen=True)
class NothingSelected:
    """Event of a proposal for which no match was selected. This is no error."""

    epoch: int
    proposal: Proposal


@dataclass(frozen=True)
class PhaseBegan:
    """Event after an epoch with which a new phase of training begins."""

    epoch: int
    step: NewPhase


@dataclass(frozen=True)
class Stopped:
    """Event when training ends before its last epoch.

    Attributes:
        epoch: number of finished epochs.
        reason: the reason, and the way to train on.
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
    """Wrap a callback: call it for every `epochs`-th `EpochEnded` and `Settled`, the last, and all other events."""
    if epochs < 1:
        raise OptionError(f"every({epochs}, ...) needs at least one epoch.")

    def wrapped(event: Event) -> None:
        if not isinstance(event, EpochEnded | Settled) or event.epoch == event.epochs or event.epoch % epochs == 0:
            callback(event)

    return wrapped
