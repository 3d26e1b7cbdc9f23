"""Rules declare the statistics and the generator that they need, and hand on what `where` computed."""

from dataclasses import dataclass

import numpy as np
import pytest

import netgraph as ng
from netgraph.errors import OptionError, RewriteError, StatisticsError


@dataclass(frozen=True)
class HalveCalm(ng.Rule):
    """Halve the weights of edges with small gradients."""

    pattern = ng.edge("e", src="p", dst="c")
    needs = ng.Needs(edges=("mean_abs_gradient",), vertices=("variance",))

    def where(self, m, stats):
        size = np.abs(m.e.weight) * stats.edge("mean_abs_gradient")[m.e.rows]
        return {"gradient is small": ng.at_most(size, 1.0), "size": ng.computed(size)}

    def rewrite(self, m, rw):
        rw.set_weight(m.e, m.e.weight * 0.5)


@dataclass(frozen=True)
class DropSome(ng.Rule):
    """Remove edges at random."""

    pattern = ng.edge("e", src="p", dst="c")
    needs = ng.Needs(generator=True)

    def where(self, m, stats):
        return m.rng.random(len(m)) < 0.5

    def rewrite(self, m, rw):
        rw.remove(m.e)


@pytest.fixture
def graph():
    return ng.mlp([2, 3, 2], seed=0)


@pytest.fixture
def stats(graph):
    gradient = np.linspace(0, 40, graph.num_edges)
    return ng.Statistics(
        graph.topology_hash, edges={"mean_abs_gradient": gradient}, vertices={"variance": np.ones(graph.num_vertices)}
    )


@pytest.mark.parametrize("call", [ng.find, ng.explain, ng.apply, ng.draft, ng.preview])
def test_a_rule_without_its_statistics_is_refused_before_the_search(graph, call):
    with pytest.raises(StatisticsError, match="HalveCalm needs the edge statistic 'mean_abs_gradient', and no stat"):
        call(HalveCalm(), graph)
    other = ng.Statistics(graph.topology_hash, edges={"mean_abs_gradient": np.ones(graph.num_edges)})
    with pytest.raises(StatisticsError, match=r"needs the vertex statistic 'variance', and the statistics have \[\]"):
        call(HalveCalm(), graph, other)


def test_values_of_where_are_handed_on(graph, stats):
    m = ng.find(HalveCalm(), graph, stats)
    assert 0 < len(m) < graph.num_edges
    size = np.abs(m.e.weight) * stats.edge("mean_abs_gradient")[m.e.rows]
    assert np.array_equal(m.computed["size"], size)
    result = ng.apply(HalveCalm(), graph, stats, order_by=lambda m, stats: m.computed["size"], limit=2)
    assert np.array_equal(result.matches.computed["size"], np.sort(size)[::-1][:2])
    with pytest.raises(ValueError, match="read-only"):
        m.computed["size"][0] = 1


def test_computed_values_are_no_condition(graph, stats):
    explanation = ng.explain(HalveCalm(), graph, stats)
    assert [text for text, _ in explanation.stages][-1] == "gradient is small"


def test_computed_values_have_a_row_per_match(graph, stats):
    class Wrong(HalveCalm):
        def where(self, m, stats):
            return {"size": ng.computed(np.ones(3))}

    with pytest.raises(RewriteError, match=r"computed values 'size' have the shape \(3,\), expected \(12, ...\)"):
        ng.find(Wrong(), graph, stats)


def test_a_generator_is_that_of_the_search(graph):
    one, again, other = (ng.find(DropSome(), graph, rng=seed).e.id.tolist() for seed in (1, 1, 2))
    assert one == again != other
    assert ng.apply(DropSome(), graph, rng=1).matches.e.id.tolist() == one


def test_a_generator_that_is_not_declared_is_refused(graph):
    class Undeclared(DropSome):
        needs = ng.Needs()

    with pytest.raises(RewriteError, match=r"declare it: needs = Needs\(generator=True\)"):
        ng.find(Undeclared(), graph)


def test_a_name_in_place_of_names_is_refused():
    with pytest.raises(OptionError, match="edges='variance'"):
        ng.Needs(edges="variance")
