"""The search of proposals: a Markov chain that is right, ascent that climbs, and what must hold of what is found."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from senn_case import CASE, EXPECTED

from netgraph.errors import OptionError
from netgraph.graph import ACTIVATIONS, Conv2d, Pool
from netgraph.methods.senn import (
    Expansion,
    SearchOptions,
    TapReader,
    layer_residual,
    pooled_score,
    proposals,
    search_depth,
    search_width,
)
from netgraph.methods.senn.proposals import ProposalSpace, frame
from netgraph.methods.senn.samplers import LogDensity, mala_step, sample

X = np.array(CASE["X"])
H = np.array(EXPECTED["forward"]["h"])
LAYER = EXPECTED["kfac"]["layer2"]
ETA = LAYER["eta_layer_reference"]
STEP = EXPECTED["width_proposal"]["sampler_step"]
QUICK = SearchOptions(chains=8, steps=25, dtype="float64")


def golden(damping=0.0):
    return Expansion(
        np.array(EXPECTED["residual"]["no_tangent"]["layer_residual"]), np.array(LAYER["G_unit_cotangent"]), damping
    )


def random_case(seed, rows=40, n=3, read=4, m=2):
    """Inputs, what the target reads already, and the target."""
    rng = np.random.default_rng(seed)
    inputs = rng.normal(size=(rows, n))
    h = np.tanh(inputs @ rng.normal(size=(n, read)))
    gradients = rng.normal(size=(rows, m)) + np.sin(2 * inputs[:, :1])
    unit = gradients / np.linalg.norm(gradients, axis=1, keepdims=True)
    return inputs, h, Expansion(layer_residual(gradients, h), unit.T @ unit / rows)


# ---- the Markov chain -----------------------------------------------------------------------------------


def test_the_golden_step():
    space = ProposalSpace([golden()], X, "rational", scale=ETA, coordinates="unit", damping=0.1)
    state = np.array([STEP["state"]])
    score, gradient = space.evaluate(state)
    np.testing.assert_allclose(score, STEP["score_normalised"], rtol=1e-9)
    np.testing.assert_allclose(gradient[0], STEP["grad_score_normalised"], rtol=1e-9)
    move = mala_step(state, score, gradient, np.array([STEP["noise"]]), np.array([STEP["lr"]]),
                     LogDensity(STEP["temperature"]), space.evaluate)  # fmt: skip
    np.testing.assert_allclose(move.proposed[0], STEP["standard_mala"]["proposed_state"], rtol=1e-9)
    np.testing.assert_allclose(move.log_accept, STEP["standard_mala"]["log_accept"], rtol=1e-9)
    assert abs(np.exp(move.log_accept[0]) - STEP["standard_mala"]["accept_prob"]) < 1e-9


def test_steps_there_and_back_are_in_detailed_balance():
    space = ProposalSpace([golden()], X, "rational", scale=ETA)
    rng = np.random.default_rng(0)
    density, rate = LogDensity(0.3), np.full(5, 0.07)
    state, noise = rng.normal(size=(2, 5, space.size))
    score, gradient = space.evaluate(state)
    there = mala_step(state, score, gradient, noise, rate, density, space.evaluate)
    drift = 0.07 * density.slope(there.proposed, there.gradient)
    back_noise = (state - there.proposed - drift) / np.sqrt(0.14)
    back = mala_step(there.proposed, there.score, there.gradient, back_noise, rate, density, space.evaluate)
    np.testing.assert_allclose(back.proposed, state, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(back.log_accept, -there.log_accept, rtol=1e-7, atol=1e-9)


def test_without_scores_the_prior_is_sampled():
    """Of states from far off, with too large a first step, N(0, 1) is left, and an acceptance in between."""
    nothing = Expansion(np.zeros((6, 1)), np.ones((1, 1)))
    seen = []

    class Watched(ProposalSpace):
        def evaluate(self, state):
            seen.append(state)
            return super().evaluate(state)

    space = Watched([nothing], np.ones((6, 2)), "tanh")
    rng = np.random.default_rng(0)
    found = sample(space, 3 + rng.normal(size=(2000, space.size)), 150, rng, temperature=1.0, rate=2.0)
    assert 0.3 < found.acceptance < 1
    assert abs(seen[-1].mean()) < 0.05  # what is proposed last, one step from where the chains are
    assert np.isfinite(seen[-1]).all()


def test_the_normal_law_is_left_as_it_is():
    """Steps from a sample of the density, accepted as they say, give a sample of the density: its first two moments."""
    rng = np.random.default_rng(1)
    state, chains, rate = rng.normal(size=(20_000, 2)), 20_000, np.full(20_000, 0.8)

    def evaluate(states):
        return np.zeros(len(states)), np.zeros_like(states)

    for _ in range(5):
        score, gradient = evaluate(state)
        move = mala_step(state, score, gradient, rng.normal(size=state.shape), rate, LogDensity(), evaluate)
        taken = np.log(rng.random(chains)) < move.log_accept
        state = np.where(taken[:, None], move.proposed, state)
        assert 0.4 < taken.mean() < 0.95
    assert abs(state.mean()) < 0.02
    assert abs(state.var() - 1) < 0.03


@pytest.mark.parametrize("sampler", ["mala", "ascent"])
def test_both_samplers_climb(sampler):
    inputs, _h, target = random_case(0)
    options = SearchOptions(chains=10, steps=100, sampler=sampler, temperature=0.01)
    rng = np.random.default_rng(0)
    space = ProposalSpace([target], inputs, "rational")
    start = space.evaluate(rng.normal(size=(10, space.size)))[0]
    found = search_width([target], inputs, "rational", options, np.random.default_rng(0))
    assert (found.scores >= start - 1e-6).all()  # the same first states
    assert found.scores.max() > 1.5 * start.max()
    assert 0 < found.acceptance < 1


def test_ascent_finds_the_vertex_that_is_missing():
    """The residual is what a tanh vertex would add, so the search can come near the largest score there is."""
    rng = np.random.default_rng(1)
    inputs = rng.normal(size=(300, 3))
    missing = np.tanh(inputs @ [1.5, -1.0, 0.5] + 0.3)
    target = Expansion(missing[:, None], np.ones((1, 1)))
    found = search_width([target], inputs, "tanh", SearchOptions(chains=20, steps=300), np.random.default_rng(0))
    assert found.score > 0.99 * np.mean(missing**2)
    found = search_width([target], inputs, "tanh", SearchOptions(chains=2, steps=1), np.random.default_rng(0))
    assert found.score < 0.9 * np.mean(missing**2)


# ---- gradients ------------------------------------------------------------------------------------------


def check_gradient(space, seed=0, chains=3):
    rng = np.random.default_rng(seed)
    state = rng.normal(size=(chains, space.size))
    _score, gradient = space.evaluate(state)
    for _ in range(4):
        direction = rng.normal(size=state.shape)
        step = 1e-6
        change = (space.evaluate(state + step * direction)[0] - space.evaluate(state - step * direction)[0]) / (
            2 * step
        )
        np.testing.assert_allclose(np.sum(gradient * direction, axis=1), change, rtol=2e-4, atol=1e-7)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("vertices", [1, 3])
def test_gradients_of_every_activation(activation, vertices):
    inputs, _h, target = random_case(2)
    check_gradient(ProposalSpace([target, random_case(3, m=3)[2]], inputs, activation, vertices, scale=2.0, slope=0.1))


@pytest.mark.parametrize("coordinates", ["unit", "scaled", "whitened"])
@pytest.mark.parametrize("bias", [True, False])
def test_gradients_in_every_frame(coordinates, bias):
    inputs, _h, target = random_case(4)
    check_gradient(ProposalSpace([target], inputs, "rational", coordinates=coordinates, bias=bias))


@pytest.mark.parametrize("vertices", [1, 2])
def test_gradients_through_taps(vertices):
    rng = np.random.default_rng(5)
    grid, kind, pool = (4, 4), Conv2d((2, 2), padding=(1, 1)), Pool("max", (2, 2), (1, 1))
    read = TapReader(kind, grid, pool)
    target = Expansion(rng.normal(size=(10 * read.positions, 2)), np.eye(2))
    other = Expansion(rng.normal(size=(10 * 16, 1)), np.eye(1))
    space = ProposalSpace([target, other], rng.normal(size=(160, 3)), "tanh", vertices,
                          readers=[read, TapReader(Conv2d((3, 3), padding=(1, 1)), grid)])  # fmt: skip
    check_gradient(space)


def test_blocks_of_chains_do_not_change_what_is_computed(monkeypatch):
    inputs, _h, target = random_case(6)
    space = ProposalSpace([target], inputs, "gelu", 2)
    state = np.random.default_rng(0).normal(size=(7, space.size))
    whole = space.evaluate(state)
    monkeypatch.setattr(proposals, "_BLOCK", 200)
    for one, two in zip(whole, space.evaluate(state), strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-9, atol=1e-12)


# ---- what is found --------------------------------------------------------------------------------------


@settings(max_examples=40)
@given(st.integers(0, 2**32 - 1), st.sampled_from(["rational", "tanh", "relu"]), st.sampled_from(["ascent", "mala"]))
def test_scores_of_what_is_found_are_lower_bounds(seed, activation, sampler):
    inputs, h, target = random_case(seed)
    options = SearchOptions(chains=4, steps=15, sampler=sampler)
    found = search_width([target], inputs, activation, options, np.random.default_rng(seed))
    assert 0 <= found.score <= target.exact(found.activations[:, None], h) * (1 + 1e-7) + 1e-12
    assert found.pooled <= found.scores.max() + 1e-12
    deep = search_depth(target, h, activation, options, np.random.default_rng(seed))
    values = ACTIVATIONS[activation].function(h @ deep.matrix + deep.shift, deep.parameters, 0.01)
    np.testing.assert_allclose(target.score(values), deep.score, rtol=1e-6, atol=1e-12)
    assert deep.score <= target.exact(values, h) * (1 + 1e-7) + 1e-12


def test_what_is_told_of_a_vertex_fits_together():
    inputs, _h, target = random_case(7)
    found = search_width([target], inputs, "rational", QUICK, np.random.default_rng(0), scale=3.0)
    z = inputs @ found.incoming + found.bias
    np.testing.assert_allclose(ACTIVATIONS["rational"].function(z, found.parameters, 0.01), found.activations)
    np.testing.assert_allclose(target.score(found.activations[:, None]), found.score)
    assert found.ratio == found.score / 3.0
    damped = Expansion(target.residual, target.gradients, 0.1)
    np.testing.assert_allclose(damped.score(found.activations[:, None]), found.scores.max())
    assert set(found.parameters) == {"v", "c", "l"}
    assert (len(found.scores), found.steps) == (8, 25)


@pytest.mark.parametrize("size", [1e-25, 1.0, 1e25])
def test_the_size_of_residuals_and_inputs_makes_no_difference(size):
    inputs, h, target = random_case(12)
    other = Expansion(size * target.residual, target.gradients)
    for sampler in ("ascent", "mala"):
        options = SearchOptions(chains=4, steps=20, sampler=sampler)
        one = search_width([target], inputs, "tanh", options, np.random.default_rng(0))
        two = search_width([other], inputs / size, "tanh", options, np.random.default_rng(0), scale=size**2)
        np.testing.assert_allclose(two.ratio, one.ratio, rtol=1e-3)
        one = search_depth(target, h, "tanh", options, np.random.default_rng(0))
        two = search_depth(other, h / size, "tanh", options, np.random.default_rng(0), scale=size**2)
        np.testing.assert_allclose(two.ratio, one.ratio, rtol=1e-2)


def test_several_targets_add_up():
    inputs, _h, one = random_case(8)
    two = random_case(9, m=3)[2]
    found = search_width([one, two], inputs, "tanh", QUICK, np.random.default_rng(0))
    values = found.activations[:, None]
    np.testing.assert_allclose(found.score, one.score(values) + two.score(values))


def test_a_map_read_by_a_convolution():
    """Scores are those of all taps as so many inputs of the target."""
    rng = np.random.default_rng(0)
    read = TapReader(Conv2d((3, 3), padding=(1, 1)), (4, 4))
    inputs = rng.normal(size=(20 * 16, 5))
    target = Expansion(rng.normal(size=(20 * 16, 2)), np.eye(2))
    found = search_width([target], inputs, "relu", QUICK, np.random.default_rng(0), readers=[read])
    np.testing.assert_allclose(target.score(read(found.activations).values.T), found.score)
    assert found.score > 0
    deep = search_depth(target, inputs, "relu", QUICK, np.random.default_rng(0), reader=read, bias=False)
    assert deep.matrix.shape == (5, 5)
    assert not deep.shift.any()
    values = np.maximum(inputs @ deep.matrix, 0).T
    np.testing.assert_allclose(target.score(read(values).values.reshape(45, -1).T), deep.score, rtol=1e-6)


@pytest.mark.parametrize("sampler", ["ascent", "mala"])
def test_the_same_rng_finds_the_same(sampler):
    inputs, h, target = random_case(10)
    options = SearchOptions(chains=5, steps=12, sampler=sampler)
    one, two = (search_width([target], inputs, "rational", options, np.random.default_rng(3)) for _ in range(2))
    np.testing.assert_array_equal(one.incoming, two.incoming)
    assert one.score == two.score
    other = search_width([target], inputs, "rational", options, np.random.default_rng(4))
    assert other.score != one.score
    one, two = (search_depth(target, h, "rational", options, np.random.default_rng(3)) for _ in range(2))
    np.testing.assert_array_equal(one.matrix, two.matrix)


def zeros(rows=12, n=3, m=2):
    return np.zeros((rows, n)), np.zeros((rows, m)), np.eye(m)


DEGENERATE = {
    "no residual": (np.random.default_rng(0).normal(size=(12, 3)), zeros()[1], np.eye(2)),
    "no gradients": (np.random.default_rng(0).normal(size=(12, 3)), zeros()[1], np.zeros((2, 2))),
    "one example": (np.ones((1, 3)), np.zeros((1, 2)), np.eye(2)),
    "inputs of 0": (zeros()[0], zeros()[1], np.eye(2)),
    "dependent inputs": (np.ones((12, 3)) * np.arange(12)[:, None], zeros()[1], np.eye(2)),
}


@pytest.mark.parametrize(("inputs", "residual", "gradients"), DEGENERATE.values(), ids=DEGENERATE)
@pytest.mark.parametrize("activation", ["rational", "relu", "tanh"])
@pytest.mark.parametrize("sampler", ["ascent", "mala"])
@pytest.mark.parametrize("coordinates", ["scaled", "whitened"])
def test_where_nothing_can_be_gained_the_score_is_0(inputs, residual, gradients, activation, sampler, coordinates):
    target = Expansion(residual, gradients)
    options = SearchOptions(chains=3, steps=25, sampler=sampler, coordinates=coordinates)
    found = search_width([target], inputs, activation, options, np.random.default_rng(0))
    deep = search_depth(target, inputs, activation, options, np.random.default_rng(0))
    for result in (found, deep):
        assert result.score == result.ratio == result.pooled == 0
        assert np.isfinite(result.scores).all()
    assert np.isfinite(found.incoming).all()
    assert np.isfinite(deep.matrix).all()


def test_vertices_that_are_always_0_gain_nothing():
    target = Expansion(np.ones((12, 1)), np.ones((1, 1)))
    options = SearchOptions(chains=3, steps=25)
    found = search_width([target], np.zeros((12, 2)), "relu", options, np.random.default_rng(0), bias=False)
    assert found.score == 0
    assert not found.activations.any()
    deep = search_depth(target, np.zeros((12, 2)), "relu", options, np.random.default_rng(0), bias=False)
    assert deep.score == 0


@pytest.mark.parametrize("activation", ["rational", "tanh"])
def test_dependent_inputs_still_find_what_there_is(activation):
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(50, 1)) @ np.ones((1, 4))
    target = Expansion(np.sin(inputs[:, :1]), np.ones((1, 1)))
    for coordinates in ("scaled", "whitened"):
        options = SearchOptions(chains=10, steps=60, coordinates=coordinates)
        assert search_width([target], inputs, activation, options, rng).score > 0.4 * np.mean(target.residual**2)
        assert np.isfinite(search_depth(target, inputs, activation, options, rng).score)


def test_a_layer_keeps_a_matrix_that_can_be_inverted():
    inputs, _h, target = random_case(11, n=6)
    found = search_depth(target, inputs, "rational", SearchOptions(chains=6, steps=60), np.random.default_rng(0))
    assert np.linalg.cond(found.matrix) < 1e3


# ---- frames, options ------------------------------------------------------------------------------------


@pytest.mark.parametrize("coordinates", ["scaled", "whitened"])
def test_sums_of_first_states_are_as_large_as_1(coordinates):
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(200, 50)) * rng.exponential(3, 50) + 2
    z = inputs @ frame(inputs, coordinates) @ rng.normal(size=(50, 2000))
    assert abs(np.mean(z**2) - 1) < 0.1
    np.testing.assert_array_equal(frame(inputs, "unit"), np.eye(50))


def test_the_pooled_score_lies_between_the_mean_and_the_largest():
    scores = np.array([0.0, 1.0, 3.0])
    assert abs(pooled_score(scores, 1e9) - scores.mean()) < 1e-6
    assert abs(pooled_score(scores, 1e-3) - 3) < 1e-9
    weights = np.exp(scores / 2)
    assert abs(pooled_score(scores, 2.0) - weights @ scores / weights.sum()) < 1e-12


def test_steps_and_chains_follow_the_work():
    options = SearchOptions(work=1e6)
    assert options.size(10.0) == (100, 300)
    assert options.size(1e2) == (100, 100)
    assert options.size(1e3) == (10, 100)
    assert options.size(1e9) == (4, 20)
    assert SearchOptions(steps=7, work=1.0).size(1e9) == (100, 7)
    assert SearchOptions(chains=1, work=1.0).size(1e9) == (1, 20)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"sampler": "nuts"}, "sampler='nuts' is none of 'ascent', 'mala'"),
        ({"coordinates": "polar"}, "coordinates='polar' is none of"),
        ({"dtype": "float16"}, "dtype='float16'"),
        ({"chains": 0}, "chains=0 is below 1"),
        ({"steps": 0}, "steps=0 is below 1"),
        ({"temperature": 0.0}, "temperature=0.0 is not above 0"),
        ({"learning_rate": np.inf}, "learning_rate=inf is not a finite number"),
        ({"damping": -1.0}, "damping=-1.0 is negative"),
        ({"stale": np.nan}, "stale=nan is not a number"),
    ],
)
def test_options_are_checked(options, words):
    with pytest.raises(OptionError, match=words):
        SearchOptions(**options)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"inputs": np.zeros((0, 3))}, "inputs have shape"),
        ({"inputs": np.full((40, 3), np.nan)}, "finite"),
        ({"inputs": np.ones((39, 3))}, "A target has 40 rows, what it reads of 39 has 39"),
        ({"targets": []}, "0 targets"),
        ({"readers": []}, "1 targets and 0 readers"),
        ({"scale": 0.0}, "scale=0.0 is not above 0"),
    ],
)
def test_what_is_searched_is_checked(change, words):
    inputs, _h, target = random_case(0)
    given = {"targets": [target], "inputs": inputs, "activation": "relu", "options": QUICK, "rng": None} | change
    with pytest.raises(OptionError, match=words):
        search_width(**given)
