"""Parts of files of ONNX, and refusals, without the packages onnx and onnxruntime."""

import ast
import sys
import types
from pathlib import Path

import numpy as np
import pytest
import toy_activation
import toy_norm

import compilers
import netgraph as ng
from compilers.export import to_onnx
from compilers.export.onnx import parts as parts_of_models
from compilers.export.onnx.layers import written
from netgraph.errors import CompileError, OptionError


@pytest.fixture
def no_file(tmp_path, monkeypatch):
    """A path at which nothing is written, with a package onnx that does nothing."""
    monkeypatch.setitem(sys.modules, "onnx", types.ModuleType("onnx"))
    yield tmp_path / "net.onnx"
    assert not list(tmp_path.iterdir())


def with_hidden(dtype=np.float32, **operation):
    b = ng.GraphBuilder(seed=0, dtype=dtype)
    b.input("x", 2)
    b.layer("h", 3, **operation)
    b.dense("x", "h")
    b.output("y", 1)
    b.dense("h", "y")
    return b.build()


def test_a_missing_package_is_named_with_its_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(OptionError, match=r"onnx, which is not installed: pip install 'netgraph-growth\[onnx\]'"):
        to_onnx(ng.mlp([2, 1]), tmp_path / "net.onnx")


def test_onnx_is_imported_where_it_is_used_and_not_before():
    files = list((Path(compilers.__file__).parent).rglob("*.py"))
    assert len(files) > 100
    for file in files:
        for node in ast.parse(file.read_text()).body:
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not [name for name in names if name.partition(".")[0] in ("onnx", "onnxruntime")], file


def test_strict_refuses_missing_edges_and_names_their_link(no_file):
    graph = ng.mlp([10, 10, 2], density=0.5)
    with pytest.raises(CompileError, match=r"missing edges would be zeros.*'input' -> 'hidden1': \d+ missing edges"):
        to_onnx(graph, no_file, strict=True)


def test_activations_and_norms_of_others_are_refused_by_name(no_file):
    with toy_activation.registered(toy_activation.SQUAREPLUS):
        graph = with_hidden(activation="squareplus")
        with pytest.raises(CompileError, match=r"Layer 'h' has the activation 'squareplus'.*relu, relu6"):
            to_onnx(graph, no_file)
    with toy_norm.registered("gain", tensors=False):
        graph = with_hidden(norm="gain")
        with pytest.raises(CompileError, match=r"Layer 'h' has the norm 'gain'.*batch, layer, none, rms"):
            to_onnx(graph, no_file)


def test_models_beyond_the_size_of_a_file_are_refused_before_they_are_made(no_file, monkeypatch):
    monkeypatch.setattr(parts_of_models, "LARGEST", 4_000)
    with pytest.raises(CompileError, match=r"'output\.weight' needs 0\.00 GB beside 0\.00 GB.*holds at most 2 GB"):
        to_onnx(ng.mlp([10, 30, 30]), no_file)


def test_sparse_graphs_that_need_the_room_of_dense_ones_are_refused_at_once(no_file):
    b = ng.GraphBuilder()
    b.input("x", 60_000)
    b.output("y", 60_000)
    b.edges("x", "y", np.arange(60_000), np.arange(60_000), weight=1.0)
    with pytest.raises(CompileError, match=r"'y\.weight' needs 14\.40 GB.*Missing edges take room there, as zeros"):
        to_onnx(b.build(), no_file)


def test_numbers_beyond_float32_are_refused(no_file):
    graph = with_hidden(np.float64)
    wide = graph.with_weights(np.where(np.arange(len(graph.edges)) == 0, 1e39, 1.0))
    with pytest.raises(CompileError, match=r"'h\.weight' has the value 1e\+39, which is beyond float32"):
        to_onnx(wide, no_file)


def test_every_operation_reads_what_is_there_and_names_are_given_once():
    for graph in (
        ng.resnet(8, width=2, input_size=(3, 8, 8)),
        ng.gpt(5, tokens=4, width=8, heads=2, positions="rotary"),
    ):
        parts = written(graph)
        known = {*parts.constants, *(layer.name for layer in graph.inputs)}
        for operation in parts.operations:
            assert {name for name in operation.inputs if name} <= known
            assert operation.output not in known
            known.add(operation.output)
        assert len({operation.name for operation in parts.operations}) == len(parts.operations)
        assert {layer.name for layer in graph.outputs} <= known


def test_a_layer_of_few_sources_and_targets_is_the_block_of_these():
    b = ng.GraphBuilder(seed=0)
    b.input("x", 40)
    b.output("y", 30)
    b.edges("x", "y", [3, 4, 20], [7, 7, 9], weight=[1.0, 2.0, 3.0])
    parts = written(b.build())
    assert parts.constants["y.weight"].shape == (2, 3)
    assert parts.zeros == 3
    assert [operation.kind for operation in parts.operations] == ["Gather", "Gemm", "Pad", "Gather", "Add"]


def test_layers_share_masks_and_tables_of_rotation():
    parts = written(ng.gpt(5, tokens=4, width=8, heads=2, depth=3, positions="rotary"))
    kinds = [name for name in parts.constants if name.startswith(("causal", "rotary", "attention"))]
    assert sorted(kinds) == ["attention_scale", "causal_mask", "rotary_cos", "rotary_sin"]
