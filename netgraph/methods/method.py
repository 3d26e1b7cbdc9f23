"""What a growth method is: a name and parts, each of which may propose rewrites after an epoch."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any, Protocol

import numpy as np

from netgraph.graph import Graph, LinkKey
from netgraph.methods.goal import Goal, Outlook, outlook_of
from netgraph.rewriting import Rule
from netgraph.schedules import History, Phase
from netgraph.statistics import BatchSignals, Statistics
from netgraph.tables import Table

Requests = Mapping[str, Sequence[Mapping[str, Any]]]
"""Options of requests of statistics by name, see `Context.collect`."""

NEW_PHASE = "new-phase"
"""What stands for a rule in the `Action` of a new phase."""


@dataclass(frozen=True)
class Action:
    """A proposal that was carried out, or came to nothing.

    Attributes:
        part: name of the part that proposed it.
        rule: name of the rule, or `NEW_PHASE`.
        epoch: epochs finished when it was proposed.
        matches: how many matches were rewritten; 0 when nothing was selected, and for a new phase.
        edges_before: trainable edges before it.
    """

    part: str
    rule: str
    epoch: int
    matches: int
    edges_before: int


class Context(Protocol):
    """What a part may look at. The trainer provides it; `graph` is up to date after every proposal."""

    @property
    def graph(self) -> Graph:
        """The graph with its current weights."""

    @property
    def history(self) -> History:
        """Metrics of every finished epoch."""

    @property
    def epochs(self) -> int:
        """Number of epochs of the whole run."""

    @property
    def actions(self) -> Sequence[Action]:
        """Everything that was done so far, first to last."""

    @property
    def rng(self) -> np.random.Generator:
        """Random numbers that depend on seed and epoch alone."""

    def statistics(self) -> Statistics:
        """Gradient statistics of the current topology at the current weights; collected when asked for."""

    def collect(self, requests: Requests, batches: int) -> Statistics:
        """Statistics of the current topology at fixed weights, over the first of its mini-batches.

        Args:
            requests: options of the requests of each statistic by its name, such as
                `{"cross_moments": [{"source": "a", "target": "c"}]}`; of one source and target one kind at a time.
            batches: how many mini-batches; fewer where the data have fewer.

        Raises:
            StatisticsError: for an unknown name, layer or option, and for what is larger than memory.

        Cost: a training step per mini-batch, besides that of the statistics.
        """

    def dense_gradients(self, links: Sequence[LinkKey]) -> Statistics:
        """Mean gradient of every edge of these links, present or missing, over one mini-batch of training data.

        They are cross moments, `Statistics.cross(source, target)`, of the current topology at the current weights.
        """

    def capture(self, layers: Sequence[str], *, samples: int = 1024, tangent: bool = False) -> BatchSignals:
        """What chosen layers carry for single samples of training data, at the current weights, in float64.

        Batch norm takes its running statistics: with those of the batch no sample would have a gradient of its own.

        Args:
            layers: names.
            samples: how many, the first of the data as they are shuffled for the other statistics of this epoch; fewer
                where the data have fewer.
            tangent: whether to find the damped natural gradient of these samples, and with it `residuals` and
                `natural_score`.

        Raises:
            StatisticsError: for an unknown layer.
            OptionError: when `samples` is below 1.

        Cost: a training step over the samples; with the tangent another, and a step of the natural gradient.
        """

    def spend(self, kind: str, flops: float) -> None:
        """Count floating-point operations that the trainer does not see, such as passes over paths, under a name."""

    def signals(self) -> Statistics:
        """What the method watches, over the last mini-batches of the epoch: it costs no steps of its own.

        It belongs to the topology that was trained, before any rewrite of this epoch.
        """


@dataclass(frozen=True)
class Proposal:
    """A rewrite to carry out.

    Attributes:
        part: name of the part.
        rule: the rule to apply.
        on: what to apply it to, as for `apply`; an empty array reports that nothing was selected.
        reason: why, in words, for people who watch.
        announcement: what it will cost, in words, said before it is carried out; empty when that goes without saying.
        settle: whether new vertices get running means and variances of a mini-batch for batch norm, instead of 0 and 1:
            only for those that are not read yet, whose values change nothing.
        numbers: by name, what the decision was made by; the journal keeps them beside the metrics.
    """

    part: str
    rule: Rule
    on: Any
    reason: str
    announcement: str = ""
    settle: bool = False
    numbers: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class NewPhase:
    """A turning point: the learning rate begins a curve of its own, and weights may return to earlier ones.

    Attributes:
        part: name of the part.
        phase: what begins.
        reason: why, in words, for people who watch.
        origin: weights and vertex columns go back to the values that they have in this graph, by id, and the optimizer
            starts afresh; None lets both go on as they are.
    """

    part: str
    phase: Phase
    reason: str
    origin: Graph | None = None


Step = Proposal | NewPhase
"""What a part may ask for."""


class Part(Protocol):
    """One part of a method."""

    def propose(self, context: Context) -> Iterator[Step]:
        """Yield rewrites and new phases; each is carried out before the next is asked for."""

    def pending(self, context: Context) -> bool:
        """Whether it may still propose something in a later epoch; training does not stop early before that."""


@dataclass(frozen=True)
class Method:
    """A growth method: a composition of parts, asked in order after every epoch.

    Attributes:
        name: name of the method.
        parts: its parts.
        source: where it is published.
        watches: statistics that its parts find in `Context.signals`, by name, with the options of their requests.
        opening: the phase that a run begins with; it ends when a part asks for a new one.
        goal: the size that it is asked to end with; None leaves the size to the parts.
        outlook: sentences about a goal that a run from a graph, over a number of epochs, may miss.
    """

    name: str
    parts: tuple[Part, ...]
    source: str = ""
    watches: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    opening: Phase = field(default_factory=Phase)
    goal: Goal | None = None
    outlook: Outlook = field(default=outlook_of(None), compare=False)

    def _repr_html_(self) -> str:
        """The parts in order, with their settings."""
        rows = [(i, type(part).__name__, name, str(value)) for i, part in enumerate(self.parts, start=1)
                for name, value in _settings(part)]  # fmt: skip
        caption = f"{self.name}: {self.source}" if self.source else self.name
        return Table(caption, ["part", "kind", "setting", "value"], rows).html()

    def propose(self, context: Context) -> Iterator[Step]:
        """Yield what all parts ask for, in order."""
        for part in self.parts:
            yield from part.propose(context)

    def pending(self, context: Context) -> bool:
        """Whether any part may still propose something."""
        return any(part.pending(context) for part in self.parts)


def _settings(part: Part) -> list[tuple[str, str]]:
    """The fields of a part with their values, cut where they are long; one empty row for a part without fields."""
    if not is_dataclass(part):
        return [("", "")]
    texts = [(f.name, str(getattr(part, f.name))) for f in fields(part) if f.repr]
    return [(name, text if len(text) <= _LONGEST_SETTING else f"{text[:_LONGEST_SETTING]} ...")
            for name, text in texts] or [("", "")]  # fmt: skip


def epochs_done(context: Context) -> int:
    """Number of finished epochs."""
    return len(context.history)


def actions_of(context: Context, part: str) -> list[Action]:
    """The actions of one part."""
    return [action for action in context.actions if action.part == part]


_LONGEST_SETTING = 200
"""Letters of a setting that notebooks show."""

STRETCH = 1.1
"""A step may be so much larger than it should be when it then ends where it is to end: the rest is not worth one."""


def cut(step: int, room: Iterable[int]) -> int:
    """A step that ends at the nearest of some goals when it reaches it, or nearly does.

    Args:
        step: how far to go.
        room: how far it is to every goal; those that are not ahead do not count.
    """
    nearest = min((left for left in room if left > 0), default=0)
    return nearest if nearest <= STRETCH * step else step
