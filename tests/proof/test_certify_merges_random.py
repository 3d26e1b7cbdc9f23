"""Random changes of attention graphs: no measured change exceeds its bound."""

import numpy as np
from attention_changes import changed, drawn_block
from hypothesis import given, settings
from hypothesis import strategies as st
from proof_graphs import outputs, probe

from netgraph.proof import certify, rounding_allowance


def assert_sound(old, new, certificate, *, seed):
    """No output changes by more than its bound and the rounding of both evaluations, in train mode as well."""
    for train in (False, True) if not certificate.assumptions else (False,):
        x = probe(old, samples=10, seed=seed)
        one, two = (outputs(graph, x, train=train)["y"] for graph in (old, new))
        change = np.abs(one - two).max(axis=(0, 2))
        room = sum(rounding_allowance(graph, x, train=train)["y"] for graph in (old, new))
        room = np.minimum(room, 1e-7 * (1 + np.abs(one).max()))  # the allowance behind norms is coarse
        assert (change <= np.array(certificate.bounds["y"]) + room).all(), (str(certificate), change, room)


@given(st.integers(0, 2**32))
@settings(max_examples=settings().max_examples // 3)
def test_no_output_changes_by_more_than_is_proved(seed):
    rng = np.random.default_rng(seed)
    old = changed(drawn_block(rng), rng, rng.integers(3))
    new = changed(old, rng, rng.integers(1, 4))
    for one, two in ((old, new), (new, old)):
        certificate = certify(one, two)
        if certificate.bounds:
            assert_sound(one, two, certificate, seed=seed)
