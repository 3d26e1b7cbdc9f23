"""Drivers of one's own, and the laws that a run keeps for them. Slips are in tests/testing/wrong_drivers.py."""

from dataclasses import dataclass

import numpy as np
import pytest
from small_rules import Flip, Halve, Note, Refused

import netgraph as ng
from netgraph.errors import DriverError, RewriteError, StatisticsError
from netgraph.rewriting import Driver, Rule, step
from netgraph.rules import AddEdges, PruneEdges, SplitEdges


@dataclass(frozen=True)
class Cheapest(Driver):
    """Tries rules, and carries out the one that leads to the fewest edges."""

    rules: tuple[Rule, ...]

    def drive(self, run):
        drafts = []
        for rule in self.rules:
            try:
                drafts.append(run.draft(rule))
            except RewriteError:
                continue
        best = min(drafts, key=lambda draft: draft.graph.num_edges)
        run.take(best)
        return f"{best.rule.name} leads to {run.graph.num_edges} edges"


@dataclass(frozen=True)
class Once(Driver):
    """Calls a function with the run."""

    call: object

    def drive(self, run):
        return self.call(run)


def test_a_driver_compares_drafts_and_takes_one(graph):
    done = ng.apply(Cheapest((SplitEdges(), Refused(), PruneEdges(below=None), Flip())), graph, require=None)
    assert done.reason == "PruneEdges leads to 0 edges"
    assert [s.rule.name for s in done.steps] == ["PruneEdges"]
    assert repr(Cheapest((Flip(), Halve()))) == "Cheapest(rules=(Flip(), Halve(above=1.0)))"


def test_a_run_takes_results_and_derivations(graph):
    def call(run):
        run.take(ng.apply(Flip(), run.graph))
        run.take(ng.draft(ng.sequence(SplitEdges(), Halve(above=0)), run.graph))
        assert len(run.drafts) == 3
        return "three rewrites"

    done = ng.apply(Once(call), graph)
    assert [type(s) for s in done.steps] == [ng.Draft] * 3
    assert done.reason == "three rewrites"


def test_errors_of_a_driver_itself_are_passed_on(graph):
    def call(run):
        run.do(Flip())
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        ng.apply(Once(call), graph)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda run: None, r"Once.drive returned None; it returns the reason why it stopped"),
        (lambda run: run.take(3), "Once, step 1: 3 is no rewrite"),
        (lambda run: run.do(ng.repeat(Flip()), limit=1), r"Once, step 1: on=, limit= and order_by= belong to one rule"),
        (lambda run: run.do(Flip), "Once, step 1: The class Flip was given as the rule"),
    ],
)
def test_misuse_of_a_run_is_named(graph, call, message):
    with pytest.raises(RewriteError, match=message):
        ng.apply(Once(call), graph)


def test_a_caught_refusal_stops_the_driver_all_the_same(graph):
    def call(run):
        with pytest.raises(RewriteError):
            run.do(Refused())
        with pytest.raises(DriverError):
            run.do(Flip())
        return "done"

    with pytest.raises(DriverError, match="Once goes on after a step was refused"):
        ng.apply(Once(call), graph)


def test_statistics_are_carried_and_missing_values_are_named(graph):
    stats = ng.Statistics(
        graph.topology_hash, {"mean_abs_gradient": np.ones(14)}, moments={("cross", "a", "b"): np.eye(2)}
    )
    done = ng.apply(ng.sequence(step(SplitEdges(cross="none"), limit=2), Note()), graph, stats)
    assert [s.count for s in done.steps] == [2, 12]
    assert done.explanation.steps[1].notes == (
        "mean_abs_gradient is missing (NaN) for 8 edges that earlier steps made",
    )
    assert done.explanation.steps[0].notes == ()
    with pytest.raises(
        RewriteError, match=r"step 2: Flip: order_by has NaN .* carried over 1 earlier step: mean_abs_grad"
    ):
        ng.apply(ng.sequence(SplitEdges(), step(Flip(), order_by="mean_abs_gradient")), graph, stats)

    def reads_moments(run):
        run.do(SplitEdges())
        run.do(Flip(), order_by=lambda m, stats: stats.cross("a", "b"))

    with pytest.raises(StatisticsError, match=r"Once, step 2: .*no cross_moments.*Moments are gone, too\. Collect"):
        ng.apply(Once(reads_moments), graph, stats)


def test_options_of_one_rule_are_refused_for_a_driver(graph):
    for options in ({"on": [1]}, {"limit": 2}, {"order_by": "random"}):
        with pytest.raises(RewriteError, match="belong to one rule; give them to a rule inside of repeat"):
            ng.apply(ng.repeat(Flip()), graph, **options)
    with pytest.raises(RewriteError, match=r"find takes a rule, not the driver repeat.*preview\(driver, graph\)"):
        ng.find(ng.repeat(Flip()), graph)
    with pytest.raises(RewriteError, match="function; give an instance of Rule"):
        ng.apply(ng.sequence, graph)


def test_matches_may_be_given_in_place_of_ids(graph):
    m = ng.find(Flip(), graph)
    chosen = ng.apply(Flip(), graph, on=m.take(np.array([3, 1])))
    assert chosen.matches.e.id.tolist() == m.e.id[[3, 1]].tolist()
    with pytest.raises(RewriteError, match="belong to another graph"):
        ng.apply(Flip(), chosen.graph, on=m)
    with pytest.raises(RewriteError, match=r"given, Matches\(14 of e, p, c\), do not fit the pattern of AddEdges"):
        ng.apply(AddEdges(), graph, on=m)
