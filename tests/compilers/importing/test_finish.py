"""Drafts become graphs: fused where they alone go on with a layer, joined and separated where links coincide."""

import time

import numpy as np
import pytest

import netgraph as ng
from compilers.importing.drafts import DraftLayer, DraftLink
from compilers.importing.finish import finish
from netgraph.errors import GraphError
from netgraph.graph import Conv2d, Dense, Identity, Pool, Product


def linked(target, source, kind, weights, *, start=-1, port=0):
    """Link with the weights of a matrix (targets, sources), the first with the code `start`; 0 is a missing edge."""
    dst, src = np.nonzero(weights)
    codes = np.arange(start, start + len(src)) if start >= 0 else np.full(len(src), -1)
    wires = np.full(len(src), kind == Identity())
    values = weights[dst, src].astype(float)
    target.links.append(DraftLink(source, kind, src, dst, np.zeros(len(src), np.int64), values, codes, wires, port))
    return target


def wired(source, name, **attributes):
    attributes = {"width": source.width, "grid": source.output_grid} | attributes
    return linked(DraftLayer(name, **attributes), source, Identity(), np.eye(source.width))


def dense(source, name, weights, **attributes):
    weights = np.asarray(weights, float)
    return linked(DraftLayer(name, len(weights), (), **attributes), source, Dense(), weights)


def biased(source, name, values):
    return wired(source, name, columns={"bias": np.array(values, float)})


def normed(source, name, norm="layer"):
    return wired(source, name, norm=norm)


def names(graph):
    return [layer.name for layer in graph.layers]


@pytest.fixture
def x():
    return DraftLayer("x", 2, (), role="input")


MATRIX = [[1.0, 2.0], [3.0, 4.0]]


class TestFusing:
    def test_bias_norm_and_activation_become_parts_of_the_sum(self, x):
        a = dense(x, "a", MATRIX)
        b = biased(a, "b", [1, 2])
        c = normed(b, "c")
        d = wired(c, "d", activation="relu", role="output")
        finished = finish([x], [d], dtype=np.float64)
        (layer,) = finished.graph.outputs
        assert names(finished.graph) == ["x", "a"]
        assert (layer.norm, layer.activation, layer.values["bias"].tolist()) == ("layer", "relu", [1, 2])
        assert finished.name(d) == "a"
        assert [finished.find(draft) for draft in (a, b, c)] == [None] * 3

    def test_a_pool_behind_an_activation(self):
        x = DraftLayer("x", 1, (4, 4), role="input")
        a = wired(x, "a", activation="relu")
        b = wired(a, "b", pool=Pool("max", (2, 2)), role="output")
        graph = finish([x], [b], dtype=np.float64).graph
        assert names(graph) == ["x", "a"]
        assert graph.layers["a"].pool == Pool("max", (2, 2))

    def test_parts_that_come_in_another_order_stay_layers(self, x):
        a = wired(dense(x, "a", MATRIX), "relu", activation="relu")
        b = wired(normed(a, "b"), "tanh", activation="tanh")
        c = wired(b, "c", activation="relu", role="output")
        graph = finish([x], [c], dtype=np.float64).graph
        assert names(graph) == ["x", "a", "b", "c"]
        values = np.random.default_rng(0).normal(size=(5, 2))
        hidden = np.maximum(values @ np.array(MATRIX).T, 0)
        scaled = (hidden - hidden.mean(1, keepdims=True)) / np.sqrt(hidden.var(1, keepdims=True) + 1e-5)
        np.testing.assert_allclose(ng.interpret(graph, values), np.maximum(np.tanh(scaled), 0), atol=1e-12)

    def test_what_others_read_too_stays_a_layer(self, x):
        a = dense(x, "a", MATRIX)
        b = wired(a, "b", activation="relu")
        out = linked(wired(b, "out", role="output"), a, Identity(), np.eye(2))
        assert names(finish([x], [out], dtype=np.float64).graph) == ["x", "a", "b", "out"]

    def test_an_output_is_fused_into_its_source_but_nothing_into_an_output(self, x):
        a = dense(x, "a", MATRIX)
        b = wired(a, "b", activation="relu", role="output")
        c = wired(b, "c", activation="tanh", role="output")
        finished = finish([x], [b, c], dtype=np.float64)
        assert [layer.name for layer in finished.graph.outputs] == ["a", "c"]
        assert (finished.name(b), finished.name(c)) == ("a", "c")

    def test_a_second_bias_and_other_rows_stay_layers(self, x):
        a = biased(dense(x, "a", MATRIX), "b", [1, 2])
        b = biased(a, "c", [3, 4])
        swapped = linked(DraftLayer("d", 2, (), role="output"), b, Identity(), np.array([[0, 1], [1, 0]]))
        assert names(finish([x], [swapped], dtype=np.float64).graph) == ["x", "a", "c", "d"]

    def test_inputs_keep_their_values(self, x):
        out = wired(x, "out", activation="relu", role="output")
        assert names(finish([x], [out], dtype=np.float64).graph) == ["x", "out"]

    def test_a_product_takes_activations_but_no_bias(self, x):
        gate, value = dense(x, "gate", MATRIX), dense(x, "value", MATRIX)
        product = linked(DraftLayer("product", 2, (), merge=Product()), gate, Identity(), np.eye(2))
        linked(product, value, Identity(), np.eye(2), port=1)
        active = wired(product, "active", activation="relu")
        out = biased(active, "out", [1, 1])
        out.role = "output"
        graph = finish([x], [out], dtype=np.float64).graph
        assert graph.layers["product"].activation == "relu"
        assert graph.layers["out"].values["bias"].tolist() == [1, 1]


class TestLinks:
    def test_edges_of_one_kind_that_do_not_coincide_are_one_link(self, x):
        out = linked(DraftLayer("out", 2, (), role="output"), x, Dense(), np.array([[2.0, 0], [0, 3]]))
        linked(out, x, Dense(), np.array([[0, 5.0], [7, 0]]))
        graph = finish([x], [out], dtype=np.float64).graph
        assert graph.links["x", "out"].weight.tolist() == [2, 5, 7, 3]

    @pytest.mark.parametrize("times", [2, 3])
    def test_a_value_that_is_added_to_itself_is_read_by_layers_of_wires(self, x, times):
        out = DraftLayer("out", 2, (), role="output")
        for _ in range(times):
            linked(out, x, Identity(), np.eye(2))
        graph = finish([x], [out], dtype=np.float64).graph
        assert len(graph.layers) == 1 + times
        np.testing.assert_array_equal(ng.interpret(graph, [[1.0, -2.0]]), [[times, -2.0 * times]])

    def test_two_products_of_one_value_are_added(self, x):
        out = linked(DraftLayer("out", 2, (), role="output"), x, Dense(), np.array(MATRIX), start=1)
        linked(out, x, Dense(), np.array(MATRIX), start=5)
        finished = finish([x], [out], dtype=np.float64)
        np.testing.assert_array_equal(ng.interpret(finished.graph, [[1.0, 1.0]]), [[6.0, 14.0]])
        edges, _ = finished.places({"one": 1, "two": 5}, {"one": (2, 2), "two": (2, 2)})
        for name in edges:
            assert finished.graph.edges.weight[finished.graph.edges.find(edges[name].reshape(-1))].tolist() == [
                1,
                2,
                3,
                4,
            ]

    def test_a_shortcut_beside_a_convolution_of_one_source(self):
        x = DraftLayer("x", 1, (3, 3), role="input")
        out = linked(DraftLayer("out", 1, (3, 3), role="output"), x, Identity(), np.eye(1))
        linked(out, x, Conv2d((1, 1)), np.array([[4.0]]))
        values = np.random.default_rng(0).normal(size=(2, 1, 3, 3))
        graph = finish([x], [out], dtype=np.float64).graph
        np.testing.assert_allclose(ng.interpret(graph, values), 5 * values)

    def test_tables_that_read_one_index_are_added(self):
        x = DraftLayer("x", 3, (), role="input", encoding="index")
        out = linked(DraftLayer("out", 1, (), role="output"), x, Dense(), np.array([[1.0, 2, 3]]))
        linked(out, x, Dense(), np.array([[10.0, 20, 30]]))
        graph = finish([x], [out], dtype=np.float64).graph
        np.testing.assert_array_equal(ng.interpret(graph, np.array([0, 2])), [[11], [33]])


class TestGraph:
    def test_drafts_that_no_output_needs_are_left_out_but_inputs_kept(self, x):
        dense(x, "vain", MATRIX)
        y = DraftLayer("y", 1, (), role="input")
        finished = finish([x, y], [dense(x, "out", MATRIX, role="output")], dtype=np.float64)
        assert names(finished.graph) == ["x", "y", "out"]

    def test_ids_are_in_topological_order_and_equal_names_get_numbers(self, x):
        a = dense(x, "l", MATRIX)
        b = dense(a, "l", MATRIX)
        c = dense(b, "l-2", MATRIX)
        d = dense(c, "l", MATRIX, role="output")
        graph = finish([x], [d], dtype=np.float64).graph
        assert names(graph) == ["x", "l", "l-2", "l-2-2", "l-3"]
        assert [layer.id for layer in graph.layers] == sorted(layer.id for layer in graph.layers)
        assert (np.diff(graph.vertices.id) > 0).all()

    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    def test_weights_and_columns_have_the_precision(self, x, dtype):
        graph = finish([x], [biased_output(x)], dtype=dtype).graph
        assert graph.edges.weight.dtype == graph.layers["out"].values["bias"].dtype == dtype

    def test_elements_of_parameters_have_their_edges_and_vertices_in_any_order(self, x):
        out = biased_output(x)
        (link,) = out.links
        order = np.array([2, 0, 3, 1])
        for column in ("src", "dst", "tap", "weight", "parameter", "frozen"):
            setattr(link, column, getattr(link, column)[order])
        link.parameter = 1 + order
        out.parameters["bias"] = np.array([6, -1])
        finished = finish([x], [out], dtype=np.float64)
        edges, vertices = finished.places({"w": 1, "b": 5, "none": 7}, {"w": (2, 2), "b": (2,), "none": (4,)})
        graph = finished.graph
        assert graph.edges.weight[graph.edges.find(edges["w"].reshape(-1))].tolist() == [1, 2, 3, 4]
        column, ids = vertices["b"]
        assert (column, ids.tolist()) == ("bias", [-1, int(graph.layers["out"].vertex_ids[0])])
        assert "none" not in edges
        assert "none" not in vertices

    def test_what_is_no_graph_is_refused_by_the_graph(self, x):
        wrong = dense(x, "out", MATRIX, role="output")
        wrong.links[0].src = wrong.links[0].src + 5
        with pytest.raises(GraphError, match="'out'"):
            finish([x], [wrong], dtype=np.float64)

    def test_chains_of_layers_of_one_name_take_linear_time(self, x):
        def seconds(count):
            last = x
            for _ in range(count):
                last = dense(last, "l", MATRIX)
            last.role = "output"
            start = time.process_time()
            finish([x], [last], dtype=np.float32)
            return time.process_time() - start

        seconds(100)
        assert seconds(4_000) < 40 * max(seconds(400), 0.02)


def biased_output(x):
    return dense(x, "out", MATRIX, role="output", columns={"bias": np.array([0.5, 1.5])})
