"""Norms on tensors: those from outside of the package are lowered, differentiated, trained and refused."""

import numpy as np
import pytest
import torch
from toy_norm import TOYS, registered

import netgraph as ng
from compilers import lift, lower, migrate, register_norm, settle_running
from compilers.running import Linearized, couples_samples, jacobian
from compilers.running.norms import FORMULAS
from compilers.testing import check_rule, compiled_graphs
from netgraph.errors import CompileError, GraphError, OptionError
from netgraph.graph import NORMS
from netgraph.rules import WidenLayer

NAMES = tuple(TOYS)


@pytest.fixture
def toys():
    with registered(*NAMES):
        yield


def net(*, maps="gain", rows="peak", last="centred"):
    b = ng.GraphBuilder(seed=0, dtype=np.float64)
    b.input("x", 2, grid=(4, 4), domain=(-1, 1))
    b.layer("maps", 3, grid=(4, 4), activation="tanh", norm=maps)
    b.layer("rows", 4, activation="tanh", norm=rows)
    b.layer("last", 4, activation="tanh", norm=last)
    b.output("y", 2)
    b.conv2d("x", "maps", kernel=3, padding=1, density=0.8)
    b.conv2d("maps", "rows", kernel=4)
    b.dense("rows", "last")
    b.dense("last", "y")
    graph = b.build()
    rng = np.random.default_rng(3)
    names = {name for layer in graph.layers for name in layer.values} & {"factor", "centre", "bias"}
    return graph.with_weights(vertices={name: rng.normal(size=graph.num_vertices) for name in sorted(names)})


PLACES = [("gain", "peak", "centred"), ("peak", "centred", "gain"), ("centred", "gain", "peak")]
"""Every norm on maps and on rows."""


def batch(seed=0, samples=5):
    return torch.from_numpy(np.random.default_rng(seed).uniform(-1, 1, (samples, 2, 4, 4)))


def test_every_norm_has_a_formula():
    assert {name for name, norm in NORMS.items() if not norm.identity} == {*FORMULAS}


@pytest.mark.parametrize("train", [False, True])
@pytest.mark.parametrize("places", PLACES, ids=" ".join)
def test_they_compute_what_the_graph_says(toys, places, train):
    graph = net(**dict(zip(("maps", "rows", "last"), places, strict=True)))
    network = lower(graph, dtype=torch.float64).train(train)
    x = batch()
    wanted = ng.interpret(graph, x.numpy(), train=train)
    np.testing.assert_allclose(network(x).detach().numpy(), wanted, rtol=1e-12)


@pytest.mark.parametrize("train", [False, True])
@pytest.mark.parametrize("places", PLACES, ids=" ".join)
def test_gradients_are_differences_of_the_interpreter(toys, places, train):
    graph = net(**dict(zip(("maps", "rows", "last"), places, strict=True)))
    network = lower(graph, dtype=torch.float64).train(train)
    x = batch(1, 3)
    network(x).sum().backward()
    found = network.weights.grad.numpy()[network.plan.edge_slots]
    step = 1e-5
    for edge in (0, len(graph.edges) // 2, len(graph.edges) - 1):
        moved = np.where(np.arange(len(graph.edges)) == edge, step, 0.0)
        graphs = (graph.with_weights(graph.edges.weight + s * moved) for s in (1, -1))
        ahead, behind = (ng.interpret(g, x.numpy(), train=train).sum() for g in graphs)
        np.testing.assert_allclose(found[edge], (ahead - behind) / (2 * step), rtol=1e-6, atol=1e-8)


def test_tangents_gradients_and_jacobians_agree(toys):
    network = lower(net(), dtype=torch.float64).eval()
    x = batch()
    weights = network.edge_vector(np.random.default_rng(0).normal(size=len(network.graph.edges)))
    vertices = torch.linspace(-1, 1, len(network.vertex_parameters), dtype=torch.float64)
    y, moved = network.jvp(x, weights=weights, vertex_parameters=vertices)
    network(x).backward(torch.ones_like(y))
    along = (network.weights.grad * weights).sum() + (network.vertex_parameters.grad * vertices).sum()
    torch.testing.assert_close(along, moved.sum())
    with Linearized(network._executor, network._state(), [x], training=False) as linear:
        torch.testing.assert_close(linear.push(weights, vertices)[0], moved)
    _, derivatives = jacobian(network._executor, network._state(), [x])
    torch.testing.assert_close(derivatives.T @ torch.cat([weights, vertices]), moved.T.reshape(-1))
    assert couples_samples(network.plan, training=True)
    assert not couples_samples(lower(net(last="gain")).plan, training=True)


def test_columns_are_trained_and_buffers_move_by_their_momentum(toys):
    graph = net()
    network = lower(graph, dtype=torch.float64).train()
    x = batch()
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
    network(x).square().sum().backward()
    optimizer.step()
    lifted = lift(network)
    assert (lifted.layers["maps"].values["factor"] != graph.layers["maps"].values["factor"]).all()
    b = ng.interpret_layers(graph, x.numpy(), train=True)["rows"]
    link = graph.links["rows", "last"]
    matrix = np.zeros((4, 4))
    matrix[link.dst, link.src] = link.weight
    mean = (b @ matrix.T + graph.layers["last"].bias).mean(axis=0)
    wanted = 0.9 * graph.layers["last"].values["centre"] + 0.1 * mean
    np.testing.assert_allclose(lifted.layers["last"].values["centre"], wanted, rtol=1e-12)


def test_buffers_of_new_vertices_settle(toys):
    network = lower(net(last="centred", rows="gain"), dtype=torch.float64).train()
    result = ng.apply(WidenLayer(), lift(network), rng=0, require="exact")
    network, _ = migrate(network, torch.optim.SGD(network.parameters(), lr=0.1), result)
    old = lift(network).layers["last"].values["centre"][:4].copy()
    settle_running(network, result, batch())
    settled = lift(network).layers["last"].values["centre"]
    assert (settled[:4] == old).all()
    assert (settled[4:] != 0).all()


def test_rules_keep_their_promises_when_compiled_with_them(toys):
    some = compiled_graphs(norms=NAMES, activations=("relu", "tanh"), min_layers=1, kinds=("dense", "conv"))
    check_rule(WidenLayer(), graphs=some, max_examples=4)


# -- registration -----------------------------------------------------------------------------------


def test_a_norm_without_a_formula_is_refused_with_the_remedy():
    words = r"Layer 'maps' has the norm 'gain'.*compilers\.register_norm\('gain'"
    with registered("gain", tensors=False), pytest.raises(CompileError, match=words):
        lower(net(rows="none", last="none"))


def test_what_cannot_be_registered_is_refused():
    bind = TOYS["gain"][1]
    with pytest.raises(GraphError, match="Unknown norm 'gain'"):
        register_norm("gain", bind)
    for name, words in (("batch", "There is a formula of the norm 'batch' already"), ("none", "it is the identity")):
        with pytest.raises(OptionError, match=words):
            register_norm(name, bind)
    with registered("gain", tensors=False):
        with pytest.raises(OptionError, match="Norm 'gain': in eval mode the formula gives other values"):
            register_norm("gain", lambda layer, buffers: lambda z, columns, training, momentum: z)
        assert "gain" not in FORMULAS
