"""Vertex signals, cross and second moments, against autograd in float64 and at any batch size."""

import numpy as np
import pytest
import torch
from map_graphs import inputs_of, random_map_graph, token_graph
from torch.nn import functional

import netgraph as ng
from compilers import lower, migrate
from netgraph import Conv2d
from netgraph.errors import StatisticsError

BATCHES = (5, 2, 4)
"""Samples of the mini-batches: statistics of samples must not depend on how they are cut."""


def tensors(x):
    return {name: torch.tensor(values) for name, values in x.items()}


def outputs_of(value):
    return list(value.values()) if isinstance(value, dict) else [value]


def sample_loss(outputs):
    """(batch,) loss of each sample."""
    return sum(v.flatten(1).square().sum(1) + v.flatten(1).sum(1).sin() for v in outputs_of(outputs))


def make(seed, kind):
    if kind == "dense":
        return ng.mlp([4, 5, 3, 2], activation="tanh", norm="layer", dtype=np.float64, seed=seed)
    return token_graph(seed) if kind == "tokens" else random_map_graph(seed)


def collect(graph, request):
    """The statistics of some mini-batches, and the raw signals of all their samples."""
    net = lower(graph, dtype=torch.float64).eval()
    for name, options in request:
        net.request(name, **options)
    parts = []
    for i, n in enumerate(BATCHES):
        x = tensors(inputs_of(graph, n, seed=i))
        sample_loss(net(x)).mean().backward()
        parts.append(net.capture(x, list(net.plan.position), cotangent=loss_gradient))
    raw = {
        name: (
            torch.cat([p[name].activations for p in parts]),
            None if parts[0][name].gradients is None else torch.cat([p[name].gradients for p in parts]),
        )
        for name in parts[0]
    }
    return net.statistics(graph), raw


def loss_gradient(outputs):
    """Cotangents of the outputs: the gradient of each sample's own loss."""
    leaves = [v.detach().requires_grad_() for v in outputs_of(outputs)]
    named = dict(zip(outputs, leaves, strict=True)) if isinstance(outputs, dict) else leaves[0]
    with torch.enable_grad():
        found = torch.autograd.grad(sample_loss(named).sum(), leaves)
    return dict(zip(outputs, found, strict=True)) if isinstance(outputs, dict) else found[0]


def close(found, expected):
    np.testing.assert_allclose(found, np.asarray(expected), rtol=1e-9, atol=1e-11)


CASES = [("dense", 0), ("dense", 1), ("tokens", 0), ("maps", 0), ("maps", 3), ("maps", 4)]


@pytest.mark.parametrize(("kind", "seed"), CASES)
def test_vertex_signals_are_moments_over_samples_and_positions(kind, seed):
    graph = make(seed, kind)
    stats, raw = collect(graph, [("vertex_signals", {})])
    assert (stats.batches, stats.samples) == (len(BATCHES), sum(BATCHES))
    for layer in graph.layers.values():
        rows = slice(graph.vertices.offset(layer.id), graph.vertices.offset(layer.id) + len(layer))
        h, g = raw[layer.name]
        h = h.transpose(0, 1).reshape(len(layer), -1)
        close(stats.vertex("mean_activation")[rows], h.mean(1))
        close(stats.vertex("variance_activation")[rows], h.var(1, correction=0))
        if layer.role == "input":
            assert np.isnan(stats.vertex("rms_gradient")[rows]).all()
        else:
            close(stats.vertex("rms_gradient")[rows], g.transpose(0, 1).reshape(len(layer), -1).square().mean(1).sqrt())


def test_vertex_signals_without_activations_have_gradients_alone():
    graph = ng.mlp([4, 5, 2])
    net = lower(graph)
    net.request("vertex_signals", activations=False)
    net(torch.rand(3, 4)).square().mean().backward()
    assert list(net.statistics().vertices) == ["rms_gradient"]


@pytest.mark.parametrize(("kind", "seed"), CASES)
def test_second_moments_are_kronecker_factors(kind, seed):
    graph = make(seed, kind)
    names = [layer.name for layer in graph.layers.values()]
    request = [("second_moments", {"layer": name}) for name in names]
    request += [("second_moments", {"layer": n, "of": "gradients"}) for n in names if graph.layer(n).role != "input"]
    stats, raw = collect(graph, request)
    for name in names:
        h, g = raw[name]
        h = h.transpose(0, 1).reshape(h.shape[1], -1)
        a = torch.cat([h, torch.ones(1, h.shape[1], dtype=h.dtype)])
        close(stats.second(name), a @ a.t() / h.shape[1])
        if g is not None:
            g = g.transpose(0, 1).reshape(g.shape[1], -1)
            close(stats.second(name, "gradients"), g @ g.t() / g.shape[1])


def test_second_moments_per_tap_are_those_of_unfolded_maps():
    graph = random_map_graph(1)
    kind = Conv2d((3, 2), (1, 2), (1, 0))
    stats, raw = collect(graph, [("second_moments", {"layer": "a", "kind": kind})])
    columns = functional.unfold(raw["a"][0], kind.kernel, 1, kind.padding, kind.stride)
    columns = columns.transpose(0, 1).reshape(columns.shape[1], -1)
    a = torch.cat([columns, torch.ones(1, columns.shape[1], dtype=columns.dtype)])
    close(stats.second("a"), a @ a.t() / columns.shape[1])


@pytest.mark.parametrize("seed", range(4))
def test_cross_moments_of_linked_layers_are_mean_edge_gradients(seed):
    graph = random_map_graph(seed)
    pairs = [(graph.layer(k.source).name, graph.layer(k.target).name, k) for k in graph.links if len(k)]
    request = [("cross_moments", {"source": a, "target": b}) for a, b, _ in pairs]
    stats, _ = collect(graph, request)
    for source, target, link in pairs:
        if link.kind.wires or link.frozen.any():
            continue
        net = lower(graph, dtype=torch.float64).eval()
        x = {
            name: torch.cat([tensors(inputs_of(graph, n, seed=i))[name] for i, n in enumerate(BATCHES)])
            for name in tensors(inputs_of(graph))
        }
        sample_loss(net(x)).mean().backward()
        start = graph.edges.offset(link.key)
        expected = net.edge_column(net.weights.grad)[start : start + len(link)]
        cross = stats.cross(source, target)
        found = cross[link.src, link.dst] if cross.ndim == 2 else cross[link.src, link.dst, link.tap]
        close(found, expected)


def test_cross_moments_of_layers_that_are_not_linked():
    graph = random_map_graph(2)
    shape = graph.layer("a").grid
    same = {"source": "x", "target": "a", "kind": Conv2d((1, 1))}
    request = [("cross_moments", {"source": "head", "target": "y"}), ("cross_moments", same),
               ("cross_moments", {"source": "a", "target": "head"}),
               ("cross_moments", {"source": "head", "target": "a"})]  # fmt: skip
    stats, raw = collect(graph, request)
    n = sum(BATCHES)
    (x, _), (a, ga), (head, ghead) = (raw[name] for name in ("x", "a", "head"))
    close(stats.cross("x", "a")[..., 0], torch.einsum("nshw,nthw->st", x, ga) / n)
    close(stats.cross("a", "head"), torch.einsum("nsp,nt->stp", a.flatten(2), ghead) / n)
    close(stats.cross("head", "a"), torch.einsum("ns,nthw->st", head, ga) / n)
    assert stats.cross("a", "head").shape == (len(graph.layer("a")), len(graph.layer("head")), shape[0] * shape[1])


def test_statistics_of_training_do_not_change_it():
    graph = random_map_graph(5)
    x = tensors(inputs_of(graph))
    gradients = []
    for request in ((), ("edge_gradients", "vertex_signals")):
        net = lower(graph, dtype=torch.float64)
        for name in request:
            net.request(name)
        net.request("second_moments", layer="head") if request else None
        sample_loss(net(x)).mean().backward()
        gradients.append((net.weights.grad, net.vertex_parameters.grad, net.running))
    for without, seen in zip(*gradients, strict=True):
        assert torch.equal(without, seen)


def test_requests_are_named_counted_and_carried():
    graph = ng.mlp([4, 5, 3], domain=(0, 1), dtype=np.float64)
    net = lower(graph, dtype=torch.float64)
    net.request("vertex_signals")
    net.request("cross_moments", source="input", target="output")
    net.request("second_moments", layer="hidden1")
    net.request("second_moments", layer="hidden1", of="gradients")
    assert len(net.requested) == 4
    result = ng.apply(ng.rules.WidenLayer(count=2), graph, rng=0)
    optimizer = torch.optim.Adam(net.parameters())
    new, _ = migrate(net, optimizer, result)
    assert new.requested == net.requested
    net.release("second_moments")
    assert [request.name for request in net.requested] == ["vertex_signals", "cross_moments"]


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("cross_moments", {"source": "input", "target": "outptu"}, "Did you mean 'output'"),
        ("cross_moments", {"source": "output", "target": "input"}, "is an input"),
        ("cross_moments", {"source": "input"}, "does not take these options"),
        ("second_moments", {"layer": "input", "of": "gradients"}, "inputs are not taken"),
        ("second_moments", {"layer": "hidden1", "of": "gradient"}, "Did you mean 'gradients'"),
        ("second_moments", {"layer": "hidden1", "kind": Conv2d((3, 3))}, "has no maps"),
        ("vertex_signal", {}, "Did you mean 'vertex_signals'"),
    ],
)
def test_wrong_requests_are_named(name, options, message):
    net = lower(ng.mlp([4, 5, 2]))
    with pytest.raises(StatisticsError, match=message):
        net.request(name, **options)
    assert net.requested == ()


def test_moments_larger_than_memory_are_refused_with_their_size(monkeypatch):
    monkeypatch.setattr("os.sysconf", lambda name: 4)
    net = lower(ng.mlp([4, 5, 2]))
    with pytest.raises(StatisticsError, match=r"'input' and 'output' take 0\.0 GiB"):
        net.request("cross_moments", source="input", target="output")


def test_moments_that_were_not_requested_are_named():
    net = lower(ng.mlp([4, 5, 2]))
    net.request("second_moments", layer="hidden1")
    net(torch.rand(3, 4)).sum().backward()
    stats = net.statistics()
    assert "activations hidden1" in repr(stats)
    with pytest.raises(StatisticsError, match="only: activations hidden1"):
        stats.second("hidden1", "gradients")
    with pytest.raises(StatisticsError, match="Request 'cross_moments'"):
        stats.cross("input", "output")
