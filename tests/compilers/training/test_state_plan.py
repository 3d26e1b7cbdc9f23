"""The plan in a checkpoint: it is what it was, whatever the cost model prefers today."""

from dataclasses import fields

import numpy as np
import pytest
import torch
from map_training import digit_maps, settings, tiny_resnet, tiny_vgg
from tiny_training import CPU, assert_same_state, start_graph
from tiny_training import digits as rows

import netgraph as ng
from compilers import CostTable, lower
from compilers.training import TrainingData, TrainState, begin, load_checkpoint, make_optimizer, save_checkpoint, train
from compilers.training.state import CHECKPOINT_KIND, CHECKPOINT_VERSION
from netgraph.errors import TrainingError
from netgraph.graph import Graph, Layer, Link
from netgraph.graph.kinds import Dense
from netgraph.graph.link import edge_columns
from netgraph.storage.container import read_container, write_container


def another_cost_model(monkeypatch):
    """Sparse kernels cost nothing, by other numbers and by other formulas: every layer that can changes its kernel."""
    numbers = [0.0 if "sparse" in f.name or f.name == "call" else 1e6 for f in fields(CostTable)]
    monkeypatch.setattr(CostTable.__init__, "__defaults__", tuple(numbers))
    monkeypatch.setattr(CostTable, "sparse", lambda *args, **options: 0.0)
    monkeypatch.setattr(CostTable, "sparse_convolution", lambda *args, **options: 0.0)


def thinned(graph, part, seed=0):
    """The graph without a part of its edges, at random."""
    rng = np.random.default_rng(seed)
    links = []
    for link in graph.links_by_key.values():
        kept = (rng.random(len(link)) >= part) | link.frozen
        links.append(Link(link.source, link.target, link.kind, **{k: c[kept] for k, c in link.columns.items()}))
    return Graph(graph.layers_by_id.values(), links)


CASES = {
    "rows": lambda: (start_graph(rows(), hidden=(30, 8), density=0.5), rows()),
    "resnet": lambda: (thinned(tiny_resnet(), 0.2), digit_maps(64, 32)),
    "vgg": lambda: (thinned(tiny_vgg(), 0.3), digit_maps(64, 32)),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_checkpoint_loads_bit_for_bit_under_another_cost_model(case, tmp_path, monkeypatch):
    graph, data = case()
    state = train(begin(graph, settings(epochs=1), CPU), data, settings(epochs=1))
    save_checkpoint(state, tmp_path / "c")
    with monkeypatch.context() as patch:
        another_cost_model(patch)
        assert lower(graph).plan.choices != state.net.plan.choices
        loaded = load_checkpoint(tmp_path / "c", settings(epochs=1), CPU)
    assert loaded.net.plan.choices == state.net.plan.choices
    assert loaded.net.plan.digest == state.net.plan.digest
    assert_same_state(loaded, state)
    for one in (state, loaded):
        train(one, data, settings(epochs=2))
    assert_same_state(loaded, state)
    assert torch.equal(loaded.net.weights, state.net.weights)


def test_choices_with_a_dense_core_and_a_hull_come_back(tmp_path):
    rng = np.random.default_rng(0)
    b = ng.GraphBuilder()
    b.input("x", 300)
    b.input("gap", 1)
    b.layer("h", 40)
    src, dst = np.arange(300).repeat(40), np.tile(np.arange(40), 300)
    kept = (src < 60) | (rng.random(len(src)) < 0.01)
    b.edges("x", "h", src[kept], dst[kept], weight=rng.normal(size=kept.sum()))
    b.output("y", 40)
    b.edges("h", "y", np.arange(0, 40, 2).repeat(40), np.tile(np.arange(40), 20), weight=1.0)
    graph = b.build()
    net = lower(graph, costs=CostTable(gather_row=1e6))
    state = TrainState(net, make_optimizer(net, settings()))
    choices = net.plan.choices.values()
    assert any(choice.core for choice in choices)
    assert any(choice.hull for choice in choices)
    save_checkpoint(state, tmp_path / "c")
    loaded = load_checkpoint(tmp_path / "c", settings(), CPU)
    assert loaded.net.plan.choices == net.plan.choices
    assert loaded.net.plan.summary() == net.plan.summary()


def chain(n):
    """`n` layers of two ReLU vertices each, a quarter of the edges missing; built by hand for speed."""
    pair, rng = np.arange(2, dtype=np.int32), np.random.default_rng(0)
    birth = np.zeros(2, np.int32)
    layers = [Layer(0, "x", [0, 1], birth, {"low": np.zeros(2), "high": np.ones(2)}, "input")]
    for i in range(1, n):
        role = "hidden" if i < n - 1 else "output"
        bias = {"bias": rng.random(2, dtype=np.float32)}
        layers.append(Layer(i, f"h{i}", [2 * i, 2 * i + 1], birth, bias, role, activation="relu"))
    links = []
    for i in range(n - 1):
        dst, src = pair.repeat(2)[: 4 - i % 2], np.tile(pair, 2)[: 4 - i % 2]
        ids = 4 * i + np.arange(len(src))
        links.append(Link(i, i + 1, Dense(), **edge_columns(id=ids, src=src, dst=dst, weight=0.5 + 0 * ids)))
    return Graph(layers, links, validate=False)


def test_a_chain_of_a_thousand_layers_is_saved_and_loaded(tmp_path, monkeypatch):
    graph = chain(1_000)
    x, y = np.full((8, 2), 0.5), np.arange(8) % 2
    data, options = TrainingData.from_arrays(x, y, x, y, task="classification"), settings(epochs=1)
    state = train(begin(graph, options, CPU), data, options)
    save_checkpoint(state, tmp_path / "c")
    another_cost_model(monkeypatch)
    loaded = load_checkpoint(tmp_path / "c", options, CPU)
    assert loaded.net.plan.choices == state.net.plan.choices
    assert len(loaded.net.plan.choices) == 999
    assert_same_state(loaded, state)
    assert torch.equal(loaded.net(data.x_train), state.net(data.x_train))


# -- damage ------------------------------------------------------------------------------------------


def save_with(path, change):
    """A checkpoint whose rows of choices were changed."""
    save_checkpoint(begin(thinned(tiny_vgg(), 0.3), settings(), CPU), path)
    structure, arrays = read_container(path, CHECKPOINT_KIND, CHECKPOINT_VERSION)
    lowering = structure["lowering"]
    lowering["choices"] = change(lowering["choices"])
    write_container(path, CHECKPOINT_KIND, CHECKPOINT_VERSION, structure, arrays)


def with_row(layer, *new):
    def change(rows):
        assert any(row[0] == layer for row in rows)
        return [[*row[:3], *new] if row[0] == layer else row for row in rows]

    return change


DAMAGE = {
    "unknown kernel": (with_row("conv1_2", "gone", False, 0), "kernel 'gone', unknown here"),
    "kernel for rows": (with_row("conv1_2", "csr", False, 0), "'conv1_2' cannot have been lowered"),
    "kernel for maps": (with_row("output", "padded-convolution", False, 0), "'output' cannot have been lowered"),
    "wires": (with_row("conv1_2", "map-wires", False, 0), "'conv1_2' cannot have been lowered"),
    "full kernel": (with_row("conv1_2", "convolution", False, 0), "'conv1_2' cannot have been lowered"),
    "full matrix": (with_row("output", "dense", False, 0), "'output' cannot have been lowered"),
    "core of maps": (with_row("conv1_2", "padded-convolution", False, 3), "'conv1_2' cannot have been lowered"),
    "core beside dense": (with_row("output", "padded-dense", False, 3), "'output' cannot have been lowered"),
    "empty core": (with_row("output", "csr", False, 1000), "'output' cannot have been lowered"),
    "negative core": (with_row("output", "csr", False, -1), "expected a whole number"),
    "hull of csr": (with_row("output", "csr", True, 0), "'output' cannot have been lowered"),
    "another kernel": (with_row("conv1_2", "sparse-convolution", False, 0), "another plan"),
    "missing choice": (lambda rows: [*rows[1:], ["gone", *rows[0][1:]]], "another plan"),
    "unknown layer": (lambda rows: [*rows, ["gone", *rows[0][1:]]], "another plan"),
    "short row": (lambda rows: [rows[0][:-1], *rows[1:]], "expected a list of 6"),
    "wrong type": (with_row("output", 1, False, 0), "is 1, expected a text"),
    "number for yes": (with_row("output", "csr", 0, 0), "expected true or false"),
    "no rows": (lambda rows: 7, "cannot be used"),
    "text": (lambda rows: "csr", "expected a list"),
}


@pytest.mark.parametrize(("change", "message"), DAMAGE.values(), ids=DAMAGE)
def test_choices_that_cannot_be_meant_are_refused(change, message, tmp_path):
    save_with(tmp_path / "c", change)
    with pytest.raises(TrainingError, match=message):
        load_checkpoint(tmp_path / "c", settings(), CPU)


def test_a_checkpoint_without_the_phase_of_training_is_refused(tmp_path):
    data, options = digit_maps(64, 32), settings(epochs=1)
    state = train(begin(thinned(tiny_vgg(), 0.3), options, CPU), data, options)
    save_checkpoint(state, tmp_path / "c")
    structure, arrays = read_container(tmp_path / "c", CHECKPOINT_KIND, CHECKPOINT_VERSION)
    del structure["phase"]
    write_container(tmp_path / "c", CHECKPOINT_KIND, 2, structure, arrays)
    with pytest.raises(TrainingError, match=r"cannot be used: .*'phase' is missing"):
        load_checkpoint(tmp_path / "c", options, CPU)
