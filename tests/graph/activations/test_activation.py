"""Laws of every activation: derivatives against finite differences, facts against a dense grid of points."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.special import ndtr

from netgraph.graph import ACTIVATIONS, get_activation

INF = np.inf
SLOPES = (0.25, 0.0, 1.0, 2.5, -0.5, 0.1)
RATIONAL = {
    "v": np.array([0.0, 1.0, -2.0, 0.5, 3.0, 0.0, 1.0, 1e-3, -1.0, 0.7, 2.0]),
    "c": np.array([0.0, 0.0, 1.0, -0.25, 4.0, 2.0, -5.0, 1.0, 0.0, 0.3, 1.0]),
    "l": np.array([1.0, 0.0, 0.5, 1.5, -0.1, 0.0, 1e-3, 1e-12, 0.5, -0.7, 2.0]),
}
CASES = [(name, slope) for name in ACTIVATIONS for slope in (SLOPES if name == "leaky_relu" else (0.01,))]
T = np.unique(np.concatenate([np.linspace(-12, 12, 241), np.linspace(-2, 2, 81), [-1e3, -40, 40, 1e3, 1e-9, -1e-9]]))


def parameters(name):
    """Parameters of several vertices, and how many they are."""
    if name == "prelu":
        return {"slope": np.array(SLOPES)}, len(SLOPES)
    return (RATIONAL, len(RATIONAL["v"])) if name == "rational" else ({}, 1)


def value(name, t, p, slope):
    """(vertices, points) values, accurate to a few ulps also where the plain definition cancels."""
    if name == "gelu":
        return t * ndtr(t) + np.zeros((1, 1))
    columns = {k: v[:, None] for k, v in p.items()}
    return ACTIVATIONS[name].function(np.broadcast_to(t, (max(len(v) for v in columns.values()) if p else 1, len(t))),
                                      columns, slope)  # fmt: skip


def intervals(n):
    """(low, high), each (intervals, n): all pairs of a few ends, points among them."""
    ends = np.array([-INF, -30.0, -3.0, -1.4142, -1.0, -0.7518, -0.5, 0.0, 0.3, 1.0, 2.4, 5.0, 6.0, 9.0, INF])
    low, high = np.meshgrid(ends, ends)
    keep = (low <= high) & ~((low == high) & np.isinf(low))
    return [np.repeat(v[keep][:, None], n, axis=1) for v in (low, high)]


def room(values):
    """What evaluating the definition itself may lose."""
    return 1e-14 + 1e-14 * np.abs(values)


@pytest.mark.parametrize(("name", "slope"), CASES)
def test_ranges_hold_and_are_tight(name, slope):
    a = ACTIVATIONS[name]
    p, n = parameters(name)
    values = value(name, T, p, slope)
    for low, high in zip(*intervals(n), strict=True):
        below, above = a.interval(low, high, p, slope)
        assert below.shape == above.shape == (n,)
        assert not np.isnan([below, above]).any()
        inside = (low[0] <= T) & (high[0] >= T)
        found = values[:, inside]
        assert (found >= below[:, None] - room(found)).all()
        assert (found <= above[:, None] + room(found)).all()
        if np.isfinite(low[0]) and np.isfinite(high[0]):
            t = np.append(np.linspace(low[0], high[0], 4001), np.clip(0.0, low[0], high[0]))
            fine = value(name, t, p, slope)
            np.testing.assert_allclose(below, fine.min(axis=1), rtol=1e-4, atol=1e-4)
            np.testing.assert_allclose(above, fine.max(axis=1), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("name", "slope"), CASES)
def test_slopes_bound_every_difference_quotient(name, slope):
    a = ACTIVATIONS[name]
    p, n = parameters(name)
    for low, high in zip(*intervals(n), strict=True):
        least, most = a.slopes(low, high, p, slope)
        assert not np.isnan([least, most]).any()
        assert (least <= most).all()
        ends = np.clip([low[0], high[0]], -40, 40)
        if ends[0] == ends[1]:
            continue
        t = np.linspace(*ends, 120)
        values = value(name, t, p, slope)
        i, j = np.triu_indices(len(t), 1)
        quotient = (values[:, j] - values[:, i]) / (t[j] - t[i])
        slack = 1e-12 + 4 * room(values).max() / (t[1] - t[0])
        assert (quotient >= least[:, None] - slack).all()
        assert (quotient <= most[:, None] + slack).all()


@pytest.mark.parametrize(("name", "slope"), CASES)
def test_slopes_at_a_point_are_the_derivative(name, slope):
    p, n = parameters(name)
    for at in (-3.0, -0.7, 0.4, 2.5):
        point = np.full(n, at)
        least, most = ACTIVATIONS[name].slopes(point, point, p, slope)
        h = 1e-5
        v = value(name, np.array([at - h, at + h]), p, slope)
        np.testing.assert_allclose(least, (v[:, 1] - v[:, 0]) / (2 * h), rtol=1e-6, atol=1e-7)
        np.testing.assert_allclose(most, least, atol=1e-12)


def test_slopes_known_by_hand():
    def slopes(name, low, high, p=None, slope=0.25):
        return [float(v[0]) for v in ACTIVATIONS[name].slopes(np.array([low]), np.array([high]), p or {}, slope)]

    assert slopes("relu", 0.0, INF) == [1, 1]
    assert slopes("relu", -INF, 0.0) == [0, 0]
    assert slopes("relu", -1.0, 1.0) == [0, 1]
    assert slopes("relu", 0.0, 0.0) == [0, 1]
    assert slopes("relu6", 0.0, 6.0) == [1, 1]
    assert slopes("relu6", -INF, 0.0) == slopes("relu6", 6.0, INF) == [0, 0]
    assert slopes("relu6", 5.0, 7.0) == slopes("relu6", -1.0, 1.0) == [0, 1]
    assert slopes("relu6", 0.0, 0.0) == slopes("relu6", 6.0, 6.0) == [0, 1]
    assert slopes("leaky_relu", -1.0, 1.0, slope=-2.0) == [-2, 1]
    assert slopes("prelu", -1.0, 0.0, {"slope": np.array([3.0])}) == [3, 3]
    assert slopes("tanh", -INF, INF) == [0, 1]
    assert slopes("sigmoid", -INF, INF) == [0, 0.25]
    assert slopes("softplus", -INF, INF) == [0, 1]
    np.testing.assert_allclose(slopes("gelu", -INF, INF), [-0.12890414518515478, 1.1289041451851548], rtol=1e-14)
    np.testing.assert_allclose(slopes("silu", -INF, INF), [-0.09983932012886692, 1.0998393201288669], rtol=1e-14)
    p = {"v": np.array([3.0]), "c": np.array([0.0]), "l": np.array([4.0])}
    np.testing.assert_allclose(slopes("rational", -INF, INF, p), [(4 - 6) / 5, (4 + 6) / 5], rtol=1e-8)


def test_ranges_are_exact_where_the_arithmetic_is():
    low, high = np.array([-1.0, 0.1, -INF, -2.0]), np.array([0.3, 0.7, INF, -0.1])
    identity = get_activation("identity").interval(low, high, {}, 0.0)
    np.testing.assert_array_equal(identity, [low, high])
    relu = get_activation("relu").interval(low, high, {}, 0.0)
    np.testing.assert_array_equal(relu, [[0, 0.1, 0, 0], [0.3, 0.7, INF, 0]])
    relu6 = get_activation("relu6").interval(low + 6, high + 6, {}, 0.0)
    np.testing.assert_array_equal(relu6, [[5, 6, 0, 4], [6, 6, 6, 5.9]])
    leaky = get_activation("leaky_relu").interval(low, high, {}, 0.1)
    np.testing.assert_array_equal(leaky[1][:3], high[:3])
    assert leaky[0][1] == 0.1
    assert leaky[0][0] < -0.1 * 1.0
    for name in ("sigmoid", "softplus"):
        ends = ACTIVATIONS[name].interval(np.array([-INF, -800.0]), np.array([INF, -800.0]), {}, 0.0)
        assert (ends[0] == 0).all()
        assert (ends[1] > 0).all()
    for name in ("tanh", "gelu", "gelu_tanh", "silu"):
        ends = ACTIVATIONS[name].interval(np.array([0.0, -INF]), np.array([INF, 0.0]), {}, 0.0)
        assert ends[0][0] == 0
        assert ends[1][1] == 0


@pytest.mark.parametrize("name", ["rational", "prelu", "softplus", "gelu", "gelu_tanh", "silu", "tanh"])
def test_an_infinite_end_leaves_the_other_bound_tight(name):
    a = ACTIVATIONS[name]
    p, n = parameters(name)
    t = np.concatenate([np.linspace(-50, 50, 20_001), np.linspace(-1e3, 1e3, 2001)])
    for start, stop in ((-1.5, INF), (-INF, 1.5), (-INF, INF)):
        below, above = a.interval(np.full(n, start), np.full(n, stop), p, 0.0)
        values = value(name, t[(t >= start) & (t <= stop)], p, 0.0)
        for bound, extreme in ((below, values.min(axis=1)), (above, values.max(axis=1))):
            known = np.isfinite(bound)
            np.testing.assert_allclose(bound[known], extreme[known], rtol=1e-3, atol=2e-3)
            assert (np.abs(extreme[~known]) > 1e-9).all()
            assert (np.abs(extreme[known]) < 100).all()


@pytest.mark.parametrize(("name", "slope"), CASES)
def test_affine_says_where_a_function_is_linear(name, slope):
    a = ACTIVATIONS[name]
    p, n = parameters(name)
    for low, high in zip(*intervals(n), strict=True):
        alpha, error = a.affine(low, high, p, slope)
        assert alpha.shape == error.shape == (n,)
        assert (error >= 0).all()
        linear = ~np.isnan(alpha)
        t = T[(low[0] <= T) & (high[0] >= T)]
        values = value(name, t, p, slope)
        off = np.abs(values - np.where(linear, alpha, 0.0)[:, None] * t)
        assert (off[linear] <= error[linear][:, None] * np.abs(t) + room(values[linear])).all()


def test_affine_known_by_hand():
    low, high = np.array([0.0, -1.0, -INF]), np.array([INF, 1.0, 0.0])
    nan = np.nan
    for name, p, slope, alpha in (
        ("identity", {}, 0.0, [1, 1, 1]),
        ("relu", {}, 0.0, [1, nan, 0]),
        ("relu6", {}, 0.0, [nan, nan, 0]),
        ("leaky_relu", {}, 0.1, [1, nan, 0.1]),
        ("leaky_relu", {}, 1.0, [1, 1, 1]),
        ("prelu", {"slope": np.array([0.5, 1.0, 0.5])}, 0.0, [1, 1, 0.5]),
        ("tanh", {}, 0.0, [nan] * 3),
        ("gelu", {}, 0.0, [nan] * 3),
    ):
        got, error = ACTIVATIONS[name].affine(low, high, p, slope)
        np.testing.assert_array_equal(got, alpha)
        assert not error.any()
    relu6 = ACTIVATIONS["relu6"].affine(np.array([0.0, 2.0, 6.0, 5.0]), np.array([6.0, 3.0, 6.0, 7.0]), {}, 0.0)
    np.testing.assert_array_equal(relu6, [[1, 1, 1, nan], [0, 0, 0, 0]])
    p = {"v": np.array([0.0, 0.0, 1.0]), "c": np.array([0.0, 1.0, 0.0]), "l": np.ones(3)}
    got, error = ACTIVATIONS["rational"].affine(low, high, p, 0.0)
    np.testing.assert_allclose(got, [1 / np.sqrt(1 + 1e-8), nan, nan], rtol=1e-15)
    assert 0 < error[0] < 1e-14


@pytest.mark.parametrize(("name", "slope"), CASES)
def test_mirror(name, slope):
    a = ACTIVATIONS[name]
    if a.mirror is None:
        assert name in ("identity", "relu6", "rational")
        return
    p, _n = parameters(name)
    m, b, c, error = (np.reshape(part, (-1, 1)) for part in a.mirror(p, slope))
    there, back = value(name, T, p, slope), value(name, -T, p, slope)
    np.testing.assert_allclose(back, m * there + b * T + c, rtol=1e-14, atol=1e-13)
    assert (error >= 0).all()


@pytest.mark.parametrize(("name", "slope"), CASES)
def test_homogeneous(name, slope):
    p, _n = parameters(name)
    same = np.allclose(value(name, 4 * T, p, slope), 4 * value(name, T, p, slope), rtol=1e-13)
    assert same == ACTIVATIONS[name].homogeneous
    assert ACTIVATIONS[name].exact == (same or name == "relu6")


@pytest.mark.parametrize(("name", "slope"), CASES)
def test_terms_cover_the_rounding_of_the_definition(name, slope):
    mpmath = pytest.importorskip("mpmath")
    a = ACTIVATIONS[name]
    p, n = parameters(name)
    points = np.array([-37.3, -6.1, -1.3, -0.1, 0.0, 0.7, 3.3, 20.7])
    real = {
        "tanh": mpmath.tanh,
        "sigmoid": lambda t: 1 / (1 + mpmath.exp(-t)),
        "softplus": lambda t: mpmath.log1p(mpmath.exp(t)),
        "gelu": lambda t: t * mpmath.ncdf(t),
        "gelu_tanh": lambda t: (
            t * (1 + mpmath.tanh(mpmath.sqrt(2 / mpmath.pi) * (t + mpmath.mpf("0.044715") * t**3))) / 2
        ),
        "silu": lambda t: t / (1 + mpmath.exp(-t)),
    }
    columns = {k: v[:, None] for k, v in p.items()}
    got = np.broadcast_to(a.function(np.broadcast_to(points, (n, len(points))), columns, slope), (n, len(points)))
    with mpmath.workdps(60):
        for row in range(n):
            for k, at in enumerate(map(mpmath.mpf, points.tolist())):
                if name in real:
                    wanted = real[name](at)
                elif name == "relu6":
                    wanted = min(max(at, mpmath.mpf(0)), mpmath.mpf(6))
                elif name == "rational":
                    v, c, l = (mpmath.mpf(float(p[key][row])) for key in ("v", "c", "l"))  # noqa: E741
                    wanted = ((2 * v * at + c) / (1 + at**2) + l * at) / mpmath.sqrt(v**2 + c**2 + l**2 + 1e-8)
                else:
                    factor = {"identity": 1.0, "relu": 0.0, "leaky_relu": slope}.get(name)
                    factor = float(p["slope"][row]) if factor is None else factor
                    wanted = at if at >= 0 else mpmath.mpf(factor) * at
                allowed = a.terms(np.full(n, points[k]), np.full(n, points[k]), p, slope)[row]
                assert abs(mpmath.mpf(float(got[row, k])) - wanted) <= 8 * np.finfo(float).eps * allowed + 1e-300
                low, high = a.interval(np.full(n, points[k]), np.full(n, points[k]), p, slope)
                assert mpmath.mpf(float(low[row])) <= wanted <= mpmath.mpf(float(high[row]))


numbers = st.floats(-6, 9).map(lambda x: round(x, 3))


@pytest.mark.parametrize("name", ACTIVATIONS)
@given(z=st.lists(numbers, min_size=1, max_size=4), parameters=st.lists(numbers, min_size=3, max_size=3), slope=numbers)
def test_derivatives_are_the_limits_of_differences(name, z, parameters, slope):
    z = np.array(z)
    activation = ACTIVATIONS[name]
    assume(not activation.exact or min(np.abs(z).min(), np.abs(z - 6).min()) > 1e-3)  # kinks
    p = {k: np.array(v) for k, v in zip(activation.parameters, parameters, strict=False)}
    if name == "rational":
        assume(sum(v**2 for v in p.values()) > 1e-2)
    found = activation.value_and_derivatives(z, p, slope)
    np.testing.assert_allclose(found.value, activation.function(z, p, slope), rtol=1e-12, atol=1e-12)
    step = 1e-5
    ahead, behind = (activation.function(z + h, p, slope) for h in (step, -step))
    np.testing.assert_allclose(found.argument, (ahead - behind) / (2 * step), rtol=1e-6, atol=1e-6)
    assert set(found.parameters) == set(activation.parameters)
    for key, derivative in found.parameters.items():
        ahead, behind = (activation.function(z, {**p, key: p[key] + h}, slope) for h in (step, -step))
        np.testing.assert_allclose(derivative, (ahead - behind) / (2 * step), rtol=1e-5, atol=1e-5)


def test_precision_is_that_of_the_argument():
    for activation in ACTIVATIONS.values():
        p = {k: np.ones(1, np.float32) for k in activation.parameters}
        found = activation.value_and_derivatives(np.ones(2, np.float32), p, 0.1)
        assert {x.dtype for x in (found.value, found.argument, *found.parameters.values())} == {np.dtype(np.float32)}
