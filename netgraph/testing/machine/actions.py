"""Actions of a machine, as values: each changes the state, checks laws, and can be written as code."""

from __future__ import annotations

import tempfile
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from netgraph.columns import Array
from netgraph.errors import DriverError, NetgraphError, RewriteError, StatisticsError
from netgraph.graph import Graph
from netgraph.rewriting import Derivation, Driver, Result, Rule, apply, apply_delta
from netgraph.storage import load, save
from netgraph.testing.cases import Case, columns_of
from netgraph.testing.checks import (
    RULE_CHECKS,
    check_certificate_sound,
    check_delta_invertible,
    check_ids_stable,
    check_no_match_is_no_op,
)
from netgraph.testing.drawn import Stats
from netgraph.testing.search import RuleCheck, outcome
from netgraph.testing.strategies import inputs_from

Train = Callable[[Graph, int], Graph]
"""Function that trains a graph, with a seed, and returns it with other weights and the same topology."""
Invariant = Callable[[Graph], Any]
"""Function that checks a graph: it raises an `AssertionError`, or returns False, where the invariant does not hold."""

DRIVER_CHECKS: tuple[RuleCheck, ...] = (check_ids_stable, check_delta_invertible, check_certificate_sound)
"""Checks of the derivation of a driver. They read graphs, delta and certificate, which it has like a rewrite."""


class LawError(AssertionError):
    """A law or an invariant does not hold after an action."""


@dataclass(frozen=True, eq=False)
class MachineWorld:
    """All that stays the same while a machine runs.

    Attributes:
        steps: the rules and drivers.
        stats: function that makes the statistics of a graph, or None.
        train: function that trains a graph.
        invariants: invariants of one's own.
        checks: checks of the rewrites of rules.
    """

    steps: tuple[Rule | Driver, ...]
    stats: Stats | None
    train: Train
    invariants: tuple[Invariant, ...]
    checks: tuple[RuleCheck, ...] = RULE_CHECKS


@dataclass(eq=False)
class MachineState:
    """MachineState of a run: the graph, and the rewrites that can be undone.

    Attributes:
        world: what stays the same.
        graph: the present graph.
        done: rewrites, each with the graph that it gave, whose weights may have been trained since.
        count: number of actions so far.
    """

    world: MachineWorld
    graph: Graph
    done: list[Result | Derivation] = field(default_factory=list)
    count: int = 0

    def check_invariants(self) -> None:
        """Raise `LawError` for an invariant that does not hold."""
        for invariant in self.world.invariants:
            name = getattr(invariant, "__name__", repr(invariant))
            try:
                holds = invariant(self.graph)
            except AssertionError as error:
                raise LawError(f"The invariant {name} does not hold: {error}") from error
            if holds is False:
                raise LawError(f"The invariant {name} does not hold.")


class MachineAction(ABC):
    """Base of actions."""

    @abstractmethod
    def act(self, state: MachineState) -> None:
        """Change the state. Raises `LawError` when a law does not hold."""

    @abstractmethod
    def code(self, world: MachineWorld) -> str:
        """Statement that does the same to a variable `graph`."""


@dataclass(frozen=True)
class RewriteAction(MachineAction):
    """Apply one of the rules or drivers.

    Attributes:
        at: position of the rule or driver in `MachineWorld.steps`.
        limit: largest number of matches of a rule, or None.
        rng: seed of random initial values.
        tape: bytes from which the inputs are made on which functions are compared.
    """

    at: int
    limit: int | None
    rng: int
    tape: bytes

    def act(self, state: MachineState) -> None:
        """Apply the step, and check the laws of rewrites on this graph."""
        step, graph = state.world.steps[self.at], state.graph
        stats = None if state.world.stats is None else state.world.stats(graph)
        x = inputs_from(graph, self.tape)
        done = self._driven(step, state, stats, x) if isinstance(step, Driver) else self._ruled(step, state, stats, x)
        if done is not None and done.changed:
            state.done.append(done)
            state.graph = done.graph

    def _ruled(self, rule: Rule, state: MachineState, stats: Any, x: Any) -> Result:
        case = Case(rule, state.graph, x, self.limit, self.rng, stats=stats)
        matches = self._matches(case)
        for check in state.world.checks if matches else (check_no_match_is_no_op,):
            if state.count % check.every:
                continue
            failure = outcome(check, case)
            if failure is not None:
                raise LawError(f"{rule.name} fails {failure.check}: {failure.message}")
        return case.result

    def _matches(self, case: Case) -> bool:
        """Whether the rule has a match, on which all checks apply."""
        try:
            return len(case.found) > 0
        except NetgraphError as error:
            raise LawError(f"{case.rule.name}: {error}") from error

    def _driven(self, driver: Driver, state: MachineState, stats: Any, x: Any) -> Derivation | None:
        """Carry out a driver. A refused rewrite is none; a slip of the driver is a failure."""
        before = columns_of(state.graph)
        try:
            done = apply(driver, state.graph, stats, rng=self.rng, probe=None)
            again = apply(driver, state.graph, stats, rng=self.rng, require=None, probe=None)
        except (DriverError, StatisticsError) as error:
            raise LawError(f"{driver.name}: {error}") from error
        except RewriteError:
            return None
        if columns_of(state.graph) != before:
            raise LawError(f"{driver.name} changed the old graph in place.")
        if not again.graph.equals(done.graph):
            raise LawError(f"{driver.name}, carried out twice with one rng, gave two graphs.")
        case: Any = _DrivenCase(state.graph, done, x)
        for check in DRIVER_CHECKS:
            failure = outcome(check, case)
            if failure is not None:
                raise LawError(f"{driver.name} fails {failure.check}: {failure.message}")
        return done

    def code(self, world: MachineWorld) -> str:
        """A call of `apply`, whose result is kept for a later undo."""
        step = world.steps[self.at]
        stats = "" if world.stats is None else ", stats(graph)"
        limit = "" if self.limit is None or isinstance(step, Driver) else f", limit={self.limit}"
        kind = type(step)
        text = repr(step).replace(kind.__qualname__, kind.__name__)
        return f"results.append(ng.apply({text}, graph{stats}{limit}, rng={self.rng})); graph = results[-1].graph"


@dataclass(frozen=True, eq=False)
class _DrivenCase:
    """The part of a case that `DRIVER_CHECKS` read, with a derivation in the place of the result."""

    graph: Graph
    result: Derivation
    x: Mapping[str, Array]


@dataclass(frozen=True)
class TrainAction(MachineAction):
    """Train the weights."""

    seed: int

    def act(self, state: MachineState) -> None:
        """Replace the weights; the topology has to stay."""
        trained = state.world.train(state.graph, self.seed)
        if not isinstance(trained, Graph) or not trained.same_topology(state.graph):
            raise LawError("The training step gave another topology; it returns the graph with other weights.")
        state.graph = trained

    def code(self, world: MachineWorld) -> str:
        """A call of the training step."""
        return f"graph = {world.train.__name__}(graph, {self.seed})"


@dataclass(frozen=True)
class SaveAction(MachineAction):
    """Save the graph, and load it again."""

    def act(self, state: MachineState) -> None:
        """Go on with the loaded graph, which has to be the same, bit for bit."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "graph.safetensors"
            save(state.graph, path)
            loaded = load(path)
        if not loaded.equals(state.graph):
            raise LawError("The graph that was saved and loaded is another one.")
        state.graph = loaded

    def code(self, world: MachineWorld) -> str:
        """Two calls in one line."""
        return "ng.save(graph, 'graph.safetensors'); graph = ng.load('graph.safetensors')"


@dataclass(frozen=True)
class UndoAction(MachineAction):
    """Take the last rewrite back."""

    def act(self, state: MachineState) -> None:
        """Apply the inverse of the last delta: the old topology comes back, and of untrained graphs the old values."""
        if not state.done:
            return
        last = state.done.pop()
        trained = not state.graph.equals(last.graph)
        back, _ = apply_delta(state.graph, last.delta.inverse())
        old = last.before
        if not (back.same_topology(old) if trained else back.equals(old)):
            raise LawError(f"The inverse of the delta of {last.rule.name} does not give the old graph back.")
        state.graph = back

    def code(self, world: MachineWorld) -> str:
        """The inverse of the last delta."""
        return "graph, _ = ng.apply_delta(graph, results.pop().delta.inverse())"


def shaken(graph: Graph, seed: int) -> Graph:
    """The default training step: every trained weight moves by -1/4, 0 or 1/4, so that exact weights stay exact."""
    moves = np.random.default_rng(seed).choice([-0.25, 0.0, 0.25], len(graph.edges))
    return graph.with_weights(np.where(graph.edges.frozen, 0.0, moves) + graph.edges.weight)
