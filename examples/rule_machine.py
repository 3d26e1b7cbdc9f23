"""A state machine over rules: rewrites, training, saves and undos in any order, with an invariant of one's own.

python examples/rule_machine.py
"""

# region machine
from dataclasses import dataclass

import netgraph as ng
from netgraph.testing import RuleMachineError, rule_machine, run_rule_machine


@dataclass(frozen=True)
class HalveAll(ng.Rule):
    """Wrong: says that it changes nothing, and halves every weight."""

    pattern = ng.edge("e")

    def rewrite(self, m, rw):
        rw.set_weight(m.e, m.e.weight / 2)

    def claim(self, m):
        return "exact"


def few_layers(graph):
    """Invariant: growth stays shallow."""
    assert graph.num_layers < 100, f"{graph.num_layers} layers"


growth = rule_machine(ng.rules.SplitEdges(), ng.repeat(ng.rules.PruneEdges(), most=5), invariants=[few_layers])
TestGrowth = growth.TestCase  # pytest runs it with the settings of Hypothesis
# endregion machine


def main() -> None:
    # region run
    run_rule_machine(growth, max_examples=5)  # passes
    try:
        run_rule_machine(rule_machine(ng.rules.SplitEdges(), HalveAll()))
    except RuleMachineError as error:
        print(error)
    # endregion run


if __name__ == "__main__":
    main()
