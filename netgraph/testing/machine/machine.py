"""The machine: Hypothesis chooses graphs and actions, and laws are checked after each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from netgraph.errors import OptionError
from netgraph.graph import Graph
from netgraph.rewriting import Driver, Rule
from netgraph.rewriting.drivers import require_step
from netgraph.testing.drawn import Stats, rules_of, statistics_for
from netgraph.testing.machine.actions import (
    Invariant,
    LawError,
    MachineAction,
    MachineState,
    MachineWorld,
    RewriteAction,
    SaveAction,
    Train,
    TrainAction,
    UndoAction,
    shaken,
)
from netgraph.testing.machine.program import program
from netgraph.testing.planting import graphs_matching_several, with_plant_in_turn
from netgraph.testing.renumbering import renumbered

MOST_VERTICES, MOST_EDGES = 60, 400
"""Sizes of a graph above which a machine rewrites it no further, since the checks would take long."""


class RuleMachineError(AssertionError):
    """A machine found a law or an invariant that does not hold. The message has the program that leads there.

    Attributes:
        world: rules, statistics and training step of the machine.
        first: the graph at the start.
        actions: the actions, the failing one last.
        law: description of the law that does not hold.
    """

    def __init__(self, world: MachineWorld, first: Graph, actions: Sequence[MachineAction], law: str) -> None:
        self.world, self.first, self.actions, self.law = world, first, tuple(actions), law
        steps = f"{len(self.actions)} {'step' if len(self.actions) == 1 else 'steps'}"
        super().__init__(f"{law}\n\nAfter {steps}:\n\n{program(world, first, self.actions)}\n")


class RuleMachine(RuleBasedStateMachine):
    """State machine of Hypothesis over rules and drivers, made by `rule_machine`.

    It rewrites, trains, saves and loads, and undoes, in drawn orders. After each action it checks the laws of rewriting
    and the invariants of one's own; a failure is a `RuleMachineError` with a program.

    Attributes:
        world: what stays the same while it runs.
        starts: strategy of the first graph.
        planted: whether plants are put into first graphs, in turn, and ids are made that are no rows.
    """

    world: ClassVar[MachineWorld]
    starts: ClassVar[st.SearchStrategy[Graph]]
    planted: ClassVar[bool] = True

    def __init__(self) -> None:
        super().__init__()
        self.state: MachineState | None = None
        self.first: Graph | None = None
        self.actions: list[MachineAction] = []

    @initialize(data=st.data(), plant=st.integers(0, 63))
    def start(self, data: st.DataObject, plant: int) -> None:
        """Draw the first graph."""
        graph = data.draw(self.starts)
        if self.planted:
            planted = with_plant_in_turn(graph, plant)
            graph = renumbered(graph if planted is None else planted)
        self.first = graph
        self.state = MachineState(self.world, self.first)
        self._require(self.state.check_invariants)

    @precondition(lambda self: self.small)
    @rule(
        at=st.integers(0, 2**16),
        limit=st.sampled_from([None, 1, 2]),
        rng=st.integers(0, 3),
        tape=st.binary(min_size=1, max_size=32),
    )
    def rewrite(self, at: int, limit: int | None, rng: int, tape: bytes) -> None:
        """Apply a rule or a driver."""
        self._do(RewriteAction(at % len(self.world.steps), limit, rng, tape))

    @rule(seed=st.integers(0, 3))
    def train(self, seed: int) -> None:
        """Train the weights."""
        self._do(TrainAction(seed))

    @rule()
    def save_and_load(self) -> None:
        """Save the graph, and go on with the loaded one."""
        self._do(SaveAction())

    @precondition(lambda self: self.state is not None and bool(self.state.done))
    @rule()
    def undo(self) -> None:
        """Take the last rewrite back."""
        self._do(UndoAction())

    @property
    def small(self) -> bool:
        """Whether the graph may be rewritten further."""
        graph = None if self.state is None else self.state.graph
        return graph is not None and graph.num_vertices <= MOST_VERTICES and len(graph.edges) <= MOST_EDGES

    def _do(self, action: MachineAction) -> None:
        assert self.state is not None
        state = self.state
        self.actions.append(action)
        self._require(lambda: action.act(state))
        self._require(state.check_invariants)
        state.count += 1

    def _require(self, law: Callable[[], None]) -> None:
        try:
            law()
        except LawError as error:
            assert self.first is not None
            raise RuleMachineError(self.world, self.first, self.actions, str(error)) from None


def rule_machine(
    *steps: Rule | Driver,
    graphs: st.SearchStrategy[Graph] | None = None,
    stats: Stats | None = None,
    train: Train = shaken,
    invariants: Sequence[Invariant] = (),
) -> type[RuleMachine]:
    """Make a state machine of Hypothesis over rules and drivers.

    `TestGrowth = rule_machine(A(), B()).TestCase` is a test of pytest and unittest, with the settings of Hypothesis;
    `run_rule_machine(rule_machine(A(), B()))` runs it at once, and finds a shorter program.

    Args:
        steps: rules and drivers, which are applied in any order.
        graphs: strategy of the first graph; by default graphs on which one of the rules has a match.
        stats: function that makes the statistics of a graph; by default those that the rules declare to need are drawn.
        train: function from a graph and a seed to the graph with other weights; by default each weight moves by 1/4 at
            most.
        invariants: functions of a graph, which raise an `AssertionError` or return False where they do not hold. They
            are checked at the start and after every action.

    Raises:
        OptionError: there are no steps.
        RewriteError: a step is neither a rule nor a driver.

    Example:
        >>> import netgraph as ng
        >>> machine = rule_machine(ng.rules.SplitEdges(), ng.rules.PruneEdges())
        >>> run_rule_machine(machine, max_examples=2)
    """
    if not steps:
        raise OptionError("A machine needs at least one rule or driver, as in rule_machine(SplitEdges()).")
    for step in steps:
        require_step(step, "a machine")
    used = statistics_for(*steps) if stats is None else stats
    rules = list(dict.fromkeys(one for step in steps for one in rules_of(step)))
    attributes = {
        "world": MachineWorld(steps, used, train, tuple(invariants)),
        "starts": graphs_matching_several(rules, graphs=graphs, stats=used),
        "planted": graphs is None,
        "__doc__": f"Machine over {', '.join(step.name for step in steps)}.",
    }
    return type("RuleMachine", (RuleMachine,), attributes)
