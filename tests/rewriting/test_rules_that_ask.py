"""A rewrite may read statistics and draw numbers; the order of matches may be drawn too."""

from dataclasses import dataclass

import numpy as np
import pytest

import netgraph as ng
from netgraph.errors import OptionError, RewriteError, StatisticsError
from netgraph.rewriting import Journal
from netgraph.rules import PruneEdges, SplitEdges
from netgraph.testing import check_rule


@dataclass(frozen=True)
class Step(ng.Rule):
    """Moves every weight against its mean gradient, and a little at random."""

    rate: float = 0.5
    jitter: float = 0.0

    pattern = ng.edge("e", src=ng.vertex("p"), dst=ng.vertex("c"))

    def rewrite(self, m, rw):
        gradient = rw.stats.edge("mean_gradient")[m.e.rows]
        rw.set_weight(m.e, m.e.weight - self.rate * gradient + self.jitter * rw.rng.normal(size=len(m)))


def statistics(graph):
    return ng.Statistics(graph.topology_hash, {"mean_gradient": np.arange(len(graph.edges), dtype=float)})


def test_a_rewrite_reads_the_statistics_that_apply_was_given(graph):
    result = ng.apply(Step(), graph, statistics(graph))
    np.testing.assert_array_equal(result.graph.edges.weight, graph.edges.weight - 0.5 * np.arange(14))


def test_without_statistics_it_says_so_by_name(graph):
    with pytest.raises(StatisticsError, match=r"^Step: No edge statistics are there\. Request it"):
        ng.apply(Step(), graph)
    with pytest.raises(StatisticsError, match=r"Step: Unknown edge statistic 'mean_gradient'.*\n?.*"):
        ng.apply(Step(), graph, ng.Statistics(graph.topology_hash, {"other": np.zeros(14)}))


def test_a_rule_can_ask_whether_there_are_any(graph):
    seen = []

    class Asks(Step):
        def rewrite(self, m, rw):
            seen.append("mean_gradient" in rw.stats.edges)

    ng.apply(Asks(), graph)
    ng.apply(Asks(), graph, statistics(graph))
    assert seen == [False, True]


def test_what_it_draws_follows_from_the_seed(graph):
    rule, stats = Step(jitter=1.0), statistics(graph)
    one, same, other = (ng.apply(rule, graph, stats, rng=seed).graph.edges.weight for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert (one != other).all()


def test_the_laws_and_the_journal_hold_for_it(graph, tmp_path):
    check_rule(Step(), stats=statistics, max_examples=10)
    journal = Journal.create(tmp_path, graph)
    result = ng.apply(Step(jitter=0.1), graph, statistics(graph), rng=5)
    journal.append(result, before=graph, seed=5)
    ((_, replayed),) = journal.replay()
    assert replayed.equals(result.graph)
    assert result.certificate.kind in ("bounded", "unknown")


# -- the order of matches ----------------------------------------------------------------------------


def chosen(graph, **options):
    return ng.apply(PruneEdges(below=None), graph, limit=4, order_by="random", **options).matches.e.id.tolist()


def test_a_random_order_follows_from_the_seed(graph):
    assert chosen(graph, rng=3) == chosen(graph, rng=3) == chosen(graph, rng=np.random.default_rng(3))
    assert chosen(graph, rng=3) != chosen(graph, rng=4)
    assert chosen(graph) == chosen(graph, rng=0)  # as documented


def test_a_random_order_takes_every_match_equally_often(graph):
    rng = np.random.default_rng(0)
    rewrites = [ng.draft(PruneEdges(below=None), graph, limit=4, order_by="random", rng=rng) for _ in range(400)]
    counts = np.bincount(np.concatenate([one.matches.e.id for one in rewrites]), minlength=14)
    assert counts.sum() == 1600
    assert abs(counts - 1600 / 14).max() < 50


def test_random_order_and_initial_values_are_drawn_one_after_the_other(graph):
    rule = SplitEdges(epsilon=1.0)
    drawn = [ng.apply(rule, graph, limit=2, order_by="random", rng=7, probe=None).graph for _ in range(2)]
    assert drawn[0].equals(drawn[1])


@pytest.mark.parametrize(
    "order",
    [
        np.arange(14),
        np.arange(14) + 2**62,
        np.arange(14, dtype=np.uint64) + np.uint64(2**63),
        np.arange(14) * 0.5,
        np.where(np.arange(14) == 13, np.inf, np.arange(14)),
        list(range(14)),
        lambda m, stats: m.e.id,
        "score",
    ],
    ids=["int64", "above 2**53", "uint64", "float64", "infinite", "a list", "a function", "a statistic"],
)
def test_every_form_of_an_order_puts_the_largest_first(graph, order):
    stats = ng.Statistics(graph.topology_hash, {"score": np.arange(14)})
    result = ng.apply(PruneEdges(below=None), graph, stats, order_by=order, limit=2)
    assert result.matches.e.id.tolist() == [13, 12]


@pytest.mark.parametrize(
    ("order", "error", "words"),
    [
        ("randomly", RewriteError, "'randomly' names a statistic, but no statistics were given"),
        (np.zeros(3), RewriteError, r"shape \(3,\), expected \(14,\)"),
        (np.full(14, np.nan), RewriteError, "NaN"),
        (np.array(["a"] * 14), RewriteError, "values of <U1; give one real number"),
        (np.zeros(14, complex), RewriteError, "values of complex128"),
        (lambda m, stats: None, RewriteError, r"shape \(\)"),
    ],
)
def test_what_orders_nothing_is_refused(graph, order, error, words):
    with pytest.raises(error, match=words):
        ng.apply(PruneEdges(below=None), graph, order_by=order)


@pytest.mark.parametrize("rng", [-1, 1.5, "0", True])
def test_what_is_no_seed_is_refused(graph, rng):
    with pytest.raises(OptionError, match="rng="):
        ng.apply(PruneEdges(below=None), graph, rng=rng)


# -- whether anything changed ------------------------------------------------------------------------


@dataclass(frozen=True)
class Clip(ng.Rule):
    """Brings weights to at most 0.1, which float32 rounds; it matches every edge, also where there is nothing to do."""

    pattern = ng.edge("e", src=ng.vertex("p"), dst=ng.vertex("c"))

    def rewrite(self, m, rw):
        rw.set_weight(m.e, np.minimum(m.e.weight.astype(float), 0.1))


def test_a_loop_until_nothing_changes_ends(graph):
    rounds = 0
    while (result := ng.apply(Clip(), graph)).changed:
        graph, rounds = result.graph, rounds + 1
    assert rounds == 1
    assert len(result.matches) == 14
    assert result.graph is graph
    assert result.delta.is_empty
    assert result.certificate.kind == "exact"
    assert result.certificate.reason == "nothing changed"


def test_a_rewrite_that_changes_nothing_is_told_as_such(graph, tmp_path):
    settled = ng.apply(Clip(), graph).graph
    result = ng.apply(Clip(), settled, require="exact")
    assert "nothing changed" in result._repr_html_()
    assert repr(result) == "Result(Clip: 14 matches; nothing)"
    with pytest.raises(ng.errors.JournalError, match="Clip changed nothing"):
        Journal.create(tmp_path, settled).append(result, before=settled)
    check_rule(Clip(), max_examples=10)
