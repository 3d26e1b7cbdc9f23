"""New phases of training, what they cost, and gradients of missing edges."""

from dataclasses import dataclass, field

import numpy as np
import pytest
import torch
from tiny_training import CPU, assert_same_state, digits, killed_and_resumed, settings, start_graph

import netgraph as ng
from compilers import lift, lower
from compilers.training import PhaseBegan, begin, dense_gradients, train
from compilers.training.batches import SCORE, mini_batches
from netgraph.methods import NEW_PHASE, Method, NewPhase
from netgraph.schedules import Phase, get_curve


@dataclass(frozen=True)
class Turn:
    """Begins a phase of so many epochs after each of the given epochs."""

    after: tuple[int, ...]
    phase: Phase = field(default_factory=Phase)
    origin: ng.Graph | None = None
    name = "turn"

    def propose(self, context):
        if len(context.history) in self.after:
            yield NewPhase(self.name, self.phase, "it is time", self.origin)

    def pending(self, context):
        return len(context.history) < max(self.after)


def rates(state):
    return [entry["learning_rate"] / 0.01 for entry in state.history]


def expected(curve, length, epochs, steps=4):
    """Learning rates of the last step of every epoch of a phase."""
    return [get_curve(curve)(min(1.0, (e + (steps - 1) / steps) / length)) for e in range(epochs)]


def trained(method, epochs=7, **options):
    data, wanted = digits(), settings(**{"epochs": epochs, "curve": "cosine", **options})
    events = []
    state = train(begin(start_graph(data), wanted, CPU), data, wanted, method, [events.append])
    return state, events


def test_a_new_phase_begins_its_curve():
    state, events = trained(Method("m", (Turn((3,)),)))
    assert rates(state) == pytest.approx(expected("cosine", 7, 3) + expected("cosine", 4, 4))
    assert [(a.rule, a.epoch, a.matches) for a in state.actions] == [(NEW_PHASE, 3, 0)]
    assert [(e.epoch, e.step.reason) for e in events if isinstance(e, PhaseBegan)] == [(3, "it is time")]


def test_the_opening_has_a_curve_of_its_own():
    method = Method("m", (Turn((2, 4), Phase(epochs=2, curve="linear")),), opening=Phase(curve="constant"))
    state, _ = trained(method)
    linear = expected("linear", 2, 2)
    assert rates(state) == pytest.approx([1, 1, *linear, *linear, 0])


def test_weights_and_optimizer_go_on_without_an_origin():
    turned, _ = trained(Method("m", (Turn((3,), Phase(curve="constant")),)), curve="constant")
    plain, _ = trained(None, curve="constant")
    assert torch.equal(turned.net.weights, plain.net.weights)


def test_an_origin_takes_weights_and_optimizer_back():
    start = start_graph(digits())
    state, _ = trained(Method("m", (Turn((3,), Phase(), start),)), epochs=4)
    data, options = digits(), settings(epochs=4)
    data_order = begin(start, options, CPU)
    data_order.history.extend({"val_loss": 1.0} for _ in range(3))  # the fourth epoch, from the start
    data_order.phase_start = 3
    once = train(data_order, data, options)
    assert lift(once.net).equals(lift(state.net))


def test_a_run_resumes_within_a_phase(tmp_path):
    data, options = digits(), settings(epochs=6, curve="cosine")
    method = Method("m", (Turn((2,), Phase(epochs=3)),), opening=Phase(curve="constant"))
    whole = train(begin(start_graph(data), options, CPU), data, options, method)
    resumed = killed_and_resumed(tmp_path / "c", start_graph(data), data, options, method, until=3)
    assert_same_state(resumed, whole)
    assert (resumed.phase, resumed.phase_start, resumed.costs) == (Phase(epochs=3), 2, whole.costs)


def test_dense_gradients_are_those_of_a_network_with_all_edges():
    data, options = digits(), settings(batch_size=100)
    sparse = start_graph(data, hidden=(6,), density=0.3)
    b = ng.GraphBuilder()
    x, h, y = b.input("input", 64, domain=(0, 1)), b.layer("hidden1", 6), b.output("output", 10)
    for link in sparse.links:
        dense = np.zeros((len(sparse.layer(link.target)), len(sparse.layer(link.source))), np.float32)
        dense[link.dst, link.src] = link.weight
        dst, src = np.indices(dense.shape)
        b.edges(*((x, h) if link.source == 0 else (h, y)), src, dst, weight=dense)
    full = lower(b.build())
    rows = mini_batches(data, options, 2, SCORE, full.graph)[0]
    torch.nn.functional.cross_entropy(full(data.x_train[rows]), data.y_train[rows], label_smoothing=0.1).backward()
    found = dense_gradients(lower(sparse), data, options, 2, tuple(sparse.links_by_key))
    gradients = full.edge_column(full.weights.grad)
    for (source, target), link in zip((("input", "hidden1"), ("hidden1", "output")), full.graph.links, strict=True):
        matrix = found.cross(source, target)
        first = full.graph.edges.offsets[list(full.graph.links_by_key).index(link.key)]
        wanted = gradients[first : first + len(link)]
        assert matrix[link.src, link.dst] == pytest.approx(wanted, abs=1e-6)
    assert (found.batches, found.samples) == (1, 100)


@dataclass(frozen=True)
class Look:
    """Asks for gradients after the first epoch, and counts passes of its own."""

    name = "look"

    def propose(self, context):
        if len(context.history) == 1:
            links = tuple(context.graph.links_by_key)
            context.dense_gradients(links)
            context.statistics()
            context.spend("paths", 5)
        yield from ()

    def pending(self, context):
        return False


def test_costs_are_counted_by_kind():
    state, _ = trained(Method("m", (Look(),)), epochs=2)
    forward = 2 * 640
    assert state.costs == {
        "training": 2 * 3 * 256 * forward,
        "dense gradients": 64 * 3 * forward,
        "statistics": 3 * 3 * 64 * forward,
        "paths": 5,
    }
