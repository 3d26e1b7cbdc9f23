"""SplitEdges: exact on every source, the crossing edges of the paper, and what it refuses."""

from fractions import Fraction

import numpy as np
import pytest
from ported import as_stored
from random_graphs import assert_same_outputs

import netgraph as ng
from netgraph.errors import OptionError, RewriteError
from netgraph.rules import SplitEdges
from netgraph.rules.split_edges import pairings


def net(domain, **changes):
    """x(3) -> y(2), dyadic weights; ids 0..5, weights 1/8 apart."""
    b = ng.GraphBuilder(dtype=np.float64)
    b.input("x", 3, domain=domain)
    b.output("y", 2, **changes)
    b.edges("x", "y", [0, 1, 2] * 2, [0, 0, 0, 1, 1, 1], weight=(np.arange(6) - 2) / 8)
    return b.build()


def test_one_vertex_on_an_edge_from_a_nonnegative_source():
    graph = net((0, 1))
    result = ng.apply(SplitEdges(cross="none"), graph, on=[1])
    new = result.graph
    layer = new.layers["split-2"]
    assert (len(layer), layer.activation, layer.bias.tolist()) == (1, "relu", [0])
    assert new.links["x", "split-2"].weight.tolist() == [1]
    assert new.links["split-2", "y"].weight.tolist() == [-0.125]
    assert 1 not in new.edges.id
    assert result.certificate.level == result.rule.claim(result.matches) == "exact"
    assert result.certificate.measured.change == 0
    assert_same_outputs(graph, new)


def test_a_pair_of_vertices_on_an_edge_from_a_signed_source():
    graph = net((-1, 1))
    result = ng.apply(SplitEdges(cross="none"), graph, on=[4])
    new = result.graph
    assert new.links["x", "split-2"].weight.tolist() == [1, -1]
    assert new.links["split-2", "y"].weight.tolist() == [0.25, -0.25]
    assert result.certificate.level == result.rule.claim(result.matches) == "exact"
    assert_same_outputs(graph, new)


def test_signs_are_looked_at_one_by_one():
    graph = net(([0, -1, 0], 1))
    result = ng.apply(SplitEdges(cross="none"), graph)
    assert len(result.delta.vertices_added) == 4 + 2 * 2
    assert_same_outputs(graph, result.graph)


def test_crossing_edges_of_the_paper():
    """Two edges from different parents to different children: 2x2 + 2x2 edges, four of them crossing at weight 0."""
    graph = net((0, 1))
    rule = SplitEdges()
    m = ng.find(rule, graph, on=[0, 4])
    result = ng.apply(rule, graph, on=[0, 4])
    new = result.graph
    assert rule.count_crossing(m) == 4
    assert len(result.delta.edges_added) == 8
    np.testing.assert_array_equal(new.links["x", "split-2"].weight, [1, 0, 0, 1])
    np.testing.assert_array_equal(new.links["split-2", "y"].weight, [-0.25, 0, 0, 0.25])
    assert_same_outputs(graph, new)


def test_one_layer_per_target_layer():
    graph = ng.mlp([2, 2, 2], domain=(0, 1))
    new = ng.apply(SplitEdges(), graph).graph
    assert [layer.name for layer in new.layers] == ["input", "split-3", "hidden1", "split-4", "output"]
    assert [len(x) for x in new.layers.values()] == [2, 4, 2, 4, 2]
    assert_same_outputs(graph, new, exact=False)


def test_skip_links_into_one_target_share_its_new_layer():
    b = ng.GraphBuilder()
    b.input("x", 1, domain=(0, 1))
    b.layer("h", 1)
    b.output("y", 1)
    for pair in (("x", "h"), ("h", "y"), ("x", "y")):
        b.edges(*pair, [0], [0], weight=0.5)
    graph = b.build()
    new = ng.apply(SplitEdges(), graph, on=[1, 2]).graph
    assert len(new.layers["split-3"]) == 2
    assert {(new.layer(k.source).name, len(k)) for k in new.incoming[3]} == {("x", 2), ("h", 2)}
    assert_same_outputs(graph, new)


def test_convolutions_keep_their_taps():
    b = ng.GraphBuilder(dtype=np.float64)
    b.input("x", 2, grid=(5, 5), domain=(-1, 1))
    b.output("y", 2, grid=(3, 3))
    kind = ng.Conv2d((3, 3), (2, 2), (1, 1))
    b.edges("x", "y", [0, 1, 1], [0, 0, 1], weight=[0.5, -1, 2], tap=[0, 4, 8], kind=kind)
    graph = b.build()
    new = ng.apply(SplitEdges(cross="none"), graph, on=[0, 2]).graph
    split = new.layers["split-2"]
    assert split.grid == (5, 5)
    assert new.links["x", "split-2"].kind == ng.Dense()
    link = new.links["split-2", "y"]
    assert link.kind == kind
    assert sorted(zip(link.tap.tolist(), link.weight.tolist(), strict=True)) == [(0, -0.5), (0, 0.5), (8, -2), (8, 2)]
    assert_same_outputs(graph, new)
    crossed = ng.apply(SplitEdges(), graph, on=[0, 2])
    assert len(crossed.delta.edges_added) == 2 * 4 + 4 * 2 * 9
    assert_same_outputs(graph, crossed.graph)


def test_a_source_that_is_pooled_hands_on_the_smaller_grid():
    b = ng.GraphBuilder(dtype=np.float64)
    b.input("x", 1, grid=(4, 4), domain=(-1, 1))
    b.layer("p", 2, grid=(4, 4), pool=ng.Pool("max", (2, 2)))
    b.output("y", 1)
    b.edges("x", "p", [0, 0], [0, 1], weight=[1, -1])
    b.conv2d("p", "y", kernel=2)
    graph = b.build()
    new = ng.apply(SplitEdges(), graph, on=graph.links["p", "y"].id).graph
    assert new.layers["split-3"].grid == (2, 2)
    assert_same_outputs(graph, new, exact=False)


def test_a_target_with_batch_norm():
    graph = net((-1, 1), norm="batch")
    graph = graph.with_weights(vertices={"mean": np.full(5, 0.25), "scale": np.full(5, 2.0)})
    result = ng.apply(SplitEdges(), graph, require="exact")
    assert_same_outputs(graph, result.graph)
    assert_same_outputs(graph, result.graph, train=True)


def test_ports_are_kept():
    b = ng.GraphBuilder(dtype=np.float64)
    b.input("x", 2, domain=(0, 1))
    b.output("y", 1)
    b.edges("x", "y", [0, 1], [0, 0], weight=[0.5, 1])
    b.edges("x", "y", [0, 1], [0, 0], weight=[2, 3], port=1)
    graph = as_stored(b)
    new = ng.apply(SplitEdges(), graph).graph
    into = {k.port: (len(k), new.layer(k.source).name) for k in new.incoming[1]}
    assert into == {0: (2, "split-2"), 1: (2, "split-3")}
    assert_same_outputs(graph, new)


def test_epsilon_is_bounded():
    graph = net((0, 1))
    result = ng.apply(SplitEdges(epsilon=1e-8), graph, on=[0, 4], rng=1)
    assert result.certificate.level == result.rule.claim(result.matches) == "bounded"
    assert 0 < result.certificate.measured.change < 1e-6
    crossing = result.graph.links["x", "split-2"].weight[[1, 2]]
    assert ((crossing > 0) & (crossing < 1e-8)).all()
    with pytest.raises(RewriteError, match="exact was required"):
        ng.apply(SplitEdges(epsilon=1e-8), graph, require="exact")
    for rule, on in ((SplitEdges(epsilon=1e-8, cross="none"), None), (SplitEdges(epsilon=1e-8), [4])):
        alone = ng.apply(rule, graph, on=on)  # nothing crosses
        assert alone.certificate.level == rule.claim(alone.matches) == "exact"


def test_signed_sources_may_be_refused():
    graph = net(([0, -1, 0], 1))
    result = ng.apply(SplitEdges(signed="refuse"), graph)
    assert result.matches.e.id.tolist() == [0, 2, 3, 5]
    assert ng.explain(SplitEdges(signed="refuse"), graph).stages[-1] == ("source is never negative", 4)
    assert not ng.apply(SplitEdges(signed="refuse"), net((-1, 1))).changed


def test_the_cap_on_crossing_edges():
    graph = net((0, 1))
    message = "Splitting 6 edges would make 18 crossing edges, more than max_crossing=17"
    with pytest.raises(RewriteError, match=message):
        ng.apply(SplitEdges(max_crossing=17), graph)
    assert ng.apply(SplitEdges(max_crossing=18), graph).changed
    assert ng.apply(SplitEdges(max_crossing=0, cross="none"), graph).changed


def test_wires_are_not_split():
    b = ng.GraphBuilder()
    b.input("x", 2)
    b.output("y", 2)
    b.identity("x", "y")
    assert not ng.apply(SplitEdges(), b.build()).changed


def test_options_are_checked():
    for options, words in (
        ({"cross": "all"}, "cross='all' is none of 'selected', 'none'"),
        ({"signed": "no"}, "signed='no' is none of 'pair', 'refuse'"),
        ({"epsilon": -1.0}, "epsilon=-1.0 is not a number from 0"),
        ({"activation": "rely"}, "activation='rely'.*'relu'"),
        ({"activation": "leaky_relu", "slope": -1.0}, "slope=-1.0 is refused"),
        ({"activation": "leaky_relu", "slope": np.nan}, "slope=nan is not a number"),
    ):
        with pytest.raises(OptionError, match=words):
            SplitEdges(**options)


def test_a_wrong_split_is_not_exact():
    """The negative twin: relu alone on a signed source."""

    class Wrong(SplitEdges):
        def rewrite(self, m, rw):
            n = rw.add_layer(len(m), activation="relu")
            rw.connect(m.p, n, weight=1.0)
            rw.connect(n, m.c, weight=m.e.weight)
            rw.remove(m.e)

    assert ng.apply(Wrong(), net((0, 1)), require="exact").changed
    assert ng.apply(Wrong(), net((-1, 1))).certificate.level == "bounded"


def test_more_vertices_than_the_cap_are_refused():
    graph = ng.mlp([3, 2], domain=(-1, 1))
    with pytest.raises(RewriteError, match="would make 12 vertices, more than max_vertices=11"):
        ng.apply(SplitEdges(cross="none", max_vertices=11), graph)
    assert len(ng.apply(SplitEdges(cross="none", max_vertices=12), graph).delta.vertices_added) == 12


@pytest.mark.parametrize("domain", [(0, 1), (-1, 1)])
@pytest.mark.parametrize("activation", ["gelu", "gelu_tanh", "silu", "softplus"])
def test_smooth_activations_always_take_a_pair(activation, domain):
    graph = net(domain)
    rule = SplitEdges(activation=activation)
    result = ng.apply(rule, graph, on=[3, 4])
    new = result.graph
    layer = new.layers["split-2"]
    assert (len(layer), layer.activation) == (4, activation)
    assert rule.count_vertices(result.matches) == 4
    assert result.certificate.level == rule.claim(result.matches) == "exact"
    assert_same_outputs(graph, new, exact=False)
    with pytest.raises(OptionError, match=f"signed='refuse' of SplitEdges .*'{activation}' .* use signed='pair', or"):
        SplitEdges(activation=activation, signed="refuse")


@pytest.mark.parametrize("activation", [name for name, pair in pairings().items() if pair != "always"])
def test_what_may_be_refused_is_not_all(activation):
    assert ng.apply(SplitEdges(activation=activation, signed="refuse"), net((0, 1)), require="exact").changed
    changed = ng.apply(SplitEdges(activation=activation, signed="refuse"), net((-1, 1))).changed
    assert changed == (activation == "prelu")


@pytest.mark.parametrize(("slope", "level"), [(0.0, "exact"), (1.0, "exact"), (3.0, "exact"), (0.25, None)])
def test_leaky_pairs_divide_by_one_plus_the_slope(slope, level):
    graph = net((-1, 1))
    rule = SplitEdges(activation="leaky_relu", slope=slope, cross="none")
    result = ng.apply(rule, graph, on=[4])
    new = result.graph
    assert new.layers["split-2"].slope == slope
    np.testing.assert_allclose(new.links["split-2", "y"].weight, np.array([0.25, -0.25]) / (1 + slope))
    assert result.certificate.level == rule.claim(result.matches) == (level or "exact up to rounding")
    assert_same_outputs(graph, new, exact=level == "exact")


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_leaky_claim_is_decided_by_the_stored_weights(dtype):
    """Against exact fractions, for weights of which some divide and some do not."""
    rng = np.random.default_rng(0)
    slope = 0.25
    weight = np.where(rng.random(200) < 0.5, rng.normal(size=200), 1.25 * rng.integers(-8, 9, 200)).astype(dtype)
    b = ng.GraphBuilder(dtype=dtype)
    b.input("x", 200, domain=(-1, 1))
    b.output("y", 1)
    b.edges("x", "y", np.arange(200), np.zeros(200, int), weight=weight)
    graph = b.build()
    rule = SplitEdges(activation="leaky_relu", slope=slope, cross="none")
    levels = set()
    for edge in range(200):
        m = ng.find(rule, graph, on=[edge])
        stored = dtype(float(weight[edge]) / (1 + slope))
        same = Fraction(float(stored)) * (1 + Fraction(slope)) == Fraction(float(weight[edge]))
        assert rule.claim(m) == ("exact" if same else "exact up to rounding")
        levels.add(same)
    assert levels == {True, False}


def test_one_leaky_vertex_on_a_nonnegative_source():
    graph = net((0, 1))
    result = ng.apply(SplitEdges(activation="leaky_relu"), graph, require="exact")
    assert len(result.delta.vertices_added) == 6
    assert result.rule.claim(result.matches) == "exact"
    assert_same_outputs(graph, result.graph)


def test_prelu_starts_as_the_identity():
    graph = net((-1, 1))
    result = ng.apply(SplitEdges(activation="prelu"), graph)
    np.testing.assert_array_equal(result.graph.layers["split-2"].values["slope"], np.ones(6))
    assert result.certificate.level == result.rule.claim(result.matches) == "exact"
    assert_same_outputs(graph, result.graph)


def test_twice_and_back():
    graph = net((-1, 1))
    once = ng.apply(SplitEdges(activation="gelu"), graph, on=[1, 4])
    twice = ng.apply(SplitEdges(activation="silu"), once.graph, require="exact")
    assert_same_outputs(graph, twice.graph, exact=False)
    back = ng.apply_delta(twice.graph, once.delta.then(twice.delta).inverse())[0]
    assert back.equals(graph)


def test_weights_of_a_wider_link_are_not_rounded():
    b = ng.GraphBuilder(dtype=np.float64)
    b.input("x", 1, domain=(-1, 1))
    b.layer("h", 1, activation="identity")
    b.output("y", 1)
    b.edges("x", "h", [0], [0], weight=0.5)
    b.edges("h", "y", [0], [0], weight=1 / 3)
    graph = b.build()
    links = list(graph.links)
    narrow = ng.Graph(graph.layers.values(), [links[0].with_weight(links[0].weight.astype(np.float32)), links[1]])
    result = ng.apply(SplitEdges(), narrow, require="exact")
    assert {k.weight.dtype.name for k in result.graph.links} == {"float64"}
    assert_same_outputs(narrow, result.graph)
