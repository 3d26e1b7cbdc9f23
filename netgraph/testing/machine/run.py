"""Runs of a machine, and the search for a shorter program and a smaller graph that fail alike."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from hypothesis import HealthCheck, Phase, Verbosity, settings
from hypothesis import seed as with_seed
from hypothesis.stateful import run_state_machine_as_test

from netgraph.checks import whole
from netgraph.graph import Graph
from netgraph.testing.drawn import rules_of
from netgraph.testing.machine.actions import LawError, MachineAction, MachineState, MachineWorld
from netgraph.testing.machine.machine import RuleMachine, RuleMachineError
from netgraph.testing.reduce import reduce_graph

Fails = Callable[[Graph, Sequence[MachineAction]], RuleMachineError | None]
"""Function that carries out actions on a graph, and returns the failure if it is of the same law."""


def run_rule_machine(machine: type[RuleMachine], *, max_examples: int = 100, max_steps: int = 6, seed: int = 0) -> None:
    """Run a machine, and reduce the first failure: actions that are not needed are left out, and the graph made small.

    Args:
        machine: the class that `rule_machine` returns.
        max_examples: number of runs.
        max_steps: largest number of actions of a run.
        seed: seed of the search. The same seed gives the same runs.

    Raises:
        RuleMachineError: a law or an invariant does not hold. The message has the program.
    """
    whole("max_examples", max_examples, least=1)
    whole("max_steps", max_steps, least=1)
    seeded = with_seed(seed)(type(machine.__name__, (machine,), {"__doc__": machine.__doc__}))
    chosen = settings(
        max_examples=max_examples,
        stateful_step_count=max_steps,
        phases=(Phase.generate,),
        database=None,
        deadline=None,
        print_blob=False,
        report_multiple_bugs=False,
        verbosity=Verbosity.quiet,
        suppress_health_check=list(HealthCheck),
    )
    try:
        run_state_machine_as_test(seeded, settings=chosen)
    except RuleMachineError as error:
        small = reduced(error, operations=machine.planted)
    else:
        return
    raise small


def reduced(error: RuleMachineError, *, operations: bool) -> RuleMachineError:
    """Leave out actions, and reduce the graph, as long as the same law fails.

    Args:
        error: the failure.
        operations: whether activations, norms and domains of the graph may be simplified as well.
    """
    law = _kind(error.law)
    checks = tuple(check for check in error.world.checks if check.__name__ in law) or error.world.checks
    world = replace(error.world, checks=tuple(replace(check, every=1) for check in checks))

    def fails(first: Graph, actions: Sequence[MachineAction]) -> RuleMachineError | None:
        found = replay(world, first, actions)
        return found if found is not None and _kind(found.law) == law else None

    best = fails(error.first, error.actions) or error
    best = _shorter(best, fails)
    graph = reduce_graph(
        rules_of(world.steps[0])[0], best.first, lambda g: fails(g, best.actions) is not None, operations=operations
    )
    best = fails(graph, best.actions) or best
    return _shorter(best, fails)


def replay(world: MachineWorld, first: Graph, actions: Sequence[MachineAction]) -> RuleMachineError | None:
    """Carry out actions on a graph; return the failure, or None when all laws hold or an action is not possible."""
    state = MachineState(world, first)
    done: list[MachineAction] = []
    try:
        state.check_invariants()
        for action in actions:
            done.append(action)
            action.act(state)
            state.check_invariants()
            state.count += 1
    except LawError as error:
        return RuleMachineError(world, first, done, str(error))
    except Exception:
        return None  # the graph is too small for an action
    return None


def _shorter(error: RuleMachineError, fails: Fails) -> RuleMachineError:
    """Leave out one action after another, the first ones first, as long as it still fails."""
    best, at = error, 0
    while at < len(best.actions):
        fewer = fails(best.first, [*best.actions[:at], *best.actions[at + 1 :]])
        best, at = (fewer, at) if fewer is not None else (best, at + 1)
    return best


def _kind(law: str) -> str:
    """Name of the law: the first words of its description."""
    return law.partition(":")[0]
