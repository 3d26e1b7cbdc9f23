"""Pairs of vertices, and the likeness of their features."""

import numpy as np
import pytest
import scipy.sparse

import netgraph as ng
from netgraph.errors import OptionError, RewriteError
from netgraph.rewriting.patterns import alike, pairs


@pytest.fixture
def twins():
    """x(2) -> a(4) -> y(1): a0 and a1 have equal weights, a2 twice these, a3 the negative."""
    b = ng.GraphBuilder()
    b.input("x", 2)
    b.layer("a", 4, activation="relu")
    b.output("y", 1)
    b.edges("x", "a", [0, 1] * 4, [0, 0, 1, 1, 2, 2, 3, 3], weight=[1, 2, 1, 2, 2, 4, -1, -2])
    b.edges("a", "y", [0, 2, 3], [0, 0, 0], weight=[1, 3, -1])
    return b.build()


def found(graph, condition, **options):
    m, _ = ng.pair("a", "b", alike=condition, **options).match(graph)
    values = m.computed[condition.measure]
    return [(i, j, round(v, 6)) for i, j, v in zip(m.a.id.tolist(), m.b.id.tolist(), values.tolist(), strict=True)]


def test_likeness_of_weights(twins):
    assert found(twins, ng.cosine("incoming", at_least=0.99)) == [(2, 3, 1.0), (2, 4, 1.0), (3, 4, 1.0)]
    assert found(twins, ng.distance("incoming", at_most=0.0)) == [(0, 1, 0.0), (2, 3, 0.0)], "inputs read nothing"
    assert found(twins, ng.distance("outgoing", at_most=1.0)) == [(2, 3, 1.0), (3, 5, 1.0)]
    alike_out = found(twins, ng.cosine("outgoing", at_least=0.5))
    assert alike_out == [(0, 1, 1.0), (2, 4, 1.0)], "a vertex without weights is like none"
    assert (2, 5, -1.0) in found(twins, ng.cosine("incoming", at_least=-1.0))


def test_a_bias_counts_as_an_incoming_weight():
    b = ng.GraphBuilder()
    b.input("x", 1)
    b.layer("a", 2, bias=[0.0, 1.0])
    b.output("y", 1)
    b.edges("x", "a", [0, 0], [0, 1], weight=1.0)
    b.edges("a", "y", [0, 1], [0, 0], weight=1.0)
    assert found(b.build(), ng.cosine("incoming", at_least=0.7)) == [(1, 2, round(0.5**0.5, 6))]


def test_likeness_of_activations(twins):
    x = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    assert found(twins, ng.distance(ng.activations(x), at_most=0.0)) == [(0 + 2, 3, 0.0)]
    assert [p[:2] for p in found(twins, ng.correlation(ng.activations(x), at_least=0.999))] == [(2, 3), (2, 4), (3, 4)]


def test_a_constant_has_no_correlation(twins):
    """The mean of equal numbers is rounded: what is left of them is no direction."""
    features = np.full((7, 3), 0.1)
    features[2] = [1, 2, 3]
    features[3] = [2, 4, 6]
    assert found(twins, ng.correlation(lambda g, s: features, at_least=-1.0)) == [(2, 3, 1.0)]


@pytest.mark.parametrize("size", [1e-200, 1e-30, 1.0, 1e30, 1e200])
def test_the_size_of_features_does_not_matter(twins, size):
    features = np.zeros((7, 2))
    features[2:6] = np.array([[3, 4], [3, 4.5], [-4, 3], [0, 1]]) * size
    cosine = ng.cosine(lambda g, s: features, at_least=0.5)
    assert found(twins, cosine) == [(2, 3, 0.99846), (2, 5, 0.8), (3, 5, 0.83205), (4, 5, 0.6)]
    far = ng.distance(lambda g, s: features, at_most=0.75 * size)
    m, _ = ng.pair("a", "b", alike=far).match(twins)
    assert (m.a.id.tolist(), m.b.id.tolist()) == ([0, 2], [1, 3])
    assert m.computed["distance"][1] == pytest.approx(0.5 * size, rel=1e-12)


@pytest.mark.parametrize("measure", ["cosine", "distance", "correlation"])
def test_sparse_features_are_compared_as_dense_ones(twins, measure):
    dense = np.random.default_rng(3).integers(-1, 2, (7, 6)).astype(float)
    make = ng.distance if measure == "distance" else getattr(ng, measure)
    bound = {"at_most": 3.0} if measure == "distance" else {"at_least": 0.0}
    sparse = scipy.sparse.csr_matrix(dense)
    expected = found(twins, make(lambda g, s: dense, **bound), layers="any")
    assert found(twins, make(lambda g, s: sparse, **bound), layers="any") == expected
    assert len(expected) > 3


def test_features_may_come_from_statistics(twins):
    stats = ng.Statistics(twins.topology_hash, vertices={"score": np.array([0, 0, 1.0, 5, 1.5, 9, 0])})
    near = ng.distance(lambda g, s: s.vertex("score")[:, None], at_most=0.6)
    m, _ = ng.pair("a", "b", alike=near).match(twins, stats=stats)
    assert list(zip(m.a.id.tolist(), m.b.id.tolist(), strict=True)) == [(0, 1), (2, 4)]


def test_conditions_of_each_vertex(twins):
    dead = ng.vertex("dead", where=lambda v: v.out_degree == 0)
    alive = ng.vertex("alive", role="hidden", where=lambda v: v.out_degree > 0)
    m, funnel = ng.pair(dead, alive).match(twins)
    assert m.dead.id.tolist() == [3, 3, 3]
    assert m.alive.id.tolist() == [2, 4, 5]
    assert funnel[-1] == ("dead and alive fit", 3)
    one = ng.vertex("one", where=lambda v: v.id == 4)
    m, _ = ng.pair(one, "other").match(twins)
    assert m.one.id.tolist() == [4, 4, 4]
    assert m.other.id.tolist() == [2, 3, 5]
    m, _ = ng.pair("one", "other").match(twins, on=[2])
    assert m.other.id.tolist() == [3, 4, 5]


def test_pairs_may_be_joined_with_edges(twins):
    """Pairs of vertices of one layer that read the same vertex, and edges of both."""
    both = ng.all_of(
        ng.pair("a", "b", alike=ng.cosine(at_least=0.99)),
        ng.edge("e", src="p", dst="a"),
        ng.edge("f", src="p", dst="b"),
    )
    m, _ = both.match(twins)
    assert len(m) == 6
    assert np.allclose(m.computed["cosine"], 1.0)
    assert np.array_equal(m.e.weight * np.where(m.b.id == 4, 2, 1) / np.where(m.a.id == 4, 2, 1), m.f.weight)


def test_too_many_pairs_are_refused(twins, monkeypatch):
    monkeypatch.setattr(alike, "MAX_MATCHES", 2)
    monkeypatch.setattr(pairs, "MAX_MATCHES", 2)
    with pytest.raises(RewriteError, match=r"More than 2 pairs of vertices are alike by cosine is at least 0\.99"):
        ng.pair("a", "b", alike=ng.cosine(at_least=0.99)).match(twins)
    with pytest.raises(RewriteError, match="pairs of vertices"):
        ng.pair("a", "b").match(twins)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ng.pair("a", "a"), "Both vertices of a pair have the name 'a'"),
        (lambda: ng.pair("a", ng.layer("b")), "is no pattern of a vertex"),
        (lambda: ng.pair("a", "b", layers="some"), "layers='some'"),
        (lambda: ng.pair("a", "b", alike=0.9), "alike=0.9 is none of cosine"),
        (lambda: ng.cosine("weights", at_least=0.9), "features='weights' is none of 'incoming', 'outgoing'"),
        (lambda: ng.distance(at_most=-1.0), "at_most=-1.0 is negative"),
        (lambda: ng.cosine(at_least="much"), "threshold"),
    ],
)
def test_pairs_that_make_no_sense_are_refused(make, message):
    with pytest.raises(OptionError, match=message):
        make()


def test_features_that_do_not_fit_are_refused(twins):
    for features, message in (
        (np.zeros((3, 2)), r"shape \(3, 2\), expected \(7, d\)"),
        (np.zeros(7), r"shape \(7,\), expected \(7, d\)"),
        (np.full((7, 1), np.nan), "not finite"),
        ([1, 2], "shape None"),
    ):
        with pytest.raises(RewriteError, match=message):
            ng.pair("a", "b", alike=ng.cosine(lambda g, s, f=features: f, at_least=0)).match(twins)


def test_values_on_different_grids_are_not_compared(maps):
    x = np.zeros((2, 2, 3, 3))
    alike_values = ng.distance(ng.activations(x), at_most=1.0)
    assert len(ng.pair("v", "w", alike=alike_values).match(maps)[0]) > 0
    with pytest.raises(RewriteError, match="different grids cannot be compared"):
        ng.pair("v", "w", layers="any", alike=alike_values).match(maps)
