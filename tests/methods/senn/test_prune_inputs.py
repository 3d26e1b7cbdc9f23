"""Pruning what no reader gains from."""

import numpy as np
import pytest
from input_scores import input_scores
from tiny_training import CPU, digits, settings

import netgraph as ng
from compilers import lift
from compilers.training import NothingSelected, Rewritten, begin, train
from netgraph.errors import OptionError
from netgraph.methods import Method, PruneInputs
from netgraph.methods.senn import FedLayer
from netgraph.methods.senn.prune_inputs import losses_of_groups
from netgraph.rules import WidenLayer


def layer(seed, n=5, m=3, examples=60):
    rng = np.random.default_rng(seed)
    inputs, gradients = rng.normal(size=(examples, n)), rng.normal(size=(examples, m))
    return FedLayer(inputs, gradients, np.abs(rng.normal(size=examples)) + 0.5), rng.normal(size=(n, m))


def root_of(matrix):
    values, axes = np.linalg.eigh(matrix)
    return axes * np.sqrt(values)


@pytest.mark.parametrize("seed", range(5))
def test_single_inputs_are_scored_as_one_by_one(seed):
    fed, weights = layer(seed)
    freeze, prune = losses_of_groups(fed, weights, [np.array([i]) for i in range(5)])
    root = root_of(fed.moments)
    gradient = fed.factors.gradient @ np.linalg.inv(root).T
    expected = input_scores(fed.factors.inputs, np.ones(5, dtype=bool), gradient, weights @ root)
    np.testing.assert_allclose(freeze, expected.freeze, rtol=1e-6)
    np.testing.assert_allclose(prune, expected.prune, rtol=1e-6)


def test_groups_lose_what_the_layer_without_them_has_less():
    fed, weights = layer(7)
    groups = [np.array([0, 1]), np.array([2, 3, 4])]
    freeze, _ = losses_of_groups(fed, weights, groups)
    for lost, group in zip(freeze, groups, strict=True):
        rest = FedLayer(np.delete(fed.inputs, group, axis=1), fed.gradients, fed.output_norms)
        assert lost == pytest.approx(fed.score - rest.score)


def twins(seed=0):
    """A network with two pairs of vertices that do the same."""
    graph = ng.mlp([64, 6, 10], domain=(0, 1), activation="rational", seed=seed)
    return ng.apply(WidenLayer(init="duplicate", count=2), graph, on=graph.layers["hidden1"].id, rng=0).graph


def run(graph, part, epochs=3):
    events = []
    made = settings(epochs=epochs, learning_rate=1e-5)
    state = train(begin(graph, made, CPU), digits(), made, Method("prune", (part,)), [events.append])
    return lift(state.net), events


def test_twins_go_and_leave_the_function():
    grown, events = run(twins(), PruneInputs(threshold=1e-3, cooldown=1, samples=256))
    done = [event for event in events if isinstance(event, Rewritten)]
    assert len(done) == 2
    assert len(grown.layers["hidden1"]) == 6
    for event in done:
        assert event.result.rule.name == "FoldVertex"
        assert event.result.certificate.measured.relative < 1e-3
        assert event.proposal.numbers["missed"] < event.proposal.numbers["threshold"] == 1e-3
    told = [event.proposal.reason for event in events if isinstance(event, NothingSelected)]
    assert told == ["no vertex costs less than 0.001 of the score of its readers"]


def test_it_keeps_the_fewest():
    grown, _ = run(twins(), PruneInputs(threshold=1e6, cooldown=2, fewest=3, samples=128), epochs=3)
    assert len(grown.layers["hidden1"]) == 3
    grown, _ = run(twins(), PruneInputs(threshold=1e6, cooldown=1, at_once=1, samples=128), epochs=3)
    assert len(grown.layers["hidden1"]) == 6


@pytest.mark.parametrize(
    "wrong", [{"threshold": 0}, {"threshold": 0.1, "cooldown": 0}, {"threshold": 0.1, "fewest": 0}]
)
def test_wrong_options(wrong):
    with pytest.raises(OptionError):
        PruneInputs(**wrong)


def test_what_others_can_do_costs_nothing():
    rng = np.random.default_rng(1)
    inputs = rng.normal(size=(50, 3))
    same = np.column_stack([inputs, inputs[:, 0] - inputs[:, 1]])
    fed = FedLayer(same, rng.normal(size=(50, 2)), np.ones(50))
    freeze, prune = losses_of_groups(fed, np.zeros((4, 2)), [np.array([i]) for i in range(4)])
    assert (freeze[[0, 1, 3]] < 1e-6 * fed.score).all()
    assert freeze[2] > 1e-3 * fed.score
    assert np.all(np.isfinite(prune))
