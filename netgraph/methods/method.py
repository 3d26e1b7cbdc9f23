"""The interface of a growth method: a name, and parts that may propose rewrites after every epoch."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any, Protocol

import numpy as np

from netgraph.graph import Graph, LinkKey
from netgraph.methods.goal import Goal, Outlook, outlook_of
from netgraph.rewriting import Driver, Rule
from netgraph.schedules import History, Phase
from netgraph.statistics import BatchSignals, Statistics
from netgraph.tables import Table

Requests = Mapping[str, Sequence[Mapping[str, Any]]]
"""Options of requests of statistics by name, see `Context.collect`."""

NEW_PHASE = "new-phase"
"""Name that the `Action` of a new phase has in place of a rule."""


@dataclass(frozen=True)
class Action:
    """The record of a proposal that was carried out, with or without effect.

    Attributes:
        part: name of the part that proposed it.
        rule: name of the rule or driver, or `NEW_PHASE`.
        epoch: number of epochs that were finished when it was proposed.
        matches: number of matches that were rewritten; 0 when nothing was selected, and for a new phase.
        edges_before: number of trainable edges before the rewrite.
    """

    part: str
    rule: str
    epoch: int
    matches: int
    edges_before: int


class Context(Protocol):
    """The state of training that a part may read. The trainer provides it and updates `graph` after every proposal."""

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
        """All actions so far, in the order in which they happened."""

    @property
    def rng(self) -> np.random.Generator:
        """Random generator that depends on the seed and the epoch alone."""

    def statistics(self) -> Statistics:
        """Return gradient statistics of the current topology at the current weights; the call collects them."""

    def collect(self, requests: Requests, batches: int) -> Statistics:
        """Collect statistics of the current topology at fixed weights, over the first mini-batches of an epoch.

        Args:
            requests: options of the requests of each statistic by its name, such as
                `{"cross_moments": [{"source": "a", "target": "c"}]}`; one request for each pair of source and target.
            batches: number of mini-batches, or all when the data have fewer.

        Raises:
            StatisticsError: for an unknown name, layer or option, and for a statistic that does not fit into memory.

        Cost: a training step per mini-batch, and the cost of the statistics.
        """

    def dense_gradients(self, links: Sequence[LinkKey]) -> Statistics:
        """Collect the mean gradient of every edge of these links, present or missing, over one mini-batch.

        The result holds cross moments, `Statistics.cross(source, target)`, of the current topology at the current
        weights.
        """

    def capture(self, layers: Sequence[str], *, samples: int = 1024, tangent: bool = False) -> BatchSignals:
        """Capture activations and gradients of chosen layers for single training samples, in float64.

        The weights are the current ones. Batch norm takes its running statistics: statistics of the batch would couple
        the samples, and no sample would have a gradient of its own.

        Args:
            layers: names of the layers.
            samples: number of samples, or all when the data have fewer. They are the first ones in the order in which
                the data are shuffled for the other statistics of this epoch.
            tangent: whether to compute the damped natural gradient of these samples, which `residuals` and
                `natural_score` need.

        Raises:
            StatisticsError: for an unknown layer.
            OptionError: when `samples` is below 1.

        Cost: one training step over the samples; `tangent` adds a second one and a step of the natural gradient.
        """

    def spend(self, kind: str, flops: float) -> None:
        """Count floating-point operations under a name, for work that the trainer does not see, such as path passes."""

    def signals(self) -> Statistics:
        """Return the statistics of `Method.watches`, over the last mini-batches of the epoch.

        Training collects them, so they cost no further steps. They belong to the topology that was trained, before any
        rewrite of this epoch.
        """


@dataclass(frozen=True)
class Proposal:
    """A rewrite to carry out.

    Attributes:
        part: name of the part.
        rule: the rule or driver to apply.
        on: matches to apply it to, as for `apply`; an empty array reports that nothing was selected. None for a driver,
            whose rules have options of their own.
        reason: sentence that explains the rewrite to people who watch the run.
        announcement: sentence that is shown before the rewrite, such as its cost, or ''.
        settle: whether new vertices under batch norm get the mean and variance of a mini-batch as running statistics,
            instead of 0 and 1. Allowed only for vertices that nothing reads yet, so that no output changes.
        numbers: values on which the decision rests, by name; the journal keeps them beside the metrics.
        stats: statistics of the present topology, for a rule or driver that reads them.
    """

    part: str
    rule: Rule | Driver
    on: Any
    reason: str
    announcement: str = ""
    settle: bool = False
    numbers: Mapping[str, float] = field(default_factory=dict)
    stats: Statistics | None = None


@dataclass(frozen=True)
class NewPhase:
    """The start of a new phase: the learning rate begins a new curve, and weights may return to earlier values.

    Attributes:
        part: name of the part.
        phase: the phase that begins.
        reason: sentence that explains it to people who watch the run.
        origin: graph from which weights and vertex columns take their values, by id, while the optimizer starts anew;
            None keeps the present values and the optimizer.
    """

    part: str
    phase: Phase
    reason: str
    origin: Graph | None = None


Step = Proposal | NewPhase
"""A request of a part to the trainer."""


class Part(Protocol):
    """Part of a method, such as `Widen`. After every epoch it may propose rewrites and new phases."""

    def propose(self, context: Context) -> Iterator[Step]:
        """Yield rewrites and new phases; the trainer carries out each one before it takes the next."""

    def pending(self, context: Context) -> bool:
        """Whether the part may propose something in a later epoch; until then training does not stop early."""


@dataclass(frozen=True)
class Method:
    """A growth method: a composition of parts, which are called in order after every epoch.

    Attributes:
        name: name of the method.
        parts: its parts.
        source: title of the paper.
        watches: statistics that its parts find in `Context.signals`, by name, with the options of their requests.
        opening: first phase of a run; it ends when a part begins a new one.
        goal: size at which the network should end, or None when the parts decide.
        outlook: function of a start and a number of epochs that returns warnings about a goal out of reach.
    """

    name: str
    parts: tuple[Part, ...]
    source: str = ""
    watches: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    opening: Phase = field(default_factory=Phase)
    goal: Goal | None = None
    outlook: Outlook = field(default=outlook_of(None), compare=False)

    def _repr_html_(self) -> str:
        """Table of the parts in order, with their settings, as HTML."""
        rows = [(i, type(part).__name__, name, str(value)) for i, part in enumerate(self.parts, start=1)
                for name, value in _settings(part)]  # fmt: skip
        caption = f"{self.name}: {self.source}" if self.source else self.name
        return Table(caption, ["part", "kind", "setting", "value"], rows).html()

    def propose(self, context: Context) -> Iterator[Step]:
        """Yield the requests of all parts, in order."""
        for part in self.parts:
            yield from part.propose(context)

    def pending(self, context: Context) -> bool:
        """Whether any part may still propose something."""
        return any(part.pending(context) for part in self.parts)


def _settings(part: Part) -> list[tuple[str, str]]:
    """Names and values of the fields of a part, long values cut; one empty row for a part without fields."""
    if not is_dataclass(part):
        return [("", "")]
    texts = [(f.name, str(getattr(part, f.name))) for f in fields(part) if f.repr]
    return [(name, text if len(text) <= _LONGEST_SETTING else f"{text[:_LONGEST_SETTING]} ...")
            for name, text in texts] or [("", "")]  # fmt: skip


def epochs_done(context: Context) -> int:
    """Number of finished epochs."""
    return len(context.history)


def actions_of(context: Context, part: str) -> list[Action]:
    """List the actions of one part, in the order in which they happened."""
    return [action for action in context.actions if action.part == part]


_LONGEST_SETTING = 200
"""Largest number of characters of a setting that notebooks show."""

STRETCH = 1.1
"""Largest factor by which a step may be stretched to reach a goal exactly, so that no tiny last step remains."""


def clip_step(step: int, distances: Iterable[int]) -> int:
    """Shorten or stretch a step so that it ends at the nearest goal, when it reaches the goal or nearly does.

    Args:
        step: intended size of the step.
        distances: distance to every goal; goals at a distance of 0 or less are ignored.

    Returns:
        The distance to the nearest goal when it is at most `STRETCH * step`, else `step`.
    """
    nearest = min((distance for distance in distances if distance > 0), default=0)
    return nearest if nearest <= STRETCH * step else step
