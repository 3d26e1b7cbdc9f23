"""Layers that merge: values, gradients, tangents and statistics of the compiled network."""

import numpy as np
import pytest
import torch
from map_graphs import inputs_of
from merge_graphs import MERGE_GRAPHS, merge_graph

import netgraph as ng
from compilers import lower
from compilers.running import Linearized, jacobian
from compilers.running.merges import MERGE_KERNELS
from compilers.running.operations import Run
from netgraph.graph import MERGES

NAMES = tuple(MERGE_GRAPHS)


def lowered(name, *, train=False, fused=True):
    net = lower(merge_graph(name), dtype=torch.float64).train(train)
    if not fused:
        net.plan.__dict__["fused"] = {}
    return net


def tensors(graph, samples=4):
    return {name: torch.from_numpy(values) for name, values in inputs_of(graph, samples).items()}


def named(value):
    return value if isinstance(value, dict) else {"y": value}


def listed(value):
    return list(named(value).values())


def directions(*like):
    generator = torch.Generator().manual_seed(3)
    return [torch.randn(t.shape, dtype=t.dtype, generator=generator) for t in like]


def test_every_merge_runs():
    assert MERGE_KERNELS.keys() == MERGES.keys()


@pytest.mark.parametrize("train", [False, True])
@pytest.mark.parametrize("name", NAMES)
def test_they_compute_the_values_of_the_graph(name, train):
    net = lowered(name, train=train)
    x = tensors(net.graph)
    wanted = named(ng.interpret(net.graph, {k: v.numpy() for k, v in x.items()}, train=train))
    recorded = named(net(x))
    with torch.no_grad():
        alone = named(lowered(name, train=train)(x))
    for key, values in wanted.items():
        np.testing.assert_allclose(recorded[key].detach(), values, rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(alone[key], values, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("train", [False, True])
@pytest.mark.parametrize("name", NAMES)
def test_gradients_and_tangents_are_differences(name, train):
    net = lowered(name, train=train)
    x = tensors(net.graph)
    moving = [values.requires_grad_() for values in x.values() if values.is_floating_point()]
    leaves = [net.weights, net.vertex_parameters, *moving]
    outputs = listed(net(x))
    cotangents = directions(*outputs)
    found = torch.autograd.grad(outputs, leaves, cotangents, retain_graph=True, allow_unused=True)
    again = torch.autograd.grad(outputs, leaves, cotangents, allow_unused=True)
    along = directions(*leaves)
    along[0] *= net._edge_mask()
    moves = dict(zip((key for key, values in x.items() if values.is_floating_point()), along[2:], strict=True))
    ahead, behind = (_moved(net, x, (*along[:2], moves), sign * 1e-6) for sign in (1, -1))
    tangents = [(a - b) / 2e-6 for a, b in zip(ahead, behind, strict=True)]
    wanted = sum((c * t).sum() for c, t in zip(cotangents, tangents, strict=True))
    assert abs(wanted) > 1e-3
    for gradients in (found, again):
        pairs = zip(gradients, along, strict=True)
        total = sum((g * d).sum() for g, d in pairs if g is not None)
        torch.testing.assert_close(total, wanted, rtol=1e-6, atol=1e-7)
    values = {key: v.detach() for key, v in x.items()}
    out, tangent = net.jvp(values, weights=along[0], vertex_parameters=along[1], inputs=moves or None)
    for mine, theirs in zip(listed(out), outputs, strict=True):
        torch.testing.assert_close(mine, theirs.detach())
    for mine, theirs in zip(listed(tangent), tangents, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-6, atol=1e-7)


def _moved(net, x, along, step):
    """Outputs of the network after a step along a direction."""
    other = lower(net.graph, dtype=torch.float64).train(net.training)
    with torch.no_grad():
        other.weights += step * along[0]
        other.vertex_parameters += step * along[1]
        return listed(other({k: v.detach() + step * along[2][k] if k in along[2] else v for k, v in x.items()}))


@pytest.mark.parametrize("name", NAMES)
def test_a_linearized_network_pushes_and_pulls_as_jvp_and_vjp(name):
    net = lowered(name, train=True)
    x = tensors(net.graph)
    weights, vertices = directions(net.weights, net.vertex_parameters)
    weights *= net._edge_mask()
    _, tangents = net.jvp(x, weights=weights, vertex_parameters=vertices)
    outputs, pull = net.vjp(x)
    cotangents = directions(*listed(outputs))
    given = dict(zip(outputs, cotangents, strict=True)) if isinstance(outputs, dict) else cotangents[0]
    with Linearized(net._executor, net._state(), net._checked(x), training=True) as linear:
        for _ in range(2):
            for mine, theirs in zip(linear.push(weights, vertices), listed(tangents), strict=True):
                torch.testing.assert_close(mine, theirs)
            for mine, theirs in zip(linear.pull(cotangents), pull(given), strict=True):
                torch.testing.assert_close(mine, theirs)


@pytest.mark.parametrize("name", ["encoder", "decoder", "lone"])
def test_attention_with_its_mix_is_the_same_as_both_alone(name):
    together, apart = (lowered(name, fused=fused) for fused in (True, False))
    place = next(iter(together.plan.fused))
    heads = together.plan.layers[place].name
    x, layers = tensors(together.graph), [layer.name for layer in together.plan.layers if layer.role != "input"]
    found = []
    for net in (together, apart):
        net.request("vertex_signals")
        net.request("edge_gradients")
        net.request("second_moments", layer=heads)
        net.request("second_moments", layer=heads, of="gradients")
        out = net(x)
        out.backward(torch.ones_like(out))
        columns = net.statistics()
        captured = net.capture(x, layers, cotangent=torch.ones_like(out))
        found.append((out.detach(), net.weights.grad, columns, captured))
    (out, grad, columns, captured), (out_, grad_, columns_, captured_) = found
    torch.testing.assert_close(out, out_)
    torch.testing.assert_close(grad, grad_)
    for key, column in columns_.vertices.items():
        np.testing.assert_allclose(columns.vertices[key], column, rtol=1e-9)
    for key, moments in columns_.moments.items():
        assert moments.any()
        np.testing.assert_allclose(columns.moments[key], moments, rtol=1e-9)
    for layer in layers:
        torch.testing.assert_close(captured[layer].activations, captured_[layer].activations)
        torch.testing.assert_close(captured[layer].gradients, captured_[layer].gradients)


@pytest.mark.parametrize("name", ["encoder", "irregular", "rows", "maps"])
def test_the_jacobian_has_the_gradients_of_every_sample(name):
    net = lowered(name)
    x = tensors(net.graph, 2)
    outputs, found = jacobian(net._executor, net._state(), net._checked(x))
    assert len(outputs) == 1
    for sample in range(2):
        (y,) = listed(net({k: v[sample : sample + 1] for k, v in x.items()}))
        for place in range(0, y.numel(), 3):
            wanted = torch.autograd.grad(y.flatten()[place], [net.weights, net.vertex_parameters], retain_graph=True)
            torch.testing.assert_close(found[:, place * 2 + sample], torch.cat(wanted))


@pytest.mark.parametrize("name", NAMES)
def test_maps_are_let_go_of_when_the_last_layer_has_read_them(name):
    net = lowered(name)
    workspace = net._executor.pool.acquire(net._state(), 4)
    plan = net.plan
    last = {place: place for place, layer in enumerate(plan.layers) if layer.has_maps}
    for link in net.graph.links_by_key.values():
        source, target = (plan.position[net.graph.layer(end).name] for end in (link.source, link.target))
        if source in last and plan.layers[source].gives_maps:
            last[source] = max(last[source], plan.fused.get(target, target))
    done = {place: plan.position[step.plan.name] for step in workspace.steps for place in step.done}
    assert done == {place: reader for place, reader in last.items() if plan.layers[place].role != "output"}


def test_the_last_backward_lets_go_of_values_and_others_keep_them():
    net = lowered("decoder")
    x = net._checked(tensors(net.graph))
    found = []
    for last in (False, True):
        workspace, run = net._executor.pool.acquire(net._state(), 4), Run(training=False, record=True)
        with torch.no_grad():
            (out,) = net._executor.forward(workspace, net._state(), x, run)
            for _ in range(1 if last else 2):
                needs = (True, True, True)
                found.append(net._executor.backward(workspace, run, [torch.ones_like(out)], needs, last=last))
        kept = [step.plan.name for step in workspace.steps if workspace.maps[net.plan.position[step.plan.name]].started]
        assert bool(run.graphs) is bool(run.attention) is bool(kept) is not last
    for other in found[1:]:
        for mine, theirs in zip(found[0], other, strict=True):
            torch.testing.assert_close(mine, theirs)


def test_a_second_backward_needs_a_retained_graph():
    net = lowered("decoder")
    out = net(tensors(net.graph))
    out.sum().backward(retain_graph=True)
    first = net.weights.grad.clone()
    out.sum().backward()
    torch.testing.assert_close(net.weights.grad, 2 * first)
    with pytest.raises(RuntimeError, match="second time"):
        out.sum().backward()


@pytest.mark.parametrize("name", NAMES)
def test_an_empty_batch_has_no_outputs_and_gradients_of_zero(name):
    net = lowered(name)
    outputs = listed(net({key: values[:0] for key, values in tensors(net.graph).items()}))
    sum(values.sum() for values in outputs).backward()
    assert all(len(values) == 0 for values in outputs)
    assert not net.weights.grad.any()
