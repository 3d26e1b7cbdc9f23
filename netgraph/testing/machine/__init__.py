"""State machines of Hypothesis over rules and drivers, whose failures are short programs."""

from netgraph.testing.machine.actions import Invariant, Train, shaken
from netgraph.testing.machine.machine import RuleMachine, RuleMachineError, rule_machine
from netgraph.testing.machine.run import run_rule_machine

__all__ = ["Invariant", "RuleMachine", "RuleMachineError", "Train", "rule_machine", "run_rule_machine", "shaken"]
