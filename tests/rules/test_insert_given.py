"""InsertLayer with a matrix and a shift that are given, as the depth proposal of SENN finds them."""

import numpy as np
import pytest
from random_graphs import assert_same_outputs
from senn_case import CASE, EXPECTED

import netgraph as ng
from netgraph.errors import OptionError
from netgraph.rules import InsertLayer
from netgraph.testing import check_rule

GOLDEN = EXPECTED["depth_proposal"]["insertion"]


def golden_graph(dtype):
    case = CASE["params"]
    b = ng.GraphBuilder(dtype=dtype)
    b.input("x", 2, domain=(-4, 4))
    b.layer("h", 2, activation="rational")
    b.output("y", 1)
    b.dense("x", "h")
    b.dense("h", "y")
    weight = np.concatenate([np.array(case["W1"]).T.ravel(), np.array(case["W2"]).T.ravel()])
    columns = {name: np.concatenate([[0, 0], case[old], other]) for name, old, other in (
        ("bias", "b1", case["b2"]), ("v", "v", [0]), ("c", "c", [0]), ("l", "l", [0]))}  # fmt: skip
    return b.build().with_weights(weight, vertices=columns)


def golden_rule(**options):
    found = CASE["depth_proposal_params"]
    return InsertLayer(
        activation="rational", matrix=np.array(found["kernel"]), shift=np.array(found["bias"]), **options
    )


def test_the_golden_insertion():
    graph = golden_graph(np.float64)
    result = ng.apply(golden_rule(), graph, on=("h", "y"))
    new = result.graph
    layer = next(x for x in new.layers.values() if x.name.startswith("insert"))
    np.testing.assert_allclose(new.links["h", layer.name].weight.reshape(2, 2).T, GOLDEN["new_kernel"], rtol=1e-12)
    np.testing.assert_allclose(layer.bias, GOLDEN["new_bias"], rtol=1e-12)
    np.testing.assert_allclose(new.links[layer.name, "y"].weight[:, None], GOLDEN["next_kernel"], rtol=1e-12)
    np.testing.assert_allclose(new.layers["y"].bias, GOLDEN["next_bias"], rtol=1e-12)
    for name in ("v", "c", "l"):
        np.testing.assert_array_equal(layer.values[name], GOLDEN[f"new_{name}"])
    x = np.array(CASE["X"])
    moved = np.abs(ng.interpret(new, x) - ng.interpret(graph, x)).max()
    np.testing.assert_allclose(moved, GOLDEN["max_output_change"], rtol=1e-6)
    assert result.certificate.level == result.rule.claim(result.matches) == "bounded"
    assert ng.apply_delta(new, result.delta.inverse())[0].equals(graph)


def test_in_float32_the_golden_insertion_is_exact_up_to_rounding():
    result = ng.apply(golden_rule(), golden_graph(np.float32), on=("h", "y"))
    assert result.certificate.level == result.rule.claim(result.matches) == "exact up to rounding"


@pytest.mark.parametrize("activation", ["identity", "rational"])
@pytest.mark.parametrize("seed", range(5))
def test_outputs_of_float32_networks_move_by_less_than_a_millionth_of_their_range(activation, seed):
    graph = ng.mlp([20, 100, 10], activation="relu", seed=seed, domain=(-1, 1))
    rng = np.random.default_rng(seed)
    rule = InsertLayer(activation=activation, matrix=rng.normal(size=(100, 100)), shift=rng.normal(size=100))
    result = ng.apply(rule, graph, on=("hidden1", "output"), require="exact up to rounding")
    x = rng.uniform(-1, 1, (500, 20))
    old, new = (ng.interpret(g, x) for g in (graph, result.graph))
    assert np.abs(new - old).max() < 1e-6 * np.ptp(old)


@pytest.mark.parametrize(("dtype", "floor"), [(np.float32, 0.1), (np.float64, 1e-3)])
def test_small_singular_values_are_raised(dtype, floor):
    graph = ng.mlp([2, 4, 3], activation="tanh", dtype=dtype, domain=(-1, 1))
    rng = np.random.default_rng(0)
    matrix = np.outer(rng.normal(size=4), rng.normal(size=4))
    for given, expected in ((None, floor), (0.5, 0.5)):
        result = ng.apply(InsertLayer(matrix=matrix, floor=given), graph, on=("hidden1", "output"))
        stored = result.graph.links["hidden1", "insert-3"].weight.reshape(4, 4).T
        values = np.linalg.svd(stored, compute_uv=False)
        whole = np.linalg.svd(matrix, compute_uv=False)
        np.testing.assert_allclose(values[1:], expected * whole.mean(), rtol=1e-4)
        assert result.certificate.level == "exact up to rounding"


def test_sources_that_do_not_feed_the_link_take_part():
    b = ng.GraphBuilder(dtype=np.float64)
    b.input("x", 3, domain=(-1, 1))
    b.output("y", 2)
    b.edges("x", "y", [0, 2, 0], [0, 0, 1], weight=[0.5, -1, 2])
    graph = b.build()
    rule = InsertLayer(matrix=np.random.default_rng(1).normal(size=(3, 3)), shift=np.arange(3.0))
    result = ng.apply(rule, graph, require="exact up to rounding")
    assert len(result.graph.layers["insert-2"]) == 3
    assert rule.count_edges(result.matches) == len(result.delta.edges_added) == 9 + 6
    assert_same_outputs(graph, result.graph, exact=False)


def test_shifts_of_several_links_into_one_layer_add_up():
    b = ng.GraphBuilder(dtype=np.float64)
    b.input("x", 2, grid=(5, 5), domain=(-1, 1))
    b.layer("a", 2, grid=(5, 5), activation="tanh")
    b.output("y", 2, grid=(3, 3))
    b.conv2d("x", "a", kernel=3, padding=1, density=0.7)
    b.conv2d("x", "y", kernel=3, density=0.7)
    b.conv2d("a", "y", kernel=3, density=0.7)
    graph = b.build()
    rule = InsertLayer(matrix=np.array([[1.0, 0.5], [-1.0, 2.0]]), shift=np.array([0.5, -3.0]))
    result = ng.apply(rule, graph, require="exact up to rounding")
    assert len(result.matches) == 2  # behind padding a shift would be 0
    assert ng.explain(rule, graph).stages[-2:] == (
        ("link of a shift has no padding", 2), ("link has no frozen edges", 2))  # fmt: skip
    for train in (False, True):
        assert_same_outputs(graph, result.graph, exact=False, train=train)
    unshifted = ng.apply(InsertLayer(matrix=rule.matrix), graph, require="exact up to rounding")
    assert len(unshifted.matches) == 3
    assert_same_outputs(graph, unshifted.graph, exact=False)


def test_matches_that_do_not_fit_are_passed_over():
    graph = ng.mlp([3, 4, 2], activation="tanh")
    rule = InsertLayer(matrix=np.eye(4))
    assert [k.key for k in ng.find(rule, graph).k] == [graph.links["hidden1", "output"].key]
    assert ("source has as many vertices as the matrix has rows", 1) in ng.explain(rule, graph).stages
    b = ng.GraphBuilder()
    b.input("x", 2)
    b.output("y", 1, bias=False)
    b.dense("x", "y")
    rule = InsertLayer(matrix=np.eye(2), shift=np.ones(2))
    assert ("target of a shift has a bias", 0) in ng.explain(rule, b.build()).stages
    assert ng.apply(InsertLayer(matrix=np.eye(2), shift=np.zeros(2)), b.build()).changed


def test_a_wrong_inverse_is_found_out():
    """The negative twin: a bias that is not moved by the shift."""

    class Forgets(InsertLayer):
        def _mix(self, *arguments):
            return 0 * super()._mix(*arguments)

    rule = Forgets(matrix=np.eye(3), shift=np.ones(3))
    result = ng.apply(rule, ng.mlp([2, 3, 2], activation="tanh", domain=(-1, 1)), on=("hidden1", "output"))
    assert rule.claim(result.matches) == "exact up to rounding"
    assert result.certificate.level == "bounded"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"matrix": np.ones((2, 3))}, r"matrix has shape \(2, 3\)"),
        ({"matrix": np.ones(3)}, r"matrix has shape \(3,\)"),
        ({"matrix": np.zeros((2, 2))}, "not all of them 0"),
        ({"matrix": np.full((1, 1), np.inf)}, "finite"),
        ({"matrix": np.eye(2), "shift": np.ones(3)}, r"shift has shape \(3,\), expected \(2,\)"),
        ({"matrix": np.eye(2), "shift": np.array([0, np.nan])}, "finite"),
        ({"matrix": np.eye(2), "floor": 0.0}, "floor=0.0 is refused"),
        ({"matrix": np.eye(2), "mix": "random"}, "matrix and mix='random' are both given"),
        ({"matrix": np.eye(2), "activation": "relu"}, "A matrix makes negative values"),
        ({"shift": np.ones(2)}, "without a matrix"),
    ],
)
def test_options_are_checked(options, words):
    with pytest.raises(OptionError, match=words):
        InsertLayer(**options)


def test_the_laws_of_rules_hold():
    matrix = np.array([[0.5, -1.0], [1.0, 0.75]])
    check_rule(InsertLayer(matrix=matrix, shift=np.array([0.5, -1.25])), max_examples=25)
    check_rule(InsertLayer(matrix=matrix, activation="prelu"), max_examples=25)
