"""Layers under layer norm and RMS norm: what counts are the shares of their sums, and what makes up for the number."""

from dataclasses import replace

import numpy as np
import pytest

import netgraph as ng
from netgraph.proof import certify, sample_inputs

WEIGHTS = np.random.default_rng(0).integers(-8, 9, (4, 3)) / 8
READS = np.random.default_rng(1).integers(-8, 9, (2, 4)) / 8
SCALE = np.array([1.0, 0.5, -2.0, 0.25])


def net(weights=WEIGHTS, reads=READS, *, norm="layer", scale=SCALE, shift=None, epsilon=1e-5, activation="identity"):
    """Sums under a norm, and a read-out; the same ids by row."""
    b = ng.GraphBuilder(dtype=np.float64)
    b.input("x", 3, domain=(-1, 1))
    n = len(weights)
    values = {"scale": scale} | ({} if norm == "rms" else {"shift": np.zeros(n) if shift is None else shift})
    b.layer("h", n, norm=norm, bias=False, values=values, norm_epsilon=epsilon, activation=activation)
    b.output("y", 2)
    for source, target, w in (("x", "h", weights), ("h", "y", reads)):
        dst, src = np.nonzero(np.ones_like(w))
        b.edges(source, target, src, dst, weight=w.ravel())
    layers = list(b.build().layers_by_id.values())
    ids = {"x": np.arange(3), "y": np.arange(10, 12), "h": 20 + np.arange(n)}
    return ng.Graph([replace(x, vertex_ids=ids[x.name]) for x in layers], b.build().links)


def twice(values, axis=0):
    return np.concatenate([values, values], axis)


def measured(old, new):
    x = sample_inputs(old, 200, np.random.default_rng(2))
    return float(np.abs(ng.interpret(old, x) - ng.interpret(new, x)).max())


@pytest.mark.parametrize("norm", ["layer", "rms"])
@pytest.mark.parametrize("activation", ["identity", "gelu"])
def test_copies_of_all_sums_change_no_value(norm, activation):
    old = net(norm=norm, activation=activation)
    new = net(twice(WEIGHTS), twice(READS, 1) / 2, norm=norm, scale=twice(SCALE), activation=activation)
    assert certify(old, new).kind == "exact"


@pytest.mark.parametrize("norm", ["layer", "rms"])
def test_a_copy_of_one_sum_changes_all_values(norm):
    weights, reads = np.concatenate([WEIGHTS, WEIGHTS[:1]]), np.concatenate([READS, READS[:, :1] * 0], 1)
    old, new = net(norm=norm), net(weights, reads, norm=norm, scale=np.append(SCALE, 1.0))
    certificate = certify(old, new)
    assert certificate.level == "bounded"
    assert 0.01 < measured(old, new) <= certificate.bound


@pytest.mark.parametrize(("epsilon", "level"), [(1e-5 * 4 / 6, "exact up to rounding"), (1e-5, "bounded")])
def test_sums_of_zero_under_rms_norm_are_made_up_for_by_scale_and_epsilon(epsilon, level):
    weights, reads = np.concatenate([WEIGHTS, np.zeros((2, 3))]), np.concatenate([READS, np.ones((2, 2))], 1)
    new = net(weights, reads, norm="rms", scale=np.append(SCALE * np.sqrt(4 / 6), [3.0, 1.0]), epsilon=epsilon)
    old = net(norm="rms")
    certificate = certify(old, new)
    assert certificate.level == level
    assert measured(old, new) <= certificate.bound


def test_sums_of_zero_under_layer_norm_move_the_mean():
    weights, reads = np.concatenate([WEIGHTS, np.zeros((2, 3))]), np.concatenate([READS, np.zeros((2, 2))], 1)
    old, new = net(), net(weights, reads, scale=np.append(SCALE * np.sqrt(4 / 6), [1.0, 1.0]), epsilon=1e-5 * 4 / 6)
    certificate = certify(old, new)
    assert certificate.level == "bounded"
    assert measured(old, new) <= certificate.bound


def test_scale_and_shift_may_move_into_the_readers():
    shift = np.array([0.5, 1.0, -0.25, 2.0])
    old = net(shift=shift)
    new = net(reads=READS * SCALE, scale=np.ones(4))
    moved = READS @ shift
    new = ng.Graph(
        [x.with_values({"bias": moved}) if x.name == "y" else x for x in new.layers_by_id.values()], new.links
    )
    certificate = certify(old, new)
    assert certificate.level in ("exact", "exact up to rounding")
    wrong = certify(old, net(reads=READS * SCALE, scale=np.ones(4)))
    assert wrong.level == "bounded"
    assert measured(old, net(reads=READS * SCALE, scale=np.ones(4))) <= wrong.bound


@pytest.mark.parametrize("norm", ["layer", "rms"])
def test_rounded_sums_are_exact_up_to_rounding(norm):
    rounded = (WEIGHTS / 3).astype(np.float32).astype(np.float64) * 3
    old, new = net(norm=norm), net(rounded.astype(np.float32), norm=norm)
    certificate = certify(old, new)
    assert measured(old, new) <= certificate.bound < 1e-2


def test_a_change_of_the_epsilon_is_bounded_by_its_ratio():
    old, new = net(epsilon=1e-5), net(epsilon=1.1e-5)
    certificate = certify(old, new)
    assert certificate.level == "bounded"
    assert measured(old, new) <= certificate.bound < 5
