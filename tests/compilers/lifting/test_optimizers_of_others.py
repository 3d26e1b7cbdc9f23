"""Optimizers of others across a rewrite, and what a user put on any: attributes, hooks and state of one's own."""

import copy
from collections import defaultdict

import pytest
import torch
from migrating import by_edge, gradients_of, grown, made, rewritten, small, step, train
from torch import optim

from compilers import lift, lower, migrate, register_state
from netgraph.errors import OptionError

LR = 0.01


class Lion(optim.Optimizer):
    """One state of the parameters' shape, no step count."""

    def __init__(self, params, lr=1e-4, betas=(0.9, 0.99)):
        super().__init__(params, {"lr": lr, "betas": betas})
        self.taken = 0

    @torch.no_grad()
    def step(self, closure=None):
        self.taken += 1
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is not None:
                    average = self.state[p].setdefault("exp_avg", torch.zeros_like(p))
                    p.add_(torch.sign(average.lerp(p.grad, 0.1)), alpha=-group["lr"])
                    average.lerp_(p.grad, 0.01)


class ScheduleFree(optim.Optimizer):
    """State that starts at the parameter, and a count in the group that the constructor does not take."""

    def __init__(self, params, lr=0.1, beta=0.9):
        super().__init__(params, {"lr": lr, "beta": beta, "k": 0})

    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            group["k"] += 1
            for p in group["params"]:
                if p.grad is not None:
                    z = self.state[p].setdefault("z", p.detach().clone())
                    p.lerp_(z, 1 / group["k"])
                    p.add_(p.grad, alpha=group["lr"] * (group["beta"] * (1 - 1 / group["k"]) - 1))
                    z.sub_(p.grad, alpha=group["lr"])


class Lookahead(optim.Optimizer):
    """Wraps another one, and shares its groups."""

    def __init__(self, inner):
        self.inner, self.count = inner, 0
        super().__init__(inner.param_groups, {})
        self.param_groups = inner.param_groups

    def step(self, closure=None):
        self.inner.step()
        self.count += 1


class Odd(optim.SGD):
    """SGD with a state of any kind."""

    def keep(self, parameter, value):
        self.state[parameter]["odd"] = value


class Inside(optim.AdamW):
    """Takes the step of AdamW inside of its own, so that hooks run twice."""

    def step(self, closure=None):
        return super().step(closure)


class Whole(optim.Optimizer):
    """Counts steps, and divides by the length of the whole vector's step, as Lamb does."""

    def __init__(self, params, lr=0.1):
        super().__init__(params, {"lr": lr})

    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            for p in group["params"]:
                state = self.state[p]
                if not state:
                    state["step"], state["mean"] = torch.zeros(()), torch.zeros_like(p)
                state["step"] += 1
                state["mean"].lerp_(p.grad, 0.1)
                move = state["mean"] / (1 - 0.9 ** state["step"])
                p.sub_(move / move.norm().clamp(min=1e-12), alpha=group["lr"])


@pytest.mark.parametrize(
    "make", [made(Lion), made(ScheduleFree), made(Inside, weight_decay=0.0)], ids=["Lion", "ScheduleFree", "Inside"]
)
def test_new_entries_of_optimizers_of_others_start_as_under_a_new_one(make):
    case = grown(make)
    just_made_net = copy.deepcopy(case.new)
    just_made = make(just_made_net.parameters())
    for seed in range(3):
        gradients = gradients_of(case.new, 100 + seed)
        moves = [step(case.new, case.carried, gradients), step(just_made_net, just_made, gradients)]
        for mask, mine, fresh in zip(case.masks, *moves, strict=True):
            assert mine[mask].any()
            torch.testing.assert_close(mine[mask], fresh[mask])


def test_new_entries_do_not_move_others_through_what_the_whole_vector_shares():
    case = grown(made(Whole))
    gradients = gradients_of(case.new, 100)
    for gradient, mask in zip(gradients, case.masks, strict=True):
        gradient[mask] *= 1e6
    moves = step(case.new, case.carried, gradients)
    for move, mask in zip(moves, case.masks, strict=True):
        assert float(move[~mask].norm()) == pytest.approx(LR, rel=1e-4)
        assert float(move[mask].norm()) == pytest.approx(LR, rel=1e-4)


def test_attributes_of_an_optimizer_go_along_and_what_they_share_stays_shared():
    net = lower(small())
    inner = optim.Adam(net.parameters(), lr=LR)
    optimizer = Lookahead(inner)
    optimizer.watched, optimizer.note = [net.weights, {net: 1}], "mine"
    train(net, optimizer)
    new, carried = migrate(net, optimizer, rewritten(lift(net)))
    assert (carried.count, carried.note) == (5, "mine")
    assert carried.watched[0] is new.weights
    assert list(carried.watched[1]) == [new]
    assert carried.param_groups is carried.inner.param_groups
    assert carried.inner is not inner
    assert carried.inner.state[new.weights]["step"] == 5
    before = new.weights.detach().clone()
    train(new, carried, steps=1)
    assert not torch.equal(new.weights, before)
    assert optimizer.watched[0] is net.weights


@pytest.mark.parametrize("value", [[1, 2], torch.zeros(2, 3), object()], ids=["list", "matrix", "object"])
def test_state_that_belongs_to_no_entry_is_refused_by_its_key_until_it_is_registered(value):
    class Own(Odd):
        pass

    net = lower(small())
    optimizer = Own(net.parameters(), lr=0.1)
    train(net, optimizer)
    optimizer.keep(net.weights, value)
    with pytest.raises(OptionError, match=r"Own keeps 'odd' as .*register_state\(Own, 'odd'"):
        migrate(net, optimizer, rewritten(lift(net)))
    register_state(Own, "odd", "shared")
    assert migrate(net, optimizer, rewritten(lift(net)))[1].state  # carried as it is
    register_state(Own, "odd", "forget")
    new, carried = migrate(net, optimizer, rewritten(lift(net)))
    assert "odd" not in carried.state[new.weights]
    register_state(Own, "odd", lambda found, moves: (found, moves.size))
    new, carried = migrate(net, optimizer, rewritten(lift(net)))
    assert carried.state[new.weights]["odd"][1] == len(new.weights)


def test_a_registered_number_is_where_new_entries_start():
    class Own(Odd):
        pass

    register_state(Own, "odd", 7.0)
    case = grown(made(Own, momentum=0.9), warm=1)
    case.optimizer.keep(case.old.weights, torch.arange(float(len(case.old.weights))))
    new, carried = migrate(case.old, case.optimizer, rewritten(lift(case.old)))
    before, after = (by_edge(n, o.state[n.weights]["odd"]) for n, o in ((case.old, case.optimizer), (new, carried)))
    assert {i: after[i] for i in before.keys() & after.keys()} == {i: before[i] for i in before.keys() & after.keys()}
    assert {after[i] for i in after.keys() - before.keys()} == {7.0}


def test_a_start_that_nobody_knows_is_asked_for():
    """The constructor's own step fails without what `train` sets."""
    net = lower(small())
    optimizer = Odd(net.parameters(), lr=0.1, momentum=0.9)
    train(net, optimizer)
    optimizer.keep(net.weights, torch.ones_like(net.weights))
    with pytest.raises(OptionError, match=r"no finite 'odd'.*register_state\(Odd, 'odd', 0.0\)"):
        migrate(net, optimizer, rewritten(lift(net)))


@pytest.mark.parametrize("how", ["entry", True, None, [1]])
def test_a_rule_that_is_none_is_refused(how):
    with pytest.raises(OptionError, match="how"):
        register_state(optim.SGD, "momentum_buffer", how)
    with pytest.raises(OptionError, match="no class of optimizers"):
        register_state(torch.nn.Linear, "momentum_buffer", 0.0)


# -- hooks and attributes --------------------------------------------------------------------------------


def test_hooks_of_an_optimizer_go_along_and_see_the_whole_step():
    net, seen = lower(small()), []
    optimizer = optim.NAdam(net.parameters(), lr=LR)
    optimizer.register_step_pre_hook(lambda *_: seen.append("before"))
    optimizer.register_step_post_hook(lambda o, *_: seen.append(o.param_groups[0]["params"][0].detach().clone()))
    optimizer.register_state_dict_post_hook(lambda *_: seen.append("saved"))
    train(net, optimizer)
    new, carried = migrate(net, optimizer, rewritten(lift(net)))
    seen.clear()
    train(new, carried, steps=1)
    assert seen[0] == "before"
    assert torch.equal(seen[1], new.weights)
    carried.state_dict()
    assert seen[2] == "saved"


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_hook_that_changes_gradients_before_the_step_changes_those_of_new_entries(when):
    net = lower(small())
    optimizer = optim.SGD(net.parameters(), lr=1.0, momentum=0.9, dampening=0.5)

    def clip(one, args, kwargs):
        for parameter in one.param_groups[0]["params"]:
            parameter.grad.clamp_(-1e-3, 1e-3)

    if when == "before":
        optimizer.register_step_pre_hook(clip)
    train(net, optimizer)
    new, carried = migrate(net, optimizer, rewritten(lift(net)))
    if when == "after":
        for state in carried.state.values():  # of larger gradients
            state["momentum_buffer"].zero_()
        carried.register_step_pre_hook(clip)
    moves = step(new, carried, [torch.ones_like(p) for p in new.parameters()])
    assert all(move.abs().max() <= 3e-3 for move in moves)


def test_a_scheduler_leaves_nothing_behind_and_a_step_that_was_replaced_is_refused():
    net = lower(small())
    optimizer = optim.SGD(net.parameters(), lr=0.1)
    optim.lr_scheduler.StepLR(optimizer, 1)
    new, carried = migrate(net, optimizer, rewritten(lift(net)))
    before = new.weights.detach().clone()
    train(new, carried, steps=1)
    assert not torch.equal(before, new.weights)
    optimizer.step = lambda closure=None: None
    with pytest.raises(OptionError, match=r"SGD.step was replaced on this one optimizer"):
        migrate(net, optimizer, rewritten(lift(net)))


def test_an_attribute_with_a_value_for_each_entry_is_refused():
    net = lower(small())
    optimizer = optim.SGD(net.parameters(), lr=0.1)
    optimizer.slow = {"weights": net.weights.detach().clone()}
    with pytest.raises(OptionError, match=r"attribute 'slow' of SGD.*carry_values"):
        migrate(net, optimizer, rewritten(lift(net)))


def test_state_of_no_parameter_goes_along():
    net = lower(small())
    optimizer = optim.SGD(net.parameters(), lr=0.1)
    optimizer.state["calls"] = 3
    assert isinstance(optimizer.state, defaultdict)
    _, carried = migrate(net, optimizer, rewritten(lift(net)))
    assert carried.state["calls"] == 3
    assert isinstance(carried.state, defaultdict)
