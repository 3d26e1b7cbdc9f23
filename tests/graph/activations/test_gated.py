"""Gated activations have one minimum."""

import numpy as np
import pytest

from netgraph.graph import ACTIVATIONS

INF = np.inf


def test_minima_inside():
    ends = [np.array([-INF]), np.array([INF])]
    for name, least in (
        ("gelu", -0.16997120747990366),
        ("gelu_tanh", -0.17004075057125404),
        ("silu", -0.2784645427610738),
    ):
        below = ACTIVATIONS[name].interval(*ends, {}, 0.0)[0][0]
        assert below < least
        assert below == pytest.approx(least, rel=1e-14)
