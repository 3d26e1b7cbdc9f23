"""Carrying optimizers across rewrites: survivors keep their state, new entries do not jump."""

import gc
import weakref
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from migrating import OPTIMIZERS, by_edge, by_vertex, rewritten, small, train

import netgraph as ng
from compilers import lift, load_optimizer_state, lower, migrate, optimizer_state_arrays, parameter_groups
from compilers.lifting.newcomers import BORN, OWN_STEPS
from netgraph.errors import OptionError, TrainingError
from netgraph.graph import Graph, GraphBuilder, Link
from netgraph.graph.kinds import Dense
from netgraph.graph.link import edge_columns

ADAMS = {
    "adam": lambda parameters: torch.optim.Adam(parameters, lr=1e-3),
    "adam fused": lambda parameters: torch.optim.Adam(parameters, lr=1e-3, fused=True),
    "adamw": lambda parameters: torch.optim.AdamW(parameters, lr=1e-3, weight_decay=0.0),
    "adamw amsgrad": lambda parameters: torch.optim.AdamW(parameters, lr=1e-3, weight_decay=0.0, amsgrad=True),
    "slow averages": lambda parameters: torch.optim.Adam(parameters, lr=1e-3, betas=(0.98, 0.9999)),
}
RMSPROP = {"rmsprop": lambda parameters: torch.optim.RMSprop(parameters, lr=1e-3)}


def frozen_in_part(graph):
    links = [
        Link(link.source, link.target, link.kind, **{**link.columns, "frozen": np.arange(len(link)) % 3 == 0})
        for link in graph.links
    ]
    return Graph(graph.layers.values(), links, lineage=graph.lineage)


def same(graph):
    """A rewrite that changes nothing."""
    return SimpleNamespace(graph=graph, delta=SimpleNamespace(before=graph))


def fresh_slots(old, new):
    """Masks of the entries of both vectors that the old network has not."""
    edges = torch.zeros(len(new.weights), dtype=torch.bool)
    edges[torch.from_numpy(new.plan.edge_slots)] = torch.from_numpy(old.graph.edges.find(new.graph.edges.id) < 0)
    vertices = torch.zeros(len(new.vertex_parameters), dtype=torch.bool)
    for where in new.plan.vertex_slots.values():
        if where.trained:
            ids = new.graph.vertices.id[where.rows]
            vertices[torch.from_numpy(where.slots)] = torch.from_numpy(old.graph.vertices.find(ids) < 0)
    return edges, vertices


def step_with(optimizer, parameters, gradients):
    """One step; how far each vector moved."""
    before = [p.detach().clone() for p in parameters]
    for parameter, gradient in zip(parameters, gradients, strict=True):
        parameter.grad = gradient.clone()
    optimizer.step()
    return [p.detach() - b for p, b in zip(parameters, before, strict=True)]


def constant(net):
    """The same gradient at every entry; pads never have one."""
    edges = torch.zeros_like(net.weights)
    edges[torch.from_numpy(net.plan.edge_slots)] = 0.01
    return [edges.detach(), torch.full_like(net.vertex_parameters, 0.01).detach()]


def after_growth(make, *, steps=20_000, dtype=torch.float64, **options):
    """A network and its optimizer after a rewrite at a large step count."""
    net = lower(small(), dtype=dtype)
    optimizer = make(net.parameters())
    for _ in range(3):
        step_with(optimizer, list(net.parameters()), constant(net))
    for state in optimizer.state.values():
        state["step"].fill_(steps)
    return net, *migrate(net, optimizer, rewritten(lift(net)), **options)


def with_shared_steps(optimizer):
    """The twin that has the same state but no step counts of new entries."""
    twin = type(optimizer)([dict(group) for group in optimizer.param_groups])
    for parameter, state in optimizer.state.items():
        twin.state[parameter] = {k: v.clone() for k, v in state.items() if k != BORN}
    return twin


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("frozen", [False, True])
@pytest.mark.parametrize("two_groups", [False, True])
def test_state_is_carried_by_id(name, two_groups, frozen):
    net = lower(frozen_in_part(small()) if frozen else small())
    groups = parameter_groups(net, weight_decay=0.1) if two_groups else net.parameters()
    optimizer = OPTIMIZERS[name](groups)
    train(net, optimizer)
    result = rewritten(lift(net))
    new, carried = migrate(net, optimizer, result)
    assert type(carried) is type(optimizer)
    assert lift(new).equals(result.graph)
    for mine, theirs in zip(optimizer.param_groups, carried.param_groups, strict=True):
        assert {k: v for k, v in mine.items() if k != "params"} == {k: v for k, v in theirs.items() if k != "params"}
    for view, old_vector, new_vector in (
        (by_edge, net.weights, new.weights),
        (by_vertex, net.vertex_parameters, new.vertex_parameters),
    ):
        for key, value in optimizer.state[old_vector].items():
            moved = carried.state[new_vector][key]
            if not isinstance(value, torch.Tensor) or not value.dim():
                assert moved == value
                continue
            before, after = view(net, value), view(new, moved)
            shared = before.keys() & after.keys()
            assert 0 < len(shared) < len(after)
            assert all(after[i] == before[i] for i in shared)
            assert not any(after[i] for i in after.keys() - before.keys())
    pads = np.setdiff1d(np.arange(len(new.weights)), new.plan.edge_slots)
    for key, value in carried.state[new.weights].items():
        if isinstance(value, torch.Tensor) and value.dim():
            assert (value[pads] == (-1 if key == BORN else 0)).all()
    train(new, carried)


def test_ids_far_apart_are_found_as_well(monkeypatch):
    monkeypatch.setattr("netgraph.columns.IDS_PER_ROW", 0)
    test_state_is_carried_by_id("adam", False, False)


def test_migrating_an_unchanged_graph_changes_no_later_step():
    outcomes = []
    for through_migration in (False, True):
        net = lower(small())
        optimizer = torch.optim.Adam(net.parameters(), lr=1e-2)
        train(net, optimizer)
        if through_migration:
            graph = lift(net)
            net, optimizer = migrate(net, optimizer, SimpleNamespace(graph=graph, delta=SimpleNamespace(before=graph)))
        train(net, optimizer, seed=1)
        outcomes.append(lift(net))
    assert outcomes[0].equals(outcomes[1])


@pytest.mark.parametrize("name", ["adam", "adamw amsgrad", "rmsprop"])
def test_migrating_and_resuming_while_entries_are_new_change_no_later_step(name):
    outcomes = []
    for way in ("straight on", "migrated", "resumed"):
        net = lower(small())
        optimizer = OPTIMIZERS[name](net.parameters())
        train(net, optimizer)
        net, optimizer = migrate(net, optimizer, rewritten(lift(net)))
        train(net, optimizer, seed=1)
        if way == "migrated":
            net, optimizer = migrate(net, optimizer, same(lift(net)))
        elif way == "resumed":
            arrays, net = optimizer_state_arrays(optimizer), lower(lift(net))
            optimizer = OPTIMIZERS[name](net.parameters())
            load_optimizer_state(optimizer, arrays)
        train(net, optimizer, seed=2, steps=OWN_STEPS)
        outcomes.append(lift(net))
    assert outcomes[0].equals(outcomes[1])
    assert outcomes[0].equals(outcomes[2])


def test_marks_of_new_entries_that_no_run_leaves_are_refused_and_nothing_changes():
    net = lower(ng.mlp([40, 40, 2]))
    optimizer = OPTIMIZERS["adam"](net.parameters())
    averages = {f"0.{key}": torch.zeros_like(net.weights) for key in ("exp_avg", "exp_avg_sq")}
    stepped = {"0.step": torch.tensor(3.0), **averages}
    size = net.weights.numel()
    for born in (torch.arange(size), torch.full((size,), 0.5), torch.full((size,), -2.0), torch.tensor(1.0)):
        with pytest.raises(TrainingError, match=r"marks of new entries|has shape"):
            load_optimizer_state(optimizer, {**stepped, f"0.{BORN}": born.float()})
        assert not optimizer.state
    load_optimizer_state(optimizer, {**stepped, f"0.{BORN}": torch.full((size,), -1.0)})


@pytest.mark.parametrize("name", ADAMS)
def test_new_entries_move_as_with_an_optimizer_just_made(name):
    old, new, carried = after_growth(ADAMS[name])
    mine = list(new.parameters())
    theirs = [torch.nn.Parameter(p.detach().clone()) for p in mine]
    just_made = ADAMS[name](theirs)
    masks = fresh_slots(old, new)
    assert all(mask.any() and not mask.all() for mask in masks)
    generator = torch.Generator().manual_seed(0)
    for _ in range(OWN_STEPS):
        gradients = [torch.randn(p.shape, generator=generator, dtype=p.dtype) for p in mine]
        moves = [step_with(carried, mine, gradients), step_with(just_made, theirs, gradients)]
        for mask, a, b in zip(masks, *moves, strict=True):
            torch.testing.assert_close(a[mask], b[mask], rtol=1e-4, atol=0)  # eps


@pytest.mark.parametrize("name", [*ADAMS, *RMSPROP])
def test_survivors_move_as_if_nothing_was_new(name):
    old, new, carried = after_growth({**ADAMS, **RMSPROP}[name], dtype=torch.float32)
    twin_net, twin = migrate(new, carried, same(lift(new)))
    twin = with_shared_steps(twin)
    masks = fresh_slots(old, new)
    for _ in range(OWN_STEPS + 2):
        step_with(carried, list(new.parameters()), constant(new))
        step_with(twin, list(twin_net.parameters()), constant(new))
    for mask, a, b in zip(masks, new.parameters(), twin_net.parameters(), strict=True):
        assert torch.equal(a[~mask], b[~mask])
        assert not torch.equal(a[mask], b[mask])


@pytest.mark.parametrize("name", [*ADAMS, *RMSPROP])
@pytest.mark.parametrize("shared", [False, True])
def test_new_entries_do_not_jump(name, shared):
    old, new, carried = after_growth({**ADAMS, **RMSPROP}[name], newcomers="zero" if shared else "eased")
    masks, largest = fresh_slots(old, new), 0.0
    for _ in range(2 * OWN_STEPS):
        moves = step_with(carried, list(new.parameters()), constant(new))
        largest = max(largest, *(float(move[mask].abs().max()) for move, mask in zip(moves, masks, strict=True)))
    # A gradient that stays the same moves an entry by the learning rate at every step, whenever the entry came.
    assert (largest > 6e-3) if shared else (largest == pytest.approx(1e-3, rel=1e-4))


@pytest.mark.parametrize("name", [*ADAMS, *RMSPROP])
def test_new_entries_that_share_the_step_count_start_with_moments_0_and_no_hooks(name):
    old, new, carried = after_growth({**ADAMS, **RMSPROP}[name], newcomers="zero")
    for parameter, mask in zip(new.parameters(), fresh_slots(old, new), strict=True):
        state = carried.state[parameter]
        assert BORN not in state
        assert float(state["step"]) == 20_000
        assert not any(v[mask].any() for v in state.values() if v.shape == mask.shape)
    assert not carried._optimizer_step_pre_hooks
    assert not carried._optimizer_step_post_hooks


def test_earlier_newcomers_stay_eased_beside_later_ones_that_are_not():
    net, new, carried = after_growth(ADAMS["adam fused"])
    later, carried = migrate(new, carried, rewritten_again(lift(new)), newcomers="zero")
    born = carried.state[later.weights][BORN]
    earlier = fresh_slots(net, later)[0] & ~fresh_slots(new, later)[0]
    assert torch.equal(born >= 0, earlier)
    assert earlier.any()


def test_another_start_of_new_entries_is_refused():
    net = lower(small())
    with pytest.raises(OptionError, match="newcomers='mean' is none of 'eased', 'zero'"):
        migrate(net, torch.optim.Adam(net.parameters()), same(lift(net)), newcomers="mean")


@pytest.mark.parametrize("between", [0, 1, 7])
def test_entries_of_several_rewrites_count_from_their_own(between):
    net, new, carried = after_growth(ADAMS["adam fused"])
    for _ in range(between):
        step_with(carried, list(new.parameters()), constant(new))
    later, carried = migrate(new, carried, rewritten_again(lift(new)))
    assert len(later.weights) > len(new.weights)
    masks = fresh_slots(net, later)
    for _ in range(OWN_STEPS + between):
        moves = step_with(carried, list(later.parameters()), constant(later))
        assert all(float(m[k].abs().max()) <= 1.0001e-3 for m, k in zip(moves, masks, strict=True))
    assert not any(BORN in state for state in carried.state.values())


def rewritten_again(graph):
    """Join all of x to the layer that the first rewrite made, anew."""
    h, new = graph.layers["h"], graph.layers["new"]
    n, m, first = len(h), len(new), graph.next_ids.edge
    columns = edge_columns(
        id=np.arange(first, first + n * m), src=np.tile(np.arange(n), m), dst=np.repeat(np.arange(m), n),
        weight=np.full(n * m, 0.1, np.float32),
    )  # fmt: skip
    link = Link(h.id, new.id, Dense(), **columns)
    return SimpleNamespace(
        graph=Graph(graph.layers.values(), [*graph.links, link], lineage=graph.lineage),
        delta=SimpleNamespace(before=graph),
    )


def test_what_is_new_is_forgotten_when_it_is_no_longer():
    _, new, carried = after_growth(ADAMS["adam"])
    for _ in range(OWN_STEPS):
        assert all((state[BORN] >= 0).any() for state in carried.state.values())
        step_with(carried, list(new.parameters()), constant(new))
    assert not any(BORN in state for state in carried.state.values())
    assert not carried._optimizer_step_pre_hooks
    assert not carried._optimizer_step_post_hooks


def test_steps_without_gradient_do_not_count():
    old, new, carried = after_growth(ADAMS["adam"])
    before = [p.detach().clone() for p in new.parameters()]
    carried.zero_grad()
    carried.step()
    assert all(torch.equal(p, b) for p, b in zip(new.parameters(), before, strict=True))
    moves = step_with(carried, list(new.parameters()), constant(new))
    for move, mask in zip(moves, fresh_slots(old, new), strict=True):
        assert float(move[mask].abs().max()) == pytest.approx(1e-3, rel=1e-4)


def test_sgd_needs_no_step_counts():
    net = lower(small())
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    train(net, optimizer)
    new, carried = migrate(net, optimizer, rewritten(lift(net)))
    assert set(carried.state[new.weights]) == {"momentum_buffer"}
    assert not carried._optimizer_step_pre_hooks


def test_many_migrations_do_not_grow_memory():
    b = GraphBuilder()
    b.input("x", 1)
    b.output("y", 1)
    b.dense("x", "y")
    first = net = lower(b.build())
    optimizer = torch.optim.Adam(net.parameters())
    train(net, optimizer, width=1, steps=1)
    optimizer.state[net.weights][BORN] = torch.zeros(1)  # new for ever: the hooks are made each time
    gone, counts = [weakref.ref(net), weakref.ref(optimizer)], []
    graph = lift(net)
    for k in range(1000):
        net, optimizer = migrate(net, optimizer, same(graph))
        if k in (10, 999):
            gc.collect()
            counts.append(sum(issubclass(type(thing), torch.Tensor) for thing in gc.get_objects()))
    assert counts[0] == counts[1]
    del first
    assert all(reference() is None for reference in gone)


def test_a_graph_without_edges_is_migrated_to_one_with_edges():
    b = GraphBuilder()
    b.input("x", 2)
    b.output("y", 2)
    before = b.build()
    b.dense("x", "y")
    net = lower(before)
    optimizer = torch.optim.Adam(net.parameters())
    train(net, optimizer, width=2)
    after = SimpleNamespace(graph=b.build(), delta=SimpleNamespace(before=before))
    new, carried = migrate(net, optimizer, after)
    assert new.graph.num_edges == 4
    assert not carried.state[new.weights]["exp_avg"].any()
    train(new, carried, width=2)


def test_decay_is_for_weights_only():
    net = lower(small())
    weights, vertices = parameter_groups(net, weight_decay=0.1)
    assert weights["params"] == [net.weights]
    assert (weights["weight_decay"], vertices["weight_decay"]) == (0.1, 0.0)
    with pytest.raises(OptionError, match="negative"):
        parameter_groups(net, weight_decay=-1)


def test_only_weights_shrink_without_a_gradient():
    net = lower(small())
    optimizer = torch.optim.AdamW(parameter_groups(net, weight_decay=0.1), lr=0.1)
    before = [p.detach().clone() for p in net.parameters()]
    step_with(optimizer, list(net.parameters()), [torch.zeros_like(p) for p in net.parameters()])
    torch.testing.assert_close(net.weights.detach(), before[0] * (1 - 0.01))
    assert torch.equal(net.vertex_parameters, before[1])
