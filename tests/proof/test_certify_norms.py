"""Changes under a norm."""

import numpy as np
import pytest
from proof_graphs import (
    assert_bounded,
    assert_exact,
    between,
    chain,
    edited,
    hidden,
    layer,
    link,
    outputs,
    source,
    target,
)

from netgraph.graph import Graph
from netgraph.proof import certify

EVAL = ("batch norm in eval mode",)


def test_batch_norm_keeps_what_is_equal_in_train_mode_as_well():
    old = chain([1.0, 2.0], [0.5, 3.0], activation="relu", norm="batch", scale=[2.0, -1.0], shift=0.5)
    new = chain([1.0, 2.0, 2.0], [0.5, 1.0, 2.0], ids=[10, 11, 70], activation="relu", norm="batch",
                scale=[2.0, -1.0, -1.0], shift=0.5)  # fmt: skip
    assert_exact(old, new)


def test_what_holds_in_eval_mode_only_says_so():
    """ReLU after a batch norm whose running statistics keep it positive: a batch may have others."""
    h = hidden(norm="batch", shift=10.0)
    into = link(0, 1, [(0, 0, 1.0)])
    old = Graph([source(), h, target()], [into, link(1, 9, [(0, 0, 2.0)])])
    new = Graph(
        [source(), h, layer(2, "r", [20], activation="relu"), target()],
        [into, link(1, 2, [(0, 0, 1.0)]), link(2, 9, [(0, 0, 2.0)])],
    )
    assert_exact(old, new, EVAL)


def test_bounds_under_batch_norm_are_those_of_eval_mode():
    old = chain([1.0], [2.0], norm="batch", var=4.0 - 1e-5, scale=3.0)
    new = chain([1.0], [2.0], norm="batch", var=4.0 - 1e-5, scale=3.0, shift=0.25)
    assert assert_bounded(old, new, 0.5).assumptions == EVAL
    moved = chain([1.5], [2.0], norm="batch", var=4.0 - 1e-5, scale=3.0)
    assert assert_bounded(old, moved, 1.5).assumptions == EVAL


def test_a_scale_of_zero_leaves_the_shift():
    old = chain([1.0], [2.0], norm="batch", scale=0.0, shift=0.5)
    assert_exact(old, chain([7.0], [2.0], norm="batch", scale=0.0, shift=0.5))
    assert_bounded(old, chain([1.0], [2.0], norm="batch", scale=0.0, shift=1.5), 2.0)


def test_a_constant_under_batch_norm_is_another_one_in_train_mode():
    """Its mean over the batch is itself, so training sees the shift, and evaluation the running mean."""
    constant = chain([0.0], [1.0], norm="batch", bias=1.0, mean=0.0, var=1.0 - 1e-5, shift=0.0)
    folded = Graph([source(), target(bias=1.0)], [])
    certificate = certify(constant, folded)
    assert certificate.kind == "bounded"
    assert certificate.assumptions == EVAL
    assert certificate.bound < 1e-12
    assert outputs(constant, {"x": np.zeros((3, 1))}, train=True)["y"].max() == 0


@pytest.mark.parametrize("norm", ["layer", "rms"])
def test_layer_and_rms_norm_need_the_whole_layer(norm):
    options = {"activation": "gelu", "norm": norm}
    old = Graph(
        [source(2), hidden(2, **options), target()],
        [link(0, 1, [(0, 0, 1.0), (1, 1, 1.0)]), link(1, 9, [(0, 0, 1.0)])],
    )
    same = Graph([source(2), layer(1, "h", [11, 10], **options), target()],
                 [link(0, 1, [(0, 1, 1.0), (1, 0, 1.0)]), link(1, 9, [(1, 0, 1.0)])])  # fmt: skip
    assert_exact(old, same)
    # y reads the first vertex only, and only the second is changed.
    assert_bounded(old, edited(old, lambda rw: rw.set_weight(between(old, 1, 11), 1.5)))
    assert_bounded(old, edited(old, lambda rw: rw.add_vertices(old.layer("h"), 1)))


@pytest.mark.parametrize("norm", ["layer", "rms"])
def test_layer_and_rms_norm_stretch_by_the_root_of_their_epsilon(norm):
    options = {"norm": norm, "norm_epsilon": 4.0, "scale": [3.0, 1.0]}
    old = chain([1.0, -1.0], [1.0, 0.0], bias=[0.0, 0.0], **options)
    new = chain([1.0, -1.0], [1.0, 0.0], bias=[0.03, 0.04], **options)
    assert_bounded(old, new, 3 * 0.05 / 2)


def test_layer_norm_sees_vertices_that_change_places_between_layers():
    first, second = {"activation": "relu", "norm": "layer"}, {"activation": "tanh"}
    reads = [link(0, 2, [(0, 0, 1.0)]), link(1, 9, [(0, 0, 1.0)])]
    old, new = (
        Graph(
            [source(2), layer(1, "h", [10, a], **first), layer(2, "g", [b], **second), target()],
            [link(0, 1, [(0, 0, 1.0), (1, 1, w)]), *reads],
        )
        for a, b, w in ((11, 20, 1.0), (20, 11, -3.0))
    )
    assert_bounded(old, new)
