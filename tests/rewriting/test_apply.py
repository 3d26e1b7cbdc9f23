"""apply, find and explain: selection, order, limits, refusals, and what is left after an error."""

from types import SimpleNamespace

import numpy as np
import pytest
from scaling import Scale, weighted

import netgraph as ng
from netgraph.analysis import forward_flops
from netgraph.errors import OptionError, RewriteError, StatisticsError
from netgraph.rewriting import outcomes
from netgraph.rewriting.ordering import first_wins
from netgraph.rules import AddEdges, PruneEdges, SplitEdges


@pytest.fixture
def graph():
    return weighted()


def ids(result):
    return result.matches.e.id.tolist()


# -- selection ------------------------------------------------------------------------------------


def test_everything_matches_by_default(graph):
    result = ng.apply(Scale(), graph)
    assert ids(result) == list(range(10))
    assert len(result.skipped) == 0
    np.testing.assert_array_equal(result.graph.edges.weight, graph.edges.weight * 2)
    assert result.changed
    assert (result.graph.rewrites, graph.rewrites) == (1, 0)
    assert repr(result) == "Result(Scale: 10 matches; 9 values changed)"  # one is 0


def test_on_selects_by_id_in_row_order(graph):
    assert ids(ng.apply(Scale(), graph, on=[5, 2, 2])) == [2, 5]
    assert ids(ng.apply(Scale(), graph, on=np.array([], dtype=np.int64))) == []
    assert ids(ng.apply(Scale(), graph, on=graph.edges.where(graph.edges.weight > 6))) == [7]
    assert ng.find(Scale(), graph, on=ng.find(Scale(at_least=6), graph).e).e.id.tolist() == [6, 7]


@pytest.mark.parametrize(
    ("on", "words"), [([0, 99], "no edge with id 99"), ([0.5], "needs ids.*float64"), (["x"], "needs ids")]
)
def test_on_refuses_what_is_not_there(graph, on, words):
    with pytest.raises(RewriteError, match=words):
        ng.apply(Scale(), graph, on=on)


def test_limit_takes_the_first(graph):
    result = ng.apply(Scale(), graph, limit=3)
    assert ids(result) == [0, 1, 2]
    assert result.skipped.e.id.tolist() == list(range(3, 10))
    assert "7 skipped" in repr(result)
    nothing = ng.apply(Scale(), graph, limit=0)
    assert not nothing.changed
    with pytest.raises(OptionError, match="limit=-1 is negative"):
        ng.apply(Scale(), graph, limit=-1)


def test_order_by(graph):
    assert ids(ng.apply(Scale(), graph, limit=2, order_by=lambda m, stats: m.e.weight)) == [7, 6]
    assert ids(ng.apply(Scale(), graph, limit=2, order_by=-graph.edges.weight)) == [9, 0]
    ties = np.zeros(10)
    assert ids(ng.apply(Scale(), graph, limit=2, order_by=ties)) == [0, 1]
    stats = ng.Statistics(graph.topology_hash, {"g": np.arange(10) % 5}, {"rms": np.ones(7)})
    assert ids(ng.apply(Scale(), graph, stats, limit=3, order_by="g")) == [4, 9, 3]


@pytest.mark.parametrize(
    ("order_by", "words"),
    [(np.zeros(3), r"shape \(3,\), expected \(10,\)"), (np.full(10, np.nan), "NaN"), ("g", "no statistics were given")],
)
def test_order_by_is_checked(graph, order_by, words):
    with pytest.raises(RewriteError, match=words):
        ng.apply(Scale(), graph, order_by=order_by)


def test_order_by_may_read_a_statistic_of_layers_only_when_there_is_one(graph):
    stats = ng.Statistics(graph.topology_hash, {}, {"rms": np.arange(7.0)})
    vertices = ng.apply(ng.rules.PruneVertices(only_dead=False), graph, stats, order_by="rms", limit=1)
    assert vertices.matches.v.id.tolist() == [5]
    with pytest.raises(StatisticsError, match="Unknown vertex statistic"):
        ng.apply(ng.rules.PruneVertices(only_dead=False), graph, stats, order_by="g")


def test_no_match_is_a_normal_outcome(graph):
    result = ng.apply(Scale(at_least=100), graph, require="exact")
    assert result.graph is graph
    assert result.delta.is_empty
    assert result.certificate.kind == "exact"
    assert not result.changed
    assert ng.apply_delta(graph, result.delta)[0].equals(graph)


def test_seeds(graph):
    def spread(rng):
        return ng.apply(AddEdges(spread=1.0), ng.mlp([3, 3], density=0.5), rng=rng).graph

    assert spread(1).equals(spread(np.random.default_rng(1)))
    assert not spread(1).equals(spread(2))
    assert spread(None).equals(spread(0))


# -- certificates ---------------------------------------------------------------------------------


def test_a_certificate_does_not_listen_to_claims(graph):
    lie = ng.apply(Scale(claims="exact"), graph)
    assert lie.certificate.kind == "bounded"
    # Both vertices of h are linear on the domain, so that y = -2 (x0 + x1 + x2 + x3), and after it four times as much.
    assert lie.certificate.bound == pytest.approx(24)
    assert 0 < lie.certificate.measured.change <= lie.certificate.bound
    modest = ng.apply(Scale(factor=1.0, claims=None), graph)
    assert modest.certificate.kind == "exact"


def test_require_refuses_and_leaves_the_graph(graph):
    before = graph.edges.weight.copy()
    with pytest.raises(RewriteError, match="Scale is refused: exact was required, but the rewrite is bounded"):
        ng.apply(Scale(), graph, require="exact")
    with pytest.raises(RewriteError, match="exact up to rounding was required"):
        ng.apply(Scale(), graph, require="exact up to rounding")
    np.testing.assert_array_equal(graph.edges.weight, before)
    assert ng.apply(Scale(factor=1.0), graph, require="exact").certificate.kind == "exact"
    assert ng.apply(Scale(), graph, require="bounded").certificate.kind == "bounded"
    for wrong in ("sure", "unknown", -1.0, True):
        with pytest.raises(OptionError, match=f"require={wrong!r}"):
            ng.apply(Scale(), graph, require=wrong)


def test_a_draft_gives_the_same_graph_without_a_proof_and_is_proved_later(graph):
    proved, bare = ng.apply(Scale(), graph), ng.draft(Scale(), graph)
    assert bare.graph.equals(proved.graph)
    assert (bare.certificate.kind, bare.certificate.measured) == ("unknown", None)
    assert str(bare.prove().certificate) == str(proved.certificate)
    assert repr(bare) == repr(proved).replace("Result", "Draft")
    assert ng.draft(Scale(), graph, on=[]).certificate.kind == "exact"  # nothing matched
    with pytest.raises(RewriteError, match="refused: exact was required"):
        bare.prove(require="exact")
    with pytest.raises(OptionError, match="require='sure'"):
        ng.draft(Scale(), graph, on=[]).prove(require="sure")


def test_require_takes_the_largest_change_allowed(graph):
    bound = ng.apply(Scale(factor=1.5), graph).certificate.bound
    assert ng.apply(Scale(factor=1.5), graph, require=bound).certificate.bound == bound
    with pytest.raises(
        RewriteError, match=r"refused: 0\.001 was required, but the rewrite is bounded: no output changes by"
    ):
        ng.apply(Scale(factor=1.5), graph, require=1e-3)


def test_the_probe_may_be_given_or_left_out(graph):
    blind = np.zeros((1, 4))  # on zeros, scaling weights changes nothing
    measured = ng.apply(Scale(), graph, on=[1, 2], probe=blind).certificate
    assert measured.kind == "bounded"
    assert (measured.measured.change, measured.measured.samples) == (0, 1)
    assert ng.apply(Scale(), graph, on=[1, 2], probe=None).certificate.measured is None
    with pytest.raises(OptionError, match="probe=0"):
        ng.apply(Scale(), graph, probe=0)


# -- errors ---------------------------------------------------------------------------------------


def test_an_error_in_a_rule_leaves_the_graph(graph):
    class Broken(Scale):
        def rewrite(self, m, rw):
            rw.remove(m.e)
            raise ZeroDivisionError("half way")

    before = graph.topology_hash
    with pytest.raises(ZeroDivisionError, match="half way"):
        ng.apply(Broken(), graph)
    rebuilt = ng.Graph(graph.layers.values(), graph.links)
    assert rebuilt.topology_hash == before
    assert len(graph.edges) == 10


def test_results_of_two_rules_on_one_graph_are_independent(graph):
    one, two = ng.apply(Scale(), graph), ng.apply(SplitEdges(), graph, limit=1)
    assert len(one.graph.edges) == 10
    assert len(two.graph.edges) > 10
    np.testing.assert_array_equal(graph.edges.weight[:8], np.arange(8))
    for result, other in ((one, two), (two, one)):
        with pytest.raises(RewriteError, match="two branches may give the same id"):
            ng.apply_delta(other.graph, result.delta.inverse())


def test_the_same_topology_with_another_history_is_another_branch():
    """Splitting the same edge after different detours gives equal topologies at times; lineage tells them apart."""
    graph = ng.mlp([2, 2])
    frozen = [ng.apply(Scale(factor=f), graph) for f in (3.0, 2.0)]
    assert frozen[0].graph.topology_hash == graph.topology_hash
    assert frozen[0].graph.lineage != graph.lineage
    step = ng.apply(PruneEdges(below=None), frozen[0].graph, on=[0])
    with pytest.raises(RewriteError, match="lineage"):
        ng.apply_delta(graph, step.delta)


def test_parameters_and_names():
    assert Scale(factor=3.0).name == "Scale"
    assert SplitEdges(epsilon=1e-8).parameters == {
        "activation": "relu", "slope": 0.01, "cross": "selected", "epsilon": 1e-8, "signed": "pair",
        "max_crossing": 5_000_000, "max_vertices": 100_000,
    }  # fmt: skip


def test_a_tap_outside_every_kernel_is_refused():
    graph = ng.mlp([2, 2], domain=(0, 1), density=0.5)
    with pytest.raises(RewriteError, match=r"tap 3; the largest kernel of this graph has the taps 0..0"):
        ng.apply(ng.rules.AddEdges(), graph, on=[[0, 2, 3]])


def test_a_long_chain_of_overlaps_beside_many_matches_without_any():
    # A chain of 2,000 overlaps, decided two by two, beside 400,000 matches that overlap nothing.
    n, chain = 400_000, 2_000
    k = np.arange(n)
    ends = {"p": np.where(k < chain, k // 2, k), "c": np.where(k < chain, (k + 1) // 2, k)}

    class Ends:
        def __len__(self):
            return n

        def __getattr__(self, name):
            return SimpleNamespace(rows=ends[name])

    wins = first_wins(SimpleNamespace(exclusive=("p", "c")), Ends(), k)
    np.testing.assert_array_equal(wins, (k % 2 == 0) | (k >= chain))


# -- arguments that are none --------------------------------------------------------------------------


class NoPattern(ng.Rule):
    def rewrite(self, m, rw):
        pass


class TextAsPattern(NoPattern):
    pattern = "v"


class OtherName(NoPattern):
    pattern = ng.edge("e", src=ng.vertex("p"))
    exclusive = ("q",)


class NoTuple(NoPattern):
    pattern = ng.vertex("v")
    exclusive = "v"


@pytest.mark.parametrize("function", [ng.apply, ng.find, ng.explain])
@pytest.mark.parametrize(
    ("rule", "words"),
    [
        (NoTuple, r"The class NoTuple was given as the rule; give an instance: NoTuple\(\.\.\.\)"),
        (ng.mlp([1, 1]), r"The rule that was given is a Graph; .* the graph after it: apply\(rule, graph\)"),
        (None, "The rule that was given is a NoneType"),
        (NoPattern(), r"NoPattern has no pattern; say what it looks for, such as pattern = ng.vertex\('v'\)"),
        (TextAsPattern(), "has the pattern 'v', which is none"),
        (OtherName(), r"OtherName.exclusive is \('q',\); .* names that the pattern binds: \['e', 'p', 'dst'\]"),
        (NoTuple(), "NoTuple.exclusive is 'v'; it is a tuple"),
    ],
)
def test_what_is_no_rule_is_named(function, rule, words):
    with pytest.raises(RewriteError, match=words):
        function(rule, ng.mlp([2, 1]))


def test_other_arguments_that_do_not_fit_are_named():
    graph = ng.mlp([2, 1], domain=(0, 1))
    for function in (ng.apply, ng.find, ng.explain):
        with pytest.raises(RewriteError, match="The graph that was given is an AddEdges; give a Graph"):
            function(ng.rules.SplitEdges(), ng.rules.AddEdges())
        with pytest.raises(RewriteError, match="stats that were given are 5; give Statistics"):
            function(ng.rules.SplitEdges(), graph, 5)
    with pytest.raises(OptionError, match="limit='3' is not a whole number"):
        ng.apply(ng.rules.SplitEdges(), graph, limit="3")


def test_a_column_in_place_of_a_statistic_is_answered_with_the_function_for_it():
    graph = ng.mlp([2, 3, 1], domain=(0, 1))
    said = r"lambda m, stats: m\.e\.weight"
    with pytest.raises(RewriteError, match=said):
        ng.apply(ng.rules.SplitEdges(), graph, order_by="weight")
    with pytest.raises(StatisticsError, match=said):
        ng.apply(ng.rules.SplitEdges(), graph, ng.Statistics(graph.topology_hash), order_by="weight")
    with pytest.raises(RewriteError, match=r"lambda m, stats: m\.v\.out_degree"):
        ng.apply(ng.rules.SplitVertices(), graph, order_by="out_degree")
    result = ng.apply(ng.rules.SplitEdges(), graph, limit=2, order_by=lambda m, stats: m.e.weight)
    assert sorted(result.matches.e.weight) == sorted(graph.edges.weight)[-2:]


def test_a_graph_with_many_products_is_measured_on_fewer_inputs(graph, monkeypatch):
    taken, sample = [], outcomes.sample_inputs
    monkeypatch.setattr(outcomes, "sample_inputs", lambda *given: taken.append(given[1]) or sample(*given))
    for products in (10**9, forward_flops(graph) * 3 + 1, 1):
        monkeypatch.setattr(outcomes, "PROBE_PRODUCTS", products)
        ng.apply(Scale(), graph, on=[1, 2])
    ng.apply(Scale(), graph, on=[1, 2], probe=5)
    assert taken == [64, 3, 1, 5]
    with pytest.raises(OptionError, match="probe='many' is none of 'auto'"):
        ng.apply(Scale(), graph, on=[1, 2], probe="many")
