"""Files of ONNX: onnxruntime computes what the graph computes, for batches of any size."""

from functools import partial

import numpy as np
import pytest
import torch
from growing_heads import AddHead, GrowKeys, GrowValues
from hypothesis import given
from hypothesis import settings as hypotheses
from map_graphs import lopsided_graph, random_map_graph, token_graph
from map_training import digit_maps
from merge_graphs import MERGE_GRAPHS, merge_graph
from module_training import outputs
from onnx_runs import assert_runs, session
from picked_graphs import picked_graph
from random_graphs import conv_graphs, history
from tiny_training import CPU, digits, settings
from torch_models import MODELS

import netgraph as ng
from compilers import lift
from compilers.export import to_onnx
from compilers.importing import from_module
from compilers.training import begin, train
from netgraph import testing
from netgraph.graph import ACTIVATIONS, NORMS
from netgraph.methods import METHODS, sparse_start

pytestmark = pytest.mark.extras
onnx = pytest.importorskip("onnx", reason="needs the extra onnx")
pytest.importorskip("onnxruntime", reason="needs onnxruntime")

SENN = {"cooldown": 1, "layer_cooldown": 1, "tau": 0.0, "alpha": 0.0, "significance": 0.01, "score_samples": 32,
        "at_once": 1, "chains": 2, "steps": 2, "prune": 0.05}  # fmt: skip
WIRES = {"weight": 1.0, "frozen": True}
TOKENS = {"tokens": 6, "width": 16, "heads": 4, "depth": 2}
ARCHITECTURES = {
    "mlp": lambda: ng.mlp([5, 8, 6, 3]),
    "mlp, linear": lambda: ng.mlp([5, 3], bias=False),
    "mlp, sparse": lambda: ng.mlp([20, 30, 20, 10], density=0.1),
    "mlp, float64": lambda: ng.mlp([5, 8, 3], dtype=np.float64),
    "convnet": lambda: ng.convnet([[4, 4], [8]], input_size=(2, 12, 8), classes=5),
    "convnet, plain": lambda: ng.convnet([[3]], batch_norm=False, hidden=[7], input_size=(1, 6, 6)),
    "vgg": lambda: ng.vgg(11, width=2),
    "resnet": lambda: ng.resnet(14, width=3, input_size=(3, 12, 12)),
    "encoder": lambda: ng.transformer_encoder(2, tokens=6, features=5, outputs=3, width=16, heads=4, read_out="mean"),
    "encoder, stream": lambda: ng.transformer_encoder(1, tokens=6, width=16, heads=4, positions="none"),
    "encoder, of ids": lambda: ng.transformer_encoder(vocabulary=9, outputs=2, read_out="first", **TOKENS),
    "encoder, first": lambda: ng.transformer_encoder(1, tokens=5, width=12, heads=3, norm_first=True, groups=1),
    "vit": lambda: ng.vit(classes=5, input_size=(3, 8, 12), patch=4, width=16, heads=4, depth=2, hidden=24),
    "gpt": lambda: ng.gpt(13, **TOKENS),
    "gpt, grouped": lambda: ng.gpt(
        13, **TOKENS, groups=2, norm="rms", positions="rotary", activation="silu", gated=True, bias=False, qkv_bias=True
    ),
}  # fmt: skip


def with_columns(graph, seed=0):
    """The graph with drawn biases, norms and parameters of activations."""
    rng = np.random.default_rng(seed)
    names = {name for layer in graph.layers_by_id.values() if layer.role != "input" for name in layer.values}
    columns = {name: rng.normal(1 if name in ("scale", "l") else 0, 0.3, graph.num_vertices) for name in sorted(names)}
    if "var" in columns:
        columns["var"] = np.abs(columns["var"]) + 0.5
    return graph.with_weights(graph.edges.weight, vertices=columns)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_architectures(name, tmp_path):
    assert_runs(with_columns(ARCHITECTURES[name]()), tmp_path / "net.onnx")


@pytest.mark.parametrize("name", MERGE_GRAPHS)
def test_merges(name, tmp_path):
    assert_runs(merge_graph(name), tmp_path / "net.onnx")


@pytest.mark.parametrize("make", [random_map_graph, lopsided_graph, token_graph, picked_graph])
def test_links_pools_and_positions_of_every_kind(make, tmp_path):
    for seed in range(8):
        assert_runs(make(seed), tmp_path / "net.onnx")


@pytest.mark.parametrize("grid", [(), (4,), (3, 2)])
@pytest.mark.parametrize("norm", NORMS)
def test_activations_and_norms_on_every_grid(norm, grid, tmp_path):
    b = ng.GraphBuilder(seed=0)
    b.input("x", 3, grid=grid, domain=(-4, 4))
    b.output("y", 2, grid=grid)
    for name in ACTIVATIONS:
        b.layer(name, 4, grid=grid, activation=name, norm=norm, slope=0.2, bias=False)
        b.dense("x", name)
        b.dense(name, "y")
    assert_runs(with_columns(b.build()), tmp_path / "net.onnx")


@hypotheses(max_examples=60)
@given(graph=testing.graphs(exact=False, max_width=4))
def test_drawn_graphs(graph, tmp_path_factory):
    assert_runs(graph, tmp_path_factory.getbasetemp() / "drawn.onnx", of_layers=True)


@hypotheses(max_examples=15)
@given(graph=conv_graphs(exact=False))
def test_drawn_maps(graph, tmp_path_factory):
    assert_runs(graph, tmp_path_factory.getbasetemp() / "maps.onnx", of_layers=True)


def test_positions_and_indices_that_wires_and_convolutions_read(tmp_path):
    b = ng.GraphBuilder(seed=1)
    b.input("picture", 3, grid=(4, 3), encoding="index")
    b.input("number", 4, encoding="index")
    b.positions("cells", (4, 3))
    b.layer("wired", 12, grid=(4, 3), activation="identity", bias=False)
    b.identity("cells", "wired")
    b.edges("picture", "wired", [0, 1, 2], [4, 4, 0], kind=ng.Identity(), **WIRES)
    b.layer("seen", 2, grid=(2, 2))
    for name in ("picture", "cells", "wired"):
        b.conv2d(name, "seen", kernel=(3, 2), stride=(1, 1))
    b.layer("constant", 2, grid=(4, 3))
    b.dense("cells", "constant")
    b.product("gate", "cells", "wired")
    b.output("map", 12, grid=(4, 3))
    b.dense("gate", "map")
    b.dense("constant", "map")
    b.output("y", 2)
    b.conv2d("seen", "y", kernel=(2, 2))
    b.dense("number", "y")
    for name in ("same", "again"):
        b.output(name, 4, bias=False)
        b.identity("number", name)
    b.output("grid", 12, grid=(4, 3), bias=False)
    b.identity("cells", "grid")
    b.output("nothing", 2, bias=True)
    assert_runs(with_columns(b.build()), tmp_path / "net.onnx")


def test_wires_that_meet_in_a_vertex(tmp_path):
    for grid in ((), (3,), (2, 2)):
        b = ng.GraphBuilder()
        b.input("x", 3, grid=grid)
        b.output("y", 4, grid=grid, bias=False)
        b.edges("x", "y", [0, 1, 2, 2], [1, 1, 1, 3], kind=ng.Identity(), **WIRES)
        assert_runs(b.build(), tmp_path / "net.onnx")


def test_depthwise_and_grouped_convolutions_are_groups(tmp_path):
    b = ng.GraphBuilder(seed=0)
    b.input("x", 6, grid=(5, 5))
    b.layer("depthwise", 6, grid=(5, 5))
    taps = np.tile(np.arange(9), 6)
    rows = np.repeat(np.arange(6), 9)
    b.edges(
        "x", "depthwise", rows, rows, weight=np.linspace(-1, 1, 54), tap=taps, kind=ng.Conv2d((3, 3), padding=(1, 1))
    )
    b.output("y", 3)
    b.conv2d("depthwise", "y", kernel=(5, 5))
    additions = assert_runs(b.build(), tmp_path / "net.onnx", strict=True)
    assert additions.zeros == 0
    (conv,) = [node for node in onnx.load(tmp_path / "net.onnx").graph.node if node.op_type == "Conv"]
    assert {a.name: a.i for a in conv.attribute}["group"] == 6


STARTS = {
    "mlp": lambda: ng.mlp([6, 5, 4]),
    "convnet": lambda: ng.convnet([[3, 3]], input_size=(1, 6, 6)),
    "vit": lambda: ng.vit(classes=3, input_size=(1, 6, 6), patch=3, width=8, heads=2, depth=1, hidden=6),
}


@pytest.mark.parametrize("name", STARTS)
def test_random_rewrites(name, tmp_path):
    for seed in range(3):
        results = history(STARTS[name](), range(10 * seed, 10 * seed + 4))
        assert_runs(results[-1].graph, tmp_path / "net.onnx")


GROWTH = {
    "ssonn": (lambda: ng.mlp([64, 10], domain=(0, 1)), {"plateau": 10.0, "spacing": 1}, digits),
    "senn": (lambda: ng.mlp([64, 6, 10], domain=(0, 1), activation="rational"), SENN, digits),
    "nagn": (
        lambda: ng.convnet([[3, 3], [4]], input_size=(1, 8, 8), domain=(0, 1)),
        {"delta_acc": 10.0, "delta_stop": -10.0, "window": 1, "until": 1.0},
        partial(digit_maps, 256, 64),
    ),
    "gradient-growth": (
        lambda: ng.vit(classes=10, input_size=(1, 8, 8), patch=4, width=8, heads=2, depth=1, hidden=8, domain=(0, 1)),
        {},
        partial(digit_maps, 256, 64),
    ),
}


@pytest.mark.parametrize("name", GROWTH)
def test_networks_that_methods_grow_on_digits(name, tmp_path):
    build, options, data = GROWTH[name]
    spec, run, graph = METHODS[name], settings(epochs=4), build()
    if spec.kind == "growth":
        graph = sparse_start(graph, density=0.4, start="phew", seed=0).graph
    resolved = spec.resolve(spec.make_options(**options), graph)
    ended = train(begin(graph, run, CPU), data(), run, spec.build(graph, resolved))
    assert any(action.matches for action in ended.actions)
    assert_runs(lift(ended.net), tmp_path / "net.onnx")


def test_a_vision_transformer_with_more_heads_keys_values_and_hidden_vertices(tmp_path):
    graph = ng.vit(classes=3, input_size=(2, 8, 8), patch=4, width=12, heads=3, depth=2, hidden=6)
    for rule in (AddHead(slots=3, channels=5), GrowKeys(), GrowValues(), ng.rules.WidenLayer(count=4)):
        graph = ng.draft(rule, graph, rng=np.random.default_rng(0)).graph
    assert_runs(with_columns(graph), tmp_path / "net.onnx")


def test_names_shapes_and_facts_of_the_file(tmp_path):
    graph = ng.mlp([4, 8, 3], norm="batch", domain=(0, 1), density=0.5)
    additions = to_onnx(graph, tmp_path / "net.onnx")
    model = onnx.load(tmp_path / "net.onnx")
    assert (model.producer_name, model.producer_version) == ("netgraph", ng.__version__)
    facts = {p.key: p.value for p in model.metadata_props}
    assert facts["topology_hash"] == graph.topology_hash
    assert facts["added_zeros"] == str(additions.zeros) == str(56 - graph.num_edges)
    assert [i.name for i in model.graph.initializer] == [
        "hidden1.weight", "hidden1.bias", "hidden1.norm.scale", "hidden1.norm.shift", "hidden1.norm.mean",
        "hidden1.norm.var", "output.weight", "output.bias",
    ]  # fmt: skip
    assert [(n.name, n.output[0]) for n in model.graph.node] == [
        ("hidden1/Gemm", "hidden1/Gemm"), ("hidden1/BatchNormalization", "hidden1/BatchNormalization"),
        ("hidden1/Relu", "hidden1"), ("output/Gemm", "output"),
    ]  # fmt: skip
    (x,) = model.graph.input
    assert [d.dim_param or d.dim_value for d in x.type.tensor_type.shape.dim] == ["batch", 4]
    assert "0" in x.doc_string
    assert "1" in x.doc_string
    assert len(additions.notes) == 2


def test_names_that_collide_or_are_odd(tmp_path):
    b = ng.GraphBuilder(seed=0)
    b.input("a b/ü", 2)
    b.layer("y.weight", 2)
    b.dense("a b/ü", "y.weight")
    b.layer("y/Gemm", 2)
    b.dense("y.weight", "y/Gemm")
    b.layer("whole_1", 2)
    b.dense("y/Gemm", "whole_1")
    b.output("y", 2)
    b.dense("whole_1", "y")
    assert_runs(b.build(), tmp_path / "net.onnx")


def test_a_file_stays_where_the_next_one_is_refused(tmp_path):
    file = tmp_path / "net.onnx"
    to_onnx(ng.mlp([2, 2]), file)
    before = file.read_bytes()
    with pytest.raises(ng.errors.CompileError):
        to_onnx(ng.mlp([5, 5], density=0.5), file, strict=True)
    assert file.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["net.onnx"]
    assert session(file).get_inputs()[0].shape == ["batch", 2]


@pytest.mark.parametrize("name", MODELS)
def test_modules_of_torch_through_graphs(name, tmp_path):
    module, example = MODELS[name]()
    imported = from_module(module, example, verify=False)
    to_onnx(imported.graph, tmp_path / "net.onnx")
    run = session(tmp_path / "net.onnx")
    x = {name: value.numpy() for name, value in imported.to_inputs(example).items()}
    x = {name: value if value.dtype == np.int64 else value.astype(np.float32) for name, value in x.items()}
    names = [node.name for node in run.get_outputs()]
    found = dict(zip(names, map(torch.tensor, run.run(None, x)), strict=True))
    found = imported.from_outputs(found if len(found) > 1 else found[names[0]])
    with torch.no_grad():
        wanted = outputs(module.eval(), example)
    for a, b in zip(*(value if isinstance(value, tuple | list) else [value] for value in (found, wanted)), strict=True):
        assert float((a - b).abs().max()) <= 1e-5 * float(b.abs().max())
