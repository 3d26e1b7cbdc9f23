"""Carrying networks and optimizers across rewrites, and their state as arrays."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from migrating import OPTIMIZERS, rewritten, small, train
from torch.nn.utils import parametrize, prune

from compilers import carry_values, lift, load_optimizer_state, lower, migrate, optimizer_state_arrays, parameter_groups
from netgraph.errors import CompileError, OptionError, TrainingError
from netgraph.graph import mlp


def test_requests_options_and_mode_go_along_and_other_parameters_stay():
    net = lower(small(), kernels={"h": "csr"}).eval()
    net.request("edge_gradients")
    head = torch.nn.Linear(3, 1)
    optimizer = torch.optim.SGD([*net.parameters(), *head.parameters()], lr=0.1, momentum=0.9)
    head(net(torch.randn(4, 4))).sum().backward()
    optimizer.step()
    new, carried = migrate(net, optimizer, rewritten(lift(net)))
    assert [request.name for request in new.requested] == ["edge_gradients"]
    assert not new.training
    assert next(layer for layer in new.plan.layers if layer.name == "h").blocks[0].kernel == "csr"
    assert carried.param_groups[0]["params"][2] is head.weight
    assert torch.equal(carried.state[head.weight]["momentum_buffer"], optimizer.state[head.weight]["momentum_buffer"])


def test_a_rewrite_of_another_topology_is_refused():
    net = lower(small())
    result = rewritten(small())
    result.delta = SimpleNamespace(before=mlp([2, 2]))
    with pytest.raises(CompileError, match="lift the network before rewriting"):
        migrate(net, torch.optim.Adam(net.parameters()), result)


def delta(graph):
    """A result of a rewrite that started from `graph` and changed nothing."""
    return SimpleNamespace(graph=graph, delta=SimpleNamespace(before=graph, graphs=(graph, graph)))


@pytest.mark.parametrize("what", ["weights", "vertex_parameters", "running"])
def test_a_rewrite_of_the_graph_before_training_is_refused(what):
    net = lower(small())
    optimizer = torch.optim.Adam(net.parameters())
    migrate(net, optimizer, delta(net.graph))
    with torch.no_grad():
        getattr(net, what)[-1] += 0.5
    with pytest.raises(CompileError, match="lift the network before rewriting"):
        migrate(net, optimizer, delta(net.graph))
    assert lift(migrate(net, optimizer, delta(lift(net)))[0]).equals(lift(net))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("graph_dtype", [np.float32, np.float64])
def test_lifting_before_a_rewrite_is_enough_whatever_the_dtypes(make_graph, batch_of, dtype, graph_dtype):
    graph = make_graph(6, dtype=graph_dtype)
    net = lower(graph, dtype=dtype)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    migrate(net, optimizer, delta(graph))
    net(batch_of(graph, dtype=dtype)).square().mean().backward()
    optimizer.step()
    migrate(net, optimizer, delta(lift(net)))
    with pytest.raises(CompileError, match="lift the network"):
        migrate(net, optimizer, delta(graph))


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_resuming_from_arrays_is_bit_identical(name):
    net = lower(small())
    optimizer = OPTIMIZERS[name](parameter_groups(net, weight_decay=0.01))
    train(net, optimizer)
    graph, arrays = lift(net), optimizer_state_arrays(optimizer)
    train(net, optimizer, seed=1)
    resumed = lower(graph)
    again = OPTIMIZERS[name](parameter_groups(resumed, weight_decay=0.01))
    load_optimizer_state(again, arrays)
    train(resumed, again, seed=1)
    assert lift(resumed).equals(lift(net))
    assert torch.equal(resumed.running, net.running)


def test_arrays_are_copies_under_flat_names():
    net = lower(small())
    optimizer = torch.optim.Adam(net.parameters())
    assert optimizer_state_arrays(optimizer) == {}
    train(net, optimizer, steps=1)
    arrays = optimizer_state_arrays(optimizer)
    assert set(arrays) == {f"{i}.{key}" for i in (0, 1) for key in ("step", "exp_avg", "exp_avg_sq")}
    before = arrays["0.exp_avg"].clone()
    train(net, optimizer, steps=1)
    assert torch.equal(arrays["0.exp_avg"], before)


@pytest.mark.parametrize("name", ["2.exp_avg", "exp_avg", "x.exp_avg", "0."])
def test_names_of_other_optimizers_are_refused(name):
    optimizer = torch.optim.Adam(lower(small()).parameters())
    with pytest.raises(TrainingError, match="does not fit"):
        load_optimizer_state(optimizer, {name: torch.zeros(())})


def test_state_of_another_network_is_refused():
    optimizer = torch.optim.Adam(lower(small()).parameters())
    with pytest.raises(TrainingError, match="belongs to another network"):
        load_optimizer_state(optimizer, {"0.exp_avg": torch.zeros(3)})


def test_state_that_is_no_tensor_is_refused():
    net = lower(small())
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    optimizer.state[net.weights]["history"] = [1]
    with pytest.raises(OptionError, match="history"):
        optimizer_state_arrays(optimizer)


# -- what a user put on a network ------------------------------------------------------------------------


def grown(net, optimizer=None):
    optimizer = optimizer or torch.optim.SGD([p for p in net.parameters() if p.requires_grad], lr=0.1)
    return migrate(net, optimizer, rewritten(lift(net)))


def test_hooks_of_the_module_and_of_its_vectors_go_along():
    net, seen = lower(small()), []
    net.register_forward_pre_hook(lambda module, args: seen.append(("before", module)))
    net.register_forward_hook(lambda module, args, kwargs, out: seen.append(("after", module)), with_kwargs=True)
    net.register_full_backward_hook(lambda module, given, taken: seen.append(("backward", module)))
    net.weights.register_hook(lambda g: seen.append(("gradient", None)))
    net.vertex_parameters.register_post_accumulate_grad_hook(lambda p: seen.append(("accumulated", p)))
    new, _ = grown(net)
    new(torch.ones(3, 4, requires_grad=True)).sum().backward()
    found = dict(seen)
    assert found.keys() == {"before", "after", "backward", "gradient", "accumulated"}
    assert found["before"] is found["after"] is found["backward"] is new
    assert found["accumulated"] is new.vertex_parameters


def test_a_hook_that_clips_gradients_still_does():
    net = lower(small())
    net.weights.register_hook(lambda g: g.clamp(-1e-3, 1e-3))
    new, _ = grown(net)
    new(torch.ones(3, 4)).square().sum().backward()
    assert new.weights.grad.abs().max() <= 1e-3


def test_hooks_of_a_vector_that_is_not_trained_at_present_go_along():
    net, seen = lower(small()), []
    net.vertex_parameters.register_hook(seen.append)
    net.vertex_parameters.requires_grad_(False)
    new, _ = grown(net)
    new.vertex_parameters.requires_grad_(True)
    new(torch.ones(3, 4)).sum().backward()
    assert len(seen) == 1


def test_attributes_buffers_parameters_and_modules_go_along():
    net = lower(small())
    net.note, net.config, net.own = "mine", {"a": 1}, net.edge_column
    net.register_buffer("scale", torch.ones(2), persistent=False)
    net.gain, net.head = torch.nn.Parameter(torch.ones(2)), torch.nn.Linear(3, 1)
    net.weights.tag = "decays"
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    new, carried = grown(net, optimizer)
    assert (new.note, new.config, new.weights.tag) == ("mine", {"a": 1}, "decays")
    assert new.config is not net.config
    assert new.own.__self__ is new
    assert (new.gain, new.head, new.scale) == (net.gain, net.head, net.scale)
    assert "scale" not in new.state_dict()
    assert {id(p) for g in carried.param_groups for p in g["params"]} == {id(p) for p in new.parameters()}


@pytest.mark.parametrize("frozen", ["weights", "vertex_parameters"])
def test_what_is_not_to_be_trained_stays_so_and_its_optimizer_may_lack_it(frozen):
    net = lower(small()).eval()
    getattr(net, frozen).requires_grad_(False)
    new, carried = grown(net)
    assert not getattr(new, frozen).requires_grad
    assert not new.training
    assert len(carried.param_groups[0]["params"]) == 1


def test_a_value_for_each_entry_that_was_put_on_a_network_is_refused():
    net = lower(small())
    net.register_buffer("average", net.weights.detach().clone())
    with pytest.raises(CompileError, match=r"'average'.*carry_values"):
        grown(net)
    average = net.average
    del net.average
    new, _ = grown(net)
    new.register_buffer("average", carry_values(average, net, new, rest=new.weights))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("how", ["parametrization", "pruning", "wrapper"])
def test_what_takes_the_place_of_a_vector_or_of_the_network_is_refused(how):
    net = lower(small())
    optimizer, result = torch.optim.SGD(net.parameters(), lr=0.1), rewritten(lift(net))
    if how == "parametrization":
        parametrize.register_parametrization(net, "weights", torch.nn.Identity())
    elif how == "pruning":
        prune.l1_unstructured(net, "weights", amount=0.5)
    else:
        net = torch.optim.swa_utils.AveragedModel(net)
    with pytest.raises(CompileError, match="wrap the new one again" if how == "wrapper" else "no parameter 'weights'"):
        migrate(net, optimizer, result)
