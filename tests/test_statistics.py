"""Statistics belong to one topology."""

import numpy as np
import pytest

import netgraph as ng
from netgraph.errors import StatisticsError


@pytest.fixture
def graph():
    return ng.mlp([2, 2], domain=(0, 1))


def stats_of(graph, **columns):
    return ng.Statistics(graph.topology_hash, {"g": np.arange(len(graph.edges)), **columns}, batches=7)


def test_columns_by_name(graph):
    stats = ng.Statistics(graph.topology_hash, {"g": np.arange(4.0)}, {"rms": np.ones(4)})
    np.testing.assert_array_equal(stats.edge("g"), [0, 1, 2, 3])
    np.testing.assert_array_equal(stats.vertex("rms"), np.ones(4))
    with pytest.raises(StatisticsError, match=r"Unknown edge statistic 'gg'.*Did you mean 'g'.*Request it"):
        stats.edge("gg")
    with pytest.raises(StatisticsError, match=r"No vertex statistics are there.*Request it"):
        stats_of(graph).vertex("rms")
    assert repr(stats).startswith("Statistics(edges.g, vertices.rms; 0 batches, topology ")


def test_columns_are_copies_that_cannot_be_written(graph):
    values = np.arange(4.0)
    stats = ng.Statistics(graph.topology_hash, {"g": values})
    values[0] = 9
    assert stats.edge("g")[0] == 0
    with pytest.raises(ValueError, match="read-only"):
        stats.edge("g")[0] = 1
    with pytest.raises(TypeError):
        stats.edges["g"] = values


def test_check(graph):
    stats_of(graph).check(graph)
    stats_of(graph).check(graph.with_weights(np.zeros(4)))  # training keeps the topology
    with pytest.raises(StatisticsError, match=r"belong to topology \w{8}, the graph has \w{8}.*carry\(delta\)"):
        stats_of(graph).check(ng.mlp([2, 2], domain=(0, 2)))
    with pytest.raises(StatisticsError, match=r"edge column 'g' has shape \(3,\), expected \(4,\)"):
        stats_of(graph, g=np.zeros(3)).check(graph)
    with pytest.raises(StatisticsError, match=r"vertex column 'v' has shape \(4, 1\), expected \(4,\)"):
        ng.Statistics(graph.topology_hash, {}, {"v": np.zeros((4, 1))}).check(graph)


def test_statistics_are_made_for_a_hash_not_a_graph(graph):
    with pytest.raises(StatisticsError, match=r"is no hash; give that of the graph: Statistics\(graph.topology_hash"):
        ng.Statistics(graph)


def test_carry_by_id(graph):
    result = ng.apply(ng.rules.SplitEdges(cross="none"), graph, on=[0])
    carried = stats_of(graph).carry(result.delta)
    carried.check(result.graph)
    assert carried.batches == 7
    by_id = dict(zip(result.graph.edges.id.tolist(), carried.edge("g").tolist(), strict=True))
    assert {k: v for k, v in by_id.items() if k < 4} == {1: 1, 2: 2, 3: 3}
    assert np.isnan([by_id[4], by_id[5]]).all()
    np.testing.assert_array_equal(np.isnan(stats_of(graph).carry(result.delta, fill=0).edge("g")), False)


def test_carry_needs_the_right_start(graph):
    result = ng.apply(ng.rules.SplitEdges(), graph)
    with pytest.raises(StatisticsError, match="delta starts at topology"):
        stats_of(result.graph).carry(result.delta)


def test_apply_and_find_check_them(graph):
    other = stats_of(ng.mlp([2, 3]))
    rule = ng.rules.SplitEdges()
    for call in (ng.apply, ng.find, ng.explain):
        with pytest.raises(StatisticsError, match="belong to topology"):
            call(rule, graph, other)
    assert ng.apply(rule, graph, stats_of(graph), order_by="g", limit=1).matches.e.id == [3]
    with pytest.raises(StatisticsError, match="Unknown edge statistic"):
        ng.apply(rule, graph, stats_of(graph), order_by="nothing")
