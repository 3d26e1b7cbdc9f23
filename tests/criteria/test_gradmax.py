"""GradMax: directions, norms, and growth matrices of dense and of convolutional layers."""

import json
from pathlib import Path

import numpy as np
import pytest

import netgraph as ng
from netgraph.criteria import gradmax_outgoing, growth_matrix, growth_requests, outgoing_norm
from netgraph.criteria.gradmax import outgoing_by_link, outgoing_size
from netgraph.errors import OptionError

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "gradmax.json").read_text())
RNG = np.random.default_rng


def test_golden():
    case = GOLDEN["tanh"]
    growth = np.array(GOLDEN["X"]).T @ np.array(case["dLdz2"])
    np.testing.assert_allclose(growth, case["growth_matrix_in_by_out"], rtol=1e-9)
    graph = ng.mlp([4, 3, 3], dtype=np.float64, bias=False)
    graph = graph.with_weights(np.concatenate([np.ravel(GOLDEN["W1_out_by_in"]), np.ravel(GOLDEN["W2_out_by_in"])]))
    hidden = graph.layers["hidden1"].id
    norm = outgoing_norm(graph, hidden)
    assert norm == pytest.approx(case["mean_outgoing_norm_existing"], rel=1e-9)
    found = gradmax_outgoing(growth, GOLDEN["k"], norm, outgoing_size(graph, hidden), RNG(0))
    np.testing.assert_allclose(found.values, case["singular_values"][:2], rtol=1e-9)
    np.testing.assert_allclose(found.weights.T, case["W_out_new_scale1_out_by_k"], rtol=1e-9)
    unit = found.weights / norm
    np.testing.assert_allclose(unit, case["outgoing_unit_rows"], rtol=1e-9)
    for k in (1, 2):
        np.testing.assert_allclose(unit[:k].T @ unit[:k], case[f"outgoing_projector_top{k}"], rtol=1e-9)
    gradient = found.weights @ growth.T
    np.testing.assert_allclose(gradient, case["grad_W_in_new_k_by_in"], rtol=1e-9)
    np.testing.assert_allclose(np.linalg.norm(gradient, axis=1), case["grad_norm_new"], rtol=1e-9)


def test_no_orthogonal_rows_have_larger_gradients():
    rng = RNG(3)
    growth = rng.normal(size=(6, 8))
    best = np.sum((gradmax_outgoing(growth, 3, 0.7, 8, rng).weights @ growth.T) ** 2)
    for _ in range(200):
        rows = 0.7 * np.linalg.qr(rng.normal(size=(8, 3)))[0].T
        assert np.sum((rows @ growth.T) ** 2) <= best + 1e-12


def test_rows_beyond_the_rank_are_random_and_of_the_same_norm():
    growth = np.outer([1.0, 2.0, 0.0], [3.0, 0.0, 4.0, 0.0])
    one, two = (gradmax_outgoing(growth, 5, 2.0, 4, RNG(seed)) for seed in (1, 2))
    assert one.values == pytest.approx([5 * np.sqrt(5)])
    np.testing.assert_allclose(one.weights[0], [1.2, 0, 1.6, 0], atol=1e-12)
    np.testing.assert_allclose(np.linalg.norm(one.weights, axis=1), 2.0)
    assert not np.allclose(one.weights[1:], two.weights[1:])
    nothing = gradmax_outgoing(np.zeros((3, 4)), 2, 1.0, 4, RNG(0))
    assert len(nothing.values) == 0
    assert np.array_equal(nothing.weights, gradmax_outgoing(None, 2, 1.0, 4, RNG(0)).weights)


@pytest.mark.parametrize("growth", [np.zeros((2, 3)), np.zeros(4), np.full((2, 4), np.nan)])
def test_bad_matrices_are_refused(growth):
    with pytest.raises(OptionError, match="growth matrix has shape"):
        gradmax_outgoing(growth, 1, 1.0, 4, RNG(0))
    with pytest.raises(OptionError, match="count=0"):
        gradmax_outgoing(None, 0, 1.0, 4, RNG(0))


def skipping():
    """A layer that reads two and is read by two."""
    b = ng.GraphBuilder(seed=1, dtype=np.float64)
    b.input("x", 3)
    b.layer("a", 2, activation="tanh")
    b.layer("h", 4, activation="tanh")
    b.layer("c", 5, activation="tanh")
    b.output("y", 2)
    for pair in (("x", "a"), ("x", "h"), ("a", "h"), ("h", "c"), ("h", "y"), ("c", "y")):
        b.dense(*pair)
    return b.build()


def test_all_that_feeds_and_all_that_reads_a_layer_counts():
    graph = skipping()
    layer = graph.layers["h"].id
    asked, why = growth_requests(graph, layer)
    assert why == ""
    assert asked == [{"source": s, "target": t} for s in ("x", "a") for t in ("c", "y")]
    widths = {name: len(la) for name, la in graph.layers.items()}
    moments = {
        (o["source"], o["target"]): RNG(i).normal(size=(widths[o["source"]], widths[o["target"]]))
        for i, o in enumerate(asked)
    }
    growth = growth_matrix(graph, layer, moments)
    assert growth.shape == (5, 7) == (5, outgoing_size(graph, layer))
    np.testing.assert_array_equal(growth[:3, :5], moments["x", "c"])
    np.testing.assert_array_equal(growth[3:, 5:], moments["a", "y"])
    parts = outgoing_by_link(graph, layer, np.arange(14.0).reshape(2, 7))
    assert {graph.layer(key[1]).name: part.shape for key, part in parts.items()} == {"c": (2, 5, 1), "y": (2, 2, 1)}
    np.testing.assert_array_equal(parts[graph.links["h", "y"].key][1].ravel(), [12, 13])


def test_two_convolutions_are_one_with_a_larger_kernel():
    b = ng.GraphBuilder()
    b.input("x", 2, grid=(9, 8))
    b.layer("h", 3, grid=(9, 8))
    b.layer("c", 4, grid=(5, 4))
    b.output("y", 2)
    b.conv2d("x", "h", kernel=3, padding=1)
    b.conv2d("h", "c", kernel=(3, 2), stride=2, padding=(1, 0))
    b.conv2d("c", "y", kernel=(5, 4))
    graph = b.build()
    (asked,), _ = growth_requests(graph, graph.layers["h"].id)
    assert asked["kind"] == ng.Conv2d((5, 4), (2, 2), (2, 1))
    (whole,), _ = growth_requests(graph, graph.layers["c"].id)
    assert whole["kind"] == ng.Conv2d((2 * 4 + 3, 2 * 3 + 2), (2, 2), (1, 0))
    cross = RNG(0).normal(size=(2, 4, 20))
    growth = growth_matrix(graph, graph.layers["h"].id, {("x", "c"): cross})
    assert growth.shape == (2 * 9, 4 * 6)
    # Tap (2, 0) of the first kernel under tap (1, 1) of the second is position (3, 1) of both.
    assert growth[1 * 9 + 6, 3 * 6 + 3] == cross[1, 3, 3 * 4 + 1]


def test_a_stride_of_the_first_convolution_spreads_the_second():
    b = ng.GraphBuilder()
    b.input("x", 1, grid=(9, 9))
    b.layer("h", 2, grid=(4, 4))
    b.layer("c", 2, grid=(3, 3))
    b.output("y", 2)
    b.conv2d("x", "h", kernel=3, stride=2)
    b.conv2d("h", "c", kernel=2)
    b.conv2d("c", "y", kernel=3)
    graph = b.build()
    (asked,), _ = growth_requests(graph, graph.layers["h"].id)
    assert asked["kind"] == ng.Conv2d((5, 5), (2, 2))
    cross = RNG(0).normal(size=(1, 2, 25))
    growth = growth_matrix(graph, graph.layers["h"].id, {("x", "c"): cross})
    assert growth[0, 3] == cross[0, 0, 2 * 5 + 2]  # tap (1, 1) of the second kernel is two positions on


def test_what_has_no_growth_matrix(monkeypatch):
    names = {"conv1_1": "batch norm lies between"}
    graph = ng.convnet([[2, 2]], input_size=(1, 8, 8))
    assert {n: growth_requests(graph, graph.layers[n].id)[1] for n in names} == names
    plain = ng.convnet([[2, 2]], input_size=(1, 8, 8), batch_norm=False)
    assert growth_requests(plain, plain.layers["conv1_2"].id) == ([], "a pool lies between")
    residual = ng.resnet(8, width=2, input_size=(1, 8, 8))
    assert growth_requests(residual, residual.layers["stage1-block1"].id) == ([], "wires lead into or out of it")
    monkeypatch.setattr("netgraph.criteria.gradmax.MAX_ENTRIES", 100)
    assert "more than 100 entries" in growth_requests(plain, plain.layers["conv1_1"].id)[1]
