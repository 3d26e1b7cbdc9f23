"""VGG and residual networks: counts of the papers, layout, values against torch, errors."""

from itertools import pairwise

import numpy as np
import pytest
import torch
import torch.nn.functional as F

import netgraph as ng
from netgraph.errors import GraphError, OptionError

STAGES = {11: (1, 1, 2, 2, 2), 13: (2, 2, 2, 2, 2), 16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4)}


def randomise(graph):
    """Random weights and vertex columns, with variances above 0."""
    rng = np.random.default_rng(0)
    n = graph.num_vertices
    columns = {k: rng.normal(size=n) for k in ("bias", "scale", "shift", "mean")} | {"var": rng.uniform(0.5, 2, n)}
    return graph.with_weights(rng.normal(size=len(graph.edges)), vertices=columns)


def layer_by_torch(graph, name, source, x, *, activate=True):
    """One convolution of a graph in torch, with its norm and its activation."""
    link, layer = graph.links[source, name], graph.layers[name]
    weight = np.zeros((len(layer), x.shape[1], link.kind.taps))
    weight[link.dst, link.src, link.tap] = link.weight
    weight = torch.from_numpy(weight.reshape(*weight.shape[:2], *link.kind.kernel))
    column = {k: torch.from_numpy(v.copy()) for k, v in layer.values.items()}
    z = F.conv2d(x, weight, column.get("bias"), link.kind.stride, link.kind.padding)
    if layer.norm == "batch":
        z = F.batch_norm(z, *(column[k] for k in ("mean", "var", "scale", "shift")), eps=layer.norm_epsilon)
    return F.relu(z) if activate else z


# -- residual networks ----------------------------------------------------------------------------


@pytest.mark.parametrize(("depth", "count"), [(20, 269_722), (32, 464_154), (56, 853_018), (110, 1_727_962)])
def test_resnet_has_the_parameters_of_the_paper(depth, count):
    graph = ng.resnet(depth)
    assert graph.num_parameters == count
    convolutions = [k for k in graph.links if isinstance(k.kind, ng.Conv2d)]
    assert len(convolutions) == depth - 1
    assert sum(layer.bias is not None for layer in graph.layers.values()) == 1


def test_resnet_layout():
    graph = ng.resnet(14, classes=7, input_size=(1, 9, 12), width=3, domain=(0, 1), bias=True)
    assert [(x.name, len(x), x.grid) for x in graph.layers.values() if len(graph.incoming[x.id]) == 2] == [
        ("stage1-block1", 3, (9, 12)), ("stage1-block2", 3, (9, 12)),
        ("stage2-block1", 6, (5, 6)), ("stage2-block2", 6, (5, 6)),
        ("stage3-block1", 12, (3, 3)), ("stage3-block2", 12, (3, 3)),
    ]  # fmt: skip
    first, second, total = (graph.layers[f"stage2-block1{x}"] for x in ("-conv1", "-conv2", ""))
    assert [(x.norm, x.activation, x.bias is None) for x in (first, second, total)] == [
        ("batch", "relu", False), ("batch", "identity", False), ("none", "relu", True),
    ]  # fmt: skip
    shortcut = graph.links["stage1-block2", "stage2-block1"]
    assert (shortcut.kind, len(shortcut)) == (ng.Identity((2, 2)), 3)
    assert graph.links["stage1-block2", "stage2-block1-conv1"].kind == ng.Conv2d((3, 3), (2, 2), (1, 1))
    assert len(graph.links["stage2-block1-conv1", "stage2-block1-conv2"]) == 6 * 6 * 9
    assert graph.layers["stage3-block2"].pool == ng.Pool("average", (3, 3))
    assert len(graph.links["stage3-block2", "output"]) == 12 * 7
    assert graph.layers["input"].domain == (0, 1)
    assert graph.layers["output"].activation == "identity"


@pytest.mark.parametrize("size", [(8, 8), (5, 7)])
def test_resnet_computes_what_the_paper_says(size):
    graph = randomise(ng.resnet(14, classes=3, input_size=(2, *size), width=2, dtype=np.float64))
    x = np.random.default_rng(1).normal(size=(2, 2, *size))
    h = layer_by_torch(graph, "conv", "input", torch.from_numpy(x))
    last = "conv"
    for stage in (1, 2, 3):
        for block in (1, 2):
            name = f"stage{stage}-block{block}"
            inner = layer_by_torch(graph, f"{name}-conv1", last, h)
            inner = layer_by_torch(graph, f"{name}-conv2", f"{name}-conv1", inner, activate=False)
            if stage > 1 and block == 1:
                h = F.pad(h[:, :, ::2, ::2], (0, 0, 0, 0, 0, h.shape[1]))
            h, last = F.relu(inner + h), name
    link = graph.links[last, "output"]
    y = h.mean(dim=(2, 3)).numpy() @ link.weight.reshape(3, -1).T + graph.layers["output"].bias
    np.testing.assert_allclose(ng.interpret(graph, x), y, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(("depth", "near"), [(18, 20), (2, 8), (-4, 8), (1202 + 1, 1202)])
def test_resnet_refuses_other_depths(depth, near):
    with pytest.raises(OptionError, match=rf"depth={depth}\) is not 6 n \+ 2 .*nearest is {near}\."):
        ng.resnet(depth)


# -- VGG ------------------------------------------------------------------------------------------


def vgg_count(depth, *, width, classes, channels=3, grid=1, hidden=(), batch_norm=True):
    """Parameters of a VGG network by arithmetic: kernels, biases, norms, dense layers."""
    maps = [channels]
    for scale, count in zip((1, 2, 4, 8, 8), STAGES[depth], strict=True):
        maps += [width * scale] * count
    convolutions = sum(9 * a * b + b for a, b in pairwise(maps))
    dense = [maps[-1] * grid * grid, *hidden, classes]
    norms = 2 * sum(maps[1:]) if batch_norm else 0
    return convolutions + norms + sum(a * b + b for a, b in pairwise(dense))


@pytest.mark.parametrize(
    ("depth", "count"), [(11, 132_863_336), (13, 133_047_848), (16, 138_357_544), (19, 143_667_240)]
)
def test_vgg_has_the_parameters_of_the_paper(depth, count):
    # The arithmetic gives the published counts, and the graphs follow the arithmetic; 138 million edges are too many.
    paper = {"classes": 1000, "grid": 7, "hidden": (4096, 4096), "batch_norm": False}
    assert vgg_count(depth, width=64, **paper) == count
    given = {"width": 2, "classes": 5, "hidden": (6, 4)}
    graph = ng.vgg(depth, input_size=(3, 224, 224), batch_norm=False, **given)
    assert graph.num_parameters == vgg_count(depth, grid=7, batch_norm=False, **given)
    for batch_norm in (True, False):
        graph = ng.vgg(depth, classes=3, width=4, batch_norm=batch_norm)
        assert graph.num_parameters == vgg_count(depth, width=4, classes=3, batch_norm=batch_norm)
    assert len([x for x in graph.layers if x.name.startswith("conv")]) == depth - 3


def test_vgg_16_for_cifar_has_the_usual_parameters():
    assert vgg_count(16, width=64, classes=10) == 14_728_266
    graph = ng.vgg(width=8)
    assert graph.num_parameters == vgg_count(16, width=8, classes=10)
    assert ng.vgg(width=8, bias=False).num_parameters == graph.num_parameters - 8 * (2 + 4 + 12 + 24 + 24)


def test_vgg_layout():
    graph = ng.vgg(11, classes=7, input_size=(1, 64, 96), width=3, hidden=(5,), domain=(0, 1))
    assert [(x.name, len(x), x.grid, x.pool is not None, x.norm, x.activation) for x in graph.layers.values()] == [
        ("input", 1, (64, 96), False, "none", "identity"),
        ("conv1_1", 3, (64, 96), True, "batch", "relu"),
        ("conv2_1", 6, (32, 48), True, "batch", "relu"),
        ("conv3_1", 12, (16, 24), False, "batch", "relu"),
        ("conv3_2", 12, (16, 24), True, "batch", "relu"),
        ("conv4_1", 24, (8, 12), False, "batch", "relu"),
        ("conv4_2", 24, (8, 12), True, "batch", "relu"),
        ("conv5_1", 24, (4, 6), False, "batch", "relu"),
        ("conv5_2", 24, (4, 6), True, "batch", "relu"),
        ("dense1", 5, (), False, "none", "relu"),
        ("output", 7, (), False, "none", "identity"),
    ]
    assert graph.links["conv5_2", "dense1"].kind == ng.Conv2d((2, 3))
    assert len(graph.links["conv5_2", "dense1"]) == 24 * 5 * 6
    assert len(graph.links["conv3_1", "conv3_2"]) == 12 * 12 * 9
    assert graph.layers["input"].domain == (0, 1)


@pytest.mark.parametrize("size", [(32, 32), (33, 64)])
@pytest.mark.parametrize("batch_norm", [True, False])
def test_vgg_computes_what_the_paper_says(size, batch_norm):
    options = {"classes": 3, "input_size": (2, *size), "width": 1, "hidden": (4,), "dtype": np.float64}
    graph = randomise(ng.vgg(11, batch_norm=batch_norm, **options))
    x = np.random.default_rng(1).normal(size=(2, 2, *size))
    h, last = torch.from_numpy(x), "input"
    for stage, count in enumerate((1, 1, 2, 2, 2), start=1):
        for i in range(1, count + 1):
            name = f"conv{stage}_{i}"
            h, last = layer_by_torch(graph, name, last, h), name
        h = F.max_pool2d(h, 2)
    for name in ("dense1", "output"):
        # Flattened in the order of torch: maps, then positions, which is the order of edges of a link.
        weight = torch.from_numpy(graph.links[last, name].weight.reshape(len(graph.layers[name]), -1).copy())
        h = F.linear(h.flatten(1), weight, torch.from_numpy(graph.layers[name].bias.copy()))
        h, last = (F.relu(h) if name == "dense1" else h), name
    np.testing.assert_allclose(ng.interpret(graph, x), h.numpy(), rtol=1e-9, atol=1e-12)


def test_vgg_refuses_other_depths_and_small_grids():
    with pytest.raises(OptionError, match=r"vgg\(depth=12\) is not in the paper; use one of 11, 13, 16, 19"):
        ng.vgg(12)
    with pytest.raises(GraphError, match=r"input_size=\(3, 28, 64\).*grid \(28, 64\) is too small .* at least 32 x 32"):
        ng.vgg(input_size=(3, 28, 64))


# -- both -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [ng.vgg, ng.resnet])
def test_options_of_both(make):
    for size in ((3, 32), (3, 32, 0), (3, 32.5, 32), 32):
        with pytest.raises(OptionError, match=r"input_size=.* needs three whole numbers of at least 1"):
            make(input_size=size)
    with pytest.raises(GraphError, match="has size 0"):
        make(width=0)
    with pytest.raises(GraphError, match="'output' has size 0"):
        make(width=1, classes=0)
    one, same, other = (make(width=1, seed=seed, dtype=np.float64) for seed in (1, 1, 2))
    assert one.equals(same)
    assert one.same_topology(other)
    assert not one.equals(other)
    assert one.edges.weight.dtype == np.float64
    low, high = make(width=1, domain=([0, 0, -1], 1)).layers["input"].domain
    np.testing.assert_array_equal([low, high], [[0, 0, -1], [1, 1, 1]])


def test_initial_values():
    graph = ng.resnet(8, width=16)
    for link in graph.links:
        if not link.kind.wires and len(link) > 2_000:
            fan_in = len(link) / len(graph.layer(link.target))
            assert abs(link.weight.std() * np.sqrt(fan_in / 2) - 1) < 0.05
            assert abs(link.weight.mean()) < 0.05 * link.weight.std()
    for layer in graph.layers.values():
        for name, value in (("bias", 0), ("scale", 1), ("shift", 0), ("mean", 0), ("var", 1)):
            assert np.all(layer.values.get(name, value) == value)


def test_convnets_of_another_activation():
    graph = ng.convnet([[2], [3]], input_size=(1, 8, 8), hidden=(4,), activation="prelu")
    assert [layer.activation for layer in graph.layers.values()] == ["identity", *["prelu"] * 3, "identity"]
