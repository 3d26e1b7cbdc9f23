"""What must be exact, and what must not be called so."""

from fractions import Fraction

import numpy as np
import pytest
from proof_graphs import (
    assert_bounded,
    assert_exact,
    assert_sound,
    both_ways,
    chain,
    hidden,
    layer,
    link,
    source,
    target,
)

from netgraph.graph import Graph
from netgraph.proof import certify

INF = np.inf


DUPLICABLE = ["relu", "leaky_relu", "prelu", "gelu", "gelu_tanh", "silu", "softplus", "tanh", "sigmoid", "rational"]


@pytest.mark.parametrize("norm", ["none", "batch"])
@pytest.mark.parametrize("activation", DUPLICABLE)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_duplicate_shares_the_outgoing_weight(activation, norm, dtype):
    """Among many vertices whose forms are multiples of each other."""
    rng = np.random.default_rng(0)
    n, k = 30, 17
    w, u = (rng.normal(size=n).astype(dtype) for _ in range(2))
    shares = np.append(u, u[k] / 2)
    shares[k] /= 2
    options = {"activation": activation, "norm": norm, "dtype": dtype}
    old = chain(w, u, **options)
    new = chain(np.append(w, w[k]), shares, ids=[*range(10, 10 + n), 70], **options)
    assert_exact(old, new)
    # Shares that do not add up are no secret.
    shares[n] *= 1 + 2.0**-10
    assert {c.kind for c in both_ways(old, chain(np.append(w, w[k]), shares, ids=[*range(10, 10 + n), 70],
                                                 **options))} <= {"bounded", "unknown"}  # fmt: skip


@pytest.mark.parametrize("norm", ["none", "batch"])
@pytest.mark.parametrize("bias", [0.3, None])
@pytest.mark.parametrize("activation", DUPLICABLE)
def test_a_duplicate_of_a_constant(activation, bias, norm):
    options = {"activation": activation, "bias": bias, "norm": norm, **({"shift": 0.3} if norm == "batch" else {})}
    assert_exact(chain([0.0], [0.5], **options), chain([0.0, 0.0], [0.375, 0.125], ids=[10, 70], **options))


@pytest.mark.parametrize("activation", ["relu", "gelu", "gelu_tanh", "silu", "softplus"])
def test_a_pair_replaces_an_edge(activation):
    old = Graph([source(), target()], [link(0, 9, [(0, 0, 0.3)])])
    new = chain([1.0, -1.0], [0.3, -0.3], activation=activation)
    assert_exact(old, new)
    for signs, weights in [((1.0, -1.0), (0.3, 0.3)), ((1.0, 1.0), (0.3, -0.3)), ((1.0, -1.0), (0.3, -0.3000001))]:
        assert certify(old, chain(signs, weights, activation=activation)).kind == "bounded"
    if activation == "relu":
        assert_exact(old, chain([4.0, -0.5], [0.3 / 4, -0.6], activation=activation))
    else:  # not homogeneous: f(2 t) is not 2 f(t)
        assert_bounded(old, chain([2.0, -0.5], [0.15, -0.6], activation=activation))


@pytest.mark.parametrize("slope", [0.5, -0.5, 0.0, 1.0])
def test_a_pair_of_leaky_vertices(slope):
    old = Graph([source(), target()], [link(0, 9, [(0, 0, 0.75 * (1 + slope))])])
    assert_exact(old, chain([1.0, -1.0], [0.75, -0.75], activation="leaky_relu", slope=slope))
    assert_exact(old, chain([1.0, -1.0], [0.75, -0.75], activation="prelu", slope=slope))
    assert certify(old, chain([1.0, -1.0], [0.75, -0.5], activation="prelu", slope=slope)).kind == "bounded"
    assert certify(old, chain([1.0, -1.0], [0.75, -0.75], activation="prelu", slope=[slope, 0.3])).kind == "bounded"


def test_a_leaky_pair_in_float32_is_exact_up_to_rounding():
    old = Graph([source(), target()], [link(0, 9, [(0, 0, 0.3)], dtype=np.float32)])
    w = np.float32(0.3) / 1.01
    new = chain([1.0, -1.0], [w, -w], activation="leaky_relu", slope=0.01, dtype=np.float32)
    assert certify(old, new).level == "exact up to rounding"
    assert_sound(old, new, certify(old, new))


@pytest.mark.parametrize("domain", [(-1, 1), (-INF, INF)])
def test_odd_and_mirrored_activations(domain):
    tanh = chain([2.0], [0.5], activation="tanh", domain=domain)
    assert_exact(tanh, chain([-2.0], [-0.5], activation="tanh", domain=domain))
    assert certify(tanh, chain([-2.0], [0.5], activation="tanh", domain=domain)).kind == "bounded"
    sigmoid = chain([2.0], [0.5], activation="sigmoid", domain=domain, y=1.0)
    assert_exact(sigmoid, chain([-2.0], [-0.5], activation="sigmoid", domain=domain, y=1.5))
    assert_bounded(sigmoid, chain([-2.0], [-0.5], activation="sigmoid", domain=domain, y=1.0))


@pytest.mark.parametrize("activation", ["relu", "leaky_relu", "prelu", "identity"])
def test_positive_factors_pass_through_what_is_homogeneous(activation):
    old = chain([0.75], [3.0], activation=activation, bias=0.5)
    assert_exact(old, chain([3.0], [0.75], activation=activation, bias=2.0))
    assert certify(old, chain([3.0], [0.75], activation=activation, bias=2.5)).kind == "bounded"
    assert certify(chain([0.75], [3.0], activation="gelu"), chain([3.0], [0.75], activation="gelu")).kind == "bounded"


@pytest.mark.parametrize(
    ("more", "domain"),
    [
        ({"activation": "identity"}, (-INF, INF)),
        ({"activation": "relu"}, (0, INF)),
        ({"activation": "leaky_relu"}, (0, 7)),
        ({"activation": "leaky_relu", "slope": 1.0}, (-INF, INF)),
        ({"activation": "prelu", "slope": 1.0}, (-INF, INF)),
    ],
)
def test_a_vertex_that_hands_its_sum_on(more, domain):
    old = Graph([source(domain=domain), target()], [link(0, 9, [(0, 0, 0.3)])])
    assert_exact(old, chain([1.0], [0.3], domain=domain, **more))


def test_a_narrower_domain_proves_more():
    old = Graph([source(domain=(-1, 1)), target()], [link(0, 9, [(0, 0, 2.0)])])
    new = chain([1.0], [2.0], activation="relu")
    assert_bounded(old, new)
    narrow = certify(old, new, domain=(0, 1))
    assert narrow.kind == "exact"
    assert narrow.domain == {"x": (0, 1)}
    wide = certify(old, new, domain=(-5, 1))
    assert wide.bound >= 10


def test_the_domain_of_the_old_graph_counts():
    narrow = Graph([source(domain=(0, 1)), target()], [link(0, 9, [(0, 0, 2.0)])])
    wide = chain([1.0], [2.0], activation="relu", domain=(-1, 1))
    assert certify(narrow, wide).kind == "exact"
    assert certify(wide, narrow).kind == "bounded"


def test_identity_layers_merge_and_split():
    old = Graph([source(2), target()], [link(0, 9, [(0, 0, 0.5), (1, 0, -0.75)])])
    layers = [source(2), hidden(2, bias=[0.5, 0.0]), layer(2, "g", [20], bias=[1.0]), target(bias=-1.5)]
    new = Graph(
        layers,
        [link(0, 1, [(0, 0, 1.0), (1, 1, 3.0)]), link(1, 2, [(0, 0, 1.0), (1, 0, -0.5)]),
         link(2, 9, [(0, 0, 0.5)])],
    )  # fmt: skip
    # 0.5 (x + 0.5 - 1.5 z + 1) - 1.5 = 0.5 x - 0.75 z - 0.75
    shifted = Graph([source(2), target(bias=-0.75)], list(old.links_by_key.values()))
    assert_exact(shifted, new)
    assert_bounded(old, new, 0.75)


def positive_chain(depth, *, with_relu):
    """Layers of two positive vertices one after the other, with or without a ReLU layer between each and the next."""
    layers, links = [source(2, domain=(0, 1))], []
    for k in range(1, depth + 1):
        ids, before = [10 * k, 10 * k + 1], k - 1
        if with_relu:
            layers.append(layer(50 + k, f"relu{k}", [1000 + 2 * k, 1001 + 2 * k], activation="relu"))
            links.append(link(before, 50 + k, [(0, 0, 1.0), (1, 1, 1.0)]))
            before = 50 + k
        role = "output" if k == depth else "hidden"
        layers.append(layer(k, f"l{k}", ids, role, activation="relu", bias=[0.01, 0.02]))
        links.append(link(before, k, [(0, 0, 0.5), (1, 1, 0.3)], start=10 * k))
    return Graph(layers, links)


@pytest.mark.parametrize("depth", [1, 2, 3, 10])
def test_layers_inserted_along_a_chain(depth):
    certificate = certify(positive_chain(depth, with_relu=False), positive_chain(depth, with_relu=True))
    assert certificate.kind == "exact"
    back = certify(positive_chain(depth, with_relu=True), positive_chain(depth, with_relu=False))
    assert back.kind == "exact" or back.bound < 1e-15  # products of many weights do not fit into a float64


def test_a_tenth_and_two_tenths_are_not_three_tenths():
    """Equal in float64, and not in real arithmetic."""
    old = Graph([source(), target()], [link(0, 9, [(0, 0, 0.1 + 0.2)])])
    new = chain([1.0, 1.0], [0.1, 0.2])
    certificate = certify(old, new)
    assert certificate.kind == "bounded"
    assert Fraction(certificate.bound) >= abs(Fraction(0.1) + Fraction(0.2) - Fraction(0.1 + 0.2)) > 0


def test_ports_layers_and_edges_under_other_ids():
    old = chain([1.0, -2.0], [0.5, 3.0], activation="gelu", bias=0.25)
    h = old.layer("h")
    # Files of earlier versions have such ports.
    port = Graph([source(), h, target()], [link(0, 1, [(0, 0, 1.0)]), link(0, 1, [(0, 1, -2.0)], port=3),
                                           link(1, 9, [(0, 0, 0.5), (1, 0, 3.0)])], validate=False)  # fmt: skip
    assert_exact(old, port)
    again = layer(5, "h", [50, 51], activation="gelu", bias=0.25)
    new = [link(0, 5, [(0, 1, 1.0), (0, 0, -2.0)]), link(5, 9, [(1, 0, 0.5), (0, 0, 3.0)])]
    assert_exact(old, Graph([source(), again, target()], new))
    wrong = [new[0], link(5, 9, [(0, 0, 0.5), (1, 0, 3.0)])]
    assert_bounded(old, Graph([source(), again, target()], wrong))


def test_rows_may_be_permuted_together_with_their_edges():
    old = chain([1.0, -2.0], [0.5, 3.0], activation="relu", bias=[0.0, 0.5])
    assert_exact(old, chain([-2.0, 1.0], [3.0, 0.5], ids=[11, 10], activation="relu", bias=[0.5, 0.0]))


def test_rows_that_are_permuted_under_the_same_link_are_other_vertices():
    old = chain([1.0, -2.0], [0.5, 3.0], activation="relu")
    swapped = layer(1, "h", [11, 10], activation="relu")
    into = link(0, 1, [(0, 0, -2.0), (0, 1, 1.0)])
    new = Graph([old.layer("x"), swapped, old.layer("y")], [into, old.link((1, 9, 0))])
    assert_bounded(old, new)


def test_vertices_that_exchange_their_ids():
    old = chain([1.0, -2.0], [0.5, 3.0], activation="tanh")
    assert_exact(old, chain([1.0, -2.0], [0.5, 3.0], ids=[11, 10], activation="tanh"))
    assert_bounded(old, chain([1.0, -2.0], [3.0, 0.5], activation="tanh"))
