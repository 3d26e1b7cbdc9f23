"""Test a correct and a wrong rule on random graphs. Runs as a program and under pytest."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

import netgraph as ng
from netgraph.testing import (
    RuleCheckError,
    assert_preserves,
    assert_same_outputs,
    check_function_preserved,
    check_rule,
    graphs,
    graphs_matching,
    inputs,
    is_exact,
    parametrize_with_rule_checks,
    rewrites,
    to_code,
)


# region rule
@dataclass(frozen=True, kw_only=True)
class BendEdges(ng.Rule):
    """Put two ReLU vertices on every large edge: w x = w relu(x) - w relu(-x), whatever the sign of x."""

    above: float = 0.5

    pattern = ng.edge("e", src=ng.vertex("p"), dst=ng.vertex("c"))
    signs: ClassVar = ((1.0, 1.0), (-1.0, -1.0))  # of the weight into a new vertex, and of that out of it

    def where(self, m, stats):
        return {"weight is large": ng.at_least(np.abs(m.e.weight), self.above)}

    def rewrite(self, m, rw):
        for g in m.by("target layer", "port", "source grid", "link kind"):
            for into, out in self.signs:
                n = rw.add_layer(len(g), activation="relu", name="bend", grid=g.p.grid)
                rw.connect(g.p, n, weight=into)
                rw.connect(n, g.c, weight=out * g.e.weight, tap=g.e.tap, kind=g.e.kind, port=g.e.port[0])
            rw.remove(g.e)

    def claim(self, m):
        return "exact"


# endregion rule


# region checks
@parametrize_with_rule_checks([BendEdges(), BendEdges(above=1.5)], max_examples=10)
def test_rules(rule, check):
    check(rule)


# endregion checks


# region hypothesis
@settings(max_examples=25, deadline=None, derandomize=True)
@given(st.data())
def test_outputs_stay(data):
    graph = data.draw(graphs_matching(BendEdges()))  # the rule has a match on each of them
    x = data.draw(inputs(graph))  # a batch within the domains of the inputs
    result = ng.apply(BendEdges(), graph, probe=None)
    assert result.changed
    assert_same_outputs(graph, result.graph, x, exact=is_exact(graph))  # bit for bit where nothing is rounded


@settings(max_examples=25, deadline=None, derandomize=True)
@given(st.data())
def test_it_works_on_what_other_rules_leave(data):
    graph = data.draw(graphs(kinds=("dense", "skip"), max_width=2))
    other = data.draw(rewrites(graph))  # by any shipped rule, or one value set
    assert ng.apply(BendEdges(), other.graph, probe=None).certificate.kind == "exact"


@settings(max_examples=25, deadline=None, derandomize=True)
@given(graph=...)  # what to draw is read from the annotation
def test_one_edge_becomes_four(graph: ng.Graph):
    result = ng.apply(BendEdges(), graph, probe=None)
    assert result.graph.num_edges == graph.num_edges + 3 * len(result.matches)


# endregion hypothesis


# region slip
class SignSlip(BendEdges):
    """Wrong: w relu(x) + w relu(-x) is w |x|, which is w x only where x is never negative."""

    signs: ClassVar = ((1.0, 1.0), (-1.0, 1.0))


def find_the_slip():
    try:
        check_rule(SignSlip())
    except RuleCheckError as error:
        return {failure.check: failure for failure in error.failures}
    raise AssertionError("the slip was not found")


# endregion slip


# region pasted
def counterexample():
    from netgraph import GraphBuilder

    b = GraphBuilder(dtype=np.float32)
    b.input("x1", 1, domain=(-1.0, 1.0))
    b.output("y", 1, bias=False)
    b.edges("x1", "y", [0], [0], weight=[1.0])
    graph = b.build()
    return graph


def test_the_slip_stays_away():
    graph = counterexample()
    assert ng.apply(BendEdges(), graph).certificate.kind == "exact"
    assert ng.apply(SignSlip(), graph).certificate.kind != "exact"


# endregion pasted


def report():
    """Return the report of `check_rule` on the wrong rule for the graph above."""
    try:
        check_rule(SignSlip(), graphs=st.just(counterexample()), checks=[check_function_preserved], max_examples=1)
    except RuleCheckError as error:
        return str(error)
    raise AssertionError("the slip was not found")


def main() -> None:
    # region once
    check_rule(BendEdges(), max_examples=20)  # every check
    assert_preserves(BendEdges(), max_examples=20)  # the shortest form of one: no output changes
    # endregion once
    print("BendEdges passes every check.\n")

    failures = find_the_slip()
    assert {"check_function_preserved", "check_claim_equals_certificate"} <= set(failures)
    assert "check_certificate_sound" not in failures  # the proof is right about the wrong rule
    failure = failures["check_function_preserved"]
    assert failure.graph.num_vertices <= 4
    assert failure.result.certificate.kind != "exact"
    print(f"{failure}\n")
    ng.viz.draw_delta(failure.result, title="The slip, on the smallest graph").save("property_test.svg")

    built = {}
    exec(to_code(failure.graph), built)  # the code in the message builds the graph
    assert ng.apply(SignSlip(), built["graph"]).certificate.kind != "exact"
    test_the_slip_stays_away()
    print(report())


if __name__ == "__main__":
    main()
