"""What feeds a layer: factors of the golden case, of several links and of maps, and the bound on additions."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from senn_case import CASE, EXPECTED
from senn_graph import golden_graph

from netgraph.errors import OptionError
from netgraph.graph import Conv2d, Dense, GraphBuilder
from netgraph.methods.senn import FedLayer, LayerFactors, TapReader, inputs_of, most_additions, patches, rows_of

X, H = np.array(CASE["X"]), np.array(EXPECTED["forward"]["h"])
DY = np.array(EXPECTED["forward"]["dloss_dy"])
KFAC = EXPECTED["kfac"]["layer2"]


def golden(bias):
    graph = golden_graph()
    read = inputs_of(graph, graph.layer("y").id, {"x": X, "h": H}, bias=bias)
    return FedLayer(read, DY, np.linalg.norm(DY, axis=1))


def random_layer(rng, examples=40, n=3, m=2):
    gradients = rng.normal(size=(examples, m))
    return FedLayer(rng.normal(size=(examples, n)), gradients, np.abs(rng.normal(size=examples)) + 0.1)


@pytest.mark.parametrize(("bias", "name"), [(False, "eta_layer_reference"), (True, "eta_layer_with_bias_G_unit")])
def test_the_golden_layer(bias, name):
    fed = golden(bias)
    assert fed.score == pytest.approx(KFAC[name], rel=1e-9)
    np.testing.assert_allclose(fed.moments, KFAC["G_unit_cotangent"], rtol=1e-9)
    assert fed.positions == 1


def test_golden_residuals_and_proposals():
    fed = golden(bias=False)
    case = EXPECTED["residual"]["no_tangent"]
    np.testing.assert_allclose(fed.expansion().residual, case["layer_residual"], rtol=1e-9, atol=1e-12)
    proposal = np.array(EXPECTED["width_proposal"]["a_p"])
    assert float(fed.expansion().score(proposal)) == pytest.approx(
        EXPECTED["width_proposal"]["delta_eta_lower"], rel=1e-9
    )
    tangent = EXPECTED["residual"]["natgrad_tangent"]
    found = fed.expansion(np.array(tangent["output_residual"])).residual
    np.testing.assert_allclose(found, tangent["layer_residual"], rtol=1e-9, atol=1e-12)


def test_samples_without_a_gradient_weigh_nothing():
    norms = np.linalg.norm(DY, axis=1)
    still = FedLayer(np.vstack([H, H[:1]]), np.vstack([DY, 0 * DY[:1]]), np.append(norms, 0.0))
    np.testing.assert_allclose(still.moments, golden(False).moments * len(DY) / (len(DY) + 1))


def test_several_links_stand_side_by_side_without_what_they_do_not_read():
    b = GraphBuilder()
    b.input("x", 3)
    b.layer("h", 2)
    b.output("y", 2)
    b.dense("x", "h")
    b.edges("x", "y", [0, 2], [0, 1], weight=[0.5, -0.5])
    b.dense("h", "y")
    graph = b.build()
    rng = np.random.default_rng(0)
    values = {"x": rng.normal(size=(5, 3)), "h": rng.normal(size=(5, 2))}
    read = inputs_of(graph, graph.layer("y").id, values)
    np.testing.assert_array_equal(read, np.column_stack([values["x"][:, [0, 2]], values["h"], np.ones(5)]))
    everything = inputs_of(graph, graph.layer("y").id, values, bias=False, used=False)
    np.testing.assert_array_equal(everything, np.column_stack([values["x"], values["h"]]))
    with pytest.raises(OptionError, match="Nothing with weights feeds layer 'x'"):
        inputs_of(graph, graph.layer("x").id, values)


def test_patches_are_what_the_search_reads():
    rng = np.random.default_rng(1)
    maps = rng.normal(size=(4, 2, 5, 6))
    for kind in (Conv2d((3, 3), padding=(1, 1)), Conv2d((3, 2), stride=(2, 1)), Conv2d((5, 6)), Dense()):
        found = patches(maps, kind)
        reader = TapReader(kind, (5, 6))
        for vertex in range(2):
            columns = reader(maps[:, vertex].reshape(-1)).values  # (taps, samples * positions)
            np.testing.assert_array_equal(found[:, :, vertex].reshape(-1, kind.taps).T, columns)


def test_patches_times_the_kernel_are_the_convolution():
    import netgraph as ng

    b = GraphBuilder(seed=3, dtype=np.float64)
    b.input("x", 2, grid=(5, 5))
    b.output("y", 3, grid=(5, 5))
    b.conv2d("x", "y", kernel=3, padding=1)
    graph = b.build()
    (link,) = graph.links
    kernel = np.zeros((2, link.kind.taps, 3))
    kernel[link.src, link.tap, link.dst] = link.weight
    x = np.random.default_rng(2).normal(size=(4, 2, 5, 5))
    read = inputs_of(graph, graph.layer("y").id, {"x": x}, bias=False)
    np.testing.assert_allclose(read @ kernel.reshape(-1, 3), rows_of(ng.interpret(graph, x)), atol=1e-12)


def test_positions_share_their_weights():
    """With the same values at every position, P positions are one with gradients P times as large in all."""
    rng = np.random.default_rng(4)
    one = random_layer(rng)
    three = FedLayer(np.repeat(one.inputs, 3, axis=0), np.repeat(one.gradients, 3, axis=0), one.output_norms)
    assert three.positions == 3
    assert three.score == pytest.approx(3 * one.score)
    assert three.upper_bound == pytest.approx(3 * one.upper_bound)
    proposal = rng.normal(size=(40, 1))
    more = float(three.expansion().score(np.repeat(proposal, 3, axis=0)))
    assert more == pytest.approx(3 * float(one.expansion().score(proposal)))


def test_shapes_that_do_not_fit():
    with pytest.raises(OptionError, match="7 of gradients and 3 samples"):
        FedLayer(np.zeros((7, 2)), np.zeros((7, 1)), np.zeros(3))


# ---- the bound ------------------------------------------------------------------------------------------


def test_no_inputs_exceed_the_most():
    rng = np.random.default_rng(5)
    for _ in range(50):
        fed = random_layer(rng, n=int(rng.integers(1, 60)), m=int(rng.integers(1, 4)))
        assert fed.score <= fed.upper_bound * (1 + 1e-9)
    everything = FedLayer(np.eye(40), fed.gradients, fed.output_norms)
    assert everything.score == pytest.approx(everything.upper_bound)


@given(st.integers(0, 10_000), st.floats(0.01, 3), st.floats(0, 0.2))
def test_no_run_of_additions_is_longer_than_the_bound(seed, tau, alpha):
    """Whatever is added, as long as each addition passes both thresholds by its lower bound."""
    rng = np.random.default_rng(seed)
    fed = random_layer(rng, examples=30, n=1, m=int(rng.integers(1, 3)))
    step = alpha * float(np.mean(fed.output_norms**2))
    bound = most_additions(fed.score, fed.upper_bound, ratio=tau, step=step)
    added = 0
    for _ in range(60):
        wanted = fed.expansion()
        # As good as proposals get: the residual itself, and something beside it.
        proposal = wanted.residual[:, :1] + rng.normal(size=(30, 1)) * rng.uniform(0, 2) * np.std(wanted.residual)
        gain = float(wanted.score(proposal))
        if gain > tau * fed.score and gain > step:
            before = fed.score
            fed = FedLayer(np.column_stack([fed.inputs, proposal]), fed.gradients, fed.output_norms)
            assert fed.score >= before + gain * (1 - 1e-6)
            added += 1
    assert added <= bound


def test_the_bound_in_numbers():
    assert most_additions(1.0, 8.0, ratio=1.0) == 3
    assert most_additions(1.0, 7.9, ratio=1.0) == 2
    assert most_additions(1.0, 2.0, ratio=1e-9, step=0.25) == 4
    assert most_additions(0.0, 2.0, ratio=1.0, step=0.5) == 4
    assert most_additions(2.0, 2.0, ratio=1.0) == 0
    assert math.isinf(most_additions(1.0, 2.0))
    assert math.isinf(most_additions(0.0, 2.0, ratio=1.0))


def test_factors_are_those_of_the_rows():
    fed = random_layer(np.random.default_rng(6))
    rows = len(fed.inputs)
    factors = LayerFactors(fed.inputs.T @ fed.inputs / rows, fed.moments, fed.inputs.T @ fed.gradients / rows)
    assert fed.score == pytest.approx(factors.score)
