"""The sizes that methods are asked to end with: met, missed, and foreseen."""

import pytest

import netgraph as ng
from netgraph.methods import (
    GradMaxOptions,
    ImpOptions,
    NagnOptions,
    PhewOptions,
    PwmprOptions,
    RiglOptions,
    SennOptions,
    fixed,
    gradmax,
    imp,
    nagn,
    pwmpr,
    rigl,
    senn,
    sparse_start,
)
from netgraph.methods.goal import Goal

DENSE = ng.mlp([20, 30, 5])


def thin(density, start="uniform"):
    return sparse_start(DENSE, density=density, start=start, seed=0).graph


@pytest.mark.parametrize(
    ("edges", "limit", "words"),
    [
        (100, False, ""),
        (101, False, ""),
        (102, False, "more than 100"),
        (95, False, ""),
        (94, False, "fewer than 100"),
        (94, True, ""),
        (102, True, "more than 100"),
    ],
)
def test_a_goal_is_missed_by_more_than_rounding(edges, limit, words):
    graph = ng.mlp([edges, 1])
    missed = Goal(edges=100, asked="final_edges=100", limit=limit).missed_by(graph)
    assert (words in missed) if words else not missed
    assert not missed or missed.startswith(f"final_edges=100 was missed: the network ends with {edges} edges")


def test_a_density_counts_the_links_that_may_be_sparse():
    goal = Goal.of_density(DENSE, 0.1, "density=0.1", head=False)
    assert goal.edges == 60 + 150
    assert Goal.of_density(DENSE, 0.1, "density=0.1", head=True).edges == 75
    graph = thin(0.5)
    assert not Goal.of_density(DENSE, 0.5, "density=0.5", head=False).missed_by(graph)


def test_a_start_that_is_too_dense_already_is_said_before_training():
    graph = thin(0.01)
    for method in (fixed(graph, PhewOptions(density=0.01)), rigl(graph, RiglOptions(density=0.01))):
        (sentence,) = method.outlook(graph, 10)
        assert f"density=0.01 cannot be met: the start has {graph.num_edges} edges already" in sentence
    assert not rigl(thin(0.5), RiglOptions(density=0.5)).outlook(thin(0.5), 10)


def test_pruning_in_levels_says_how_many_epochs_a_density_takes():
    method = imp(DENSE, ImpOptions(density=0.1, level_epochs=2))
    assert not method.outlook(DENSE, 23)
    (sentence,) = method.outlook(DENSE, 22)
    assert "density=0.1 will be missed: it takes 11 levels of 2 epochs" in sentence
    assert "Train for 24 epochs" in sentence
    (sentence,) = method.outlook(DENSE, 1)
    assert f"1 epochs end with {DENSE.num_edges} edges instead of 210" in sentence


def test_growth_to_a_density_says_how_far_it_gets():
    graph = thin(0.1)
    short = pwmpr(graph, PwmprOptions(density=0.5, stop="none"))
    (sentence,) = short.outlook(graph, 10)
    assert "density=0.5 will be missed: 10 epochs have time for 2 steps of growth" in sentence
    sparse = graph.num_edges - 150
    for _ in range(2):
        sparse += sparse // 4
    assert f"lead to {150 + sparse} edges" in sentence
    assert not short.outlook(graph, 60)
    assert not pwmpr(graph, PwmprOptions(density=0.5)).outlook(graph, 10)
    assert pwmpr(graph, PwmprOptions(density=0.5)).goal.limit


def test_growth_in_steps_says_for_how_many_there_is_time():
    start = ng.mlp([4, 4, 2], activation="prelu")
    method = gradmax(start, GradMaxOptions(widths="4", steps=3, every=2))
    assert not method.outlook(start, 7)
    (sentence,) = method.outlook(start, 6)
    assert "steps=3 will be missed: in 6 epochs, with every=2, layers grow 2 times" in sentence


@pytest.mark.parametrize(("build", "options"), [(nagn, NagnOptions), (senn, SennOptions)])
def test_a_most_of_edges_is_a_limit(build, options):
    assert build(DENSE, options()).goal is None
    method = build(DENSE, options(max_edges=700))
    assert method.goal == Goal(edges=700, asked="max_edges=700", limit=True)
    assert "cannot be met" in method.outlook(DENSE, 5)[0]
    assert not build(DENSE, options(max_edges=800)).outlook(DENSE, 5)
