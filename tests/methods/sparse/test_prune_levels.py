"""Iterative magnitude pruning: levels, densities, rewinding."""

import numpy as np
import pytest
from fake_context import FakeContext

import netgraph as ng
from netgraph.analysis import density, sparse_links
from netgraph.errors import OptionError
from netgraph.methods import NewPhase, PruneLevels
from netgraph.schedules import Phase


def dense(seed=0):
    return ng.mlp([20, 15, 10, 4], domain=(0, 1), seed=seed)


def of(graph):
    return density(graph, sparse_links(graph))


def run(part, context, epochs):
    done = []
    for _ in range(epochs):
        context.epoch()
        done += context.carry_out(part)
    return done


def test_a_level_ends_after_its_epochs_and_loses_the_weakest():
    graph = dense()
    context = FakeContext(graph)
    assert run(PruneLevels(epochs=3), context, 2) == []
    (_, result), (turn, _) = run(PruneLevels(epochs=3), context, 1)
    assert len(result.matches) == 90  # a fifth of 450
    inner = np.sort(np.concatenate([np.abs(graph.links_by_key[key].weight) for key in sparse_links(graph)]))
    assert np.abs(result.matches.e.weight).max() == inner[89]
    assert isinstance(turn, NewPhase)
    assert (turn.phase, turn.origin) == (Phase(epochs=3), None)


def test_levels_are_rounded_up_and_end_at_the_density():
    context = FakeContext(dense())
    part = PruneLevels(epochs=1, until=0.3)
    seen = []
    while part.pending(context):
        run(part, context, 1)
        seen.append(round(of(context.graph) * 450))
    assert seen == [360, 288, 230, 184, 147, 135]  # 288 - 57.6, 230 - 46, 184 - 36.8
    assert run(part, context, 3) == []


def test_densities_on_the_way_are_hit():
    context = FakeContext(dense())
    part = PruneLevels(epochs=1, until=0.2, through=(0.5, 0.25))
    seen = []
    while part.pending(context):
        run(part, context, 1)
        seen.append(round(of(context.graph) * 450))
    assert {225, round(0.25 * 450), 90} <= set(seen)
    assert seen[-1] == 90


def test_a_run_that_is_too_short_says_so():
    context = FakeContext(dense(), epochs=6)
    part = PruneLevels(epochs=2, until=0.3)
    (_, (first, _)), (_, (second, _)) = run(part, context, 2), run(part, context, 2)
    assert "the last" not in first.reason
    assert second.reason.endswith(", the last: 6 epochs do not reach density 0.3")


def test_a_step_that_nearly_ends_at_a_density_does():
    context = FakeContext(dense())
    part = PruneLevels(epochs=1, until=0.2, through=(0.4,))  # 0.8 ** 4 is 0.4096, and 0.4 * 0.8 ** 3 is 0.2048
    seen = []
    while part.pending(context):
        run(part, context, 1)
        seen.append(round(of(context.graph) * 450))
    assert seen == [360, 288, 230, 180, 144, 115, 90]


def test_rewinding_hands_over_the_origin():
    graph = dense()
    (_, (turn, _)) = run(PruneLevels(epochs=1, origin=graph), FakeContext(graph), 1)
    assert turn.origin is graph
    assert "from the first weights" in turn.reason


@pytest.mark.parametrize(
    ("options", "message"),
    [({"epochs": 0}, "epochs=0"), ({"epochs": 1, "share": 1.0}, "share=1"), ({"epochs": 1, "until": 1.0}, "until=1")],
)
def test_refused(options, message):
    with pytest.raises(OptionError, match=message):
        PruneLevels(**options)


def test_a_link_of_small_weights_keeps_its_largest_and_densities_their_meaning():
    graph = dense()
    first = graph.links["input", "hidden1"]
    weights = np.where(np.isin(graph.edges.id, first.id), 1e-6, 1.0) * graph.edges.weight
    context = FakeContext(graph.with_weights(weights))
    part = PruneLevels(epochs=1, share=0.5, until=0.1)
    run(part, context, 5)
    assert [len(link) for link in context.graph.links] == [1, 44, 40]  # a tenth of 450 in all
    kept = context.graph.links["input", "hidden1"].id
    assert kept.tolist() == [first.id[np.argmax(np.abs(first.weight))]]
    assert of(context.graph) == 0.1
    assert not part.pending(context)


def test_pruning_ends_where_no_edge_may_go():
    context = FakeContext(dense())
    part = PruneLevels(epochs=1, share=0.9, until=0.0)
    run(part, context, 8)
    assert [len(link) for link in context.graph.links] == [1, 1, 40]
    assert not part.pending(context)
