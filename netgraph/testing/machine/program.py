"""A failing run of a machine as a program."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import netgraph.rules
import netgraph.testing
from netgraph.graph import Graph
from netgraph.rewriting import Driver, Rule
from netgraph.testing.code import describe
from netgraph.testing.drawn import rules_of
from netgraph.testing.machine.actions import MachineAction, MachineWorld, RewriteAction, TrainAction


def program(world: MachineWorld, first: Graph, actions: Sequence[MachineAction]) -> str:
    """Write the code of a run: the graph, and a line for each action. The last one is the one that fails.

    Args:
        world: rules, statistics and training step of the machine.
        first: the graph before the first action.
        actions: the actions.
    """
    used = [world.steps[action.at] for action in actions if isinstance(action, RewriteAction)]
    lines = ["import netgraph as ng", *dict.fromkeys(line for step in used for line in _imports(step))]
    if any(isinstance(action, TrainAction) for action in actions):
        lines.append(_import_of(world.train))
    if used and world.stats is not None:
        lines.append("stats = ...  # the function that makes the statistics of a graph")
    lines += [describe(first).rstrip(), "", *(["results = []"] if used else [])]
    return "\n".join([*lines, *(action.code(world) for action in actions)])


def _imports(step: Rule | Driver) -> list[str]:
    names = [type(step), *map(type, rules_of(step))] if isinstance(step, Driver) else [type(step)]
    return [_import_of(kind) for kind in names if kind.__module__.partition(".")[0] != "netgraph" or kind in _SHIPPED]


_SHIPPED = set(netgraph.rules.RULES.values())


def _import_of(thing: Any) -> str:
    """Import of a class or a function; shipped ones from the package that offers them."""
    name, module = thing.__name__, str(thing.__module__)
    if module.startswith("netgraph."):
        module = "netgraph.rules" if hasattr(netgraph.rules, name) else "netgraph.testing"
    return f"from {module} import {name}"
