"""WidenLayer with incoming weights and vertex columns that are given, as the width proposal of SENN finds them."""

import numpy as np
import pytest
from random_graphs import assert_same_outputs
from senn_case import CASE, EXPECTED

import netgraph as ng
from netgraph.errors import OptionError, RewriteError
from netgraph.rules import WidenLayer
from netgraph.testing import check_rule


def two_sources(dtype=np.float64):
    """x and c feed a, a and x feed y; convolutions and a bias."""
    b = ng.GraphBuilder(seed=1, dtype=dtype)
    b.input("x", 2, grid=(4, 4), domain=(-1, 1))
    b.layer("c", 3, grid=(4, 4), activation="tanh", norm="batch")
    b.layer("a", 2, grid=(4, 4), activation="rational")
    b.output("y", 2)
    b.conv2d("x", "c", kernel=3, padding=1)
    b.conv2d("x", "a", kernel=1)
    b.conv2d("c", "a", kernel=3, padding=1)
    b.conv2d("a", "y", kernel=4)
    return b.build()


def test_several_links_get_the_weights_given_tap_by_tap():
    graph = two_sources()
    rng = np.random.default_rng(0)
    given = {
        graph.links["x", "a"].key: rng.normal(size=(2, 2, 1)),
        graph.links["c", "a"].key: rng.normal(size=(2, 3, 9)),
    }
    values = {"bias": np.array([0.5, -1.0]), "v": np.array([1.0, 2.0]), "c": np.array([0.0, 3.0])}
    result = ng.apply(WidenLayer(count=2, incoming=given, values=values), graph, on="a", require="exact")
    for name in ("x", "c"):
        link = result.graph.links[name, "a"]
        found = np.zeros((4, len(graph.layers[name]), link.kind.taps))
        found[link.dst, link.src, link.tap] = link.weight
        np.testing.assert_array_equal(found[2:], given[link.key])
    layer = result.graph.layers["a"]
    for name, expected in {**values, "l": np.ones(2)}.items():
        np.testing.assert_array_equal(layer.values[name][2:], expected)
    for train in (False, True):
        assert_same_outputs(graph, result.graph, exact=False, train=train)


def test_a_link_that_is_not_named_is_drawn():
    graph = two_sources()
    key = graph.links["x", "a"].key
    new = ng.apply(WidenLayer(incoming={key: np.zeros((1, 2, 1))}), graph, on="a").graph
    assert not new.links["x", "a"].weight[-2:].any()
    assert new.links["c", "a"].weight[-27:].all()


def test_the_golden_addition_keeps_every_output():
    case, found = CASE["params"], CASE["width_proposal_params"]
    b = ng.GraphBuilder(dtype=np.float64)
    b.input("x", 2, domain=(-4, 4))
    b.layer("h", 2, activation="rational")
    b.output("y", 1)
    b.dense("x", "h")
    b.dense("h", "y")
    graph = b.build()
    weight = np.concatenate([np.array(case["W1"]).T.ravel(), np.array(case["W2"]).T.ravel()])
    columns = {name: np.concatenate([[0, 0], case[old], other]) for name, old, other in (
        ("bias", "b1", case["b2"]), ("v", "v", [0]), ("c", "c", [0]), ("l", "l", [0]))}  # fmt: skip
    graph = graph.with_weights(weight, vertices=columns)
    values = {name: np.array(found[name]) for name in ("bias", "v", "c", "l")}
    incoming = {graph.links["x", "h"].key: np.array(found["kernel"]).T[:, :, None]}
    new = ng.apply(WidenLayer(incoming=incoming, values=values), graph, require="exact").graph
    after = EXPECTED["width_proposal"]["params_after"]
    np.testing.assert_allclose(new.links["x", "h"].weight.reshape(3, 2).T, after["W1"])
    np.testing.assert_allclose(new.links["h", "y"].weight.reshape(1, 3).T, after["W2"])
    for name in ("v", "c", "l"):
        np.testing.assert_allclose(new.layers["h"].values[name], after[name])
    x = np.array(CASE["X"])
    np.testing.assert_allclose(ng.interpret(new, x), EXPECTED["forward"]["y"], rtol=1e-12)


def test_layers_tied_to_others_are_refused_values_but_not_weights():
    b = ng.GraphBuilder(dtype=np.float64)
    b.input("x", 2, domain=(-1, 1))
    b.layer("a", 3, activation="tanh")
    b.layer("r", 3, activation="tanh")
    b.output("y", 1)
    b.dense("x", "a")
    b.identity("a", "r")
    b.dense("x", "r")
    b.dense("r", "y")
    graph = b.build()
    rule = WidenLayer(values={"bias": np.ones(1)})
    assert not ng.apply(rule, graph).changed
    assert ("layer with given values is tied to no other", 0) in ng.explain(rule, graph).stages
    given = {graph.links["x", "a"].key: np.full((1, 2, 1), 0.5)}
    result = ng.apply(WidenLayer(incoming=given), graph, on="r", require="exact")
    assert result.graph.links["x", "a"].weight[-2:].tolist() == [0.5, 0.5]
    assert_same_outputs(graph, result.graph, exact=False)


def test_layers_without_the_columns_are_passed_over():
    rule = WidenLayer(values={"v": np.ones(1)})
    graph = ng.mlp([2, 3, 2], activation="tanh")
    assert not ng.apply(rule, graph).changed
    assert ng.explain(rule, graph).stages[-1] == ("layer has the columns of the given values", 0)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"incoming": {}, "init": "incoming zero"}, "incoming is given, but init='incoming zero'"),
        ({"values": {}, "init": "duplicate"}, "values is given, but init='duplicate'"),
        ({"values": {"bias": np.ones(2)}}, r"values\['bias'\] has shape \(2,\), expected \(1,\)"),
        ({"values": {"bias": np.array([np.nan])}}, "with finite values"),
    ],
)
def test_options_are_checked(options, words):
    with pytest.raises(OptionError, match=words):
        WidenLayer(**options)


def test_given_weights_are_checked():
    graph = ng.mlp([2, 3, 4, 2], activation="tanh")
    first, second, _ = graph.links_by_key
    for given, words in (
        ({second: np.ones((1, 3, 1))}, "no link with weights into a layer that is widened"),
        ({first: np.ones((1, 3, 1))}, r"has shape \(1, 3, 1\), expected \(1, 2, 1\), \(new vertices, sources, taps\)"),
        ({first: np.full((1, 2, 1), np.nan)}, "finite"),
    ):
        with pytest.raises(RewriteError, match=words):
            ng.apply(WidenLayer(incoming=given), graph, on="hidden1")


def test_the_laws_of_rules_hold():
    check_rule(WidenLayer(count=2, values={"bias": np.array([0.5, -1.25])}), max_examples=25)
