"""Convolutions with a slot per edge against those of torch, by geometry and tile."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from compilers import lower
from compilers.kernels.tiles import reversed_reach
from compilers.plan import reach
from compilers.plan.geometry import Geometry
from netgraph.graph import GraphBuilder

SOURCE = (7, 9)
GEOMETRIES = [
    (kernel, stride, padding)
    for kernel in ((1, 1), (3, 3), (2, 3), (5, 1), SOURCE)
    for stride in ((1, 1), (2, 1), (1, 3), (3, 2))
    for padding in ((0, 0), (1, 1), (0, 2))
]
TOLERANCES = {torch.float64: {"rtol": 1e-9, "atol": 1e-10}, torch.float32: {"rtol": 1e-3, "atol": 1e-3}}


def grid_of(kernel, stride, padding):
    return tuple((SOURCE[i] + 2 * padding[i] - kernel[i]) // stride[i] + 1 for i in range(2))


def convolution(kernel, stride, padding, density, *, rows=False):
    """Maps of 3 vertices into maps of 4, or into a layer without a grid."""
    b = GraphBuilder(seed=3, dtype=np.float64)
    b.input("x", 3, grid=SOURCE)
    grid = grid_of(kernel, stride, padding)
    b.output("y", 4) if rows else b.output("y", 4, grid=grid)
    b.conv2d("x", "y", kernel=kernel, stride=stride, padding=padding, density=density)
    return b.build()


def agrees_with_torch(graph, stride, padding, dtype, device, samples=5):
    net = lower(graph, dtype=dtype, device=device, kernels={"y": "sparse-convolution"})
    (link,) = graph.links_by_key.values()
    kernel = link.kind.kernel
    place = (link.dst, link.src, *np.divmod(link.tap, kernel[1]))
    full = np.zeros((4, 3, *kernel))
    full[place] = link.weight
    weight = torch.tensor(full, dtype=dtype, device=device, requires_grad=True)
    xs = [
        torch.randn(samples, 3, *SOURCE, dtype=dtype, generator=torch.Generator().manual_seed(0)).to(device)
        for _ in range(2)
    ]
    for x in xs:
        x.requires_grad_()
    found, expected = net(xs[0]), functional.conv2d(xs[1], weight, None, stride, padding)
    expected = expected.reshape(found.shape)
    torch.testing.assert_close(found, expected, **TOLERANCES[dtype])
    found.square().sum().backward()
    expected.square().sum().backward()
    torch.testing.assert_close(xs[0].grad, xs[1].grad, **TOLERANCES[dtype])
    slots = net.plan.edge_slots
    gradient = net.weights.grad.cpu().numpy()[slots]
    np.testing.assert_allclose(gradient, weight.grad.cpu().numpy()[place], **TOLERANCES[dtype])


@pytest.mark.parametrize("dtype", TOLERANCES)
@pytest.mark.parametrize("entries", [1, 100, 1 << 16])
@pytest.mark.parametrize(("kernel", "stride", "padding"), GEOMETRIES)
def test_agrees_with_torch(kernel, stride, padding, entries, dtype, device, monkeypatch):
    monkeypatch.setattr("compilers.kernels.tiles._TILE_ENTRIES", {"cpu": entries, "cuda": entries})
    agrees_with_torch(convolution(kernel, stride, padding, 0.4), stride, padding, dtype, device)


@pytest.mark.parametrize("dtype", TOLERANCES)
def test_a_single_position_writes_rows(dtype, device):
    graph = convolution(SOURCE, (1, 1), (0, 0), 0.3, rows=True)
    agrees_with_torch(graph, (1, 1), (0, 0), dtype, device)


@pytest.mark.parametrize("samples", [1, 64, 65, 300])
def test_batches_of_more_than_one_chunk(samples, device):
    agrees_with_torch(convolution((3, 3), (1, 1), (1, 1), 0.4), (1, 1), (1, 1), torch.float64, device, samples)


@pytest.mark.parametrize(("kernel", "stride", "padding"), GEOMETRIES)
def test_reads_are_counted_and_turned_round(kernel, stride, padding):
    grid = grid_of(kernel, stride, padding)
    parts = []
    for i in range(2):
        forward = reach(grid[i], SOURCE[i], kernel[i], stride[i], padding[i])
        backward = reversed_reach(forward, SOURCE[i])
        pairs = {(t, k, s) for (t, k), s in np.ndenumerate(forward) if s >= 0}
        assert pairs == {(t, k, s) for (s, k), t in np.ndenumerate(backward) if t >= 0}
        assert all(s == t * stride[i] + k - padding[i] for t, k, s in pairs)
        parts.append(len(pairs))
    assert Geometry(SOURCE, grid, kernel, stride, padding).reads == parts[0] * parts[1]
