"""Activations on tensors: those from outside of the package are lowered, differentiated, tuned, trained and refused."""

import numpy as np
import pytest
import torch
from toy_activation import SOFTSIGN, SQUAREPLUS, registered

import netgraph as ng
from compilers import lift, lower, register_activation
from compilers.running import Linearized
from compilers.running.activations import FUNCTIONS, tensor_activation
from compilers.testing import check_rule, compiled_graphs
from netgraph.errors import CompileError, GraphError, OptionError
from netgraph.graph import ACTIVATIONS
from netgraph.rules import SplitEdges


def softsign(z, p, slope):
    return p["gain"] * z / (1 + z.abs())


@pytest.fixture
def toys():
    with registered(SQUAREPLUS, SOFTSIGN):
        yield


def net(first="squareplus", second="softsign", density=0.8):
    b = ng.GraphBuilder(seed=0, dtype=np.float64)
    b.input("x", 2, grid=(4, 4), domain=(-1, 1))
    b.layer("maps", 3, grid=(4, 4), activation=first)
    b.layer("rows", 4, activation=second)
    b.layer("normed", 4, activation=first, norm="layer")
    b.output("y", 2)
    b.conv2d("x", "maps", kernel=3, padding=1, density=density)
    b.conv2d("maps", "rows", kernel=4)
    b.dense("rows", "normed")
    b.dense("normed", "y")
    return b.build()


def test_every_activation_has_a_function_on_tensors():
    assert list(FUNCTIONS) == list(ACTIVATIONS)


def test_it_computes_and_differentiates_what_the_graph_says(toys):
    register_activation("softsign", softsign)
    graph = net()
    network = lower(graph, dtype=torch.float64)
    x = torch.from_numpy(np.random.default_rng(0).uniform(-1, 1, (5, 2, 4, 4)))
    np.testing.assert_allclose(network(x).detach().numpy(), ng.interpret(graph, x.numpy()), rtol=1e-12)
    weights, vertices = (v.detach().clone().requires_grad_() for v in (network.weights, network.vertex_parameters))

    def run(weights, vertices, x):
        return torch.func.functional_call(network, {"weights": weights, "vertex_parameters": vertices}, (x,))

    assert torch.autograd.gradcheck(run, (weights, vertices, x.clone().requires_grad_()), fast_mode=True)


def test_gradients_are_differences_of_the_interpreter(toys):
    register_activation("softsign", softsign)
    graph = net()
    network = lower(graph, dtype=torch.float64)
    x = np.random.default_rng(1).uniform(-1, 1, (3, 2, 4, 4))
    network(torch.from_numpy(x)).sum().backward()
    found = network.weights.grad.numpy()[network.plan.edge_slots]
    step = 1e-5
    for edge in (0, len(graph.edges) // 2, len(graph.edges) - 1):
        moved = np.where(np.arange(len(graph.edges)) == edge, step, 0.0)
        ahead, behind = (ng.interpret(graph.with_weights(graph.edges.weight + s * moved), x).sum() for s in (1, -1))
        np.testing.assert_allclose(found[edge], (ahead - behind) / (2 * step), rtol=1e-6, atol=1e-8)


def test_relu6_stops_values_and_gradients_above_6():
    graph = net("relu6", "relu6", density=1)
    graph = graph.with_weights(graph.edges.weight * 16, vertices={"shift": np.full(graph.num_vertices, 0.5)})
    network = lower(graph, dtype=torch.float64)
    x = torch.from_numpy(np.random.default_rng(2).uniform(-1, 1, (5, 2, 4, 4))).requires_grad_()
    layers = ng.interpret_layers(graph, x.detach().numpy())
    np.testing.assert_allclose(network(x).detach().numpy(), layers["y"], rtol=1e-12, atol=1e-12)
    for values in (layers["maps"], layers["rows"]):
        assert {0.0, 6.0} < set(values.ravel())

    def run(weights, vertices, x):
        return torch.func.functional_call(network, {"weights": weights, "vertex_parameters": vertices}, (x,))

    flat = (v.detach().clone().requires_grad_() for v in (network.weights, network.vertex_parameters))
    assert torch.autograd.gradcheck(run, (*flat, x), fast_mode=True)


def test_a_gain_of_each_vertex_is_trained_and_lifted(toys):
    register_activation("softsign", softsign)
    network = lower(net(), dtype=torch.float64)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
    network(torch.ones(2, 2, 4, 4, dtype=torch.float64)).square().sum().backward()
    optimizer.step()
    assert (lift(network).layers["rows"].values["gain"] != 1).any()


def test_rules_keep_their_promises_when_compiled_with_it(toys):
    some = compiled_graphs(activations=("squareplus", "tanh"), min_layers=1, kinds=("dense", "conv"))
    check_rule(SplitEdges(activation="squareplus"), graphs=some, max_examples=5)


def test_a_form_in_place_takes_the_place_of_autograd(toys):
    """With `f = (z + r) / 2` and `r = sqrt(z^2 + 4)`, `z = f - 1 / f`, and `f' = f^2 / (1 + f^2)`."""

    def in_place(z):
        return z.copy_((z + torch.sqrt(z * z + 4)) / 2)

    def backward(gradient, values, out):
        return torch.mul(gradient, values**2 / (1 + values**2), out=out)

    def plain(z, p, slope):
        return (z + torch.sqrt(z * z + 4)) / 2

    graph, x = net(second="tanh"), torch.ones(3, 2, 4, 4, dtype=torch.float64)
    found = []
    for given in (False, True):
        if given:
            register_activation("squareplus", plain, in_place=in_place, backward=backward)
        network = lower(graph, dtype=torch.float64)
        y = network(x)
        y.square().sum().backward()
        with Linearized(network._executor, network._state(), [x], training=False) as linear:
            moved = linear.push(torch.ones_like(network.weights), torch.ones_like(network.vertex_parameters))
        found.append((y.detach(), network.weights.grad, network.vertex_parameters.grad, *moved))
    for one, two in zip(*found, strict=True):
        torch.testing.assert_close(one, two)


def test_without_a_function_on_tensors_it_is_refused_by_name(toys):
    with pytest.raises(CompileError, match=r"Layer 'rows': Activation 'softsign' has no .*compilers\.register_activ"):
        lower(net())
    assert tensor_activation("squareplus").in_place is None


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"function": lambda z, p, s: z}, "function gives other values"),
        ({"function": lambda z, p, s: softsign(z.detach(), p, s) + 0 * z}, "function has other derivatives"),
        ({"function": softsign, "in_place": torch.relu_}, "go together"),
        ({"function": softsign, "in_place": torch.relu_, "backward": torch.mul}, "has parameters"),
    ],
)
def test_a_function_that_disagrees_is_refused(toys, options, words):
    with pytest.raises(OptionError, match=f"Activation 'softsign'.*{words}"):
        register_activation("softsign", **options)
    assert "softsign" not in FUNCTIONS


def test_names_that_are_taken_or_unknown_are_refused(toys):
    with pytest.raises(OptionError, match="There is a function on tensors of the activation 'relu' already"):
        register_activation("relu", lambda z, p, s: torch.relu(z))
    with pytest.raises(GraphError, match=r"Unknown activation 'swoosh'.*netgraph\.graph\.register_activation"):
        register_activation("swoosh", lambda z, p, s: z)
    for wrong, words in ((torch.relu_, "in_place leaves other values"), (None, "backward gives other derivatives")):
        with pytest.raises(OptionError, match=words):
            register_activation(
                "squareplus",
                lambda z, p, s: (z + torch.sqrt(z * z + 4)) / 2,
                in_place=wrong or (lambda z: z.copy_((z + torch.sqrt(z * z + 4)) / 2)),
                backward=lambda gradient, values, out: torch.mul(gradient, values, out=out),
            )
