"""Drivers of any steps: one with options, one again and again, several in order, the first that does anything."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

from netgraph.checks import Count
from netgraph.graph import Graph
from netgraph.rewriting.drivers.driver import Driver, Step, StepDriver, require_step, text_of
from netgraph.rewriting.drivers.run import DriverRun
from netgraph.rewriting.drivers.states import States
from netgraph.rewriting.ordering import OrderBy
from netgraph.rewriting.rule import Rule


@dataclass(frozen=True, repr=False)
class RepeatDriver(Driver):
    """One step, again and again, see `repeat`."""

    step: Step
    most: Count = 1000
    label: ClassVar[str] = "repeat"

    def __post_init__(self) -> None:
        super().__post_init__()
        require_step(self.step, self.name)

    def drive(self, run: DriverRun) -> str:
        """Carry out the step until nothing changes, the state is one that was there before, or `most` is reached."""
        states = States()
        states.earlier(0, run.graph, run.stats, run.rng)
        for number in range(1, self.most + 1):
            if not run.do(self.step):
                return f"nothing changed any more after {_steps(number - 1)}"
            earlier = states.earlier(number, run.graph, run.stats, run.rng)
            if earlier is not None:
                at = f"after step {earlier}" if earlier else "at the start"
                return f"cycle of {_steps(number - earlier)}: after step {number} the graph is equal to that {at}"
        return f"bound of {_steps(self.most)}; the next one may change more"


@dataclass(frozen=True, repr=False)
class SequenceDriver(Driver):
    """Several steps in order, see `sequence`."""

    parts: tuple[Step, ...]
    label: ClassVar[str] = "sequence"

    def __post_init__(self) -> None:
        super().__post_init__()
        for part in self.parts:
            require_step(part, self.name)

    def drive(self, run: DriverRun) -> str:
        """Carry out every step once."""
        changed = sum(run.do(part) for part in self.parts)
        return f"end of the sequence; {changed} of {_steps(len(self.parts))} changed the graph"


@dataclass(frozen=True, repr=False)
class FirstOfDriver(Driver):
    """The first step that changes something, see `first_of`."""

    parts: tuple[Step, ...]
    label: ClassVar[str] = "first_of"

    def __post_init__(self) -> None:
        super().__post_init__()
        for part in self.parts:
            require_step(part, self.name)

    def drive(self, run: DriverRun) -> str:
        """Carry out the steps until one changes the graph."""
        for number, part in enumerate(self.parts, start=1):
            if run.do(part):
                return f"step {number}, {text_of(part)}, changed the graph"
        return f"none of {_steps(len(self.parts))} changed anything"


def step(
    rule: Rule, *, on: Any | Callable[[Graph], Any] = None, limit: int | None = None, order_by: OrderBy = None
) -> StepDriver:
    """Make a step of a driver from a rule with options.

    Args:
        rule: the rule.
        on: parts of the graph, as for `apply`, or a function of the present graph that returns them, since ids may be
            gone when the step comes again.
        limit, order_by: as for `apply`.

    Example:
        >>> repeat(step(PruneEdges(below=0.1), limit=5), most=3)  # doctest: +SKIP
    """
    return StepDriver(rule, on, limit, order_by)


def repeat(step: Step, most: int = 1000) -> RepeatDriver:
    """Make a driver that carries out a step until it changes nothing, at most `most` times.

    It ends earlier when the graph, but for ids and names, the statistics and the state of the generator are those after
    an earlier step, since the same steps would follow for ever. `Derivation.reason` says which of these it was.

    Args:
        step: a rule or driver.
        most: largest number of times.

    Example:
        >>> result = apply(repeat(MergeVertices()), graph)  # doctest: +SKIP
        >>> result.reason  # doctest: +SKIP
        'nothing changed any more after 2 steps'
    """
    return RepeatDriver(step, most)


def sequence(*steps: Step) -> SequenceDriver:
    """Make a driver that carries out steps in order, each once. A step without a match is passed over."""
    return SequenceDriver(steps)


def first_of(*steps: Step) -> FirstOfDriver:
    """Make a driver that tries steps in order, until one changes the graph."""
    return FirstOfDriver(steps)


def _steps(count: int) -> str:
    return f"{count:,} {'step' if count == 1 else 'steps'}"
