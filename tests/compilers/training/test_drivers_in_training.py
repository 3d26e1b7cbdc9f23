"""Methods that propose drivers: one rewrite with several steps, between two epochs of training."""

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from tiny_training import assert_same_state, digits, killed_and_resumed, run, settings, start_graph

import netgraph as ng
from compilers import lift, lower, migrate
from compilers.training import NothingSelected, Rewritten
from netgraph.methods import Action, Method, Proposal
from netgraph.rewriting import step
from netgraph.rules import PruneEdges, SplitEdges

SPLIT = step(SplitEdges(cross="none"), limit=2, order_by="random")


def least_moved(m, stats):
    return -stats.edge("mean_abs_gradient")[m.e.rows]


@dataclass(frozen=True)
class GrowAndPrune:
    """Splits edges, thrice, and removes those of the others with the smallest gradients, as one rewrite."""

    name: str = "grow and prune"

    def propose(self, context):
        if len(context.history) in (2, 4):
            prune = ng.greedy(PruneEdges(below=None), least_moved, {"edges": 14}, at_once=8)
            driver = ng.sequence(ng.repeat(SPLIT, most=3), prune)
            yield Proposal(self.name, driver, None, "every second epoch", stats=context.statistics())

    def pending(self, context):
        return len(context.history) < 4


METHOD = Method("driven", (GrowAndPrune(),))


@pytest.fixture(scope="module")
def whole():
    return run(method=METHOD)


def test_a_driver_is_one_action_and_one_rewrite(whole, tmp_path):
    assert [(a.rule, a.epoch, a.edges_before) for a in whole.actions] == [("sequence", 2, 640), ("sequence", 4, 632)]
    assert lift(whole.net).rewrites == 2
    journal = ng.Journal.create(tmp_path, start_graph(digits()))

    def record(event):
        if isinstance(event, Rewritten):
            journal.append(event.result, before=event.before, epoch=event.epoch, seed=event.seed)

    again = run(method=METHOD, callbacks=[record])
    assert_same_state(again, whole)
    *_, (entry, last) = journal.replay()
    assert last.same_topology(whole.net.graph)
    assert entry.parameters["reason"].startswith("end of the sequence; 2 of 2")
    assert [name.split(":")[0] for name in entry.parameters["rewrites"]] == ["SplitEdges x 3", "PruneEdges x 3"]


@pytest.mark.parametrize("until", [2, 3, 4])
def test_a_resumed_run_is_the_uninterrupted_one(whole, until, tmp_path):
    resumed = killed_and_resumed(tmp_path / "c", start_graph(digits()), digits(), settings(), METHOD, until)
    assert_same_state(resumed, whole)


def test_optimizer_state_is_carried_by_id_through_all_steps():
    graph = ng.mlp([6, 8, 3], domain=(0, 1))
    net = lower(graph)
    optimizer = torch.optim.AdamW(net.parameters())
    for k in range(3):
        net(torch.rand(5, 6, generator=torch.Generator().manual_seed(k))).square().sum().backward()
        optimizer.step()
    before = lift(net)
    done = ng.apply(ng.sequence(SPLIT, step(PruneEdges(below=None), limit=5), SPLIT), before)
    new, carried = migrate(net, optimizer, done)
    assert lift(new).same_topology(done.graph)
    old_slots, new_slots = net.plan.edge_slots, new.plan.edge_slots
    kept = np.intersect1d(before.edges.id, done.graph.edges.id)
    assert 0 < len(kept) < len(before.edges)
    for key in ("exp_avg", "exp_avg_sq"):
        old = optimizer.state[net.weights][key][old_slots[before.edges.find(kept)]]
        assert torch.equal(old, carried.state[new.weights][key][new_slots[done.graph.edges.find(kept)]])


def test_a_driver_that_changes_nothing_is_recorded_without_a_rewrite():
    @dataclass(frozen=True)
    class Idle(GrowAndPrune):
        def propose(self, context):
            yield Proposal(self.name, ng.repeat(PruneEdges(below=0.0)), None, "to see")

    events = []
    state = run(options=settings(epochs=2), method=Method("idle", (Idle(),)), callbacks=[events.append])
    assert state.actions[0] == Action("grow and prune", "repeat", 1, 0, 640)
    assert state.net.graph.rewrites == 0
    assert not [e for e in events if isinstance(e, NothingSelected)]
    assert not next(e for e in events if isinstance(e, Rewritten)).result.changed
