"""The builder and mlp: sizes, ids, initial weights, errors."""

import numpy as np
import pytest

import netgraph as ng
from netgraph.errors import GraphError, OptionError


def builder(*, grid=()):
    b = ng.GraphBuilder(seed=3)
    b.input("x", 2, grid=grid)
    b.output("y", 2)
    return b


def test_mlp():
    graph = ng.mlp([4, 5, 3], domain=(0, 1), activation="tanh", norm="batch", dtype=np.float64)
    assert [(x.name, len(x), x.activation, x.norm) for x in graph.layers.values()] == [
        ("input", 4, "identity", "none"), ("hidden1", 5, "tanh", "batch"), ("output", 3, "identity", "none"),
    ]  # fmt: skip
    assert graph.layers["input"].domain == (0.0, 1.0)
    assert graph.num_edges == 35
    assert graph.edges.weight.dtype == graph.layers["hidden1"].bias.dtype == np.float64
    assert (graph.next_ids, graph.rewrites) == (ng.graph.NextIds(3, 12, 35), 0)
    assert ng.mlp([4, 3], bias=False).layers["output"].bias is None


def test_mlp_refuses_one_size():
    with pytest.raises(GraphError, match=r"mlp\(\[3\]\) needs at least an input and an output"):
        ng.mlp([3])
    with pytest.raises(GraphError, match="'hidden1' has size 0"):
        ng.mlp([3, 0, 1])


def test_seeds_repeat_and_differ():
    one, same, other = (ng.mlp([3, 4, 2], seed=s) for s in (1, 1, 2))
    assert one.equals(same)
    assert one.same_topology(other)
    assert not one.equals(other)


def test_initial_weights_are_uniform_within_the_fan_in():
    weight = ng.mlp([100, 50]).edges.weight
    assert np.abs(weight).max() <= 0.1
    assert np.abs(weight).max() > 0.099
    assert abs(weight.mean()) < 0.005


def kaiming(density):
    b = ng.GraphBuilder(init="kaiming", dtype=np.float64)
    b.input("x", 100)
    b.output("y", 300)
    b.dense("x", "y", density=density)
    return b.build().links["x", "y"]


def test_kaiming_weights_are_normal_with_twice_the_variance_over_the_fan_in():
    weight = kaiming(1.0).weight
    assert abs(weight.std() - np.sqrt(2 / 100)) < 0.002
    assert abs(weight.mean()) < 0.002
    assert np.abs(weight).max() > 3.5 * np.sqrt(2 / 100)
    link = kaiming(0.2)
    scaled = link.weight * np.sqrt(np.bincount(link.dst)[link.dst] / 2)
    assert abs(scaled.std() - 1) < 0.03


def test_unknown_initial_weights_get_a_hint():
    with pytest.raises(OptionError, match=r"init='kaimin' is none of .*Did you mean 'kaiming'\?"):
        ng.GraphBuilder(init="kaimin")


def test_kernels_that_make_no_sense_are_refused():
    for kernel in (0, (-1, 3), (-1, -1)):
        for init in ("uniform", "kaiming"):
            b = ng.GraphBuilder(init=init)
            b.input("x", 2, grid=(4, 4))
            b.output("y", 2, grid=(4, 4))
            b.conv2d("x", "y", kernel=kernel)
            with pytest.raises(GraphError, match="needs a kernel and a stride of at least 1"):
                b.build()


def test_density():
    graph = ng.mlp([10, 10], density=0.37)
    assert graph.num_edges == 37
    assert graph.density == 0.37
    fan_in = np.bincount(graph.edges.target - 10, minlength=10)
    assert (np.abs(graph.edges.weight) <= 1 / np.sqrt(fan_in[graph.edges.target - 10]) + 1e-6).all()
    with pytest.raises(OptionError, match=r"density=1.5 is out of range; give a number from 0 to 1"):
        ng.mlp([2, 2], density=1.5)


def test_domains():
    b = ng.GraphBuilder()
    b.input("x", 2, domain=([0, -1], 1))
    b.output("y", 1)
    low, high = b.build().layers["x"].domain
    np.testing.assert_array_equal(low, [0, -1])
    np.testing.assert_array_equal(high, [1, 1])
    with pytest.raises(GraphError, match="'z': the domain has 3 values for 2 vertices"):
        b.input("z", 2, domain=([0, 0, 0], 1))


def test_names_are_unique():
    b = builder()
    with pytest.raises(GraphError, match="'x' is there already"):
        b.layer("x", 3)


def test_unknown_names_get_a_hint():
    with pytest.raises(GraphError, match=r"Unknown layer 'xx'.*Did you mean 'x'"):
        builder().dense("xx", "y")


def test_dtype_is_checked():
    with pytest.raises(OptionError, match="float32 or float64"):
        ng.GraphBuilder(dtype=np.float16)


def test_a_link_is_made_once():
    b = builder()
    b.dense("x", "y")
    with pytest.raises(GraphError, match="linked already at port 0"):
        b.dense("x", "y")
    assert len(b.build().links) == 1


def test_a_layer_that_sums_has_port_0_only():
    b = builder()
    b.dense("x", "y", port=1)
    with pytest.raises(GraphError, match="'x' -> 'y' ends at port 1; layer 'y' sums all"):
        b.build()


def test_edges_in_any_order_and_broadcast():
    b = builder()
    b.edges("x", "y", [1, 0], 0, weight=[5, 7])
    graph = b.build()
    np.testing.assert_array_equal(graph.edges.source, [0, 1])
    np.testing.assert_array_equal(graph.edges.weight, [7, 5])
    np.testing.assert_array_equal(graph.edges.id, [1, 0])  # ids in the order given


def test_edges_are_copied_from_the_caller():
    src, dst = np.array([0, 1], np.int32), np.array([0, 0], np.int32)
    tap, weight = np.zeros(2, np.int32), np.ones(2, np.float32)
    b = builder()
    b.edges("x", "y", src, dst, weight=weight, tap=tap)
    graph = b.build()
    before = graph.topology_hash
    src[:], dst[:], tap[:], weight[:] = 0, 1, 1, 7
    np.testing.assert_array_equal(graph.edges.source, [0, 1])
    np.testing.assert_array_equal(graph.edges.target, [2, 2])
    np.testing.assert_array_equal(graph.edges.weight, [1, 1])
    assert ng.Graph(graph.layers.values(), graph.links).topology_hash == before


def test_conv2d_takes_numbers_and_pairs():
    b = builder(grid=(6, 6))
    b.layer("a", 3, grid=(3, 2))
    b.conv2d("x", "a", kernel=(3, np.int64(2)), stride=(2, 3), padding=(1, 0))
    b.conv2d("x", "y", kernel=np.int64(6))
    graph = b.build()
    assert graph.links["x", "a"].kind == ng.Conv2d((3, 2), (2, 3), (1, 0))
    assert len(graph.links["x", "a"]) == 2 * 3 * 6
    np.testing.assert_array_equal(np.unique(graph.links["x", "a"].tap), np.arange(6))
    assert len(graph.links["x", "y"]) == 2 * 2 * 36


def test_identity_wires_the_narrower_width():
    b = ng.GraphBuilder()
    b.input("x", 2)
    b.output("y", 3)
    b.identity("x", "y")
    graph = b.build()
    np.testing.assert_array_equal(graph.edges.source, [0, 1])
    np.testing.assert_array_equal(graph.edges.target, [2, 3])
    assert graph.edges.frozen.all()
    assert graph.num_edges == 0


# -- biases and values of norms ----------------------------------------------------------------------


def valued(**options):
    b = ng.GraphBuilder(dtype=np.float64)
    b.input("x", 2, domain=(0, 1))
    b.layer("h", 3, **options)
    b.output("y", 1)
    b.dense("x", "h")
    b.dense("h", "y")
    return b.build().layers["h"]


@pytest.mark.parametrize("value", [0.5, np.float32(0.5), [0.5, 0.5, 0.5], np.full(3, 0.5, np.float32), (0.5,) * 3])
def test_biases_may_be_given(value):
    for layer in (valued(bias=value), valued(values={"bias": value})):
        assert layer.bias.tolist() == [0.5, 0.5, 0.5]
        assert layer.bias.dtype == np.float64


def test_values_of_norms_and_activations_may_be_given():
    given = {"scale": [1, 2, 3], "shift": -1, "mean": [0.5, 0, -0.5], "var": [0, 1, 2], "slope": 0.125, "bias": 4}
    layer = valued(norm="batch", activation="prelu", values=given)
    assert {name: values.tolist() for name, values in layer.values.items()} == {
        **given, "shift": [-1] * 3, "slope": [0.125] * 3, "bias": [4] * 3,
    }  # fmt: skip
    assert valued(norm="layer", bias=False, values={"scale": 2}).values.keys() == {"scale", "shift"}


def test_outputs_take_biases_too():
    b = ng.GraphBuilder()
    b.input("x", 2)
    b.output("y", 2, bias=[0.1, -0.1])
    b.dense("x", "y")
    np.testing.assert_array_equal(ng.interpret(b.build(), np.zeros((1, 2))), np.float32([[0.1, -0.1]]))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"bias": [1.0, 2.0]}, r"Layer 'h': bias has shape \(2,\), expected one number, or \(3,\)"),
        ({"bias": [[1.0, 2.0, 3.0]]}, r"Layer 'h': bias has shape \(1, 3\)"),
        ({"bias": [1.0, np.nan, 3.0]}, "Layer 'h': bias.*nan"),
        ({"bias": np.inf}, "Layer 'h': bias.*inf"),
        ({"bias": ["a", "b", "c"]}, "Layer 'h': bias"),
        ({"bias": 1}, r"Layer 'h': bias=1 is neither True nor False nor biases; .* bias=1\.0"),
        ({"bias": None}, "Layer 'h': bias=None is neither"),
        ({"bias": [1.0] * 3, "values": {"bias": 2.0}}, "Layer 'h' gets biases twice"),
        ({"bias": False, "values": {"bias": 2.0}}, "Layer 'h' has no vertex column 'bias'"),
        ({"values": {"scale": 2.0}}, r"Layer 'h' has no vertex column 'scale'; .* it has \['bias'\]"),
        ({"norm": "layer", "values": {"var": 2.0}}, "Layer 'h' has no vertex column 'var'"),
        ({"norm": "batch", "values": {"var": [1.0, -1.0, 1.0]}}, r"Layer 'h': var is -1\.0 at vertex row 1"),
        ({"norm": "batch", "values": {"mean": [True, False, True]}}, "Layer 'h': mean"),
    ],
)
def test_values_that_do_not_fit_are_refused_by_layer_and_value(options, words):
    with pytest.raises(GraphError, match=words):
        valued(**options)


def test_a_value_that_float32_cannot_hold_is_refused():
    b = ng.GraphBuilder()
    with pytest.raises(GraphError, match=r"Layer 'h': bias\[1\].*1e\+300"):
        b.layer("h", 2, bias=[0.0, 1e300])
