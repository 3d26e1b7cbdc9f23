"""The allowance for rounding, against exact arithmetic."""

from fractions import Fraction

import numpy as np
import pytest
from random_graphs import dyadic

import netgraph as ng
from netgraph.errors import InputError
from netgraph.graph import ACTIVATIONS
from netgraph.proof.rounding import rounding_allowance

mpmath = pytest.importorskip("mpmath")


def small(activation="relu", norm="none", seed=0, **options):
    rng = np.random.default_rng(seed)
    b = ng.GraphBuilder(dtype=np.float64)
    b.input("x", 3, domain=(-2, 2))
    b.layer("h", 4, activation=activation, norm=norm, slope=0.1, **options)
    b.output("y", 2)
    b.dense("x", "h")
    b.dense("h", "y")
    graph = b.build()
    names = {k for layer in graph.layers.values() for k in layer.values} - {"low", "high"}
    columns = {k: rng.normal(size=graph.num_vertices) for k in sorted(names)}
    if "var" in columns:
        columns["var"] = columns["var"] ** 2
    return graph.with_weights(rng.normal(size=len(graph.edges)), vertices=columns), rng.uniform(-2, 2, (6, 3))


def matrix(graph, source, target):
    link = graph.links[source, target]
    result = [[mpmath.mpf(0)] * len(graph.layer(source)) for _ in range(len(graph.layer(target)))]
    for dst, src, weight in zip(link.dst, link.src, link.weight, strict=True):
        result[dst][src] = mpmath.mpf(float(weight))
    return result


def real_outputs(graph, x, train):
    """Outputs of `small` in 50 digits, (batch, vertices)."""
    layer, f = graph.layer("h"), mpmath.mpf
    p = {k: [f(float(e)) for e in v] for k, v in layer.values.items()}
    w = matrix(graph, "x", "h")
    z = [
        [sum(a * f(float(b)) for a, b in zip(row, s, strict=True)) + p["bias"][i] for i, row in enumerate(w)] for s in x
    ]
    if layer.norm == "rms":
        z = [
            [t / mpmath.sqrt(sum(u * u for u in values) / len(values) + f(layer.norm_epsilon)) for t in values]
            for values in z
        ]
    elif layer.norm == "layer":
        z = [normalised(values, layer.norm_epsilon) for values in z]
    elif layer.norm == "batch" and train:
        columns = [normalised(values, layer.norm_epsilon) for values in zip(*z, strict=True)]
        z = list(zip(*columns, strict=True))
    elif layer.norm == "batch":
        spread = [mpmath.sqrt(v + f(layer.norm_epsilon)) for v in p["var"]]
        z = [[(t - p["mean"][i]) / spread[i] for i, t in enumerate(values)] for values in z]
    if layer.norm != "none":
        shift = p.get("shift", [0] * len(layer))
        z = [[t * p["scale"][i] + shift[i] for i, t in enumerate(values)] for values in z]
    h = [[activated(layer, t, p, i) for i, t in enumerate(values)] for values in z]
    bias = [f(float(e)) for e in graph.layer("y").bias]
    w = matrix(graph, "h", "y")
    return [[sum(a * b for a, b in zip(row, v, strict=True)) + bias[i] for i, row in enumerate(w)] for v in h]


def normalised(values, epsilon):
    mean = sum(values) / len(values)
    variance = sum((v - mean) ** 2 for v in values) / len(values)
    return [(v - mean) / mpmath.sqrt(variance + mpmath.mpf(epsilon)) for v in values]


def activated(layer, t, p, i):
    name = layer.activation
    if name in ("identity", "relu", "leaky_relu", "prelu"):
        slope = {"identity": 1, "relu": 0, "leaky_relu": mpmath.mpf(layer.slope)}.get(name)
        return t if t >= 0 else t * (p["slope"][i] if slope is None else slope)
    if name == "relu6":
        return min(max(t, mpmath.mpf(0)), mpmath.mpf(6))
    if name == "rational":
        v, c, l = (p[k][i] for k in "vcl")  # noqa: E741
        return ((2 * v * t + c) / (1 + t**2) + l * t) / mpmath.sqrt(v**2 + c**2 + l**2 + mpmath.mpf(1e-8))
    sigmoid = 1 / (1 + mpmath.exp(-t))
    return {
        "tanh": mpmath.tanh,
        "sigmoid": lambda t: sigmoid,
        "softplus": lambda t: mpmath.log1p(mpmath.exp(t)),
        "gelu": lambda t: t * mpmath.ncdf(t),
        "gelu_tanh": lambda t: (
            t * (1 + mpmath.tanh(mpmath.sqrt(2 / mpmath.pi) * (t + mpmath.mpf("0.044715") * t**3))) / 2
        ),
        "silu": lambda t: t * sigmoid,
    }[name](t)


CASES = [(name, "none", False) for name in ACTIVATIONS]
CASES += [
    (name, norm, train) for name in ("relu", "gelu") for norm in ("batch", "layer", "rms") for train in (False, True)
]


@pytest.mark.parametrize(("activation", "norm", "train"), CASES)
def test_evaluation_stays_within_the_allowance(activation, norm, train):
    for seed in range(3):
        graph, x = small(activation, norm, seed)
        got = ng.interpret(graph, x, train=train)
        allowed = rounding_allowance(graph, x, train=train)["y"]
        assert allowed.shape == (2,)
        coarse = norm in ("layer", "rms") or (norm == "batch" and train)
        assert (allowed < (1e-9 if coarse else 1e-12)).all()
        with mpmath.workdps(50):
            real = real_outputs(graph, x, train)
            for row, values in enumerate(real):
                for k, value in enumerate(values):
                    assert abs(mpmath.mpf(float(got[row, k])) - value) <= allowed[k]
        if not (norm == "batch" and train):
            assert (rounding_allowance(graph)["y"] >= allowed).all()


def test_a_sum_of_thirds():
    n = 1000
    b = ng.GraphBuilder(dtype=np.float64)
    b.input("x", n, domain=(0, 1))
    b.output("y", 1, bias=False)
    b.edges("x", "y", np.arange(n), np.zeros(n, int), weight=np.full(n, 1 / 3))
    graph = b.build()
    x = np.random.default_rng(0).random((4, n))
    real = [sum(Fraction(1 / 3) * Fraction(v) for v in row) for row in x.tolist()]
    got = ng.interpret(graph, x)[:, 0]
    error = max(abs(Fraction(float(a)) - b) for a, b in zip(got, real, strict=True))
    allowed = rounding_allowance(graph)["y"][0]
    assert 0 < error <= allowed < 1e-10


def test_the_domain_is_that_of_the_samples_when_there_are_any():
    graph = ng.mlp([2, 8, 1])
    assert np.isinf(rounding_allowance(graph)["output"]).all()
    x = np.array([[0.5, -1.0], [2.0, 3.0]])
    allowed = rounding_allowance(graph, x)["output"]
    assert (allowed < 1e-12).all()
    np.testing.assert_array_equal(rounding_allowance(graph, domain=([0.5, -1], [2, 3]))["output"], allowed)
    assert (rounding_allowance(graph, 100 * x)["output"] > allowed).all()
    assert (rounding_allowance(graph, x, domain=(-100, 100))["output"] > allowed).all()
    for wrong in (np.array([[np.inf, 0.0]]), np.empty((0, 2))):
        with pytest.raises(InputError, match="empty or not finite"):
            rounding_allowance(graph, wrong)


def test_statistics_of_a_batch_of_unknown_size():
    graph, x = small(norm="batch")
    assert np.isinf(rounding_allowance(graph, train=True)["y"]).all()
    one, many = (rounding_allowance(graph, rows, train=True)["y"] for rows in (x, np.repeat(x, 10, axis=0)))
    assert (one < many).all()
    columns = {"scale": np.zeros(graph.num_vertices)}
    assert np.isfinite(rounding_allowance(graph.with_weights(vertices=columns), train=True)["y"]).all()


@pytest.mark.parametrize("kind", ["max", "average"])
def test_maps_and_pools(kind):
    b = ng.GraphBuilder(dtype=np.float64)
    b.input("x", 1, grid=(4, 4), domain=(-1, 1))
    b.layer("a", 2, grid=(4, 4), pool=ng.Pool(kind, (3, 3), (1, 1)), bias=False)
    b.output("y", 1, bias=False)
    b.conv2d("x", "a", kernel=3, padding=1)
    b.conv2d("a", "y", kernel=2)
    graph = b.build()
    x = np.random.default_rng(0).uniform(-1, 1, (3, 1, 4, 4))
    got, allowed = ng.interpret(graph, x)[:, 0], rounding_allowance(graph, x)["y"][0]
    assert 0 < allowed < 1e-12
    first, last = graph.links["x", "a"], graph.links["a", "y"]
    for sample, value in zip(x, got, strict=True):
        padded = np.pad(sample[0], 1)
        z = [[[Fraction(0)] * 4 for _ in range(4)] for _ in range(2)]
        for dst, tap, weight in zip(first.dst, first.tap, first.weight, strict=True):
            for i in range(4):
                for j in range(4):
                    z[dst][i][j] += Fraction(float(weight)) * Fraction(float(padded[i + tap // 3, j + tap % 3]))
        total = Fraction(0)
        for src, tap, weight in zip(last.src, last.tap, last.weight, strict=True):
            window = [max(z[src][tap // 2 + i][tap % 2 + j], Fraction(0)) for i in range(3) for j in range(3)]
            total += Fraction(float(weight)) * (max(window) if kind == "max" else sum(window) / 9)
        assert abs(Fraction(float(value)) - total) <= allowed


def test_dyadic_graphs_need_none_of_it():
    graph, _x = small("relu")
    rng = np.random.default_rng(0)
    graph = graph.with_weights(dyadic(rng, len(graph.edges)), vertices={"bias": dyadic(rng, graph.num_vertices)})
    x = dyadic(rng, (5, 3))
    with mpmath.workdps(50):
        assert (np.array(real_outputs(graph, x, False), dtype=float) == ng.interpret(graph, x)).all()
    assert (rounding_allowance(graph, x)["y"] > 0).all()


def chain(activation, weights, *, last=None):
    """Inputs of the given weights into one vertex, that into one more by an edge of weight `last`."""
    b = ng.GraphBuilder(dtype=np.float64)
    b.input("x", len(weights))
    b.output("y", 1, activation="identity" if last else activation, bias=False)
    target = "y"
    if last:
        b.layer("h", 1, activation=activation, bias=False)
        b.edges("h", "y", [0], [0], weight=last)
        target = "h"
    b.edges("x", target, np.arange(len(weights)), 0 * np.arange(len(weights)), weight=weights)
    return b.build()


def test_digits_that_an_activation_cancels_count():
    # 1 + erf(z) keeps no digit of the tail, and the slope there is too small to speak of.
    graph = chain("gelu", [1.0])
    errors = []
    with mpmath.workdps(40):
        for x in np.linspace(-7.0, -6.0, 20):
            real = mpmath.mpf(float(x)) * mpmath.ncdf(mpmath.mpf(float(x)))
            errors.append(abs(float(mpmath.mpf(float(ng.interpret(graph, [[x]])[0, 0])) - real)))
            assert errors[-1] <= rounding_allowance(graph, [[x]])["y"][0] < 1e-13
    assert max(errors) > 1e-17


@pytest.mark.parametrize("activation", ["identity", "relu", "prelu", "softplus"])
def test_errors_of_sums_that_cancel_are_carried_on(activation):
    rng = np.random.default_rng(1)
    errors = []
    for _ in range(20):
        a, b = rng.uniform(0.1, 1, 2)
        graph, x = chain(activation, [1e8 * a, -1e8 * b], last=1.0), np.array([[b, a]])
        z = Fraction(1e8 * a) * Fraction(b) - Fraction(1e8 * b) * Fraction(a)
        got = Fraction(float(ng.interpret(graph, x)[0, 0]))
        if activation == "softplus":
            with mpmath.workdps(40):
                real = Fraction(str(mpmath.log1p(mpmath.exp(mpmath.mpf(z.numerator) / z.denominator))))
        else:
            real = z if z > 0 else z * {"identity": 1, "relu": 0, "prelu": Fraction(1, 4)}[activation]
        errors.append(abs(got - real))
        assert errors[-1] <= rounding_allowance(graph, x)["y"][0] < 1e-6
    assert max(errors) > 1e-9


def test_the_mean_of_a_window_adds_its_own_rounding():
    allowed = {}
    for kind in ("max", "average"):
        b = ng.GraphBuilder()
        b.input("x", 1, grid=(8, 8), domain=(0, 1))
        b.output("y", 1, grid=(8, 8), pool=ng.Pool(kind, (8, 8)), bias=False)
        b.identity("x", "y")
        allowed[kind] = rounding_allowance(b.build())["y"][0]
    assert allowed["average"] > allowed["max"] + 64 * np.finfo(float).eps
