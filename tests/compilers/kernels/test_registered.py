"""A kernel from outside of the package, in this one file: picked, run, lifted, migrated, saved and resumed."""

import pickle

import numpy as np
import pytest
import torch
from tiny_training import CPU, Killed, assert_same_state, digits, growth, saving, settings

import netgraph as ng
from compilers import CostTable, KernelKind, lift, lower, migrate, register_kernel
from compilers.kernels import KERNELS
from compilers.plan import KINDS
from compilers.training import TrainState, load_checkpoint, make_optimizer, save_checkpoint, train
from netgraph.errors import CompileError, OptionError, TrainingError
from netgraph.interpret import interpret
from netgraph.rules import PruneEdges, SplitEdges


class EdgeList:
    """Edges one after another: a product per edge and sample, added up by target."""

    def __init__(self, block, input_rows, device, dtype):
        self.start, self.stop = block.start, block.stop
        self.sources = torch.from_numpy(block.parents[block.incidence.src]).to(device)
        self.targets = torch.from_numpy(block.incidence.dst.astype(np.int64)).to(device)
        self.trained = self.sources >= input_rows

    def bind(self, ports):
        return BoundEdgeList(self, ports)


class BoundEdgeList:
    def __init__(self, kernel, ports):
        self.kernel, self.weights, self.values, self.rows = kernel, ports.weights, ports.values, ports.rows

    def forward(self):
        kernel = self.kernel
        self.rows.index_add_(0, kernel.targets, self.weights[:, None] * self.values[kernel.sources])

    def bind_gradients(self, gradients, rows, *, inputs):
        self.gradients, self.row_gradients = gradients, rows
        self.chosen = torch.ones_like(self.kernel.trained) if inputs else self.kernel.trained

    def weight_gradients(self):
        kernel = self.kernel
        products = self.row_gradients[kernel.targets] * self.values[kernel.sources]
        self.gradients.weights[kernel.start : kernel.stop] = products.sum(1)

    def source_gradients(self):
        sources, targets = self.kernel.sources[self.chosen], self.kernel.targets[self.chosen]
        products = self.weights[self.chosen][:, None] * self.row_gradients[targets]
        self.gradients.values.index_add_(0, sources, products)


def cost(fan, costs):
    """Three calls, and a product forward and one backward for every edge; no product of gradients."""
    return 3 * costs.call + 2 * fan.edges * costs.sparse_edge


FIELDS = {"name": "edge-list", "reads": "rows", "layout": "edges", "cost": cost}
EDGE_LIST = KernelKind(**FIELDS)
FREE = {"call": 0.0, "sparse_edge": 1e-3}
"""Costs at which it is the cheapest wherever an edge is missing."""


@pytest.fixture
def registered():
    register_kernel(EDGE_LIST, EdgeList)
    yield
    forget()


def forget(name="edge-list"):
    KINDS.remove(name)


def network(seed=0):
    """Layers that are half full, with skips and a few frozen edges."""
    b = ng.GraphBuilder(seed=seed, dtype=np.float64)
    b.input("x", 6)
    b.layer("first", 7, activation="tanh")
    b.layer("hidden", 7, activation="relu", norm="layer")
    b.output("y", 3)
    b.dense("x", "first", density=0.5)
    b.dense("first", "hidden", density=0.5)
    few = np.arange(6)
    b.edges("x", "hidden", few, few, weight=0.5 + 0.1 * few, frozen=few % 2 == 0)
    b.dense("first", "y", density=0.5)
    b.dense("hidden", "y")
    return b.build()


ALL = dict.fromkeys(("first", "hidden", "y"), "edge-list")


def kernels_of(net):
    return {layer.name: {block.kernel for block in layer.blocks} for layer in net.plan.layers if layer.blocks}


def test_every_kind_has_a_builder():
    assert KINDS.keys() == KERNELS.keys()
    assert [kind.name for kind in KINDS.values()] == [*KINDS]


def test_it_is_picked_by_name_and_by_cost(registered):
    graph = network()
    net = lower(graph, kernels={"hidden": "edge-list"})
    assert kernels_of(net)["hidden"] == {"edge-list"}
    assert "edge-list" not in kernels_of(net)["first"]
    assert "edge-list" in net.plan.summary()
    cheap = CostTable(**FREE)
    assert all("edge-list" in kernels_of(lower(graph, costs=cheap))[layer] for layer in ALL)
    dear = CostTable(sparse_edge=1e6)
    assert not any("edge-list" in found for found in kernels_of(lower(graph, costs=dear)).values())


@pytest.mark.parametrize("other", ["csr", "padded-dense"])
def test_it_runs_as_the_others_do(registered, other):
    graph, rng = network(), np.random.default_rng(0)
    x = torch.from_numpy(rng.normal(size=(5, 6)))
    along = torch.from_numpy(rng.normal(size=(5, 6)))
    mine, theirs = (lower(graph, dtype=torch.float64, kernels=dict.fromkeys(ALL, k)) for k in ("edge-list", other))
    np.testing.assert_allclose(mine(x).detach().numpy(), interpret(graph, x.numpy()), rtol=1e-9, atol=1e-9)
    found = []
    for net in (mine, theirs):
        given = x.clone().requires_grad_()
        net(given).square().sum().backward()
        tangent = net.edge_vector(graph.edges.weight)
        _, pull = net.vjp(x)
        pulled, _ = pull(torch.ones(5, 3, dtype=torch.float64))
        columns = [torch.from_numpy(net.edge_column(vector)) for vector in (net.weights.grad, pulled)]
        jvp = net.jvp(x, weights=tangent, inputs=along)
        found.append((given.grad, net.vertex_parameters.grad, *columns, *jvp))
    for a, b in zip(*found, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-9)


def test_it_is_lifted_and_migrated_over_rewrites(registered):
    graph = network()
    nets = {name: lower(graph, dtype=torch.float64, kernels=dict.fromkeys(ALL, name)) for name in ("edge-list", "csr")}
    for name, net in nets.items():
        optimizer = torch.optim.Adam(net.parameters(), lr=1e-2)
        for rule in (SplitEdges(), PruneEdges(below=None)):
            for seed in range(3):
                optimizer.zero_grad()
                x = torch.from_numpy(np.random.default_rng(seed).normal(size=(8, 6)))
                net(x).square().mean().backward()
                optimizer.step()
            before = lift(net)
            edges = before.links["first", "hidden"].id[:2]
            result = ng.apply(rule, before, on=edges)
            assert result.changed
            net, optimizer = migrate(net, optimizer, result)
        assert kernels_of(net)["hidden"] == {name}
        nets[name] = net
    mine, theirs = (lift(net) for net in nets.values())
    assert mine.topology_hash == theirs.topology_hash
    np.testing.assert_allclose(mine.edges.weight, theirs.edges.weight, rtol=1e-9, atol=1e-9)
    x = torch.rand(4, 6, dtype=torch.float64)
    np.testing.assert_allclose(nets["edge-list"](x).detach().numpy(), interpret(mine, x.numpy()), rtol=1e-9, atol=1e-9)


def start(options, **choice):
    net = lower(ng.mlp([64, 8, 10], domain=(0, 1), density=0.5, seed=1), **choice)
    return TrainState(net, make_optimizer(net, options))


WAYS = {"by name": {"kernels": {"hidden1": "edge-list"}}, "by cost": {"costs": CostTable(**FREE)}}


@pytest.mark.parametrize("choice", WAYS.values(), ids=WAYS)
def test_a_run_that_grows_with_it_resumes_bit_for_bit(registered, choice, tmp_path):
    options, data = settings(epochs=4), digits()
    whole = train(start(options, **choice), data, options, growth())
    assert kernels_of(whole.net)["hidden1"] == {"edge-list"}
    assert any(action.matches for action in whole.actions)
    half = start(options, **choice)
    with pytest.raises(Killed):
        train(half, data, options, growth(), [saving(tmp_path / "c", half, until=2)])
    resumed = train(load_checkpoint(tmp_path / "c", options, CPU), data, options, growth())
    assert_same_state(whole, resumed)


@pytest.mark.parametrize("choice", WAYS.values(), ids=WAYS)
def test_a_checkpoint_with_an_unknown_kernel_names_the_registration(choice, tmp_path):
    register_kernel(EDGE_LIST, EdgeList)
    try:
        save_checkpoint(start(settings(), **choice), tmp_path / "c")
    finally:
        forget()
    with pytest.raises(TrainingError, match=r"'edge-list'.* registered by compilers\.register_kernel before"):
        load_checkpoint(tmp_path / "c", settings(), CPU)


def test_an_unknown_kernel_that_is_wanted_names_the_registration():
    with pytest.raises(CompileError, match=r"kernels\['y'\].*'edge-list'.* compilers\.register_kernel"):
        lower(network(), kernels={"y": "edge-list"})


def test_a_kernel_that_needs_every_edge_is_relieved_by_the_one_that_it_names():
    whole = KernelKind(name="whole", reads="rows", layout="cells", cost=cost, padded="padded-dense", in_place=True)
    register_kernel(whole, KERNELS["dense"])
    try:
        net = lower(ng.mlp([4, 3, 2], domain=(0, 1)), kernels={"hidden1": "whole"})
        assert net.plan.given_inputs == (0,)
        with pytest.raises(CompileError, match=r"'whole' needs every pair .* Use 'padded-dense'"):
            lower(network(), kernels={"hidden": "whole"})
        graph = lift(net)
        result = ng.apply(PruneEdges(below=None), graph, on=graph.links["input", "hidden1"].id[:1])
        assert result.changed
        new, _ = migrate(net, torch.optim.Adam(net.parameters()), result)
        assert kernels_of(new)["hidden1"] == {"padded-dense"}
    finally:
        forget("whole")


def test_a_network_that_was_unpickled_needs_its_kernel_registered(registered):
    pickled = pickle.dumps(lower(network(), kernels=ALL))
    KINDS.remove("edge-list")
    try:
        with pytest.raises(CompileError, match=r"Unknown kernel 'edge-list'.*compilers\.register_kernel"):
            pickle.loads(pickled)(torch.zeros(2, 6))
    finally:
        register_kernel(EDGE_LIST, EdgeList)


REFUSED = {
    "taken name": ({"name": "csr"}, "There is a kernel 'csr' already"),
    "no name": ({"name": ""}, "needs a name"),
    "unknown stand-in": ({"layout": "cells", "padded": "gone"}, r"names 'gone' .* one of \['padded-dense'\]"),
    "stand-in of maps": ({"layout": "cells", "padded": "padded-convolution"}, "names 'padded-convolution'"),
    "stand-in of edges": ({"padded": "padded-dense"}, "each of its edges names 'padded-dense'"),
    "core of cells": ({"layout": "cells", "core_density": lambda costs: 0.5}, "Leave core_density out"),
    "reads": ({"reads": "cells"}, "reads='cells'"),
}


@pytest.mark.parametrize(("change", "message"), REFUSED.values(), ids=REFUSED)
def test_kinds_that_contradict_themselves_are_refused(change, message):
    known = dict(KINDS)
    with pytest.raises(OptionError, match=message):
        register_kernel(KernelKind(**{**FIELDS, **change}), EdgeList)
    assert known == KINDS
    assert KERNELS.keys() == KINDS.keys()
