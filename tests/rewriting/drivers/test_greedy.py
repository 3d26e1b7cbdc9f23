"""`greedy`: the best matches first, until a budget is used."""

import numpy as np
import pytest
from small_rules import Flip

import netgraph as ng
from netgraph.errors import OptionError, RewriteError
from netgraph.rules import PruneEdges, PruneVertices, SplitEdges

ANY = PruneEdges(below=None)


def small_first(m, stats):
    return -np.abs(m.e.weight)


@pytest.fixture
def weighed(graph):
    return graph.with_weights(np.arange(1.0, 15.0))


@pytest.fixture
def gradients(weighed):
    return ng.Statistics(weighed.topology_hash, {"mean_abs_gradient": np.arange(14.0)})


@pytest.mark.parametrize("at_once", [1, 3, 100])
def test_the_best_matches_are_taken_until_the_budget_is_used(weighed, at_once):
    done = ng.apply(ng.greedy(ANY, small_first, 5, at_once=at_once), weighed)
    np.testing.assert_array_equal(np.setdiff1d(weighed.edges.weight, done.graph.edges.weight), [1, 2, 3, 4, 5])
    assert done.reason == "budget of 5 matches is used"
    assert len(done.steps) == -(-5 // min(at_once, 5))


def test_a_budget_of_edges_is_never_exceeded(weighed):
    done = ng.apply(ng.greedy(ANY, small_first, {"edges": 5}, at_once=4), weighed)
    assert (done.graph.num_edges, done.reason) == (9, "budget of 5 edges is used")
    split = ng.apply(ng.greedy(SplitEdges(cross="none"), lambda m, stats: m.e.id, {"edges": 9, "vertices": 3}), weighed)
    assert split.graph.num_vertices == weighed.num_vertices + 3
    assert split.reason == "budget of 3 vertices is used"
    pair = ng.apply(ng.greedy(PruneVertices(only_dead=False), lambda m, stats: m.v.id, {"edges": 6}), weighed)
    assert pair.reason == "budget: the best match would exceed the rest of {'edges': 6}"
    assert weighed.num_edges - pair.graph.num_edges == 4


def test_scores_are_computed_again_after_every_round(weighed):
    seen = []
    done = ng.apply(ng.greedy(Flip(), lambda m, stats: seen.append(len(m)) or m.e.weight, 3), weighed)
    assert len(seen) == 3
    assert [s.matches.e.weight.tolist() for s in done.steps] == [[14], [13], [12]]


def test_matches_without_a_statistic_are_left_out_and_counted(weighed, gradients):
    done = ng.apply(ng.greedy(SplitEdges(cross="none"), "mean_abs_gradient", 20), weighed, gradients)
    assert done.reason == (
        "no match has a score after 14 rewritten matches; 40 have none, such as new parts without statistics"
    )
    assert done.explanation.steps[1].notes == (
        "mean_abs_gradient is missing (NaN) for 2 edges that earlier steps made",
    )
    assert done.explanation.steps[1].stages[-1] == ("chosen by greedy", 1)


def test_the_journal_gets_numbers_and_names(weighed):
    driver = ng.greedy(ANY, small_first, {"edges": 5})
    assert repr(driver) == "greedy(PruneEdges(below=None), score=<small_first>, budget={'edges': 5})"
    assert driver.parameters["budget"] == {"edges": 5}


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: ng.greedy(ANY, small_first, {}), RewriteError, "The budget of greedy is {}"),
        (lambda: ng.greedy(ANY, small_first, {"edge": 3}), OptionError, "budget='edge' is none of .*'edges'"),
        (lambda: ng.greedy(ANY, small_first, -1), OptionError, r"budget\['matches'\]=-1 is negative"),
        (lambda: ng.greedy(ANY, small_first, 3, at_once=0), OptionError, "at_once=0 is below 1"),
    ],
)
def test_wrong_budgets_are_refused(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_wrong_scores_are_refused_by_name(weighed):
    with pytest.raises(
        RewriteError, match=r"greedy, after 0 steps: PruneEdges: score has shape \(\), expected \(14,\)"
    ):
        ng.apply(ng.greedy(ANY, lambda m, stats: 1.0, 3), weighed)
    with pytest.raises(RewriteError, match="score='mean_abs_gradient' names a statistic, but no statistics were given"):
        ng.apply(ng.greedy(ANY, "mean_abs_gradient", 3), weighed)
