"""The factored score, proposals and what each input is worth, against golden numbers and what must hold for any."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from input_scores import input_scores
from senn_case import CASE, EXPECTED, GOLDEN, proposed, rational

from netgraph.errors import OptionError
from netgraph.methods.senn import Expansion, LayerFactors, layer_residual, pseudo_inverse, without_tangent
from netgraph.methods.senn.natural import CUTOFF

X = np.array(CASE["X"])
H = np.array(EXPECTED["forward"]["h"])
DY = np.array(EXPECTED["forward"]["dloss_dy"])
KFAC = EXPECTED["kfac"]["layer2"]
G = np.array(KFAC["G_unit_cotangent"])


def close(value, expected):
    np.testing.assert_allclose(value, expected, rtol=1e-9, atol=1e-12)


# ---- golden ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("layer", ["layer1", "layer2"])
@pytest.mark.parametrize(
    ("factor", "score"),
    [
        ("G_unit_cotangent", "eta_layer_reference"),
        ("G_full_jacobian", "eta_layer_G_full"),
        ("G_empirical", "eta_layer_G_empirical"),
    ],
)
def test_scores_of_layers(layer, factor, score):
    case = EXPECTED["kfac"][layer]
    factors = LayerFactors(np.array(case["A"]), np.array(case[factor]), np.array(case["grad_kernel"]))
    close(factors.score, case[score])


def test_score_with_bias():
    biased = np.column_stack([H, np.ones(len(H))])
    moments, gradient = biased.T @ biased / len(H), biased.T @ DY / len(H)
    close(LayerFactors(moments, G, gradient).score, KFAC["eta_layer_with_bias_G_unit"])


def test_the_scores_of_all_layers_add_up():
    total = sum(
        LayerFactors(np.array(c["A"]), np.array(c["G_unit_cotangent"]), np.array(c["grad_kernel"])).score
        for c in EXPECTED["kfac"].values()
    )
    close(total, EXPECTED["kfac_total_reference_kernels_only"])


@pytest.mark.parametrize("tangent", [False, True])
def test_residuals(tangent):
    case = EXPECTED["residual"]["natgrad_tangent" if tangent else "no_tangent"]
    gradients = without_tangent(DY, np.array(case["Jt"])) if tangent else DY
    close(gradients, case["output_residual"])
    residual = layer_residual(gradients, H)  # the layer is the output layer: its sums are the outputs
    close(residual, case["layer_residual"])
    assert np.abs(H.T @ residual / len(H)).max() < 1e-14


def expansion(tangent, damping=0.0):
    case = EXPECTED["residual"]["natgrad_tangent" if tangent else "no_tangent"]
    return Expansion(np.array(case["layer_residual"]), G, damping)


@pytest.mark.parametrize("tangent", [False, True])
def test_a_wider_layer(tangent):
    case = EXPECTED["width_proposal"]
    a_p = proposed("width_proposal_params", X)
    close(a_p, case["a_p"])
    expected = case["with_natgrad_tangent"] if tangent else case
    close(expansion(tangent).score(a_p), expected["delta_eta_lower"])
    close(expansion(tangent, 0.1).score(a_p), expected["delta_eta_lower_damped_G"])
    close(expansion(tangent).exact(a_p, H), expected["delta_eta_layer_exact"])


@pytest.mark.parametrize("tangent", [False, True])
def test_a_new_layer(tangent):
    case = EXPECTED["depth_proposal"]
    a_p = proposed("depth_proposal_params", H)
    close(a_p, case["a_p"])
    expected = case if tangent else case["with_no_tangent"]
    close(expansion(tangent).score(a_p), expected["delta_eta_lower"])
    close(expansion(tangent, 0.1).score(a_p), expected["delta_eta_lower_damped_G"])
    if tangent:
        close(expansion(True).exact(a_p, H), case["delta_eta_layer_exact"])


def test_the_slope_leads_to_the_golden_gradient_of_the_parameters():
    case = EXPECTED["width_proposal"]
    _score, slope = expansion(False, 0.1).score_and_slope(proposed("width_proposal_params", X))
    step = 1e-30  # along the imaginary axis, where nothing cancels
    found = []
    for name, row in (("kernel", (0, 0)), ("kernel", (1, 0)), ("bias", 0), ("v", 0), ("c", 0), ("l", 0)):
        p = {k: np.array(v, dtype=complex) for k, v in CASE["width_proposal_params"].items()}
        p[name][row] += 1j * step
        moved = rational(X @ p["kernel"] + p["bias"], p["v"], p["c"], p["l"]).imag / step
        found.append(np.sum(slope * moved))
    close(found, case["grad_delta_eta_lower_damped_G_wrt_kernel_bias_v_c_l"])


def test_what_each_input_is_worth():
    case = GOLDEN["mask_scores"]
    present = np.array(case["mask"])
    scores = input_scores(
        np.array(case["A_in"]), present, np.array(case["grad_whitened"]), np.array(case["params_root_scaled"])
    )
    close(scores.score, case["current_score_eta"])
    close(scores.freeze, case["freeze"])
    close(scores.prune[present], [value for value in case["prune"] if value is not None])
    close(scores.thaw[2], case["thaw_frozen_index2"])
    close(scores.freeze[1], case["eta_drop_index1"])
    assert scores.thaw[2] <= case["eta_gain_index2_exact"]
    assert np.isnan(scores.prune[2])
    assert (scores.thaw[present] == 0).all()


# ---- what must hold for any -----------------------------------------------------------------------------


def layers(rng, *, examples=None, inputs=None, outputs=None):
    n = examples or int(rng.integers(3, 60))
    a = rng.standard_normal((n, inputs or int(rng.integers(1, 8)))) * 10.0 ** rng.integers(-3, 4)
    if rng.random() < 0.3:  # vertices that depend on each other
        a = np.column_stack([a, a @ rng.standard_normal((a.shape[1], 2))])
    r = rng.standard_normal((n, outputs or int(rng.integers(1, 5))))
    if rng.random() < 0.3:  # as behind a softmax
        r = r - r.mean(axis=1, keepdims=True)
    return a, r


def singular_values(inputs):
    values = np.linalg.svd(inputs, compute_uv=False)
    return values / values[0]


def rank_is_clear(inputs):
    """No singular value that is more than rounding lies near the cut-off, or below it."""
    values = singular_values(inputs)
    return not ((values > 1e-13) & (values < 2 * CUTOFF**0.5)).any()


def rounding(score, inputs):
    """Error of a computed score g^T A^+ g, to first order.

    Rounding changes the moments A = inputs^T inputs / n by n * eps * |A|, and the score by that times the condition
    number of A, the square of that of the inputs: relative to the score, not to what two scores differ by.
    """
    values = singular_values(inputs)
    condition = values[values > CUTOFF**0.5].min() ** -2
    return sum(inputs.shape) * np.finfo(float).eps * condition * score


def test_the_bound_never_exceeds_what_the_layer_gains():
    rng = np.random.default_rng(0)
    positive = compared = told_apart = 0
    for _ in range(1000):
        a, r = layers(rng)
        g = r.T @ (r / np.maximum(np.sum(r**2, axis=1, keepdims=True), 1e-30)) / len(r)
        new = rng.standard_normal((len(a), int(rng.integers(1, 5))))
        if rng.random() < 0.5:  # nearly what the layer reads already
            new = a @ rng.standard_normal((a.shape[1], new.shape[1])) + 10.0 ** rng.integers(-6, 1) * new
        target = Expansion(layer_residual(r, a), g)
        bound, gain = target.score(new), target.exact(new, a)
        assert bound <= gain * (1 + 1e-6) + 1e-12
        positive += bound > 1e-12
        read = (a, np.column_stack([a, new]))
        if all(rank_is_clear(inputs) for inputs in read):  # else the two ways to the same number cut off differently
            before, after = (LayerFactors(b.T @ b / len(b), g, b.T @ r / len(b)).score for b in read)
            allowed = rounding(before, read[0]) + rounding(after, read[1])
            assert after - before == pytest.approx(gain, rel=0, abs=allowed)
            compared += 1
            told_apart += allowed < 1e-6 * after
    assert positive > 800
    assert compared > 750
    assert told_apart > 650


@given(st.integers(0, 10**6))
def test_slopes_are_those_of_differences(seed):
    rng = np.random.default_rng(seed)
    a, r = layers(rng, examples=20, inputs=3, outputs=2)
    target = Expansion(layer_residual(r, a), r.T @ r / len(r), 0.1)
    many = rng.standard_normal((4, 20, 2))
    scores, slopes = target.score_and_slope(many)
    for k in range(4):
        close(target.score(many[k]), scores[k])
    direction = rng.standard_normal(many.shape)
    step = 1e-5
    change = (target.score(many + step * direction) - target.score(many - step * direction)) / (2 * step)
    np.testing.assert_allclose(np.sum(slopes * direction, axis=(1, 2)), change, rtol=1e-4, atol=1e-7)


@given(st.integers(0, 10**6))
def test_scores_do_not_depend_on_the_basis_of_inputs_and_sums(seed):
    rng = np.random.default_rng(seed)
    a, r = layers(rng, examples=30, inputs=3, outputs=2)
    mix_in, mix_out = (
        np.linalg.qr(rng.standard_normal((a.shape[1],) * 2))[0],
        rng.standard_normal((2, 2)) + 3 * np.eye(2),
    )

    def score(inputs, gradients):
        n = len(inputs)
        return LayerFactors(inputs.T @ inputs / n, gradients.T @ gradients / n, inputs.T @ gradients / n).score

    assert score(a @ mix_in, r @ mix_out.T) == pytest.approx(score(a, r), rel=1e-5)


@given(st.integers(0, 10**6))
def test_freeze_is_the_exact_loss_and_thaw_a_bound_of_the_gain(seed):
    rng = np.random.default_rng(seed)
    n, m = int(rng.integers(2, 6)), 2
    root = rng.standard_normal((n + 3, n))
    if rng.random() < 0.3:
        root[:, -1] = root[:, 0]  # the same vertex twice
    moments, gradient = root.T @ root, root.T @ rng.standard_normal((n + 3, m))
    present = rng.random(n) < 0.7
    present[rng.integers(n)] = True
    scores = input_scores(moments, present, gradient, np.zeros((n, m)))

    def score(kept):
        block = np.ix_(kept, kept)
        return float(np.sum(gradient[kept] * (pseudo_inverse(moments[block]) @ gradient[kept])))

    assert scores.score == pytest.approx(score(np.flatnonzero(present)))
    for i in range(n):
        others = np.flatnonzero(present & (np.arange(n) != i))
        if present[i]:
            assert scores.freeze[i] == pytest.approx(scores.score - score(others), abs=1e-7 * (1 + scores.score))
        else:
            gain = score(np.sort([*others, i])) - scores.score
            assert scores.thaw[i] <= gain + 1e-7 * (1 + scores.score)


def test_directions_behind_a_softmax_are_left_out():
    rng = np.random.default_rng(3)
    r = rng.standard_normal((40, 3))
    r -= r.mean(axis=1, keepdims=True)
    a = rng.standard_normal((40, 4))
    inverse = pseudo_inverse(r.T @ r / 40)
    assert np.abs(inverse @ np.ones(3)).max() < 1e-9
    assert np.isfinite(LayerFactors(a.T @ a / 40, r.T @ r / 40, a.T @ r / 40).score)


def test_nothing_to_gain_is_0():
    a = np.ones((5, 1))
    target = Expansion(layer_residual(np.ones((5, 1)), a), np.ones((1, 1)))
    assert target.score(np.zeros((5, 1))) == 0
    assert target.score(np.arange(5.0)[:, None]) == pytest.approx(0, abs=1e-25)


def test_shapes_and_values_that_do_not_fit_are_refused():
    with pytest.raises(OptionError, match=r"\(2, 2\) and \(1, 1\), but the gradient has \(1, 2\)"):
        LayerFactors(np.eye(2), np.eye(1), np.ones((1, 2)))
    with pytest.raises(OptionError, match="'inputs' holds a value that is not finite"):
        LayerFactors(np.full((1, 1), np.nan), np.eye(1), np.ones((1, 1)))
    with pytest.raises(OptionError, match=r"residual has shape \(4, 2\), but G has \(1, 1\)"):
        Expansion(np.ones((4, 2)), np.eye(1))
    with pytest.raises(OptionError, match="damping=-1"):
        Expansion(np.ones((4, 1)), np.eye(1), -1)
