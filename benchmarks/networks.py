"""Networks of the benchmarks: graphs as growth makes them, and peers in torch that compute the same function."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn

import netgraph as ng
from netgraph.columns import Array
from netgraph.rules import PruneEdges, SplitEdges

# -- graphs -------------------------------------------------------------------------------------------


def ladder(
    width: int, parents: int, *, sublayers: int = 8, inputs: int = 784, outputs: int = 10, seed: int = 0
) -> ng.Graph:
    """Build a graph like those that SSONN grows: sublayers, and outputs that read all sublayers and the inputs.

    Every vertex of a sublayer has the same `parents` parents, drawn among the inputs and all earlier sublayers.
    """
    rng = np.random.default_rng(seed)
    b = ng.GraphBuilder(seed=seed)
    names, sizes = [b.input("input", inputs, domain=(0, 1))], [inputs]
    for k in range(sublayers):
        name = b.layer(f"sublayer{k + 1}", width)
        starts = np.cumsum([0, *sizes])
        chosen = np.sort(rng.choice(starts[-1], parents, replace=False))
        for earlier, (start, stop) in zip(names, pairwise(starts), strict=True):
            rows = chosen[(chosen >= start) & (chosen < stop)] - start
            if len(rows):
                dst, src = (a.ravel() for a in np.meshgrid(np.arange(width), rows, indexing="ij"))
                b.edges(earlier, name, src, dst, weight=rng.uniform(-1, 1, len(src)) / np.sqrt(parents))
        names.append(name)
        sizes.append(width)
    b.output("output", outputs)
    for name in names:
        b.dense(name, "output")
    return b.build()


def grown(expansions: int, edges: int, *, inputs: int = 784, outputs: int = 10) -> ng.Graph:
    """Grow a linear start by `expansions` splits with crossing pairs, up to about `edges` edges."""
    graph = ng.mlp([inputs, outputs], domain=(0, 1))
    rng = np.random.default_rng(0)
    share = (edges - graph.num_edges) // expansions
    for _ in range(expansions):
        into = graph.edges.link == list(graph.links_by_key).index((0, 1, 0))
        chosen = rng.choice(graph.edges.id[into], size=int(np.sqrt(share)), replace=False)
        graph = ng.apply(SplitEdges(), graph, on=chosen, probe=None).graph
    return graph


def pruned(graph: ng.Graph, edges: int) -> ng.Graph:
    """Prune a graph to a random selection of `edges` edges."""
    rng = np.random.default_rng(0)
    gone = rng.choice(graph.edges.id, size=graph.num_edges - edges, replace=False)
    return ng.apply(PruneEdges(below=None), graph, on=gone, probe=None).graph


def matrix(graph: ng.Graph, link: ng.Link) -> tuple[Array, Array]:
    """Weights of a link, 0 without an edge, and mask of the edges, `(targets, sources, *kernel)` each."""
    kernel = link.kind.tap_axes
    targets, sources = (len(graph.layer(key).vertex_ids) for key in (link.target, link.source))
    weight = np.zeros((targets, sources, int(np.prod(kernel))), np.float32)
    mask = np.zeros(weight.shape, bool)
    weight[link.dst, link.src, link.tap] = link.weight
    mask[link.dst, link.src, link.tap] = True
    return weight.reshape(targets, sources, *kernel), mask.reshape(targets, sources, *kernel)


# -- peers --------------------------------------------------------------------------------------------


def dense(sizes: Sequence[int]) -> nn.Sequential:
    """Make dense layers with ReLU between them."""
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(sizes):
        layers += [nn.Linear(inputs, outputs), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def dense_like(graph: ng.Graph, hidden: int | None = None) -> tuple[str, nn.Sequential]:
    """Make a dense network with one hidden layer, by default with about as many weights as edges; and its name."""
    inputs, outputs = (len(layers[0].vertex_ids) for layers in (graph.inputs, graph.outputs))
    sizes = (inputs, hidden or max(1, round(graph.num_edges / (inputs + outputs))), outputs)
    return f"dense {'-'.join(map(str, sizes))}", dense(sizes)


class Masked(nn.Module):
    """One layer: a dense matrix, or the kernel of a convolution, multiplied by a mask of 0 and 1 at every step.

    Args:
        weight: weights, `(targets, sources, *kernel)`.
        mask: mask of the edges, of the shape of `weight`; None for no mask.
        bias: biases, `(targets,)`.
        padding: padding of the convolution.
    """

    mask: Tensor | None

    def __init__(self, weight: Array, mask: Array | None, bias: Array, padding: int = 0) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.from_numpy(weight))
        self.bias = nn.Parameter(torch.tensor(bias))
        self.register_buffer("mask", None if mask is None else torch.from_numpy(mask).float())
        self.padding = padding

    def forward(self, x: Tensor) -> Tensor:
        weight = self.weight if self.mask is None else self.weight * self.mask
        if weight.ndim == 2:
            return nn.functional.linear(x, weight, self.bias)
        return nn.functional.conv2d(x, weight, self.bias, padding=self.padding)


class MaskedNetwork(nn.Module):
    """A graph of ReLU layers as masked dense layers, each of which reads all earlier rows."""

    def __init__(self, graph: ng.Graph) -> None:
        super().__init__()
        first, *others = (graph.layer(key) for key in graph.topological_order)
        rows, count = {first.id: slice(0, len(first.vertex_ids))}, len(first.vertex_ids)
        self.layers = nn.ModuleList()
        for layer in others:
            weight = np.zeros((len(layer.vertex_ids), count), np.float32)
            mask = np.zeros(weight.shape, bool)
            for link in graph.incoming[layer.id]:
                weight[:, rows[link.source]], mask[:, rows[link.source]] = matrix(graph, link)
            self.layers.append(Masked(weight, mask, layer.values["bias"]))
            rows[layer.id] = slice(count, count + len(weight))
            count += len(weight)

    def forward(self, x: Tensor) -> Tensor:
        *hidden, last = self.layers
        for layer in hidden:
            x = torch.cat((x, layer(x).relu()), dim=1)
        return last(x)  # type: ignore[no-any-return]


class TorchSparseCsr(nn.Module):
    """One layer: the CSR matrix of torch, made of the trained values at every step, and its autograd."""

    starts: Tensor
    columns: Tensor

    def __init__(self, weight: Array, mask: Array, bias: Array) -> None:
        super().__init__()
        rows, columns = np.nonzero(mask)
        self.shape = weight.shape
        self.register_buffer("starts", torch.from_numpy(np.searchsorted(rows, np.arange(len(weight) + 1))))
        self.register_buffer("columns", torch.from_numpy(columns))
        self.values = nn.Parameter(torch.from_numpy(weight[mask]))
        self.bias = nn.Parameter(torch.tensor(bias)[:, None])

    def forward(self, x: Tensor) -> Tensor:
        weight = torch.sparse_csr_tensor(self.starts, self.columns, self.values, self.shape, check_invariants=False)
        return torch.add(torch.sparse.mm(weight, x.t().contiguous()), self.bias).t()


class TorchSparsePackage(nn.Module):
    """One layer: `SparseTensor` of the package torch-sparse.

    Raises:
        ImportError: when it is not installed.
    """

    def __init__(self, weight: Array, mask: Array, bias: Array) -> None:
        super().__init__()
        package = importlib.import_module("torch_sparse")
        rows, columns = (torch.from_numpy(k) for k in np.nonzero(mask))
        self.pattern = package.SparseTensor(row=rows, col=columns, sparse_sizes=weight.shape, is_sorted=True)
        self.values = nn.Parameter(torch.from_numpy(weight[mask]))
        self.bias = nn.Parameter(torch.tensor(bias)[:, None])

    def forward(self, x: Tensor) -> Tensor:
        weight = self.pattern.set_value(self.values, layout="coo")
        return (weight.matmul(x.t().contiguous()) + self.bias).t()  # type: ignore[no-any-return]


def copy_weights(graph: ng.Graph, net: nn.Module) -> None:
    """Copy the weights of the layers of a graph to the layers of a torch network, in the order of their creation."""
    modules = [m for m in net.modules() if isinstance(m, nn.Linear | nn.Conv2d | Masked)]
    links = [link for link in graph.links_by_key.values() if not link.kind.wires]
    norms = [m for m in net.modules() if isinstance(m, nn.BatchNorm2d)]
    normed = [layer for layer in graph.layers_by_id.values() if layer.norm == "batch"]
    with torch.no_grad():
        for module, link in zip(modules, sorted(links, key=lambda link: link.target), strict=True):
            module.weight.copy_(torch.from_numpy(matrix(graph, link)[0]).view_as(module.weight))
            if module.bias is not None:
                module.bias.copy_(torch.tensor(graph.layer(link.target).values["bias"]))
        for norm, layer in zip(norms, normed, strict=True):
            norm.eps, norm.momentum = layer.norm_epsilon, layer.norm_momentum
            for name, own in (("weight", "scale"), ("bias", "shift"), ("running_mean", "mean"), ("running_var", "var")):
                getattr(norm, name).copy_(torch.tensor(layer.values[own]))


def check_same(ours: nn.Module, peer: nn.Module, x: Tensor) -> None:
    """Raise RuntimeError unless two networks give the same outputs, up to rounding to float32."""
    with torch.no_grad():
        expected, given = peer(x), ours(x)
    difference = float((expected - given).abs().max() / expected.abs().max())
    if not difference < 1e-3:
        raise RuntimeError(f"{type(peer).__name__} differs from the graph by {difference:.1e} of its largest output.")
