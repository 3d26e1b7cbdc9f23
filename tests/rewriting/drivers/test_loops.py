"""`step`, `repeat`, `sequence` and `first_of`: what they carry out, and why they stop."""

import numpy as np
import pytest
from small_rules import Flip, Halve, Jitter, Refused, Renew

import netgraph as ng
from netgraph.errors import OptionError, RewriteError
from netgraph.rewriting import step
from netgraph.rules import AddEdges, MergeVertices, PruneEdges, PruneVertices, SplitEdges, WidenLayer

DUPLICATES = WidenLayer(count=2, init="duplicate")


@pytest.fixture
def heavy(graph):
    """Weights of 8, which three halvings bring to 1."""
    return graph.with_weights(np.full(14, 8.0))


def test_repeat_ends_when_nothing_changes(heavy):
    done = ng.apply(ng.repeat(Halve()), heavy)
    assert done.reason == "nothing changed any more after 3 steps"
    assert (len(done.steps), done.count) == (3, 42)
    np.testing.assert_array_equal(done.graph.edges.weight, 1)
    assert [s.rule for s in done.steps] == [Halve()] * 3


def test_repeat_ends_at_its_bound(heavy):
    done = ng.apply(ng.repeat(Halve(), most=2), heavy)
    assert done.reason == "bound of 2 steps; the next one may change more"
    np.testing.assert_array_equal(done.graph.edges.weight, 2)


@pytest.mark.parametrize(
    ("part", "reason"),
    [
        (Flip(), "cycle of 2 steps: after step 2 the graph is equal to that at the start"),
        (Renew(), "cycle of 1 step: after step 1 the graph is equal to that at the start"),
        (ng.sequence(Halve(), Flip()), "cycle of 2 steps: after step 5 the graph is equal to that after step 3"),
    ],
    ids=["values", "new ids", "after a while"],
)
def test_repeat_names_a_cycle(heavy, part, reason):
    assert ng.apply(ng.repeat(part), heavy).reason == reason


def test_a_random_step_is_no_cycle_though_the_graph_returns(graph):
    back_and_forth = ng.sequence(Jitter(), step(PruneEdges(below=None), limit=1), AddEdges())
    assert ng.apply(ng.repeat(back_and_forth, most=4), graph).reason.startswith("bound of 4 steps")


def test_steps_that_take_each_other_back_change_nothing(heavy):
    done = ng.apply(ng.sequence(Flip(), Flip()), heavy)
    assert done.graph is heavy
    assert not done.changed
    assert len(done.steps) == 2
    assert done.certificate.kind == "exact"


def test_a_sequence_passes_over_steps_without_a_match(heavy):
    done = ng.apply(ng.sequence(PruneVertices(), Halve(above=10), Flip()), heavy)
    assert [s.rule.name for s in done.steps] == ["Flip"]
    assert done.reason == "end of the sequence; 1 of 3 steps changed the graph"
    assert ng.apply(ng.sequence(), heavy).graph is heavy


def test_first_of_takes_the_first_that_changes_something(heavy):
    done = ng.apply(ng.first_of(Halve(above=10), Flip(), Halve()), heavy)
    assert [s.rule for s in done.steps] == [Flip()]
    assert done.reason == "step 2, Flip(), changed the graph"
    assert ng.apply(ng.first_of(Halve(above=10)), heavy).reason == "none of 1 step changed anything"


def test_a_step_has_options_and_follows_the_present_graph(graph):
    newest = step(SplitEdges(cross="none"), on=lambda now: now.edges.id[now.edges.birth == now.edges.birth.max()][-1:])
    done = ng.apply(ng.repeat(newest, most=3), graph)
    assert [s.count for s in done.steps] == [1, 1, 1]
    assert done.graph.num_layers == graph.num_layers + 3
    by_weight = ng.apply(step(SplitEdges(), limit=2, order_by=lambda m, stats: m.e.weight), graph)
    np.testing.assert_array_equal(np.sort(by_weight.steps[0].matches.e.weight), np.sort(graph.edges.weight)[-2:])


def test_a_refused_step_leaves_the_graph_and_is_named(heavy):
    weights = heavy.edges.weight.copy()
    with pytest.raises(RewriteError, match=r"^sequence, step 2: repeat, step 1: Refused: .*cannot be removed"):
        ng.apply(ng.sequence(Halve(), ng.repeat(Refused())), heavy)
    with pytest.raises(RewriteError, match=r"^sequence, step 2: There is no edge with id 99"):
        ng.apply(ng.sequence(Halve(), step(Flip(), on=[99])), heavy)
    np.testing.assert_array_equal(heavy.edges.weight, weights)


def test_requirements_hold_for_all_steps_together(heavy):
    assert ng.apply(ng.sequence(DUPLICATES, MergeVertices()), heavy, require="exact").certificate.kind == "exact"
    with pytest.raises(RewriteError, match="repeat is refused: exact was required"):
        ng.apply(ng.repeat(Halve()), heavy, require="exact")
    bare = ng.draft(ng.repeat(Halve(above=0.1), most=2), ng.mlp([2, 3, 1], domain=(0, 1)))
    assert bare.certificate.kind == "unknown"
    assert bare.prove(probe=None).certificate.kind == "bounded"


def test_one_seed_gives_one_result(graph):
    driver = ng.sequence(Jitter(), ng.repeat(step(SplitEdges(), limit=1, order_by="random"), most=3), Jitter())
    first, again, other = (ng.draft(driver, graph, rng=seed).graph for seed in (5, 5, 6))
    assert first.equals(again)
    assert not first.equals(other)


def test_drivers_are_values_that_show_their_steps():
    driver = ng.repeat(ng.first_of(PruneEdges(below=0.5), step(SplitEdges(), limit=2)), most=7)
    assert repr(driver) == "repeat(first_of(PruneEdges(below=0.5), step(SplitEdges(), limit=2)), most=7)"
    assert driver == ng.repeat(ng.first_of(PruneEdges(below=0.5), step(SplitEdges(), limit=2)), most=7)
    assert driver.parameters == {"step": "first_of(PruneEdges(below=0.5), step(SplitEdges(), limit=2))", "most": 7}


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: ng.repeat(3), RewriteError, "A step of repeat is 3; give rules and drivers"),
        (lambda: ng.sequence(Flip(), Flip), RewriteError, r"class Flip was given as the rule; give an instance: Flip"),
        (lambda: ng.first_of(type(ng.repeat(Flip()))), RewriteError, "give an instance: RepeatDriver"),
        (lambda: ng.repeat(Flip(), most=0), OptionError, "most=0 is below 1"),
        (lambda: step(ng.repeat(Flip())), RewriteError, "step takes one rule, not the driver repeat"),
    ],
)
def test_wrong_steps_are_refused(make, error, message):
    with pytest.raises(error, match=message):
        make()
