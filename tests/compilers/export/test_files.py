"""Modules that leave: files that run with torch alone, copies, scripts and exported programs."""

import copy
import subprocess
import sys

import golden_graphs
import merge_graphs
import numpy as np
import pytest
import torch
from map_graphs import inputs_of
from module_training import assert_close, outputs

import netgraph as ng
from compilers.export import to_module, write_module
from netgraph.errors import CompileError

GRAPHS = {
    "maps": golden_graphs.maps,
    "attention": golden_graphs.attention,
    "irregular": merge_graphs.irregular_heads,
    "cross": merge_graphs.cross_attention,
    "flat": golden_graphs.flat,
}

ALONE = """
import sys
sys.modules["netgraph"] = sys.modules["compilers"] = None
import torch
sys.path.insert(0, "model")
from model import Network, load
from safetensors.torch import load_file, save_file
module, x, wanted = torch.load("module.pt", weights_only=False)
assert not any("_tensor_constant" in name for name in module.state_dict())
read = load()
assert not read.training and isinstance(read, Network)
for one in (module.eval(), read):
    for y, w in zip(one(*x), wanted, strict=True):
        torch.testing.assert_close(y, w)
sum(y.sum() for y in module.train()(*x)).backward()
assert all(p.grad is not None for p in module.parameters() if p.requires_grad)
weights = load_file("model/model.safetensors")
weights.popitem()
save_file(weights, "fewer.safetensors")
try:
    load("fewer.safetensors")
except RuntimeError as error:
    assert "Missing key" in str(error)
else:
    raise AssertionError("a file without some weights is loaded")
print(len(module.code.splitlines()) > 5, read.y.weight.shape)
"""


def example(graph, samples=3):
    kind = torch.float64 if graph.edges.weight.dtype == np.float64 else torch.float32
    values = [torch.from_numpy(x) for x in inputs_of(graph, samples).values()]
    return tuple(x.to(kind) if x.is_floating_point() else x for x in values)


def test_files_and_pickles_run_without_netgraph(tmp_path):
    graph = merge_graphs.merge_graph("cross")
    x = example(graph)
    module = to_module(graph)
    with torch.no_grad():
        wanted = copy.deepcopy(module).eval()(*x)
    torch.save((module, x, wanted), tmp_path / "module.pt")
    (tmp_path / "model").mkdir()
    write_module(graph, tmp_path / "model")
    assert sorted(file.name for file in (tmp_path / "model").iterdir()) == ["model.py", "model.safetensors"]
    run = [sys.executable, "-c", ALONE]
    found = subprocess.run(run, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert found.returncode == 0, found.stderr
    assert found.stdout.split() == ["True", "torch.Size([2,", "8])"]


def test_a_refused_graph_leaves_no_files(tmp_path):
    with pytest.raises(CompileError):
        write_module(ng.mlp([4, 4, 2], density=0.6), tmp_path, strict=True)
    assert not list(tmp_path.iterdir())


@pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning", "ignore:The TorchScript type system:UserWarning")
@pytest.mark.parametrize("name", GRAPHS)
def test_modules_are_scripted(name, tmp_path):
    graph = GRAPHS[name]()
    module, x = to_module(graph).eval(), example(graph)
    torch.jit.script(module).save(tmp_path / "script.pt")
    for n in (3, 7):
        x = example(graph, n)
        assert_close(outputs(torch.jit.load(tmp_path / "script.pt"), x), outputs(module, x), 1e-6)


def test_modules_are_exported_for_any_batch():
    graph = GRAPHS["cross"]()
    module, x = to_module(graph).eval(), example(graph)
    sizes = tuple({0: torch.export.Dim("batch")} for _ in x)
    program = torch.export.export(module, x, dynamic_shapes=sizes)
    for n in (2, 7):
        x = example(graph, n)
        assert_close(outputs(program.module(), x), outputs(module, x), 1e-6)


def test_copies_have_weights_of_their_own():
    graph = golden_graphs.maps()
    module = to_module(graph)
    other = copy.deepcopy(module)
    with torch.no_grad():
        next(other.parameters()).zero_()
    assert next(module.parameters()).abs().sum() > 0
    other.load_state_dict(module.state_dict())
    x = example(graph)
    assert torch.equal(other.eval()(*x), module.eval()(*x))
    assert str(other.code) == str(module.code)
