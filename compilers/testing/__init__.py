"""Checks of rules that need tensors: compiled networks compute what graphs mean, and training state follows ids.

    >>> import netgraph as ng
    >>> from compilers.testing import check_rule
    >>> check_rule(ng.rules.AddEdges(), max_examples=3)

Needs Hypothesis: `pip install 'netgraph-growth[testing]'`.
"""

from compilers.testing.checks import (
    COMPILER_CHECKS,
    RULE_CHECKS,
    check_compiled_equals_oracle,
    check_optimizer_state_by_id,
    check_rule,
    compiled_graphs,
    parametrize_with_rule_checks,
)

__all__ = [
    "COMPILER_CHECKS",
    "RULE_CHECKS",
    "check_compiled_equals_oracle",
    "check_optimizer_state_by_id",
    "check_rule",
    "compiled_graphs",
    "parametrize_with_rule_checks",
]
