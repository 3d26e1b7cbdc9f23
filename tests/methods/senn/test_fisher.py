"""The exact score, against golden numbers and the projection form."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from senn_case import CASE, EXPECTED, jacobian

from netgraph.errors import OptionError
from netgraph.methods.senn import FisherScore

X, DY = np.array(CASE["X"]), np.array(EXPECTED["forward"]["dloss_dy"])
EXACT = EXPECTED["exact"]


def test_golden_scores():
    jac = jacobian(X, CASE["params"])
    plain, damped = FisherScore(jac, DY), FisherScore(jac, DY, EXACT["tikhonov"])
    np.testing.assert_allclose(plain.gradient, EXACT["grad"], rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(plain.fisher, EXACT["fisher"], rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(damped.natural_gradient, EXACT["natgrad_damped"], rtol=1e-9)
    assert damped.score == pytest.approx(EXACT["eta_damped"], rel=1e-9)
    assert plain.score == pytest.approx(EXACT["eta_undamped"], rel=1e-9)
    assert plain.projected == pytest.approx(EXACT["eta_undamped_via_projection"], rel=1e-9)


def test_golden_new_vertex():
    case = EXPECTED["width_proposal"]
    jac = jacobian(X, CASE["params"] | case["params_after"])
    assert FisherScore(jac, DY, EXACT["tikhonov"]).score == pytest.approx(case["eta_exact_after_damped"], rel=1e-9)
    assert FisherScore(jac, DY).score == pytest.approx(case["eta_exact_after_undamped"], rel=1e-9)


@given(st.integers(0, 10**6))
def test_the_score_is_what_the_outputs_can_follow(seed):
    rng = np.random.default_rng(seed)
    n, outputs, parameters = (int(rng.integers(1, k)) for k in (12, 4, 15))
    jac = rng.standard_normal((n, outputs, parameters))
    if rng.random() < 0.5:  # parameters that do the same
        jac = np.concatenate([jac, jac[:, :, :1]], axis=2)
    score = FisherScore(jac, rng.standard_normal((n, outputs)))
    assert score.score == pytest.approx(score.projected, rel=1e-6)
    assert score.score <= np.sum(score.output_gradients**2) / n * (1 + 1e-9)


def test_what_does_not_fit_is_refused():
    with pytest.raises(OptionError, match=r"\(3, 2, 4\) does not fit output gradients of shape \(3, 1\)"):
        FisherScore(np.ones((3, 2, 4)), np.ones((3, 1)))
    with pytest.raises(OptionError, match="damping=nan"):
        FisherScore(np.ones((3, 1, 4)), np.ones((3, 1)), np.nan)
