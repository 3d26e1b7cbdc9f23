"""NAGN in training: signals on the way, layers widened exactly, state kept, runs resumed."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from map_training import NETWORKS, digit_maps, settings
from torch.nn.functional import cross_entropy

import netgraph as ng
from compilers import lift, lower
from compilers.training import Proposed, Rewritten, Settled, begin, load_checkpoint, save_checkpoint, train, train_epoch
from netgraph.criteria import GrowthRule, nagn
from netgraph.errors import StatisticsError
from netgraph.methods import Method, Widen
from netgraph.methods.nagn import NAGN_REQUESTS
from netgraph.schedules import WindowGain

GOLDEN = json.loads((Path(__file__).parents[2] / "golden" / "nagn.json").read_text())["b2_nagn_values_mlp"]
CPU = torch.device("cpu")


def growth(**options):
    """Grows after every epoch but the first and the last."""
    rule = GrowthRule(max_increment=2)
    given = {"trigger": WindowGain(math.inf, window=1), "stop": -math.inf, "rule": rule, "until": 0.99}
    return Method("nagn", (Widen(**{**given, **options}),), "", NAGN_REQUESTS)


def test_golden_values_of_a_lowered_network():
    graph = ng.mlp(GOLDEN["sizes"], dtype=np.float64)
    weights = np.concatenate([np.ravel(w) for w in GOLDEN["weights_out_by_in"]])
    biases = np.concatenate([np.full(3, np.nan), *map(np.array, GOLDEN["biases"])])
    net = lower(graph.with_weights(weights, vertices={"bias": biases}), dtype=torch.float64)
    net.request("vertex_signals", activations=False)
    x, y = torch.tensor(GOLDEN["X"], dtype=torch.float64), torch.tensor(GOLDEN["Y"])
    for rows in (slice(0, 1), slice(1, 4)):  # the batch size does not matter
        cross_entropy(net(x[rows]), y[rows]).backward()
    np.testing.assert_allclose(nagn(graph, net.statistics()), GOLDEN["nagn"], rtol=1e-9)


@pytest.mark.parametrize("watch_batches", [1, 3, 99])
def test_signals_are_those_of_the_last_mini_batches_and_change_nothing(watch_batches):
    data, options = digit_maps(), settings(batch_size=128, watch_batches=watch_batches)
    watched, plain = (begin(NETWORKS["vgg"](), options, CPU) for _ in range(2))
    metrics, signals = train_epoch(watched, data, options, NAGN_REQUESTS)
    alone, nothing = train_epoch(plain, data, options)
    assert nothing is None
    assert metrics == alone
    assert torch.equal(watched.net.weights, plain.net.weights)
    assert torch.equal(watched.net.running, plain.net.running)
    assert signals.batches == min(watch_batches, 6)
    assert watched.net.requested == ()
    assert np.isfinite(nagn(watched.net.graph, signals)).all()


def test_a_method_that_watches_nothing_is_told_so():
    data, options = digit_maps(256, 64), settings(epochs=3)
    method = Method("blind", growth().parts)
    with pytest.raises(StatisticsError, match="watches no statistics"):
        train(begin(NETWORKS["vgg"](), options, CPU), data, options, method)


class Checks:
    """At every rewrite: outputs before and after in both modes, in float64, which hides nothing behind rounding."""

    def __init__(self, data):
        self.x, self.rewrites, self.largest = data.x_valid[:64].double(), 0, 0.0

    def outputs(self, graph):
        nets = [lower(graph, dtype=torch.float64).train(training) for training in (True, False)]
        with torch.no_grad():
            return [net(self.x) for net in nets]

    def __call__(self, event):
        if not isinstance(event, Rewritten):
            return
        self.rewrites += 1
        assert event.result.certificate.kind == "exact"
        assert event.result.changed
        for old, new in zip(self.outputs(event.before), self.outputs(event.result.graph), strict=True):
            self.largest = max(self.largest, float((old - new).abs().max() / old.abs().max()))


@pytest.mark.parametrize("name", list(NETWORKS))
def test_networks_grow_exactly_in_both_modes_and_train_on(name):
    data, options = digit_maps(), settings(epochs=5, optimizer="adamw")
    state = begin(NETWORKS[name](), options, CPU)
    checks = Checks(data)
    first = state.net.graph
    train(state, data, options, growth(), [checks])
    assert checks.rewrites >= 3
    assert checks.largest < 1e-12
    assert state.net.graph.num_edges > first.num_edges
    losses = [entry["train_loss"] for entry in state.history]
    assert losses[-1] < losses[0]
    for layer in state.net.graph.layers_by_id.values():  # wires are kept complete
        for link in state.net.graph.incoming[layer.id]:
            if link.kind.wires and link.kind.stride == (1, 1):
                assert len(link) == len(layer)


@pytest.mark.parametrize("name", list(NETWORKS))
def test_state_of_what_survives_is_bit_identical(name):
    data, options = digit_maps(256, 64), settings(epochs=4)
    state = begin(NETWORKS[name](), options, CPU)
    seen = []

    def moments():
        net = state.net
        for key in ("exp_avg", "exp_avg_sq"):
            yield dict(zip(net.graph.edges.id, net.edge_column(state.optimizer.state[net.weights][key]), strict=True))

    def compare(event):
        if isinstance(event, Proposed):
            seen.append(list(moments()))
        elif isinstance(event, Rewritten):
            for old, new in zip(seen[-1], moments(), strict=True):
                assert old.items() <= new.items()
                assert len(new) > len(old)
                assert {new[i] for i in new.keys() - old.keys()} == {0.0}

    train(state, data, options, growth(), [compare])
    assert len(seen) >= 2


def test_new_maps_have_running_statistics_of_a_mini_batch():
    data, options = digit_maps(256, 64), settings(epochs=3)
    state = begin(NETWORKS["resnet"](), options, CPU)
    old = state.net.graph.vertices.id
    found = []

    def stop(event):
        if isinstance(event, Settled) and event.epoch == 2:
            found.append(lift(state.net).vertices)

    train(state, data, options, growth(), [stop])
    table = found[0]
    new = ~np.isin(table.id, old)
    var = table.column("var")[new]
    var = var[np.isfinite(var)]
    assert len(var)
    assert (np.abs(var - 1) > 1e-3).all()


@pytest.mark.parametrize("name", list(NETWORKS))
@pytest.mark.parametrize("newcomers", ["eased", "zero"])
def test_a_resumed_run_is_the_uninterrupted_one_bit_for_bit(name, newcomers, tmp_path):
    data, options = digit_maps(256, 64), settings(epochs=5, newcomers=newcomers)
    whole = train(begin(NETWORKS[name](), options, CPU), data, options, growth())
    half = begin(NETWORKS[name](), options, CPU)

    def stop(event):
        if isinstance(event, Settled) and event.epoch == 2:
            save_checkpoint(half, tmp_path / "state")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(half, data, options, growth(), [stop])
    resumed = train(load_checkpoint(tmp_path / "state", options, CPU), data, options, growth())
    assert resumed.net.graph.topology_hash == whole.net.graph.topology_hash
    for one, two in ((resumed.net.weights, whole.net.weights), (resumed.net.running, whole.net.running)):
        assert torch.equal(one, two)
