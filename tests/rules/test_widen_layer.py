"""WidenLayer: new vertices that change nothing, in train mode either; refused where they would."""

import numpy as np
import pytest
from random_graphs import assert_same_outputs

import netgraph as ng
from netgraph.errors import OptionError, RewriteError
from netgraph.rules import WidenLayer


def test_new_vertices_are_joined_to_all_neighbours():
    graph = ng.mlp([3, 2, 2], domain=(0, 1), density=0.5)
    result = ng.apply(WidenLayer(count=2), graph, rng=1, require="exact")
    new = result.graph
    hidden = new.layers["hidden1"]
    np.testing.assert_array_equal(hidden.bias[2:], [0, 0])
    fresh = hidden.vertex_ids[2:]
    into = new.edges.where(np.isin(new.edges.target, fresh))
    out = new.edges.where(np.isin(new.edges.source, fresh))
    assert (len(into), len(out)) == (6, 4)
    assert into.weight.all()
    assert not out.weight.any()
    assert_same_outputs(graph, new, exact=False)


def test_initial_weights_follow_the_fan_in():
    graph = ng.mlp([200, 4, 1])
    new = ng.apply(WidenLayer(count=50), graph, probe=None).graph
    weight = new.links["input", "hidden1"].weight[4 * 200 :]
    assert abs(weight.std() - np.sqrt(2 / 200)) < 0.005


def test_vertices_of_the_same_growth_are_read_with_weight_0_and_are_not_in_the_fan_in():
    graph = ng.mlp([3, 200, 4, 1])
    since = graph.next_ids.vertex
    first = ng.apply(WidenLayer(count=600, since=since), graph, on="hidden1", probe=None).graph
    both = ng.apply(WidenLayer(count=50, since=since), first, on="hidden2", require="exact", probe=None).graph
    weight = both.links["hidden1", "hidden2"].weight.reshape(54, 800)[4:]
    assert not weight[:, 200:].any()
    assert abs(weight[:, :200].std() - np.sqrt(2 / 200)) < 0.005
    alone = ng.apply(WidenLayer(count=2, since=0), graph, on="hidden2", require="exact").graph  # nothing is old
    assert not alone.links["hidden1", "hidden2"].weight.reshape(6, 200)[4:].any()


@pytest.mark.parametrize("norm", ["none", "batch"])
def test_exact_in_both_modes(norm):
    graph = ng.mlp([3, 4, 4, 2], norm=norm, activation="tanh", dtype=np.float64)
    new = ng.apply(WidenLayer(count=3), graph, require="exact").graph
    assert [len(x) for x in new.layers.values()] == [3, 7, 7, 2]
    for train in (False, True):
        assert_same_outputs(graph, new, exact=False, train=train)


def test_neighbours_widened_together_stay_apart_at_the_new_vertices():
    graph = ng.mlp([1, 2, 2, 1])
    new = ng.apply(WidenLayer(), graph).graph
    link = new.links["hidden1", "hidden2"]
    assert len(link) == 3 * 3 - 1
    assert not ((link.src == 2) & (link.dst == 2)).any()


def test_convolutions():
    b = ng.GraphBuilder(dtype=np.float64)
    b.input("x", 1, grid=(4, 4))
    b.layer("a", 2, grid=(4, 4), norm="batch")
    b.output("y", 1)
    b.conv2d("x", "a", kernel=3, padding=1)
    b.conv2d("a", "y", kernel=4)
    graph = b.build()
    result = ng.apply(WidenLayer(), graph, require="exact")
    assert len(result.delta.edges_added) == 9 + 16
    assert_same_outputs(graph, result.graph, exact=False, train=True)


def test_only_the_layers_asked_for():
    graph = ng.mlp([1, 2, 2, 1])
    new = ng.apply(WidenLayer(), graph, on="hidden2").graph
    assert [len(x) for x in new.layers.values()] == [1, 2, 3, 1]
    assert not ng.apply(WidenLayer(), graph, on=["input", "output"]).changed


def test_layer_norm_is_refused():
    normed = ng.mlp([2, 3, 2], norm="layer")
    assert not ng.apply(WidenLayer(), normed).changed
    assert ("norms of the group act vertex by vertex", 0) in ng.explain(WidenLayer(), normed).stages


def test_a_layer_that_feeds_a_normed_one_may_grow():
    b = ng.GraphBuilder(dtype=np.float64)
    b.input("x", 2)
    b.layer("a", 2)
    b.layer("n", 3, norm="layer")
    b.output("y", 1)
    for pair in (("x", "a"), ("a", "n"), ("n", "y")):
        b.dense(*pair)
    graph = b.build()
    result = ng.apply(WidenLayer(), graph, require="exact")
    assert [x.name for x in result.matches.l] == ["a"]
    assert_same_outputs(graph, result.graph, exact=False)


def test_widening_under_layer_norm_would_not_be_exact():
    """The negative twin: without its condition the claim is found out."""

    class Bold(WidenLayer):
        def where(self, m, stats):
            return np.ones(len(m), dtype=bool)

    result = ng.apply(Bold(), ng.mlp([2, 3, 2], norm="layer", domain=(-1, 1)))
    assert result.rule.claim(result.matches) == "exact"
    assert result.certificate.level not in ("exact", "exact up to rounding")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"count": 0}, "count=0 is below 1"),
        ({"init": "zero"}, "init='zero' is none of 'outgoing zero'"),
        ({"noise": 0.5}, "noise=0.5 is refused"),
        ({"noise": 1.5, "init": "duplicate"}, "noise=1.5 is refused"),
        ({"since": 3, "init": "duplicate"}, "since is given, but init='duplicate'; it needs init='outgoing zero'"),
    ],
)
def test_options_are_checked(options, words):
    with pytest.raises(OptionError, match=words):
        WidenLayer(**options)


# -- incoming zero --------------------------------------------------------------------------------


@pytest.mark.parametrize("norm", ["none", "batch"])
@pytest.mark.parametrize("activation", ["relu", "tanh", "gelu", "silu", "identity", "leaky_relu", "prelu", "rational"])
def test_vertices_that_are_0_may_be_read(activation, norm):
    graph = ng.mlp([3, 4, 4, 2], norm=norm, activation=activation, dtype=np.float64, domain=(-1, 1))
    result = ng.apply(WidenLayer(count=2, init="incoming zero"), graph, require="exact")
    new = result.graph
    fresh = result.delta.vertices_added.id
    assert not new.edges.weight[np.isin(new.edges.target, fresh)].any()
    assert new.edges.weight[np.isin(new.edges.source, fresh)].all()
    for train in (False, True):
        assert_same_outputs(graph, new, exact=False, train=train)


def test_outgoing_weights_follow_the_fan_in_of_the_reader():
    graph = ng.mlp([2, 300, 4])
    new = ng.apply(WidenLayer(count=500, init="incoming zero"), graph, probe=None).graph
    weight = new.links["hidden1", "output"].weight.reshape(4, 800)[:, 300:]
    assert abs(weight.std() - np.sqrt(2 / 300)) < 0.005


@pytest.mark.parametrize("activation", ["sigmoid", "softplus"])
def test_activations_that_do_not_keep_0_are_refused(activation):
    rule = WidenLayer(init="incoming zero")
    graph = ng.mlp([2, 3, 2], activation=activation)
    assert not ng.apply(rule, graph).changed
    assert ng.explain(rule, graph).stages[-1] == ("activation maps 0 to 0", 0)
    assert ng.apply(WidenLayer(), graph).changed


# -- duplicate ------------------------------------------------------------------------------------


@pytest.mark.parametrize("noise", [0, 0.5])
@pytest.mark.parametrize("count", [1, 2, 3, 4, 11])
@pytest.mark.parametrize("norm", ["none", "batch"])
def test_copies_share_the_outgoing_weights(count, noise, norm):
    graph = ng.mlp([3, 4, 4, 2], norm=norm, activation="tanh", dtype=np.float64, domain=(-1, 1))
    rule = WidenLayer(count=count, init="duplicate", noise=noise)
    result = ng.apply(rule, graph, rng=count)
    assert [len(x) for x in result.graph.layers.values()] == [3, 4 + count, 4 + count, 2]
    assert result.certificate.level == rule.claim(result.matches) == "exact"
    for train in (False, True):
        assert_same_outputs(graph, result.graph, exact=False, train=train)
    assert ng.apply_delta(result.graph, result.delta.inverse())[0].equals(graph)


def test_copies_are_spread_evenly():
    graph = ng.mlp([2, 4, 1], dtype=np.float64)
    old = graph.links["input", "hidden1"].weight.reshape(4, 2)
    new = ng.apply(WidenLayer(count=6, init="duplicate"), graph, rng=1).graph
    copies = new.links["input", "hidden1"].weight.reshape(10, 2)
    times = (copies[:, None] == old).all(axis=2).sum(axis=0)
    assert sorted(times.tolist()) == [2, 2, 3, 3]


def test_copies_of_convolutions_keep_their_taps():
    b = ng.GraphBuilder(dtype=np.float64)
    b.input("x", 1, grid=(4, 4), domain=(0, 1))
    b.layer("a", 2, grid=(4, 4), norm="batch", pool=ng.Pool("max", (2, 2)))
    b.output("y", 1)
    b.conv2d("x", "a", kernel=3, padding=1, density=0.5)
    b.conv2d("a", "y", kernel=2)
    graph = b.build()
    result = ng.apply(WidenLayer(count=3, init="duplicate"), graph, require="exact")
    assert_same_outputs(graph, result.graph, exact=False, train=True)


# -- outgoing weights that are given --------------------------------------------------------------


def test_outgoing_weights_are_those_given():
    b = ng.GraphBuilder(seed=1, dtype=np.float64)
    b.input("x", 2, grid=(6, 6))
    b.layer("a", 3, grid=(6, 6), activation="gelu")
    b.layer("c", 4, grid=(5, 5))
    b.output("y", 2)
    b.conv2d("x", "a", kernel=3, padding=1)
    b.conv2d("a", "c", kernel=2)
    b.conv2d("a", "y", kernel=6)
    b.conv2d("c", "y", kernel=5)
    graph = b.build()
    rng = np.random.default_rng(0)
    given = {graph.links["a", "c"].key: rng.normal(size=(2, 4, 4))}
    rule = WidenLayer(count=2, init="incoming zero", outgoing=given)
    result = ng.apply(rule, graph, on="a", require="exact")
    link = result.graph.links["a", "c"]
    found = np.zeros((4, 5, 4))
    found[link.dst, link.src, link.tap] = link.weight
    np.testing.assert_array_equal(found[:, 3:].transpose(1, 0, 2), given[link.key])
    other = result.graph.links["a", "y"]
    assert other.weight[other.src >= 3].all()  # the link that is not named is drawn
    assert_same_outputs(graph, result.graph, exact=False, train=True)


def test_given_weights_are_checked():
    graph = ng.mlp([2, 3, 4, 2], activation="tanh")
    first, second, _ = graph.links_by_key
    with pytest.raises(OptionError, match="they need init='incoming zero'"):
        WidenLayer(outgoing={})
    for given, word in (
        ({first: np.ones((1, 3, 1))}, "no link with weights out of a layer that is widened"),
        ({second: np.ones((1, 3, 1))}, r"has shape \(1, 3, 1\), expected \(1, 4, 1\)"),
        ({second: np.full((1, 4, 1), np.inf)}, "finite"),
    ):
        with pytest.raises(RewriteError, match=word):
            ng.apply(WidenLayer(init="incoming zero", outgoing=given), graph, on="hidden1")


def test_the_journal_has_given_weights_once(tmp_path):
    graph = ng.mlp([2, 300, 400, 2], activation="tanh", seed=0)
    key = graph.links["hidden1", "hidden2"].key
    rule = WidenLayer(count=5, init="incoming zero", outgoing={key: np.full((5, 400, 1), 0.5)})
    result = ng.apply(rule, graph, on="hidden1", probe=None)
    journal = ng.Journal.create(tmp_path, graph)
    entry = journal.append(result, before=graph)
    assert entry.parameters["outgoing"] == "<2000 values>"
    assert len((tmp_path / "journal.jsonl").read_bytes()) < 4000
    assert journal.entries()[0].parameters == dict(entry.parameters)
    ((_, replayed),) = journal.replay()
    assert replayed.equals(result.graph)
    assert rule == WidenLayer(count=5, init="incoming zero")  # arrays have no truth value to compare by
    assert isinstance(hash(rule), int)
