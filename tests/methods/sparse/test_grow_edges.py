"""Growth by missing edges: when, how much, which, and when it is over."""

import numpy as np
import pytest
from fake_context import FakeContext

import netgraph as ng
from netgraph.analysis import density, forward_flops, sparse_links
from netgraph.errors import OptionError
from netgraph.methods import GrowEdges, NewPhase
from netgraph.schedules import EveryEpochs, Phase, PlateauStop, Stalled


def sparse(seed=0, sizes=(20, 15, 10, 4), share=0.1):
    return ng.mlp(sizes, density=share, domain=(0, 1), seed=seed)


def of(graph):
    return density(graph, sparse_links(graph))


def edges(graph):
    return sum(len(graph.links_by_key[key]) for key in sparse_links(graph))


def grown(part, context, epochs=1, **metrics):
    done = []
    for _ in range(epochs):
        context.epoch(**metrics)
        done += context.carry_out(part)
    return done


@pytest.mark.parametrize("where", ["path", "random", "gradient"])
@pytest.mark.parametrize("draw", ["sample", "top"])
def test_a_step_adds_a_share_of_the_edges_exactly_and_leaves_the_head(where, draw):
    graph = sparse()
    context = FakeContext(graph)
    ((proposal, result),) = grown(GrowEdges(where=where, draw=draw, trigger=EveryEpochs(1)), context)
    assert edges(result.graph) - edges(graph) == int(0.25 * edges(graph)) > 0
    assert result.certificate.kind == "exact"
    assert len(result.graph.links["hidden2", "output"]) == len(graph.links["hidden2", "output"])
    assert f"{of(graph):.4g} to {of(result.graph):.4g}" in proposal.reason


def test_the_head_grows_when_asked():
    graph = sparse()
    grown(GrowEdges(head=True, ratio=6.0, trigger=EveryEpochs(1)), context := FakeContext(graph))
    assert len(context.graph.links["hidden2", "output"]) > len(graph.links["hidden2", "output"])


def test_only_gradients_are_collected_and_only_paths_cost_a_pass():
    graph = sparse()
    links = sparse_links(graph)
    for where, collected, costs in (
        ("random", 0, {}),
        ("gradient", 1, {}),
        ("path", 0, {"paths": 2 * forward_flops(graph) + forward_flops(graph, dense=links)}),
    ):
        context = FakeContext(graph)
        grown(GrowEdges(where=where, trigger=EveryEpochs(1)), context)
        assert (context.collected, context.costs) == (collected, costs)


def test_gradient_growth_takes_the_largest_over_all_links():
    context = FakeContext(sparse())
    before = context.graph
    ((_, result),) = grown(GrowEdges(where="gradient", draw="top", trigger=EveryEpochs(1)), context)
    new = result.graph.edges.where(result.graph.edges.birth > 0)
    first = before.links["input", "hidden1"]  # the larger link has the larger gradients
    values = np.arange(1.0, 301).reshape(20, 15)
    values[first.src, first.dst] = 0
    added = result.delta.edges_added
    source = result.graph.vertices.rows(added.source)
    target = result.graph.vertices.rows(added.target) - 20
    assert set(map(tuple, np.stack([source, target], 1).tolist())) == {
        tuple(cell) for cell in np.argwhere(values >= np.sort(values.ravel())[-len(new)]).tolist()
    }


def test_steps_come_when_the_trigger_fires():
    context = FakeContext(sparse())
    grown(GrowEdges(trigger=EveryEpochs(2)), context, epochs=5)
    assert [action.epoch for action in context.actions] == [2, 4]
    context = FakeContext(sparse())
    for loss in (3, 2, 2.5, 2.5, 1, 2, 2):
        context.epoch(loss)
        context.carry_out(GrowEdges(trigger=Stalled(2)))
    assert [action.epoch for action in context.actions] == [4, 7]


def test_growth_hits_densities_on_the_way_and_ends_at_the_last():
    context = FakeContext(sparse(), epochs=100)
    part = GrowEdges(trigger=EveryEpochs(1), through=(0.2, 0.3), until=0.4, ratio=0.5, then=Phase(curve="linear"))
    seen = []
    while part.pending(context):
        grown(part, context)
        seen.append(of(context.graph))
    cells = 20 * 15 + 15 * 10
    assert {round(0.2 * cells) / cells, round(0.3 * cells) / cells} <= set(seen)
    assert seen[-1] == round(0.4 * cells) / cells
    assert [type(step) for step, _ in grown(part, context)] == []
    assert context.actions[-1].rule == "new-phase"


def test_the_phase_that_follows_is_the_one_that_was_asked_for():
    context = FakeContext(sparse())
    done = grown(GrowEdges(trigger=EveryEpochs(1), until=0.11, then=Phase(epochs=7)), context)
    assert isinstance(done[-1][0], NewPhase)
    assert done[-1][0].phase == Phase(epochs=7)
    assert "density 0.11" in done[-1][0].reason


def test_growth_is_over_after_its_share_of_the_epochs():
    context = FakeContext(sparse(), epochs=10)
    done = grown(GrowEdges(trigger=EveryEpochs(1), rough=0.3), context, epochs=6)
    assert [action.epoch for action in context.actions] == [1, 2, 3]
    assert "3 epochs" in done[-1][0].reason


def test_a_share_of_the_epochs_is_not_rounded_up():
    context = FakeContext(sparse(), epochs=100)  # 0.07 * 100 is 7.000000000000001
    grown(GrowEdges(trigger=EveryEpochs(1), rough=0.07, ratio=0.01), context, epochs=9)
    assert context.actions[-1].epoch == 7


def test_growth_stops_at_the_plateau_of_the_metric():
    part = GrowEdges(trigger=EveryEpochs(1), stop=PlateauStop(reading="gain"), ratio=0.4)
    context = FakeContext(sparse(share=0.05), epochs=100)
    while part.pending(context) and len(context.history) < 50:
        rho = of(context.graph)
        grown(part, context, val_accuracy=0.2 + 0.7 * (1 - np.exp(-12 * rho)))
    assert 0.25 <= of(context.graph) < 0.6  # ln(20) / 12 = 0.2496
    assert context.actions[-1].rule == "new-phase"


def test_the_plateau_of_a_regression_is_that_of_its_error():
    def curve(rho):
        return 0.9 - 0.7 * (1 - np.exp(-12 * rho))

    ends = []
    for metric in (None, "val_loss", "val_gain"):
        part = GrowEdges(trigger=EveryEpochs(1), stop=PlateauStop(reading="gain"), ratio=0.4, metric=metric)
        context = FakeContext(sparse(share=0.05), epochs=100)
        while part.pending(context) and len(context.history) < 50:
            value = curve(of(context.graph))
            grown(part, context, val_loss=value, val_rmse=value, val_gain=-value)
        assert context.actions[-1].rule == "new-phase"
        ends.append(of(context.graph))
    assert ends[0] == ends[1] == ends[2]
    assert 0.25 <= ends[0] < 0.6


def test_an_unknown_metric_is_named_with_those_that_are_there():
    part = GrowEdges(trigger=EveryEpochs(1), stop=PlateauStop(), metric="val_acuracy")
    with pytest.raises(OptionError, match=r"'val_acuracy'.*val_accuracy"):
        grown(part, FakeContext(sparse()), val_accuracy=0.5)


def test_the_hybrid_gives_up_the_weakest_and_grows_as_many_more():
    graph = sparse()
    context = FakeContext(graph)
    (_, pruned), (_, added) = grown(GrowEdges(prune=0.1, trigger=EveryEpochs(1)), context)
    gone = len(pruned.matches)
    assert gone == int(0.1 * edges(graph))
    assert len(added.matches) == int(0.25 * edges(graph)) + gone
    inner = np.concatenate([np.abs(graph.links_by_key[key].weight) for key in sparse_links(graph)])
    assert np.abs(pruned.matches.e.weight).max() <= np.sort(inner)[gone - 1]


def test_a_network_that_is_full_only_begins_the_next_phase():
    context = FakeContext(ng.mlp([4, 3, 2], domain=(0, 1)))
    (done,) = grown(GrowEdges(trigger=EveryEpochs(1)), context)
    assert isinstance(done[0], NewPhase)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"where": "paths"}, "'path'"),
        ({"draw": "all"}, "draw='all'"),
        ({"power": 3}, "power=3"),
        ({"ratio": 0.0}, "ratio=0"),
        ({"until": 1.5}, "until=1.5"),
        ({"rough": 0.0}, "rough=0"),
        ({"prune": 1.0}, "prune=1"),
    ],
)
def test_refused(options, message):
    with pytest.raises(OptionError, match=message):
        GrowEdges(**options)
