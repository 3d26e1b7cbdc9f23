"""The oracle, against hand-computed nets and against torch in float64."""

import importlib

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from ported import as_stored

import netgraph as ng
from netgraph.errors import InputError
from netgraph.graph import ACTIVATIONS, Pool


def rand(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def randomise(graph, seed=0):
    """Random weights and vertex columns, in float64."""
    rng = np.random.default_rng(seed)
    n = graph.num_vertices
    names = {k for x in graph.layers.values() for k in x.values} - {"low", "high"}
    vertices = {k: rng.normal(size=n) for k in sorted(names)}
    if "var" in vertices:
        vertices["var"] = rng.uniform(0.5, 2, n)
    return graph.with_weights(rng.normal(size=len(graph.edges)), vertices=vertices)


def kernel(link, targets, sources):
    """A link as a dense torch weight (targets, sources, height, width); absent edges are 0."""
    h, w = link.kind.kernel
    weight = np.zeros((targets, sources, h * w))
    weight[link.dst, link.src, link.tap] = link.weight
    return torch.from_numpy(weight.reshape(targets, sources, h, w))


# -- by hand --------------------------------------------------------------------------------------


def test_a_small_net_by_hand():
    b = ng.GraphBuilder(dtype=np.float64)
    b.input("x", 2)
    b.layer("h", 2)
    b.output("y", 1)
    b.edges("x", "h", [0, 1, 0], [0, 0, 1], weight=[1, -2, 3])
    b.edges("h", "y", [0, 1], [0, 0], weight=[5, 0.5])
    b.edges("x", "y", [1], [0], weight=10)
    graph = b.build().with_weights(vertices={"bias": np.array([0, 0, 1, -1, 0.25])})
    # h0 = relu(x0 - 2 x1 + 1), h1 = relu(3 x0 - 1), y = 5 h0 + h1 / 2 + 10 x1 + 1/4
    x = [[4, 1], [0, 3]]
    np.testing.assert_array_equal(ng.interpret(graph, x), [[5 * 3 + 11 / 2 + 10 + 0.25], [30.25]])
    layers = ng.interpret_layers(graph, x)
    np.testing.assert_array_equal(layers["h"], [[3, 11], [0, 0]])
    assert list(layers) == ["x", "h", "y"]
    assert ng.interpret(graph, x).dtype == np.float64


def test_ports_are_summed():
    b = ng.GraphBuilder()
    b.input("x", 1)
    b.output("y", 1)
    b.edges("x", "y", [0], [0], weight=1.0)
    b.edges("x", "y", [0], [0], weight=2.0, port=1)
    np.testing.assert_array_equal(ng.interpret(as_stored(b), [[3.0]]), [[9.0]])


def test_several_inputs_and_outputs():
    b = ng.GraphBuilder()
    b.input("p", 1)
    b.input("q", 2)
    b.output("y", 1)
    b.output("z", 1)
    b.edges("p", "y", [0], [0], weight=2.0)
    b.edges("q", "z", [1], [0], weight=3.0)
    got = ng.interpret(b.build(), {"q": [[1, 5]], "p": [[7]]})
    assert {k: v.tolist() for k, v in got.items()} == {"y": [[14.0]], "z": [[15.0]]}


def test_a_convolution_by_hand():
    b = ng.GraphBuilder()
    b.input("x", 1, grid=(2, 3))
    b.output("y", 1, grid=(2, 3), bias=False)
    # One tap right of the centre of a 3x3 kernel: every position reads its right neighbour, 0 at the border.
    b.edges("x", "y", [0], [0], weight=1.0, tap=5, kind=ng.Conv2d((3, 3), padding=(1, 1)))
    np.testing.assert_array_equal(ng.interpret(b.build(), [[[[1, 2, 3], [4, 5, 6]]]])[0, 0], [[2, 3, 0], [5, 6, 0]])


SAMPLES = [
    ("identity", [-2, 0, 3]),
    ("relu", [0, 0, 3]),
    ("leaky_relu", [-0.2, 0, 3]),
    ("prelu", [-0.5, 0, 3]),
    ("relu6", [0, 0, 3]),
    ("tanh", np.tanh([-2, 0, 3])),
    ("sigmoid", 1 / (1 + np.exp([2.0, 0, -3]))),
    ("softplus", np.log1p(np.exp([-2.0, 0, 3]))),
    ("silu", np.array([-2, 0, 3]) / (1 + np.exp([2.0, 0, -3]))),
    ("gelu", F.gelu(torch.tensor([-2.0, 0, 3], dtype=torch.float64)).numpy()),
    ("gelu_tanh", F.gelu(torch.tensor([-2.0, 0, 3], dtype=torch.float64), approximate="tanh").numpy()),
    ("rational", [-2, 0, 3]),
]


@pytest.mark.parametrize(("name", "values"), SAMPLES)
def test_activations(name, values):
    b = ng.GraphBuilder()
    b.input("x", 1)
    b.output("y", 1, activation=name, slope=0.1)
    b.edges("x", "y", [0], [0], weight=1.0)
    got = ng.interpret(b.build(), [[-2.0], [0.0], [3.0]])[:, 0]
    np.testing.assert_allclose(got, values, rtol=1e-7, atol=1e-12)


def test_every_activation_is_tested():
    assert set(ACTIVATIONS) == {name for name, _values in SAMPLES}


def test_activations_do_not_overflow():
    for activation in ACTIVATIONS.values():
        z = np.array([[-1e4, 1e4]])
        p = {name: np.full((1, 1), value) for name, value in activation.parameters.items()}
        values = activation.function(z, p, 0.01)
        assert np.isfinite(values).all()


def test_rational_is_the_paper_s_function():
    z, p = np.linspace(-3, 3, 7), {"v": 0.5, "c": -0.25, "l": 1.5}
    got = ACTIVATIONS["rational"].function(z, p, 0.0)
    scale = np.sqrt(0.5**2 + 0.25**2 + 1.5**2 + 1e-8)
    np.testing.assert_allclose(got, ((2 * 0.5 * z - 0.25) / (1 + z**2) + 1.5 * z) / scale, rtol=1e-14)


# -- against torch --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stride", "padding", "size"), [((1, 1), (0, 0), (3, 3)), ((2, 1), (1, 2), (3, 2)), ((3, 2), (2, 0), (1, 4))]
)
@pytest.mark.parametrize("density", [1.0, 0.4])
@pytest.mark.parametrize("many", [False, True])
def test_convolution(stride, padding, size, density, many, monkeypatch):
    if many:  # all taps at once, two samples at a time or one
        module = importlib.import_module("netgraph.interpret")
        monkeypatch.setattr(module, "MANY_PRODUCTS", 1)
        monkeypatch.setattr(module, "MANY_VALUES", 2 * 3 * size[0] * size[1] * 12)
    kind = ng.Conv2d(size, stride, padding)
    b = ng.GraphBuilder(dtype=np.float64)
    b.input("x", 3, grid=(7, 6))
    b.output("y", 4, grid=kind.output_grid((7, 6)))
    b.conv2d("x", "y", kernel=size, stride=stride, padding=padding, density=density)
    graph = randomise(b.build())
    x = rand(5, 3, 7, 6, seed=1)
    weight, bias = kernel(graph.links["x", "y"], 4, 3), torch.from_numpy(graph.layers["y"].bias.copy())
    expected = F.conv2d(torch.from_numpy(x), weight, bias, stride, padding)
    np.testing.assert_allclose(ng.interpret(graph, x), expected.numpy(), rtol=1e-12, atol=1e-12)


def test_a_large_sparse_link_takes_the_matrix_path():
    """Above a million products the sum goes through a sparse matrix; it is the same sum."""
    b = ng.GraphBuilder(dtype=np.float64)
    b.input("x", 40)
    b.output("y", 30)
    b.dense("x", "y", density=0.9)
    graph = b.build()
    x = rand(1200, 40)
    dense = np.zeros((30, 40))
    link = graph.links["x", "y"]
    dense[link.dst, link.src] = link.weight
    np.testing.assert_allclose(ng.interpret(graph, x), x @ dense.T, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(ng.interpret(graph, x)[:7], ng.interpret(graph, x[:7]), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("train", [True, False])
@pytest.mark.parametrize("grid", [(), (4, 3)])
def test_batch_norm(train, grid):
    b = ng.GraphBuilder(dtype=np.float64)
    b.input("x", 3, grid=grid)
    b.output("y", 3, grid=grid, norm="batch", norm_epsilon=1e-3)
    b.edges("x", "y", range(3), range(3), weight=1.0)
    graph = randomise(b.build())
    x = rand(6, 3, *grid)
    p = {k: torch.from_numpy(v.copy()) for k, v in graph.layers["y"].values.items()}
    w = torch.from_numpy(graph.edges.weight.copy()).reshape(3, *[1] * len(grid))
    z = torch.from_numpy(x) * w + p["bias"].reshape(3, *[1] * len(grid))
    expected = F.batch_norm(z, p["mean"], p["var"], p["scale"], p["shift"], training=train, eps=1e-3)
    np.testing.assert_allclose(ng.interpret(graph, x, train=train), expected.numpy(), rtol=1e-11, atol=1e-11)


def test_layer_norm_is_over_the_vertices_at_each_position():
    b = ng.GraphBuilder(dtype=np.float64)
    b.input("x", 5, grid=(4,))
    b.output("y", 5, grid=(4,), norm="layer", bias=False)
    b.dense("x", "y")
    graph = randomise(b.build())
    x = rand(3, 5, 4)
    w = torch.from_numpy(graph.edges.weight.reshape(5, 5).copy())
    p = {k: torch.from_numpy(v.copy()) for k, v in graph.layers["y"].values.items()}
    z = torch.einsum("oi,bit->bto", w, torch.from_numpy(x))
    expected = F.layer_norm(z, (5,), p["scale"], p["shift"], eps=1e-5).movedim(2, 1)
    np.testing.assert_allclose(ng.interpret(graph, x), expected.numpy(), rtol=1e-11, atol=1e-11)


def test_rms_norm_divides_by_the_root_mean_square_over_the_vertices():
    b = ng.GraphBuilder(dtype=np.float64)
    b.input("x", 5, grid=(4,))
    b.output("y", 5, grid=(4,), norm="rms", norm_epsilon=1e-3, bias=False)
    b.dense("x", "y")
    graph = randomise(b.build())
    x = rand(3, 5, 4)
    w = torch.from_numpy(graph.edges.weight.reshape(5, 5).copy())
    z = torch.einsum("oi,bit->bto", w, torch.from_numpy(x))
    scale = torch.from_numpy(graph.layers["y"].values["scale"].copy())
    expected = F.rms_norm(z, (5,), scale, eps=1e-3).movedim(2, 1)
    np.testing.assert_allclose(ng.interpret(graph, x), expected.numpy(), rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize(
    ("kind", "size", "stride"), [("max", (2, 2), None), ("max", (3, 2), (1, 2)), ("average", (2, 3), (2, 1))]
)
def test_pools(kind, size, stride):
    pool = ng.Pool(kind, size, stride)
    b = ng.GraphBuilder(dtype=np.float64)
    b.input("x", 2, grid=(6, 5))
    b.output("y", 2, grid=(6, 5), activation="tanh", pool=pool)
    b.edges("x", "y", [0, 1], [0, 1], weight=1.0)
    x = rand(3, 2, 6, 5)
    function = F.max_pool2d if kind == "max" else F.avg_pool2d
    expected = function(torch.from_numpy(np.tanh(x)), size, stride)
    np.testing.assert_allclose(ng.interpret(b.build(), x), expected.numpy(), rtol=1e-12, atol=1e-12)


def test_a_pool_of_the_whole_grid_gives_scalars():
    b = ng.GraphBuilder(dtype=np.float64)
    b.input("x", 2, grid=(3, 4))
    b.layer("p", 2, grid=(3, 4), activation="identity", pool=ng.Pool("average", (3, 4)))
    b.output("y", 1, bias=False)
    b.edges("x", "p", [0, 1], [0, 1], weight=1.0)
    b.edges("p", "y", [0, 1], [0, 0], weight=[1.0, 10.0])
    x = rand(4, 2, 3, 4)
    expected = x.mean(axis=(2, 3)) @ [[1.0], [10.0]]
    np.testing.assert_allclose(ng.interpret(b.build(), x), expected, rtol=1e-12)


@pytest.mark.parametrize(
    ("grid", "kind", "fits"),
    [
        ((1, 1), ng.Dense(), True),
        ((1, 1), ng.Identity(), True),
        ((2, 2), ng.Identity(stride=(2, 2)), True),
        ((1, 1), ng.Conv2d((1, 1)), True),
        ((2, 2), ng.Conv2d((2, 2)), True),
        ((1, 1), ng.Conv2d((3, 3), padding=(1, 1)), True),
        ((2, 2), ng.Conv2d((1, 1), stride=(2, 2)), True),
        ((1,), ng.Dense(), False),
        ((2, 2), ng.Dense(), False),
        ((2, 2), ng.Identity(), False),
    ],
)
def test_a_grid_of_one_position_feeds_scalars(grid, kind, fits):
    b = ng.GraphBuilder(dtype=np.float64)
    b.input("x", 2, grid=grid)
    b.output("y", 2)
    wires = kind.wires
    weight = [1.0, 1.0] if wires else [2.0, -3.0]
    tap = kind.taps // 2 if kind.taps == 9 else 0  # the one that reads the first position
    b.edges("x", "y", [0, 1], [0, 1], weight=weight, tap=tap, kind=kind, frozen=wires)
    if not fits:
        with pytest.raises(ng.errors.GraphError, match="gives the grid"):
            b.build()
        return
    x = np.random.default_rng(0).normal(size=(3, 2, *grid))
    graph = b.build()
    np.testing.assert_array_equal(ng.interpret(graph, x), x[:, :, 0, 0] * weight)
    assert ng.certify(graph, graph.with_weights(graph.edges.weight), domain=(-1, 1)).kind == "exact"


def test_residual_block_with_stride_and_fewer_source_maps():
    """conv-norm into a summing layer, shortcut strided by 2 into the first 2 of 3 maps, as in CIFAR ResNets."""
    b = ng.GraphBuilder(dtype=np.float64)
    b.input("x", 2, grid=(6, 5))
    b.layer("z", 3, grid=(3, 3), activation="identity", norm="batch", bias=False)
    b.output("sum", 3, grid=(3, 3), activation="relu", bias=False)
    b.conv2d("x", "z", kernel=3, stride=2, padding=1)
    b.identity("z", "sum")
    b.identity("x", "sum", stride=2)
    graph = randomise(b.build())
    x = rand(4, 2, 6, 5)
    t = torch.from_numpy(x)
    p = {k: torch.from_numpy(v.copy()) for k, v in graph.layers["z"].values.items()}
    z = F.conv2d(t, kernel(graph.links["x", "z"], 3, 2), stride=2, padding=1)
    z = F.batch_norm(z, p["mean"], p["var"], p["scale"], p["shift"], eps=1e-5)
    shortcut = F.pad(t[:, :, ::2, ::2], (0, 0, 0, 0, 0, 1))
    np.testing.assert_allclose(ng.interpret(graph, x), F.relu(z + shortcut).numpy(), rtol=1e-11, atol=1e-11)


def test_flattening_is_a_convolution_of_the_whole_grid():
    b = ng.GraphBuilder(dtype=np.float64)
    b.input("x", 2, grid=(3, 2))
    b.output("y", 4)
    b.conv2d("x", "y", kernel=(3, 2))
    graph = randomise(b.build())
    x = rand(5, 2, 3, 2)
    weight = kernel(graph.links["x", "y"], 4, 2).reshape(4, 12).numpy()
    expected = x.reshape(5, 12) @ weight.T + graph.layers["y"].bias
    np.testing.assert_allclose(ng.interpret(graph, x), expected, rtol=1e-12, atol=1e-12)


# -- inputs ---------------------------------------------------------------------------------------


@pytest.fixture
def two_inputs():
    b = ng.GraphBuilder()
    b.input("p", 2, domain=([0, -1], [1, 2]))
    b.input("maps", 1, grid=(2, 2))
    b.output("y", 1)
    return b.build()


GOOD = {"p": np.zeros((3, 2)), "maps": np.zeros((3, 1, 2, 2))}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"p": np.zeros((3, 3))}, [r"'p' has shape (3, 3)", "(batch, 2,)"]),
        ({"p": np.zeros(2)}, ["'p' has shape (2,)"]),
        ({"p": 1.0}, ["'p' has shape ()"]),
        ({"maps": np.zeros((3, 4))}, ["'maps' has shape (3, 4)", "(batch, 1, 2, 2)"]),
        ({"p": np.array([[0, 0], [0, -1.5], [0, 0]])}, ["'p'", "-1.5", "sample 1", "row 1", "[-1, 2]", "scale"]),
        ({"p": np.array([[0, 0], [0, 0], [np.nan, 0]])}, ["'p'", "nan", "sample 2", "row 0"]),
        ({"maps": np.full((3, 1, 2, 2), np.inf)}, ["'maps'", "inf", "sample 0"]),
        ({"maps": np.zeros((4, 1, 2, 2))}, ["different batch sizes", "3", "4"]),
        ({"z": np.zeros((3, 1))}, ["['maps', 'p', 'z']", "input layers ['maps', 'p']"]),
        ({"p": [["a", "b"]]}, ["'p' is no array of numbers"]),
        ({"p": [[1, 2], [3]]}, ["'p' is no array of numbers"]),
    ],
)  # fmt: skip
def test_bad_inputs_are_named(two_inputs, change, words):
    with pytest.raises(InputError) as caught:
        ng.interpret(two_inputs, {**GOOD, **change})
    for word in words:
        assert word in str(caught.value)


def test_missing_inputs_are_named(two_inputs):
    with pytest.raises(InputError, match=r"given for \['p'\].*'maps', 'p'"):
        ng.interpret(two_inputs, {"p": GOOD["p"]})
    with pytest.raises(InputError, match="given for"):
        ng.interpret(two_inputs, np.zeros((1, 2)))


def test_the_domain_check_can_be_left_out(two_inputs):
    x = {**GOOD, "p": np.full((3, 2), 9.0)}
    assert ng.interpret(two_inputs, x, check_domain=False).shape == (3, 1)


def test_bounds_are_part_of_the_domain(two_inputs):
    ng.interpret(two_inputs, {**GOOD, "p": np.array([[0, -1], [1, 2], [0.5, 0.5]])})


def test_indices_mean_the_vertex_that_is_one():
    b = ng.GraphBuilder()
    b.input("x", 3, grid=(2,), encoding="index")
    b.output("y", 2, grid=(2,))
    b.dense("x", "y")
    graph = b.build()
    weights = graph.links["x", "y"].weight.reshape(2, 3)
    np.testing.assert_allclose(ng.interpret(graph, [[2, 0]])[0], weights[:, [2, 0]])
    for wrong, words in (([[3, 0]], "3"), ([[0.5, 0]], "0.5"), ([[0, 1, 2]], r"expected \(batch, 2\)")):
        with pytest.raises(InputError, match=words):
            ng.interpret(graph, wrong)


def test_positions_give_each_position_its_own_weight():
    b = ng.GraphBuilder()
    b.input("x", 1, grid=(2, 2))
    b.positions("p", (2, 2))
    b.output("y", 1, grid=(2, 2), bias=False)
    b.identity("x", "y")
    b.edges("p", "y", [0, 3], [0, 0], weight=[5.0, 7.0])
    np.testing.assert_array_equal(ng.interpret(b.build(), np.ones((1, 1, 2, 2)))[0, 0], [[6, 1], [1, 8]])


def test_tokens_leave_by_places_and_pools():
    x = np.arange(12.0).reshape(1, 2, 6)

    def value(pool=None, offset=None, grid=()):
        b = ng.GraphBuilder()
        b.input("x", 2, grid=(6,))
        b.layer("h", 2, activation="identity", grid=(6,), pool=pool, bias=False)
        b.identity("x", "h")
        b.output("y", 2, grid=grid, bias=False)
        b.identity("h", "y") if offset is None else b.place("h", "y", offset)
        return ng.interpret(b.build(), x)[0].tolist()

    assert value(offset=0) == [0, 6]
    assert value(offset=-5) == [5, 11]
    assert value(offset=-4, grid=(3,)) == [[4, 5, 0], [10, 11, 0]]
    assert value(pool=Pool("average", (6,))) == [2.5, 8.5]
    assert value(pool=Pool("max", (3,), (2,), (1,)), grid=(3,)) == [[1, 3, 5], [7, 9, 11]]
    assert value(pool=Pool("average", (2,), (2,), (1,)), grid=(4,)) == [[0, 1.5, 3.5, 2.5], [3, 7.5, 9.5, 5.5]]


@pytest.mark.parametrize("grid", [(), (3,), (2, 2)])
@pytest.mark.parametrize("density", [1.0, 0.5])
def test_many_products_are_summed_alike(grid, density, monkeypatch):
    b = ng.GraphBuilder(seed=0, dtype=np.float64)
    b.input("x", 4, grid=grid)
    b.output("y", 5, grid=grid)
    b.dense("x", "y", density=density)
    x = rand(2, 4, *grid)
    few = ng.interpret(b.build(), x)
    monkeypatch.setattr(importlib.import_module("netgraph.interpret"), "MANY_PRODUCTS", 1)
    np.testing.assert_allclose(ng.interpret(b.build(), x), few, rtol=1e-13)
