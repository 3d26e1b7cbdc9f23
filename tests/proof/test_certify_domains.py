"""Infinite domains, the ends of the range of floats, ends that differ, and wrong domains."""

import numpy as np
import pytest
from proof_graphs import assert_bounded, assert_exact, between, chain, edited, hidden, layer, link, rows, source, target

from netgraph.errors import InputError
from netgraph.graph import Graph
from netgraph.proof import certify

INF = np.inf


def test_an_unbounded_domain_proves_no_bound():
    old = chain([1.0], [2.0], activation="relu", domain=(-INF, INF))
    new = edited(old, lambda rw: rw.set_weight(between(old, 0, 10), 1.5))
    certificate = certify(old, new)
    assert certificate.kind == "unknown"
    assert certificate.bound is None
    assert certificate.bounds == {"y": (INF,)}
    assert certificate.domain == {"x": (-INF, INF)}
    assert certificate.reason == (
        "no bound is known for the change of vertex 90 of output 'y', because the domain of input 'x' is unbounded; "
        "declare one"
    )
    assert certificate.stopped[0] == "vertex 10 of layer 'h'"
    assert certify(old, new, domain=(-1, 1)).bound == pytest.approx(1)
    # On one side only nothing is known where it is active.
    assert certify(old, new, domain=(-INF, 0)).kind == "exact"
    assert certify(old, new, domain=(-INF, 2)).bound == pytest.approx(2)
    assert certify(old, new, domain=(3, 3)).bound == pytest.approx(3)


def test_bounded_activations_need_no_domain():
    old = chain([1.0], [2.0], activation="tanh", domain=(-INF, INF))
    assert_bounded(old, edited(old, lambda rw: rw.set_weight(between(old, 0, 10), -1.5)), 4.0)


def test_zero_weights_never_meet_infinity():
    old = chain([1.0, 0.0], [0.0, 1.0], activation="relu", domain=(-INF, INF), bias=[0.0, 1.0])
    new = edited(old, lambda rw: rw.set_bias(rows(old, 10), 5.0))
    assert_exact(old, new)
    new = edited(old, lambda rw: rw.set_bias(rows(old, 11), 1.5))
    assert_bounded(old, new, 0.5)


def test_what_overflows_is_unknown():
    old = chain([1e200], [1e200], activation="relu")
    new = chain([2e200], [1e200], activation="relu")
    certificate = certify(old, new)
    assert certificate.kind == "unknown"
    assert "intervals overflow" in certificate.reason
    huge = [
        Graph([source(2), target()], [link(0, 9, [(0, 0, a), (1, 0, b)])]) for a, b in ((1e308, 1e308), (-1e308, 1))
    ]
    assert certify(*huge).kind == "unknown"


@pytest.mark.parametrize("tiny", [5e-324, 1e-300, 1e-170])
def test_tiny_changes_are_changes(tiny):
    old = chain([1.0], [1.0], activation="gelu", bias=0.0)
    assert certify(old, chain([1.0], [1.0], activation="gelu", bias=tiny)).kind == "bounded"
    small = chain([1.0], [1e-200], activation="gelu", bias=0.0)
    assert certify(small, chain([1.0], [1e-200], activation="gelu", bias=tiny)).kind == "bounded"
    normed = [chain([1.0, 0.5], [1.0, 1.0], activation="gelu", norm="layer", bias=[b, 0.0]) for b in (0.0, tiny)]
    assert certify(*normed).kind == "bounded"


def test_products_that_underflow_are_no_zeros():
    nothing = Graph([source(), target()], [])
    g = layer(2, "g", [20])
    new = Graph(
        [source(), hidden(), g, target()],
        [link(0, 1, [(0, 0, 1e-200)]), link(1, 2, [(0, 0, 1e-200)]), link(2, 9, [(0, 0, 1e-50)])],
    )
    assert certify(nothing, new).kind == "bounded"
    powers = [2.0**-664, 2.0**-160]
    old = chain([powers[0]], [powers[1]])
    more = Graph(
        [source(), layer(3, "f", [30]), g, target()],
        [link(0, 2, [(0, 0, powers[0])]), link(0, 3, [(0, 0, 2.0**-498)]), link(3, 2, [(0, 0, 2.0**-500)]),
         link(2, 9, [(0, 0, powers[1])])],
    )  # fmt: skip
    assert certify(old, more).kind == "bounded"


def test_graphs_with_other_ends_are_not_compared():
    old = chain([1.0], [1.0])
    x, y, other = old.layer("x"), old.layer("y"), layer(8, "z", [80], "output")
    more = Graph([x, y, old.layer("h"), other], list(old.links_by_key.values()))
    assert certify(old, more).reason == "the outputs differ: ['y'] before, ['y', 'z'] after"
    second = layer(7, "u", [70], "input", domain=(0, 1))
    two = Graph([x, y, old.layer("h"), second], list(old.links_by_key.values()))
    assert certify(two, old).reason == "the inputs differ: ['u', 'x'] before, ['x'] after"
    wide = Graph([x, old.layer("h"), target(2)], list(old.links_by_key.values()))
    assert certify(old, wide).reason == "the vertices of the outputs 'y' differ"
    for certificate in (certify(old, more), certify(two, old), certify(old, wide)):
        assert certificate.kind == "unknown"
        assert certificate.bound is None


@pytest.mark.parametrize("domain", [(1, 0), {"nope": (0, 1)}, (np.nan, 1), ([0, 0], [1, 1]), "ab"])
@pytest.mark.parametrize("same", [False, True])
def test_a_domain_that_does_not_fit(domain, same):
    old = chain([1.0], [1.0])
    with pytest.raises(InputError):
        certify(old, old if same else chain([2.0], [1.0]), domain=domain)


def test_domains_by_input_and_by_vertex():
    x, u = source(2), layer(7, "u", [70], "input", domain=(0, INF))
    links = [link(0, 9, [(0, 0, 1.0), (1, 0, 1.0)]), link(7, 9, [(0, 0, 1.0)])]
    old = Graph([x, u, target()], links)
    new = Graph([x, u, target()], [link(0, 9, [(0, 0, 1.5), (1, 0, 1.0)]), link(7, 9, [(0, 0, 2.0)])])
    assert certify(old, new).kind == "unknown"
    certificate = certify(old, new, domain={"u": (0, 3), "x": ([0, -9], [2, 9])})
    assert certificate.bound == pytest.approx(4)
    assert certificate.domain == {"x": (-9, 9), "u": (0, 3)}
    with pytest.raises(InputError, match="One domain"):
        certify(old, new, domain=(0, 1))


def test_several_outputs_and_one_that_is_read():
    layers = [source(), target(), layer(5, "z", [50], "output", activation="relu")]
    old = Graph(layers, [link(0, 5, [(0, 0, 1.0)]), link(5, 9, [(0, 0, 4.0)])])
    new = Graph(layers, [link(0, 5, [(0, 0, 1.25)]), link(5, 9, [(0, 0, 4.0)])])
    certificate = assert_bounded(old, new, 1.0)
    assert certificate.bounds["z"] == pytest.approx((0.25,))
    assert certificate.bounds["y"] == pytest.approx((1.0,))
    only_last = Graph(layers, [link(0, 5, [(0, 0, 1.0)]), link(5, 9, [(0, 0, 4.5)])])
    assert certify(old, only_last).bounds["z"] == (0,)


def test_a_certificate_is_the_same_every_time():
    old = chain([1.0, -2.0], [0.5, 3.0], activation="gelu", bias=[0.1, 0.2])
    new = chain([1.0, -2.5], [0.5, 3.0], activation="gelu", bias=[0.1, 0.3])
    assert certify(old, new) == certify(old, new)
