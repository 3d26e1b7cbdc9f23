"""Random graphs, compared with rational arithmetic and with the interpreter."""

import math
from fractions import Fraction

import numpy as np
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from proof_graphs import assert_sound, layer, link, probe, source, target
from random_graphs import graphs, random_rewrite

from netgraph.graph import Graph
from netgraph.proof import certify

INF = np.inf


@given(graphs(exact=False), st.lists(st.integers(0, 2**20), min_size=1, max_size=3))
@settings(max_examples=40)
def test_no_output_changes_by_more_than_is_proved(old, seeds):
    new = old
    for seed in seeds:
        new = random_rewrite(new, seed).graph
    for one, two in ((old, new), (new, old)):
        certificate = certify(one, two)
        if certificate.bounds:
            assert_sound(one, two, certificate)


SLOPES = {"relu": Fraction(0), "identity": Fraction(1)}


def piecewise_linear(graph):
    """Whether rational arithmetic can evaluate the graph."""
    layers = graph.layers_by_id.values()
    known = all(own.activation in (*SLOPES, "leaky_relu", "prelu") and own.norm == "none" for own in layers)
    return known and not any(own.merge is not None and own.merge.slotted for own in layers)


def pieces(own):
    """The negative slope of each vertex of a piecewise-linear layer."""
    if own.activation == "prelu":
        return [Fraction(float(v)) for v in own.values["slope"]]
    return [SLOPES.get(own.activation, Fraction(own.slope))] * len(own)


def real_edge(kind, tap, values, grid):
    """Reads of one edge of weight 1, from values on the source's grid."""
    read = kind.positions(values.shape, grid)[tap]
    flat = [*values.ravel().tolist(), Fraction(0)]  # number -1 is outside of the source
    result = np.empty(len(read), dtype=object)
    result[:] = [flat[i] for i in read]
    return result.reshape(grid)


def real_pool(pool, values):
    grid, zero = pool.output_grid(values.shape), Fraction(0)
    size = [
        (g + 2 * p - k) // s + 1 for g, k, s, p in zip(values.shape, pool.size, pool.strides, pool.pads, strict=True)
    ]
    result = np.empty(size, dtype=object)
    for at in np.ndindex(*size):
        starts = [a * s - p for a, s, p in zip(at, pool.strides, pool.pads, strict=True)]
        inside = tuple(slice(max(a, 0), a + k) for a, k in zip(starts, pool.size, strict=True))
        window = values[inside].ravel().tolist()
        result[at] = max(window) if pool.kind == "max" else sum(window, zero) / Fraction(math.prod(pool.size))
    return result.reshape(grid)


real = np.vectorize(lambda value: Fraction(float(value)), otypes=[object])


def real_source(own, x):
    if own.role == "position":
        return [
            np.vectorize(Fraction, otypes=[object])(row) for row in np.eye(len(own), dtype=int).reshape(-1, *own.grid)
        ]
    if own.encoding == "index":
        return [
            np.vectorize(lambda v, i=i: Fraction(int(v == i)), otypes=[object])(x[own.name]) for i in range(len(own))
        ]
    return [np.vectorize(lambda v: Fraction(float(v)), otypes=[object])(row) for row in x[own.name]]


def real_outputs(graph, x):
    """Outputs of a piecewise-linear graph without norms in rational numbers, for one sample."""
    values = {}
    for key in graph.topological_order:
        own = graph.layer(key)
        if own.is_source:
            values[key] = real_source(own, x)
            continue
        bias = own.bias if own.bias is not None else np.zeros(len(own))
        ports = [[np.full(own.grid, Fraction(start), dtype=object) for _ in bias] for start in (0, 0)]
        for k in graph.incoming[key]:
            z = ports[k.port if own.merge is not None else 0]
            for s, t, tap, w in zip(k.src, k.dst, k.tap, k.weight, strict=True):
                z[t] = z[t] + Fraction(float(w)) * real_edge(k.kind, tap, np.asarray(values[k.source][s]), own.grid)
        z = ports[0] if own.merge is None else [a * b for a, b in zip(*ports, strict=True)]
        z = [np.asarray(row + Fraction(float(b)), dtype=object) for row, b in zip(z, bias, strict=True)]
        z = [np.where(row >= 0, row, slope * row) for row, slope in zip(z, pieces(own), strict=True)]
        values[key] = [real_pool(own.pool, row) for row in z] if own.pool else z
    return {own.name: values[own.id] for own in graph.outputs}


def assert_bounds_hold(old, new, certificate, x):
    """For one sample, in rational numbers and without any allowance."""
    one, two = real_outputs(old, x), real_outputs(new, x)
    for name, values in one.items():
        for a, b, bound in zip(values, two[name], certificate.bounds[name], strict=True):
            change = max(abs(v) for v in np.ravel(a - b).tolist())
            assert bound == INF or change <= Fraction(bound)


NASTY = [0.1, 1 / 3, 1e-17, 1 + 2.0**-52, -1e-9, 1e9, 3e-7, 0.5, -0.25, 1.0, -1.0, 0.0]


@st.composite
def nasty_pairs(draw):
    """Two graphs of three layers, the second with vertices doubled, rescaled, split, and perhaps a weight changed."""
    rng = np.random.default_rng(draw(st.integers(0, 2**20)))
    activation = draw(st.sampled_from(["relu", "leaky_relu", "prelu", "identity"]))
    n = draw(st.integers(1, 4))
    w, v, bias = rng.choice(NASTY, (n, 2)), rng.choice(NASTY, n), rng.choice(NASTY, n)

    def graph(w, v, bias, ids):
        h = layer(1, "h", ids, activation=activation, bias=bias, slope=0.1)
        into = [(s, t, float(w[t, s])) for t in range(len(w)) for s in range(2)]
        return Graph(
            [source(2), h, target()], [link(0, 1, into), link(1, 9, [(t, 0, float(v[t])) for t in range(len(v))])]
        )

    old = graph(w, v, bias, list(range(10, 10 + n)))
    for _ in range(draw(st.integers(0, 3))):
        i, share, scale = rng.integers(len(v)), rng.choice([0.5, 1 / 3, -1.0, 0.1]), rng.choice([1.0, 2.0, 3.0, 0.1])
        w, bias = np.vstack([w, w[i] * scale]), np.append(bias, bias[i] * scale)
        v = np.append(v, v[i] * share / scale)
        v[i] *= 1 - share
    if draw(st.booleans()):
        part = (w, v, bias)[draw(st.integers(0, 2))].reshape(-1)
        part[rng.integers(len(part))] += rng.choice([1e-30, 1e-16, 2.0**-60, 1e-9, 1.0])
    return old, graph(w, v, bias, list(range(10, 10 + len(v))))


@given(nasty_pairs(), st.integers(0, 2**20))
@settings(max_examples=150)
def test_exact_means_equal_in_rational_numbers(pair, seed):
    rng = np.random.default_rng(seed)
    for old, new in (pair, pair[::-1]):
        certificate = certify(old, new)
        for x in [np.array([1.0, -1.0]), *rng.uniform(-1, 1, (3, 2))]:
            assert_bounds_hold(old, new, certificate, {"x": x})


@given(graphs(exact=True), st.lists(st.integers(0, 2**20), min_size=1, max_size=2))
@settings(max_examples=20)
def test_bounds_hold_in_rational_numbers_on_grids_as_well(old, seeds):
    new = old
    for seed in seeds:
        new = random_rewrite(new, seed).graph
    assume(piecewise_linear(new))
    x = {name: values[-1] for name, values in probe(old, samples=2).items()}
    for one, two in ((old, new), (new, old)):
        certificate = certify(one, two)
        assert_bounds_hold(one, two, certificate, x)
