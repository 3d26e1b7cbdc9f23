import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from netgraph.errors import InputError, OptionError
from netgraph.schedules import PlateauStop, fit_plateau

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "plateau_fit.json").read_text())
CASES = {name: case for name, case in GOLDEN.items() if isinstance(case, dict)}
NOISY = CASES["noisy"]
DENSITIES = np.array(NOISY["rho"])

READINGS = {"literal": "literal_95pct_of_asymptote", "gain": "gain_95pct"}


def curve(initial, gain, rate, densities=DENSITIES):
    return initial + gain * -np.expm1(-rate * np.asarray(densities))


def agrees(fit, case, rtol):
    for ours, theirs in (("initial", "P0"), ("gain", "A"), ("rate", "beta")):
        assert getattr(fit, ours) == pytest.approx(case[theirs], rel=rtol), ours
    assert fit.at_bound == case["beta_at_search_bound"]


@pytest.mark.parametrize("name", list(CASES))
def test_golden_fits(name):
    case = CASES[name]
    fit = fit_plateau(case["rho"], case["P"])
    agrees(fit, case, 1e-8)  # the golden rates come from a search by values, which is this exact
    assert fit.mse == pytest.approx(case["mse"], rel=1e-6, abs=1e-20)
    assert fit.asymptote == pytest.approx(case["asymptote"], rel=1e-8)
    for reading, key in READINGS.items():
        density = fit.plateau(reading)
        if fit.at_bound:
            assert density is None
            assert "at a bound" in fit.reason(reading)
            continue
        assert density == pytest.approx(case["plateau"][key], rel=1e-8)
        assert fit.reason(reading) == ""
        first = next(rho for rho in case["rho"] if rho >= density)
        assert first == case[f"first_observed_density_at_or_above_{key}"]


@pytest.mark.parametrize("prefix", GOLDEN["noisy_prefix_fits"], ids=lambda prefix: prefix["n_points"])
def test_golden_fits_on_the_way(prefix):
    n = prefix["n_points"]
    fit = fit_plateau(NOISY["rho"][:n], NOISY["P"][:n])
    agrees(fit, prefix, 1e-7)
    for reading, key in READINGS.items():
        density = fit.plateau(reading)
        if n < 5:
            assert density is None
            assert fit.reason(reading) == "4 points are fewer than 5"
        else:
            assert density == pytest.approx(prefix["plateau"][key], rel=1e-7)
            assert (NOISY["rho"][n - 1] >= density) == prefix[f"stop_{reading}"]


@pytest.mark.parametrize(("reading", "points"), [("literal", 11), ("gain", 12)])
def test_it_stops_at_the_first_density_beyond_the_plateau_of_two_fits(reading, points):
    stop = PlateauStop(reading)
    ends = [n for n in range(15) if stop.reached(NOISY["rho"][:n], NOISY["P"][:n])]
    assert ends == list(range(points, 15))


def test_both_fits_must_agree():
    rho, p = NOISY["rho"][:11], NOISY["P"][:11]
    assert PlateauStop().reached(rho, p)
    rising = [*p[:10], p[10] + 0.1]  # by the points before the last one the plateau is reached, with it no longer
    assert fit_plateau(rho[:10], rising[:10]).plateau() <= rho[10] < fit_plateau(rho, rising).plateau()
    assert not PlateauStop().reached(rho, rising)


def test_five_points_are_too_few_to_stop():
    rho = [0.1, 0.3, 0.5, 0.7, 0.9, 1.0]
    p = curve(0.2, 0.7, 20.0, rho)
    assert not PlateauStop().reached(rho[:5], p[:5])
    assert PlateauStop().reached(rho, p)


parameters = {
    "initial": st.floats(0.01, 0.9),
    "gain": st.floats(0.05, 2.0),
    "rate": st.floats(0.05, 60.0),
}


@given(**parameters)
def test_exact_points_give_their_parameters_back(initial, gain, rate):
    fit = fit_plateau(DENSITIES, curve(initial, gain, rate))
    assert not fit.at_bound
    assert fit.rate == pytest.approx(rate, rel=1e-6)
    assert (fit.initial, fit.gain) == pytest.approx((initial, gain), rel=1e-5, abs=1e-8)
    assert fit(DENSITIES) == pytest.approx(curve(initial, gain, rate), rel=1e-9)


@given(st.floats(1e-3, 1e3), st.floats(-5.0, 5.0), st.integers(0, 99))
def test_scale_and_level_of_performance_do_not_matter(scale, level, seed):
    rng = np.random.default_rng(seed)
    p = curve(0.3, 0.6, 6.0) + rng.normal(0, 0.003, len(DENSITIES))
    one, two = fit_plateau(DENSITIES, p), fit_plateau(DENSITIES, scale * p + level)
    assert two.rate == pytest.approx(one.rate, rel=1e-6)
    assert two.gain == pytest.approx(scale * one.gain, rel=1e-6)
    assert two.mse == pytest.approx(scale**2 * one.mse, rel=1e-6)
    assert two.plateau("gain") == pytest.approx(one.plateau("gain"), rel=1e-6)
    assert fit_plateau(DENSITIES, scale * p).plateau() == pytest.approx(one.plateau(), rel=1e-6)


@given(st.integers(0, 99), st.randoms())
def test_no_other_curve_is_closer_and_order_does_not_matter(seed, shuffling):
    rng = np.random.default_rng(seed)
    p = curve(0.3, 0.6, 6.0) + rng.normal(0, 0.02, len(DENSITIES))
    fit = fit_plateau(DENSITIES, p)
    for factor in (0.97, 0.999, 1.001, 1.03):
        for name in ("initial", "gain", "rate"):
            other = {"initial": fit.initial, "gain": fit.gain, "rate": fit.rate, name: factor * getattr(fit, name)}
            assert np.mean((curve(**other) - p) ** 2) >= fit.mse
    order = list(range(len(p)))
    shuffling.shuffle(order)
    again = fit_plateau(DENSITIES[order], p[order])
    assert (again.rate, again.gain) == pytest.approx((fit.rate, fit.gain), rel=1e-6)


@pytest.mark.parametrize(
    ("p", "why"),
    [
        (np.full(14, 0.5), "is not positive"),
        (1 - 0.5 * DENSITIES**2, "is not positive"),
        (curve(0.5, -0.3, 5.0), "is not positive"),
        (curve(0.5, 0.3, 5.0) - 1, "asymptote -0.2 is not positive"),
        (curve(0.3, 0.6, 0.5), "outside 0..1"),
        (curve(0.9, 0.01, 0.5), "outside 0..1"),
        (0.5 + DENSITIES**2, "at a bound"),
    ],
)
def test_guards(p, why):
    fit = fit_plateau(DENSITIES, p)
    assert fit.plateau() is None
    assert why in fit.reason()
    assert math.isfinite(fit.mse)
    assert not PlateauStop().reached(DENSITIES, p)


def test_a_steep_step_is_at_the_other_bound():
    fit = fit_plateau(DENSITIES, np.r_[0.1, np.full(13, 0.9)])
    assert fit.at_bound
    assert fit.plateau("gain") is None
    assert fit.asymptote == pytest.approx(0.9, abs=1e-3)


def test_shares():
    fit = fit_plateau(DENSITIES, curve(0.3, 0.6, 6.0))
    assert fit.plateau("gain", 0.5) == pytest.approx(math.log(2) / 6)
    assert float(fit(fit.plateau("literal", 0.8))) == pytest.approx(0.8 * 0.9)
    with pytest.raises(OptionError, match="share=1"):
        fit.plateau("gain", 1.0)
    with pytest.raises(OptionError, match="Did you mean 'literal'"):
        PlateauStop("litera")


@pytest.mark.parametrize(
    ("rho", "p", "word"),
    [
        ([0.1, 0.2, 0.3], [1, 2], "one of each"),
        ([0.1, 0.2, math.nan], [1, 2, 3], "outside 0..1"),
        ([0.1, 0.2, 1.3], [1, 2, 3], "outside 0..1"),
        ([0.1, 0.2, 0.3], [1, 2, math.inf], "not finite"),
        ([0.1, 0.2, 0.3], [1, -1e308, 3], "-1e\\+308 is too large to be squared"),
        ([0.1, 0.2, 0.2], [1, 2, 3], "2 different densities"),
        ([], [], "0 different densities"),
    ],
)
def test_bad_points_are_refused(rho, p, word):
    with pytest.raises(InputError, match=word):
        fit_plateau(rho, p)
