"""Carrying networks and optimizers across rewrites, and their state as arrays."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from compilers import lift, load_optimizer_state, lower, migrate, optimizer_state_arrays, parameter_groups
from netgraph.errors import CompileError, OptionError, TrainingError
from netgraph.graph import Graph, GraphBuilder, Layer, Link, mlp
from netgraph.graph.link import Dense, edge_columns

OPTIMIZERS = {
    "adam": lambda groups: torch.optim.Adam(groups, lr=1e-2, amsgrad=True),
    "adamw": lambda groups: torch.optim.AdamW(groups, lr=1e-2),
    "adamw fused": lambda groups: torch.optim.AdamW(groups, lr=1e-2, fused=True),
    "sgd": lambda groups: torch.optim.SGD(groups, lr=1e-2, momentum=0.9, nesterov=True),
    "rmsprop": lambda groups: torch.optim.RMSprop(groups, lr=1e-2),
}


def small() -> Graph:
    b = GraphBuilder(seed=1)
    b.input("x", 4)
    b.layer("h", 5, activation="prelu", norm="batch")
    b.output("y", 3)
    b.dense("x", "h", density=0.7)
    b.dense("h", "y")
    b.dense("x", "y", density=0.5)
    return b.build()


def rewritten(graph: Graph) -> SimpleNamespace:
    """By hand: one vertex of h goes and two come (first and last), edges with them, and a new layer is inserted."""
    h = graph.layers["h"]
    rows = np.array([0, 2, 3, 4])  # row 1 goes
    first, layer_id, edge = graph.next_ids.vertex, graph.next_ids.layer, graph.next_ids.edge
    values = {k: np.concatenate([[1.0], v[rows], [1.0]]).astype(np.float32) for k, v in h.values.items()}
    ids = np.concatenate([[first], h.vertex_ids[rows], [first + 1]])
    wider = Layer(h.id, "h", ids, np.zeros(6), values, activation="prelu", norm="batch")
    zeros = np.zeros(2, np.float32)
    extra = Layer(layer_id, "new", [first + 2, first + 3], zeros, {"bias": zeros}, activation="relu")
    links = []
    new_row = np.full(5, -1)
    new_row[rows] = np.arange(1, 5)
    for link in graph.links:
        columns = {k: v.copy() for k, v in link.columns.items()}
        column = "dst" if link.target == h.id else "src" if link.source == h.id else None
        if column:
            columns[column] = new_row[columns[column]]
            columns = {k: v[columns[column] >= 0] for k, v in columns.items()}
        if column == "dst":
            added = edge_columns(
                id=np.arange(edge, edge + 8), src=np.tile(np.arange(4), 2), dst=np.repeat([0, 5], 4),
                weight=np.full(8, 0.3, np.float32),
            )  # fmt: skip
            columns = {k: np.concatenate([v, added[k]]).astype(v.dtype) for k, v in columns.items()}
            edge += 8
        links.append(Link.sorted(link.source, link.target, link.kind, columns))
    for source, target, n, m in ((graph.layers["x"].id, layer_id, 4, 2), (layer_id, graph.layers["y"].id, 2, 3)):
        columns = edge_columns(
            id=np.arange(edge, edge + n * m), src=np.tile(np.arange(n), m), dst=np.repeat(np.arange(m), n),
            weight=np.full(n * m, 0.2, np.float32),
        )  # fmt: skip
        links.append(Link(source, target, Dense(), **columns))
        edge += n * m
    layers = [wider if layer.name == "h" else layer for layer in graph.layers.values()]
    new = Graph([*layers, extra], links, lineage=graph.lineage)
    return SimpleNamespace(graph=new, delta=SimpleNamespace(before=graph))


def train(net, optimizer, steps=5, seed=0, width=4):
    generator = torch.Generator().manual_seed(seed)
    for _ in range(steps):
        x = torch.randn(16, width, generator=generator)
        optimizer.zero_grad()
        net(x).square().mean().backward()
        optimizer.step()


def by_edge(net, vector):
    column = net.edge_column(vector)
    return dict(zip(net.graph.edges.id.tolist(), column.tolist(), strict=True))


def by_vertex(net, vector):
    flat = vector.detach().numpy()
    return {
        (int(net.graph.vertices.id[row]), name): float(flat[slot])
        for name, where in net.plan.vertex_slots.items()
        if where.trained
        for row, slot in zip(where.rows, where.slots, strict=True)
    }


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("two_groups", [False, True])
def test_state_is_carried_by_id(name, two_groups):
    net = lower(small())
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
            fresh = [after[i] for i in after.keys() - before.keys()]
            assert all(v > 0 for v in fresh) if key.endswith("_sq") or key == "square_avg" else not any(fresh)
    pads = np.setdiff1d(np.arange(len(new.weights)), new.plan.edge_slots)
    for value in carried.state[new.weights].values():
        if isinstance(value, torch.Tensor) and value.dim():
            assert not value[pads].any()
    train(new, carried)


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


@pytest.mark.parametrize("amsgrad", [False, True])
def test_new_entries_do_not_jump(amsgrad):
    net = lower(small())
    lr = 1e-3
    optimizer = torch.optim.Adam(net.parameters(), lr=lr, amsgrad=amsgrad)
    sign = torch.where(torch.rand(len(net.weights)) < 0.5, -1.0, 1.0)
    for _ in range(200):
        net.weights.grad = sign * 0.01
        net.vertex_parameters.grad = torch.full_like(net.vertex_parameters, 0.01)
        optimizer.step()
    new, carried = migrate(net, optimizer, rewritten(lift(net)))
    largest = 0.0
    edges = torch.zeros_like(new.weights)
    edges[torch.from_numpy(new.plan.edge_slots)] = 0.01  # pads never have a gradient
    for _ in range(20):
        before = [p.detach().clone() for p in new.parameters()]
        new.weights.grad, new.vertex_parameters.grad = edges, torch.full_like(new.vertex_parameters, 0.01)
        carried.step()
        largest = max(
            largest, *((p.detach() - b).abs().max().item() for p, b in zip(new.parameters(), before, strict=True))
        )
    assert largest <= 1.5 * lr


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


def test_decay_is_for_weights_only():
    net = lower(small())
    weights, vertices = parameter_groups(net, weight_decay=0.1)
    assert weights["params"] == [net.weights]
    assert (weights["weight_decay"], vertices["weight_decay"]) == (0.1, 0.0)
    with pytest.raises(OptionError, match="negative"):
        parameter_groups(net, weight_decay=-1)
