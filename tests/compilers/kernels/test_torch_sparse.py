"""The kernel that multiplies by torch-sparse."""

import numpy as np
import pytest
import torch

import netgraph as ng
from compilers import CostTable, lower
from compilers.kernels import torch_sparse
from netgraph.errors import CompileError
from netgraph.interpret import interpret

GRAPH = ng.mlp([9, 7, 5, 3], density=0.4, activation="tanh", dtype=np.float64, seed=2)
KERNELS = dict.fromkeys(("hidden1", "hidden2", "output"), "torch-sparse")


@pytest.fixture
def installed():
    if not torch_sparse.load():
        pytest.skip("needs the extra torch-sparse: make torch-sparse")


@pytest.mark.torch_sparse
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_agrees_with_the_oracle_and_with_the_native_kernel(installed, dtype):
    x = torch.rand(6, 9, dtype=dtype, requires_grad=True)
    gradients = []
    for kernels in (KERNELS, dict.fromkeys(KERNELS, "csr")):
        net = lower(GRAPH, dtype=dtype, kernels=kernels)
        assert {b.kernel for layer in net.plan.layers for b in layer.blocks} == set(kernels.values())
        out = net(x)
        tolerance = 1e-9 if dtype is torch.float64 else 1e-5
        expected = interpret(GRAPH, x.detach().double().numpy())
        np.testing.assert_allclose(out.detach().numpy(), expected, rtol=tolerance, atol=tolerance)
        x.grad = None
        out.square().sum().backward()
        gradients.append((net.weights.grad, net.vertex_parameters.grad, x.grad))
    for ours, native in zip(*gradients, strict=True):
        torch.testing.assert_close(ours, native)


@pytest.mark.torch_sparse
def test_the_cost_model_takes_it_where_it_is_cheaper(installed):
    def kernels(costs):
        return {b.kernel for layer in lower(GRAPH, costs=costs).plan.layers for b in layer.blocks}

    assert kernels(CostTable(torch_sparse_edge=0.0, call=0.0, sparse_row=0.0)) == {"torch-sparse"}
    assert "torch-sparse" not in kernels(CostTable())


def test_without_the_package_the_kernel_says_how_to_get_it(monkeypatch):
    monkeypatch.setattr(torch_sparse, "load", lambda: False)
    net = lower(GRAPH, kernels=KERNELS)
    with pytest.raises(CompileError, match="make torch-sparse"):
        net(torch.rand(2, 9))
