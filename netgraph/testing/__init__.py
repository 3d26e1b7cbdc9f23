"""Property tests of rules and graphs: strategies of Hypothesis, and checks that every rule should pass.

    >>> import netgraph as ng
    >>> from netgraph.testing import check_rule
    >>> check_rule(ng.rules.AddEdges(), max_examples=5)

This package needs Hypothesis: `pip install 'netgraph-growth[testing]'`. Its import registers a strategy for graphs, so
that `hypothesis.strategies.from_type(Graph)` works.
"""

try:
    import hypothesis  # noqa: F401
except ModuleNotFoundError as error:
    from netgraph.errors import not_installed

    message = not_installed("netgraph.testing needs", "hypothesis", "testing")
    raise ModuleNotFoundError(message, name="hypothesis") from error

from netgraph.testing.cases import Case, Failure, Irrelevant
from netgraph.testing.checks import (
    RULE_CHECKS,
    check_certificate_sound,
    check_claim_equals_certificate,
    check_delta_invertible,
    check_deterministic,
    check_failure_leaves_graph,
    check_function_preserved,
    check_ids_stable,
    check_journal_replays,
    check_no_match_is_no_op,
    check_old_graph_untouched,
    check_overlapping_matches_reported,
    check_valid_graph_after,
)
from netgraph.testing.code import to_code, with_ids
from netgraph.testing.compare import assert_same_outputs
from netgraph.testing.drawn import journals, statistics, statistics_for
from netgraph.testing.exact import is_exact
from netgraph.testing.functions import assert_same_function
from netgraph.testing.layer_edits import LAYER_EDITS, MeddleLayer, possible_edits
from netgraph.testing.machine import RuleMachine, RuleMachineError, rule_machine, run_rule_machine, shaken
from netgraph.testing.planting import NoMatchError, graphs_matching
from netgraph.testing.recipes import KINDS
from netgraph.testing.reports import CheckCount, RuleCheckError, RuleReport
from netgraph.testing.rewrites import Meddle, rewrites, rules
from netgraph.testing.rule_checks import (
    assert_preserves,
    check_rule,
    describe_rule,
    examine_rule,
    parametrize_with_rule_checks,
)
from netgraph.testing.search import RuleCheck, rule_check
from netgraph.testing.shuffle import shuffled
from netgraph.testing.strategies import graphs, inputs
from netgraph.testing.together import (
    Commutation,
    Differing,
    Ending,
    FunctionComparison,
    Interference,
    Inversion,
    Order,
    assert_commutes,
    commutes,
    ends,
    interference,
    inverse_of,
    isomorphic,
)

__all__ = [
    "KINDS",
    "LAYER_EDITS",
    "RULE_CHECKS",
    "Case",
    "CheckCount",
    "Commutation",
    "Differing",
    "Ending",
    "Failure",
    "FunctionComparison",
    "Interference",
    "Inversion",
    "Irrelevant",
    "Meddle",
    "MeddleLayer",
    "NoMatchError",
    "Order",
    "RuleCheck",
    "RuleCheckError",
    "RuleMachine",
    "RuleMachineError",
    "RuleReport",
    "assert_commutes",
    "assert_preserves",
    "assert_same_function",
    "assert_same_outputs",
    "check_certificate_sound",
    "check_claim_equals_certificate",
    "check_delta_invertible",
    "check_deterministic",
    "check_failure_leaves_graph",
    "check_function_preserved",
    "check_ids_stable",
    "check_journal_replays",
    "check_no_match_is_no_op",
    "check_old_graph_untouched",
    "check_overlapping_matches_reported",
    "check_rule",
    "check_valid_graph_after",
    "commutes",
    "describe_rule",
    "ends",
    "examine_rule",
    "graphs",
    "graphs_matching",
    "inputs",
    "interference",
    "inverse_of",
    "is_exact",
    "isomorphic",
    "journals",
    "parametrize_with_rule_checks",
    "possible_edits",
    "rewrites",
    "rule_check",
    "rule_machine",
    "rules",
    "run_rule_machine",
    "shaken",
    "shuffled",
    "statistics",
    "statistics_for",
    "to_code",
    "with_ids",
]
