"""SENN as a whole: its start, its options, and graphs that other methods grew."""

import dataclasses
import math

import numpy as np
import pytest
import torch
from map_training import digit_maps, tiny_resnet, tiny_vgg
from tiny_training import CPU, assert_same_state, diabetes, digits, killed_and_resumed, settings

import netgraph as ng
from compilers import lift
from compilers.training import NothingSelected, Rewritten, TrainSettings, begin, train
from netgraph.app.inputs import RunSettings
from netgraph.errors import OptionError
from netgraph.graph import GraphBuilder
from netgraph.methods import (
    METHODS,
    Expand,
    Method,
    NagnOptions,
    PruneInputs,
    SennOptions,
    SsonnOptions,
    Start,
    Thresholds,
    nagn,
    senn,
    senn_start,
    ssonn,
)
from netgraph.methods.nagn import nagn_start
from netgraph.methods.senn import SearchOptions

START = Start(shape=(64,), outputs=10, domain=(0, 1), seed=3)
IMAGE = Start(shape=(1, 8, 8), outputs=10, domain=(0, 1), seed=3)
QUICK = SearchOptions(chains=12, steps=15, sampler="mala")
FEW = SearchOptions(chains=6, steps=6, sampler="mala")
EASY = Thresholds(tau=1e-3, alpha=1e-7, significance=0.0, layer_cost=1.0)


def grown(graph, data, part, epochs=3, **options):
    events = []
    made = settings(epochs=epochs, **options)
    state = train(begin(graph, made, CPU), data, made, Method("grow", (part,)), [events.append])
    return lift(state.net), [event for event in events if isinstance(event, Rewritten)], state


def easy(**options):
    """Almost anything passes."""
    return Expand(
        **{"thresholds": EASY, "search": QUICK, "samples": 96, "cooldown": 1, "layer_cooldown": 0, "judge": "pooled",
           **options}
    )  # fmt: skip


def assert_certified(events):
    assert events
    for event in events:
        certificate = event.result.certificate
        assert certificate.kind == "exact" or math.isfinite(certificate.bound)
        assert certificate.measured.relative < 1e-6


# ---- starts and options ---------------------------------------------------------------------------------


def test_starts():
    graph = senn_start(SennOptions(widths="30,20"), START)
    assert [len(layer) for layer in graph.layers.values()] == [64, 30, 20, 10]
    assert {graph.layers[name].activation for name in ("hidden1", "hidden2")} == {"rational"}
    weights = graph.edges.weight[graph.edges.link == 0]
    assert abs(weights.std() * 8 - 1) < 0.1
    for column in ("bias", "v", "c", "l"):
        values = np.concatenate([graph.layers[name].values[column] for name in ("hidden1", "hidden2")])
        assert 0.6 < values.std() < 1.4
    assert not graph.layers["output"].values["bias"].any()
    linear = senn_start(SennOptions(widths=""), START)
    assert linear.num_layers == 2
    assert senn_start(SennOptions(widths="1"), START).equals(senn_start(SennOptions(widths="1"), START))
    maps = senn_start(SennOptions(widths="4/6", maps=True, activation="relu"), IMAGE)
    assert maps.layers["conv2_1"].grid == (4, 4)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"widths": "a"}, "widths='a'"),
        ({"widths": "", "maps": True}, "widths=''"),
        ({"max_width": -1}, "max_width=-1"),
        ({"max_inputs": -1}, "max_inputs=-1"),
        ({"prune": -0.5}, "prune=-0.5"),
        ({"first": -3}, "first=-3"),
    ],
)
def test_wrong_options(wrong, message):
    with pytest.raises(OptionError, match=message):
        SennOptions(**wrong)


def test_options_reach_the_parts():
    spec = METHODS["senn"]
    options = SennOptions(
        tau=0.5, max_width=7, chains=5, steps=9, prune=0.1, first=4, layer_cooldown=2, significance=3.0
    )
    start = spec.start(options, START)
    expand, prune = spec.build(start, options).parts
    assert isinstance(expand, Expand)
    assert isinstance(prune, PruneInputs)
    assert (expand.thresholds.tau, expand.thresholds.significance, expand.limits.max_width) == (0.5, 3.0, 7)
    assert (expand.search.chains, expand.search.steps, expand.search.sampler, expand.judge) == (5, 9, "ascent", "fresh")
    assert (expand.first, expand.layer_cooldown, expand.limits.max_edges, expand.at_once) == (4, 2, None, None)
    assert prune.threshold == 0.1
    assert len(senn(start).parts) == 1
    assert {field.name for field in dataclasses.fields(SennOptions)} >= {"tau", "alpha", "layer_cost", "cooldown"}
    assert settings(**{k: v for k, v in spec.training.items() if k != "epochs"}).optimizer == "natural"


def test_score_samples_are_no_option_of_the_data():
    """`samples` limits the training data: one name for both would set both, from the command line."""
    names = {field.name for kind in (RunSettings, TrainSettings) for field in dataclasses.fields(kind)}
    assert not names & {field.name for field in dataclasses.fields(SennOptions)}
    graph = senn_start(SennOptions(widths="3"), START)
    expand, prune = senn(graph, SennOptions(score_samples=96, prune=0.1)).parts
    assert isinstance(expand, Expand)
    assert isinstance(prune, PruneInputs)
    assert (expand.samples, prune.samples) == (96, 96)


# ---- runs -----------------------------------------------------------------------------------------------


def test_a_line_is_not_enough_for_a_bend():
    """From one vertex, natural gradients and a handful of looks, to a smooth function of one variable."""
    rng = np.random.default_rng(0)
    x = rng.uniform(-2, 2, size=(80, 1))
    y = np.sin(2 * x)
    from compilers.training import TrainingData

    data = TrainingData.from_arrays(x[:50], y[:50], x[50:], y[50:], task="regression")
    options = SennOptions(widths="1", depth=False, cooldown=20, steps=40)
    start = senn_start(options, Start(shape=(1,), outputs=1, domain=(-2, 2), seed=1, task="regression"))
    made = settings(
        epochs=200, batch_size=50, optimizer="natural", learning_rate=0.1, weight_decay=0.0, curve="constant"
    )
    events = []
    state = train(begin(start, made, CPU), data, made, senn(start, options), [events.append])
    assert state.history[-1]["val_loss"] < 1e-2 < state.history[18]["val_loss"]
    done = [event for event in events if isinstance(event, Rewritten)]
    assert 2 <= len(done) <= 8
    assert_certified(done)
    looks: dict[int, list[float]] = {}
    for event in done:
        looks.setdefault(event.epoch, []).append(event.proposal.numbers["most_additions"])
    assert all(len(bounds) <= bounds[0] for bounds in looks.values())
    assert "before training goes on" in done[0].proposal.reason


def test_a_run_that_is_killed_goes_on_alike(tmp_path):
    options = SennOptions(
        widths="3", cooldown=2, steps=5, chains=5, tau=1e-3, alpha=1e-6, layer_cost=1.0, at_once=2, score_samples=64
    )
    start = senn_start(options, START)
    made = settings(epochs=6)
    whole = train(begin(start, made, CPU), digits(), made, senn(start, options))
    resumed = killed_and_resumed(tmp_path / "state", start, digits(), made, senn(start, options), until=4)
    assert_same_state(whole, resumed)
    assert whole.net.graph.num_edges > start.num_edges


def test_pruning_beside_growth():
    options = SennOptions(widths="6", cooldown=1, steps=5, chains=5, tau=1e6, prune=0.5, score_samples=64)
    start = senn_start(options, START)
    events = []
    made = settings(epochs=3, learning_rate=1e-4)
    state = train(begin(start, made, CPU), digits(), made, senn(start, options), [events.append])
    parts = {event.proposal.part for event in events if isinstance(event, Rewritten | NothingSelected)}
    assert parts == {"expand", "prune inputs"}
    assert len(lift(state.net).layers["hidden1"]) < 6


# ---- graphs of other kinds ------------------------------------------------------------------------------


def test_a_ladder_that_ssonn_grew():
    """Several links meet in a layer there, and edges are missing."""
    made = settings(epochs=4)
    start = ng.mlp([64, 10], domain=(0, 1), seed=0)
    ladder = ssonn(
        start, SsonnOptions(expansions=2, plateau=10.0, spacing=1, window=1, amount=0.5, limit=12, prune="none")
    )
    graph = lift(train(begin(start, made, CPU), digits(), made, ladder).net)
    output = graph.layers["output"]
    assert len(graph.incoming[output.id]) > 1
    every = Thresholds(tau=0.0, alpha=0.0, significance=0.0)
    bigger, events, _ = grown(graph, digits(), easy(thresholds=every, depth=False, at_once=2))
    assert_certified(events)
    assert len(events) == 4
    assert bigger.num_vertices == graph.num_vertices + 4
    deeper, events, _ = grown(graph, digits(), easy(width=False, at_once=1))
    assert_certified(events)
    assert deeper.num_layers == graph.num_layers + 2


def test_convolutions_that_nagn_grew():
    """Unequal widths, batch norm and pools; then both at once, in one schedule."""
    options = NagnOptions(widths="4/6", delta_acc=10.0, delta_stop=0.0, window=1, until=1.0, max_increment=3)
    start, made = nagn_start(options, IMAGE), settings(epochs=5, batch_size=32)
    by_nagn = train(begin(start, made, CPU), digit_maps(256, 64), made, nagn(start, options))
    graph = lift(by_nagn.net)
    assert graph.num_vertices > start.num_vertices

    senn_options = SennOptions(
        tau=1e-3, alpha=1e-7, layer_cost=1.0, cooldown=1, layer_cooldown=0, steps=10, chains=8, score_samples=64,
        at_once=2, significance=0.0, judge="pooled",
    )  # fmt: skip
    method = senn(graph, senn_options)
    made, events = settings(epochs=3, batch_size=32), []
    state = train(begin(graph, made, CPU), digit_maps(256, 64), made, method, [events.append])
    done = [event for event in events if isinstance(event, Rewritten)]
    assert_certified(done)
    assert {event.proposal.part for event in done} == {"expand"}
    assert done[0].before.topology_hash == graph.topology_hash
    assert lift(state.net).num_vertices > graph.num_vertices

    watched = nagn(start, options)
    both = Method("both", (*watched.parts, *method.parts), watches=watched.watches)
    made, events = settings(epochs=4, batch_size=32), []
    train(begin(start, made, CPU), digit_maps(256, 64), made, both, [events.append])
    done = [event for event in events if isinstance(event, Rewritten)]
    assert {event.proposal.part for event in done} == {method.parts[0].name, watched.parts[0].name}
    assert_certified(done)


@pytest.mark.parametrize("batch_norm", [True, False])
def test_convolutions(batch_norm):
    graph = tiny_vgg(batch_norm=batch_norm)
    bigger, events, state = grown(graph, digit_maps(256, 64), easy(samples=64, at_once=2, search=FEW), batch_size=32)
    assert_certified(events)
    assert len(events) == 4
    assert bigger.num_vertices > graph.num_vertices
    assert all(math.isfinite(m["val_loss"]) for m in state.history)


def test_width_of_maps_with_batch_norm_stays_what_was_searched_with():
    """Scale and shift of a new map undo the norm, so that its values are those that were scored."""
    graph = tiny_vgg()
    _, events, _ = grown(graph, digit_maps(256, 64), easy(depth=False, samples=128, at_once=6), epochs=2)
    normed = [
        e for e in events if e.result.matches.l.id[0] in {x.id for x in graph.layers.values() if x.norm == "batch"}
    ]
    assert normed
    for event in normed:
        new = event.result.graph.layer(int(event.result.matches.l.id[0]))
        assert new.values["scale"][-1] > 0
        assert new.values["scale"][-1] != 1


def test_wires_keep_layers_as_wide_as_they_are():
    graph = tiny_resnet()
    _, events, _ = grown(graph, digit_maps(256, 64), easy(samples=48, at_once=1), epochs=2)
    assert_certified(events)
    table = events[0].proposal.announcement
    assert "wires tie it to other layers" in table
    assert "passes" in table


def test_layer_norm_is_left_alone():
    b = GraphBuilder(seed=0)
    b.input("input", 10, domain=(-2, 2))
    b.layer("hidden", 4, activation="tanh", norm="layer")
    b.output("output", 1)
    b.dense("input", "hidden")
    b.dense("hidden", "output")
    data = diabetes()
    _, events, _ = grown(b.build(), data, easy(depth=False), epochs=2)
    assert not events


def test_other_activations():
    for activation in ("relu", "tanh", "prelu"):
        graph = ng.mlp([64, 4, 10], domain=(0, 1), activation=activation, seed=0)
        bigger, events, _ = grown(graph, digits(), easy(activation=activation, at_once=3), epochs=2)
        assert_certified(events)
        assert len(events) == 3
        kinds = {layer.activation for layer in bigger.layers.values() if layer.role == "hidden"}
        assert kinds <= {activation, "prelu"}


def test_double_precision_of_signals_does_not_change_training():
    graph = senn_start(SennOptions(widths="3"), START)
    made = settings(epochs=2)
    plain = train(begin(graph, made, CPU), digits(), made)
    looked = train(
        begin(graph, made, CPU), digits(), made, Method("look", (easy(thresholds=Thresholds(tau=1e9, alpha=1e9)),))
    )
    assert torch.equal(plain.net.weights, looked.net.weights)
