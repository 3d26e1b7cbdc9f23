"""Blocks: split into a dense core and a sparse rest, and shared by the plans before and after a rewrite."""

import gc

import numpy as np
import pytest
import torch

import netgraph as ng
from compilers import CostTable, lift, lower, migrate
from compilers.plan import Plan
from compilers.plan.blocks import SiteEdges
from netgraph.interpret import interpret
from netgraph.rules import PruneVertices, SplitEdges, WidenLayer

FREE_CALLS = CostTable(call=0.0, sparse_row=0.0)


def half_dense(seed=0):
    """A layer with all edges from one layer, few from another, and some that are frozen."""
    rng = np.random.default_rng(seed)
    b = ng.GraphBuilder(seed=seed, dtype=np.float64)
    b.input("x", 40)
    b.input("v", 30)
    b.layer("h", 50, activation="tanh")
    b.output("y", 20)
    b.dense("x", "h")
    b.dense("v", "h", density=0.1)
    b.dense("h", "y", density=0.5)
    few = rng.integers(0, 30, 20)
    b.edges("v", "y", few, np.arange(20), weight=rng.normal(size=20), frozen=rng.random(20) < 0.3)
    return b.build()


def test_a_layer_is_split_where_a_dense_core_and_a_sparse_rest_are_cheaper():
    graph = half_dense()
    net = lower(graph, dtype=torch.float64, costs=FREE_CALLS)
    blocks = [b for b in net.plan.layers[net.plan.position["h"]].blocks if not b.frozen]
    assert [b.kernel for b in blocks] == ["dense", "csr"]
    assert blocks[0].incidence.cells == 40 * 50
    assert sum(b.cost for b in blocks) < min(
        lower(graph, costs=FREE_CALLS, kernels={"h": kernel}).plan.layers[net.plan.position["h"]].blocks[0].cost
        for kernel in ("csr", "padded-dense")
    )
    assert sum(len(b.incidence) for layer in net.plan.layers for b in layer.blocks) == len(graph.edges)


@pytest.mark.parametrize("seed", range(3))
def test_a_split_layer_agrees_with_the_oracle_and_with_finite_differences(seed):
    graph = half_dense(seed)
    net = lower(graph, dtype=torch.float64, costs=FREE_CALLS)
    rng = np.random.default_rng(seed)
    x = {"x": rng.normal(size=(5, 40)), "v": rng.normal(size=(5, 30))}
    inputs = {name: torch.tensor(values, requires_grad=True) for name, values in x.items()}
    np.testing.assert_allclose(net(inputs).detach().numpy(), interpret(graph, x), rtol=1e-9, atol=1e-9)
    slots = torch.from_numpy(net.plan.edge_slots[net.plan.edge_slots >= 0]).long()

    def run(edges, a, b):
        weights = torch.zeros_like(net.weights).index_put((slots,), edges)
        return torch.func.functional_call(net, {"weights": weights}, ({"x": a, "v": b},))

    edges = net.weights.detach()[slots].requires_grad_()
    assert torch.autograd.gradcheck(run, (edges, inputs["x"], inputs["v"]), fast_mode=True)


def test_the_next_plan_shares_what_a_rewrite_left_alone():
    graph = ng.mlp([20, 12, 8, 4], domain=(0, 1), density=0.4, dtype=np.float64)
    net = lower(graph, dtype=torch.float64, kernels={"hidden2": "csr"})
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    into = graph.links["hidden2", "output"].id
    result = ng.apply(SplitEdges(), graph, on=into[:3])
    new, _ = migrate(net, optimizer, result)
    before, after = net.plan, new.plan
    same = {site.layer for site in after.site_edges if after.site_edges[site] is before.site_edges.get(site)}
    assert same == {"hidden1", "hidden2"}
    for name in same:
        (old,), (kept,) = (plan.layers[plan.position[name]].blocks for plan in (before, after))
        assert kept.incidence is old.incidence
    assert after.choices == lower(result.graph, dtype=torch.float64, kernels={"hidden2": "csr"}).plan.choices
    x = torch.rand(6, 20, dtype=torch.float64)
    np.testing.assert_allclose(new(x).detach().numpy(), interpret(result.graph, x.numpy()), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("grid", [(), (4,)])
@pytest.mark.parametrize("name", ["source", "target"])
def test_a_link_whose_edges_stay_is_planned_for_the_widths_of_its_layers(name, grid):
    """The last vertex has no edge of the second link, so that the link is the same without it."""
    b = ng.GraphBuilder(dtype=np.float64)
    b.input("x", 2, grid=grid, domain=(-1, 1))
    for layer in ("other", "source", "target"):
        b.layer(layer, 3, grid=grid)
    b.output("y", 1, grid=grid)
    b.dense("x", "other")
    b.dense("x", "source")
    b.dense("other", "target")
    b.edges("source", "target", [0, 1], [1, 0], weight=0.5)
    b.dense("target", "y")
    graph = b.build()
    net = lower(graph, dtype=torch.float64)
    rule = ng.rules.PruneVertices(only_dead=False)
    result = ng.apply(rule, graph, on=graph.layers[name].vertex_ids[2:], probe=None)
    new, _ = migrate(net, torch.optim.SGD(net.parameters(), lr=0.1), result)
    x = torch.rand(6, 2, *grid, dtype=torch.float64)
    np.testing.assert_allclose(new(x).detach().numpy(), interpret(result.graph, x.numpy()), rtol=1e-9, atol=1e-9)
    assert new.plan.digest == lower(result.graph, dtype=torch.float64).plan.digest


@pytest.mark.parametrize("density", [0.3, 1.0])
def test_plans_made_from_earlier_ones_are_those_made_anew(density):
    rng = np.random.default_rng(0)
    graph = ng.mlp([9, 7, 5, 3], domain=(0, 1), density=density, dtype=np.float64)
    net = lower(graph, dtype=torch.float64)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    for k in range(12):
        if k % 3 == 0:
            result = ng.apply(WidenLayer(count=2), graph, limit=1, order_by=lambda m, k=k: rng.random(len(m)), rng=k)
        else:
            ids = rng.choice(graph.edges.id, size=4, replace=False)
            result = ng.apply(SplitEdges() if k % 3 == 1 else ng.rules.PruneEdges(below=None), graph, on=ids)
        net, optimizer = migrate(net, optimizer, result)
        graph = result.graph
        fresh = lower(graph, dtype=torch.float64)
        assert net.plan.digest == fresh.plan.digest
        assert net.plan.choices == fresh.plan.choices
        for ours, theirs in zip(net.plan.layers, fresh.plan.layers, strict=True):
            for a, b in zip(ours.blocks, theirs.blocks, strict=True):
                assert np.array_equal(a.parents, b.parents)
                assert np.array_equal(a.edges, b.edges)
                assert np.array_equal(a.incidence.src, b.incidence.src)


def test_a_long_history_piles_nothing_up():
    graph = ng.mlp([30, 12, 4], domain=(0, 1))
    net = lower(graph)
    optimizer = torch.optim.Adam(net.parameters())
    x = torch.rand(5, 30)
    counts = []
    for k in range(120):
        net(x).sum().backward()
        optimizer.step()
        graph = lift(net)
        rule, on = WidenLayer(count=2), None
        if k % 2:
            rule, on = PruneVertices(only_dead=False), graph.layers["hidden1"].vertex_ids[-2:]
        net, optimizer = migrate(net, optimizer, ng.apply(rule, graph, on=on, rng=k, probe=None))
        if k % 40 == 39:
            gc.collect()
            live = [o for o in gc.get_objects() if type(o) in (Plan, SiteEdges)]
            counts.append((len(live), sum(len(o.blocks) for o in live if isinstance(o, SiteEdges))))
            del live  # else the next look would find these plans again
    assert counts[0] == counts[1] == counts[2]
