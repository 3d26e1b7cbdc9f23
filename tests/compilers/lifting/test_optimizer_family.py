"""Every optimizer of torch.optim across a rewrite: survivors go on, new entries start as under a new one."""

import copy
import inspect
from types import SimpleNamespace

import pytest
import torch
from migrating import by_edge, by_vertex, gradients_of, grown, made, rewritten, small, step, train
from torch import optim

from compilers import carry_optimizer, ease_in, lift, load_optimizer_state, lower, migrate, optimizer_state_arrays
from compilers.lifting.newcomers import BORN, OWN_STEPS
from netgraph.errors import CompileError, OptionError

LR = 0.01


FAMILY = {
    "Adam": made(optim.Adam),
    "Adam foreach amsgrad": made(optim.Adam, foreach=True, amsgrad=True),
    "Adam maximize tensor lr": lambda parameters: optim.Adam(parameters, lr=torch.tensor(LR), maximize=True),
    "AdamW fused": made(optim.AdamW, fused=True, weight_decay=0.0),
    "Adamax": made(optim.Adamax),
    "Adamax foreach": made(optim.Adamax, foreach=True),
    "NAdam": made(optim.NAdam),
    "NAdam decoupled": made(optim.NAdam, weight_decay=0.1, decoupled_weight_decay=True),
    "NAdam foreach maximize": made(optim.NAdam, foreach=True, maximize=True),
    "RAdam": made(optim.RAdam),
    "RAdam foreach": made(optim.RAdam, foreach=True, weight_decay=0.1),
    "ASGD": made(optim.ASGD),
    "ASGD that averages": made(optim.ASGD, t0=1, lambd=0.1),
    "Rprop": made(optim.Rprop),
    "Rprop foreach": made(optim.Rprop, foreach=True),
    "RMSprop": made(optim.RMSprop),
    "RMSprop centered momentum": made(optim.RMSprop, centered=True, momentum=0.9),
    "Adagrad": made(optim.Adagrad, initial_accumulator_value=0.5),
    "Adagrad decaying": made(optim.Adagrad, lr_decay=0.1),
    "Adagrad fused": made(optim.Adagrad, fused=True),
    "Adadelta": made(optim.Adadelta),
    "Adafactor": made(optim.Adafactor),
    "SGD": made(optim.SGD),
    "SGD momentum": made(optim.SGD, momentum=0.9),
    "SGD nesterov fused": made(optim.SGD, momentum=0.9, nesterov=True, fused=True),
    "SGD dampening": made(optim.SGD, momentum=0.9, dampening=0.9),
}
REFUSED = {"LBFGS"}
ELSEWHERE = {
    "Muon": "takes matrices, which the vectors of a network are not",
    "SparseAdam": "takes sparse gradients, which a network does not give",
}
TAKE_ALL = ("Adafactor",)
"""Optimizers that divide by something of the whole vector: survivors are not apart from new entries."""

WIDE_START = ("RMSprop",)
"""New entries are eased to the steps that RMSprop takes later on, below its own first ones."""


def test_no_optimizer_of_torch_is_left_out():
    known = {name.split()[0] for name in FAMILY} | REFUSED | ELSEWHERE.keys() | {"Optimizer"}
    assert {n for n, c in vars(optim).items() if inspect.isclass(c) and issubclass(c, optim.Optimizer)} == known


@pytest.mark.parametrize("name", FAMILY)
def test_first_steps_of_new_entries_are_those_under_an_optimizer_just_made(name):
    case = grown(FAMILY[name])
    just_made_net = copy.deepcopy(case.new)
    just_made = FAMILY[name](just_made_net.parameters())
    for seed in range(5):
        gradients = gradients_of(case.new, 100 + seed)
        moves = [step(case.new, case.carried, gradients), step(just_made_net, just_made, gradients)]
        for mask, mine, fresh in zip(case.masks, *moves, strict=True):
            a, b = mine[mask].abs(), fresh[mask].abs()
            assert a.max() > 0
            if name.startswith(WIDE_START):
                assert (a <= b).all()
                assert a.max() > 0.09 * b.max()
            elif name.startswith(TAKE_ALL):
                assert 0.3 < a.max() / b.max() < 2
            else:
                torch.testing.assert_close(mine[mask], fresh[mask], rtol=2e-3, atol=1e-8)


@pytest.mark.parametrize("name", [name for name in FAMILY if not name.startswith(TAKE_ALL)])
def test_survivors_move_to_the_last_bit_as_without_the_rewrite(name):
    case = grown(FAMILY[name])
    for seed in range(3):
        gradients = gradients_of(case.new, 100 + seed)
        theirs = [torch.zeros_like(p).detach() for p in case.old.parameters()]
        edges, vertices = (dict(view(case.new, g)) for view, g in zip((by_edge, by_vertex), gradients, strict=True))
        kept = [edges.get(int(i), 0.0) for i in case.old.graph.edges.id]
        theirs[0][torch.from_numpy(case.old.plan.edge_slots).long()] = torch.tensor(kept)
        for column, where in case.old.plan.vertex_slots.items():
            for row, slot in zip(where.rows, where.slots, strict=True) if where.trained else ():
                theirs[1][slot] = vertices.get((int(case.old.graph.vertices.id[row]), column), 0.0)
        step(case.new, case.carried, gradients)
        step(case.old, case.optimizer, theirs)
    for view, mine, other in (
        (by_edge, case.new.weights, case.old.weights),
        (by_vertex, case.new.vertex_parameters, case.old.vertex_parameters),
    ):
        after, before = view(case.new, mine), view(case.old, other)
        shared = after.keys() & before.keys()
        assert len(shared) > 5
        assert {i: after[i] for i in shared} == {i: before[i] for i in shared}


@pytest.mark.parametrize("name", ["NAdam", "RAdam foreach", "ASGD that averages", "Adafactor", "SGD dampening"])
def test_migrating_again_and_resuming_while_entries_are_new_change_no_later_step(name):
    outcomes = []
    for way in ("straight on", "migrated", "resumed"):
        case = grown(FAMILY[name], warm=3)
        net, optimizer = case.new, case.carried
        for seed in range(2):
            step(net, optimizer, gradients_of(net, seed))
        if way == "migrated":
            graph = lift(net)
            same = SimpleNamespace(graph=graph, delta=SimpleNamespace(before=graph))
            net, optimizer = migrate(net, optimizer, same)
        elif way == "resumed":
            arrays, again = optimizer_state_arrays(optimizer), copy.deepcopy(net)
            net, optimizer = again, FAMILY[name](again.parameters())
            load_optimizer_state(optimizer, arrays)
        for seed in range(OWN_STEPS):
            step(net, optimizer, gradients_of(net, 50 + seed))
        assert not any(key.startswith(BORN) for state in optimizer.state.values() for key in state)
        assert not optimizer._optimizer_step_pre_hooks
        outcomes.append([p.detach().clone() for p in net.parameters()])
    for other in outcomes[1:]:
        assert all(torch.equal(a, b) for a, b in zip(outcomes[0], other, strict=True))


@pytest.mark.parametrize("name", ["Adam", "NAdam", "Adafactor"])
@pytest.mark.parametrize("times", [1, 2])
def test_easing_in_makes_the_hooks_of_a_copy_again_once(name, times):
    case = grown(FAMILY[name])
    net, optimizer = copy.deepcopy((case.new, case.carried))
    for _ in range(times):
        ease_in(optimizer)
    for seed in range(3):
        gradients = gradients_of(net, 100 + seed)
        mine, theirs = step(net, optimizer, gradients), step(case.new, case.carried, gradients)
        assert all(torch.equal(a, b) for a, b in zip(mine, theirs, strict=True))


@pytest.mark.parametrize("name", ["Adam", "NAdam"])
def test_state_that_is_cleared_or_loaded_while_entries_are_new_ends_their_easing(name):
    case = grown(FAMILY[name])
    case.carried.state.clear()
    step(case.new, case.carried, gradients_of(case.new, 100))
    assert not case.carried._optimizer_step_post_hooks
    case = grown(FAMILY[name])
    other = FAMILY[name](copy.deepcopy(case.new).parameters())
    case.carried.load_state_dict(other.state_dict())
    step(case.new, case.carried, gradients_of(case.new, 100))
    assert not case.carried._optimizer_step_post_hooks


def test_a_closure_is_stepped_with_as_well():
    """The gradients that count are those that the closure makes, not those from before."""
    outcomes = []
    for closed in (False, True):
        case = grown(FAMILY["NAdam"])
        for seed in range(3):
            gradients = gradients_of(case.new, 100 + seed)
            if not closed:
                step(case.new, case.carried, gradients)
                continue

            def closure(net=case.new, gradients=gradients):
                for parameter, gradient in zip(net.parameters(), gradients, strict=True):
                    parameter.grad = gradient.clone()
                return torch.zeros(())

            case.carried.step(closure)
        outcomes.append([p.detach().clone() for p in case.new.parameters()])
    assert all(torch.equal(a, b) for a, b in zip(*outcomes, strict=True))


def test_the_learning_rate_of_the_group_is_that_of_new_entries():
    case = grown(FAMILY["RAdam"])
    for group in case.carried.param_groups:
        group["lr"] = 0.0
    assert not any(move.any() for move in step(case.new, case.carried, gradients_of(case.new, 1)))


def test_history_by_place_is_refused_and_nothing_changes():
    net = lower(small())
    optimizer = optim.LBFGS(net.parameters(), lr=0.1)

    def closure():
        optimizer.zero_grad()
        loss = net(torch.ones(3, 4)).square().mean()
        loss.backward()
        return loss

    optimizer.step(closure)
    with pytest.raises(OptionError, match=r"LBFGS keeps '\w+'.*optimizer.state.clear\(\)"):
        migrate(net, optimizer, rewritten(lift(net)))
    optimizer.step(closure)
    optimizer.state.clear()
    net, optimizer = migrate(net, optimizer, rewritten(lift(net)))
    before = net.weights.detach().clone()
    optimizer.step(closure)
    assert not torch.equal(net.weights, before)


@pytest.mark.parametrize("when", ["stale", "of nothing here"])
def test_an_optimizer_that_holds_no_parameter_of_the_network_is_refused(when):
    net = lower(small())
    optimizer = optim.Adam(net.parameters())
    if when == "stale":
        net, _ = migrate(net, optimizer, rewritten(lift(net)))
        result = SimpleNamespace(graph=lift(net), delta=SimpleNamespace(before=lift(net)))
    else:
        optimizer, result = optim.Adam(torch.nn.Linear(2, 2).parameters()), rewritten(lift(net))
    with pytest.raises(OptionError, match="holds no parameter of the network"):
        migrate(net, optimizer, result)


@pytest.mark.parametrize("given", [None, "list", "scheduler"])
def test_what_is_no_optimizer_and_no_result_is_refused(given):
    net = lower(small())
    optimizer = optim.SGD(net.parameters(), lr=0.1)
    wrong = {"list": [optimizer], "scheduler": optim.lr_scheduler.StepLR(optimizer, 1)}.get(given)
    with pytest.raises(OptionError, match="give one torch"):
        migrate(net, wrong, rewritten(lift(net)))
    with pytest.raises(CompileError, match="result is Graph; give what apply returned"):
        migrate(net, optimizer, lift(net))


def test_two_optimizers_of_one_network_are_carried_one_with_migrate_and_one_beside_it():
    net = lower(small())
    first, second = optim.SGD([net.weights], lr=0.1, momentum=0.9), optim.NAdam([net.vertex_parameters])
    for optimizer in (first, second):
        train(net, optimizer)
    new, carried = migrate(net, first, rewritten(lift(net)))
    beside = carry_optimizer(second, net, new)
    assert carried.param_groups[0]["params"] == [new.weights]
    assert beside.param_groups[0]["params"] == [new.vertex_parameters]
    assert beside.state[new.vertex_parameters]["step"] == 5
