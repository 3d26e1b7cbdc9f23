"""Parameters of a module in its graph: weights, gradients and optimizer state, both ways."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import netgraph as ng
from compilers import lift, lower, migrate
from compilers.importing import from_module
from netgraph.errors import InputError, OptionError


def small_net():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(2, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4), nn.PReLU(4), nn.MaxPool2d(2),
        nn.Conv2d(4, 4, 3, groups=2), nn.GELU(), nn.Flatten(), nn.Linear(16, 3),
    ).double()  # fmt: skip


def batches(count):
    generator = torch.Generator().manual_seed(1)
    for _ in range(count):
        x = torch.randn(6, 2, 8, 8, generator=generator, dtype=torch.float64)
        yield x, torch.randint(0, 3, (6,), generator=generator)


def trained(module, optimizer, data):
    module.train()
    for x, y in data:
        optimizer.zero_grad()
        F.cross_entropy(module(x), y).backward()
        optimizer.step()
    return module


OPTIMIZERS = {
    "sgd": lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.9, nesterov=True),
    "adam": lambda p: torch.optim.Adam(p, lr=0.01, amsgrad=True),
    "adamw": lambda p: torch.optim.AdamW(p, lr=0.01, weight_decay=0.1),
    "adagrad": lambda p: torch.optim.Adagrad(p, lr=0.05),
    "rmsprop": lambda p: torch.optim.RMSprop(p, lr=0.01, momentum=0.5, centered=True),
}


@pytest.fixture
def imported():
    return from_module(small_net(), torch.randn(2, 2, 8, 8, dtype=torch.float64))


class TestValues:
    def test_all_parameters_have_a_place(self, imported):
        names = {name for name in small_net().state_dict() if "num_batches" not in name}
        assert set(imported.parameters.names) == names

    def test_the_state_of_the_graph_is_that_of_the_module(self, imported):
        state = imported.parameters.state(imported.graph)
        for name, value in small_net().state_dict().items():
            if "num_batches" not in name:
                assert torch.equal(state[name], value), name

    def test_a_state_goes_in_and_comes_out_bit_for_bit(self, imported):
        new = {name: torch.rand_like(value) for name, value in imported.parameters.state(imported.graph).items()}
        graph = imported.parameters.load(imported.graph, new)
        assert graph.same_topology(imported.graph)
        for name, value in imported.parameters.state(graph).items():
            assert torch.equal(value, new[name]), name

    def test_edges_that_are_gone_are_zero(self, imported):
        smaller = ng.apply(ng.rules.PruneEdges(below=0.1), imported.graph).graph
        state = imported.parameters.state(smaller)
        old = imported.parameters.state(imported.graph)
        gone = old["7.weight"].abs() < 0.1
        assert gone.any()
        assert (state["7.weight"][gone] == 0).all()
        assert torch.equal(state["7.weight"][~gone], old["7.weight"][~gone])

    def test_another_state_is_refused(self, imported):
        state = imported.parameters.state(imported.graph)
        with pytest.raises(InputError, match=r"has no '7\.bias'"):
            imported.parameters.load(imported.graph, {k: v for k, v in state.items() if k != "7.bias"})
        with pytest.raises(InputError, match=r"'7\.bias' has the shape \(4,\), expected \(3,\)"):
            imported.parameters.load(imported.graph, {**state, "7.bias": torch.zeros(4)})


class TestGradients:
    def test_they_are_those_of_the_module(self, imported):
        module, net = small_net().train(), lower(imported.graph, dtype=torch.float64).train()
        ((x, y),) = batches(1)
        for one in (module, net):
            F.cross_entropy(one(x), y).backward()
        found = imported.parameters.gradients(net)
        own = {name: p.grad for name, p in module.named_parameters()}
        assert found.keys() == own.keys()
        for name, gradient in own.items():
            torch.testing.assert_close(found[name], gradient, rtol=1e-9, atol=1e-12)

    def test_they_go_in_as_they_come_out(self, imported):
        net = lower(imported.graph, dtype=torch.float64)
        given = {name: torch.rand(imported.parameters.shape(name)).double() for name in imported.parameters.names}
        imported.parameters.load_gradients(net, given)
        for name, value in imported.parameters.gradients(net).items():
            assert torch.equal(value, given[name]), name


@pytest.mark.parametrize("name", OPTIMIZERS)
class TestOptimizers:
    def test_training_goes_on_in_the_network(self, imported, name):
        data = list(batches(5))
        module = small_net()
        optimizer = OPTIMIZERS[name](module.parameters())
        trained(module, optimizer, data[:2])
        graph = imported.parameters.load(imported.graph, module.state_dict())
        net = lower(graph, dtype=torch.float64)
        theirs = imported.parameters.optimizer_for(net, module, optimizer)
        trained(net, theirs, data[2:])
        trained(module, optimizer, data[2:])
        state = imported.parameters.state(lift(net))
        for key, value in state.items():
            torch.testing.assert_close(value, module.state_dict()[key], rtol=1e-9, atol=1e-11)

    def test_training_goes_on_in_the_module(self, imported, name):
        data = list(batches(5))
        net = lower(imported.graph, dtype=torch.float64)
        optimizer = OPTIMIZERS[name](net.parameters())
        trained(net, optimizer, data[:2])
        module = small_net()
        module.load_state_dict(imported.parameters.state(lift(net)), strict=False)
        back = imported.parameters.optimizer_back(module, net, optimizer)
        trained(module, back, data[2:])
        trained(net, optimizer, data[2:])
        for key, value in imported.parameters.state(lift(net)).items():
            torch.testing.assert_close(module.state_dict()[key], value, rtol=1e-9, atol=1e-11)


class TestGroups:
    @pytest.mark.parametrize("named", [False, True])
    def test_an_optimizer_of_the_module_takes_the_state_of_the_one_that_comes_back(self, imported, named):
        def made(module):
            parts = list(module.named_parameters()) if named else list(module.parameters())
            return torch.optim.AdamW(parts, lr=0.01)

        module = small_net()
        optimizer = made(module)
        trained(module, optimizer, batches(2))
        net = lower(imported.graph, dtype=torch.float64)
        theirs = imported.parameters.optimizer_for(net, module, optimizer)
        assert [len(group["params"]) for group in theirs.param_groups] == [2]
        names = dict(net.named_parameters())
        if named:
            assert [names[name] for name in theirs.param_groups[0]["param_names"]] == theirs.param_groups[0]["params"]
        back = imported.parameters.optimizer_back(module, net, theirs)
        new = made(module)
        new.load_state_dict(back.state_dict())
        for parameter, state in optimizer.state.items():
            for key, value in state.items():
                assert torch.equal(new.state[parameter][key], value), key

    def test_groups_of_equal_options_become_one(self, imported):
        module = small_net()
        groups = [{"params": [(name, p)]} for name, p in module.named_parameters()]
        theirs = imported.parameters.optimizer_for(
            lower(imported.graph, dtype=torch.float64), module, torch.optim.AdamW(groups)
        )
        assert [len(group["params"]) for group in theirs.param_groups] == [1, 1]

    def test_each_of_two_optimizers_has_its_vector(self, imported):
        module = small_net()
        weights = [p for p in module.parameters() if p.dim() > 1]
        others = [p for p in module.parameters() if p.dim() < 2]
        net = lower(imported.graph, dtype=torch.float64)
        for parameters, vector in ((weights, net.weights), (others, net.vertex_parameters)):
            optimizer = torch.optim.SGD(parameters, lr=0.1)
            theirs = imported.parameters.optimizer_for(net, module, optimizer)
            assert theirs.param_groups[0]["params"] == [vector]
            back = imported.parameters.optimizer_back(module, net, theirs)
            assert back.param_groups[0]["params"] == parameters

    def test_biases_that_growth_adds_are_trained(self):
        module = nn.Sequential(nn.Linear(4, 6, bias=False), nn.ReLU(), nn.Linear(6, 3, bias=False)).double()
        imported = from_module(module, torch.randn(2, 4).double())
        net = lower(imported.graph, dtype=torch.float64)
        optimizer = imported.parameters.optimizer_for(net, module, torch.optim.AdamW(module.parameters()))
        net, optimizer = migrate(net, optimizer, ng.apply(ng.rules.InsertLayer(), lift(net), limit=1))
        assert len(net.vertex_parameters)
        assert any(p is net.vertex_parameters for group in optimizer.param_groups for p in group["params"])


class TestRefusedOptimizers:
    def test_biases_of_which_some_are_not_trained(self, imported):
        module = small_net()
        optimizer = torch.optim.SGD([p for name, p in module.named_parameters() if name != "7.bias"], lr=0.2)
        with pytest.raises(OptionError, match=r"trains '1\.\w+' but not '7\.bias'.*give it all of them, or none"):
            imported.parameters.optimizer_for(lower(imported.graph), module, optimizer)

    def test_optimizers_that_train_nothing_of_the_network(self, imported):
        module, net = small_net(), lower(imported.graph)
        other = torch.optim.SGD(nn.Linear(2, 2).parameters(), lr=0.2)
        with pytest.raises(OptionError, match="trains no parameter of the module"):
            imported.parameters.optimizer_for(net, module, other)
        with pytest.raises(OptionError, match="trains no vector of the network"):
            imported.parameters.optimizer_back(module, net, other)

    def test_options_that_differ_in_one_vector(self, imported):
        module = small_net()
        groups = [{"params": module[0].parameters(), "lr": 0.1}, {"params": module[4].parameters()}]
        groups.append({"params": [*module[1].parameters(), *module[2].parameters(), *module[7].parameters()]})
        optimizer = torch.optim.SGD(groups, lr=0.2)
        with pytest.raises(OptionError, match=r"'0\.weight' has lr=0\.1 and '4\.weight' lr=0\.2"):
            imported.parameters.optimizer_for(lower(imported.graph), module, optimizer)

    def test_parameters_that_it_does_not_train(self, imported):
        module = small_net()
        optimizer = torch.optim.SGD(module[:6].parameters(), lr=0.2)
        with pytest.raises(OptionError, match=r"trains '0\.weight' but not '7\.weight'.*edges are frozen"):
            imported.parameters.optimizer_for(lower(imported.graph), module, optimizer)

    def test_numbers_of_steps_that_differ(self, imported):
        module = small_net()
        optimizer = torch.optim.Adam(module.parameters())
        trained(module, optimizer, batches(1))
        optimizer.state[module[7].weight]["step"] += 3
        net = lower(imported.graph, dtype=torch.float64)
        with pytest.raises(OptionError, match=r"step=1\.0 and '7\.weight' step=4\.0"):
            imported.parameters.optimizer_for(net, module, optimizer)

    def test_a_parameter_that_never_got_a_gradient(self, imported):
        module = small_net()
        optimizer = torch.optim.Adam(module.parameters())
        trained(module, optimizer, batches(1))
        del optimizer.state[module[7].weight]
        net = lower(imported.graph, dtype=torch.float64)
        with pytest.raises(OptionError, match=r"'7\.weight' never got a gradient"):
            imported.parameters.optimizer_for(net, module, optimizer)


def test_parameters_of_other_modules_stay_in_the_optimizer(imported):
    module, other = small_net(), nn.Linear(2, 2).double()
    optimizer = torch.optim.AdamW([*module.parameters(), *other.parameters()], lr=0.01)
    trained(module, optimizer, batches(1))
    net = lower(imported.graph, dtype=torch.float64)
    theirs = imported.parameters.optimizer_for(net, module, optimizer)
    held = {p for group in theirs.param_groups for p in group["params"]}
    assert held == {net.weights, net.vertex_parameters, *other.parameters()}


def test_a_map_holds_after_growth(imported):
    graph = imported.graph
    net = lower(graph, dtype=torch.float64)
    optimizer = torch.optim.AdamW(net.parameters(), lr=0.01)
    trained(net, optimizer, batches(1))
    result = ng.apply(ng.rules.WidenLayer(), lift(net), limit=1)
    net, optimizer = migrate(net, optimizer, result)
    trained(net, optimizer, batches(1))
    state = imported.parameters.state(lift(net))
    assert state.keys() == imported.parameters.state(graph).keys()
    assert all(bool(value.isfinite().all()) for value in state.values())
    assert not torch.equal(state["0.weight"], imported.parameters.state(graph)["0.weight"])
