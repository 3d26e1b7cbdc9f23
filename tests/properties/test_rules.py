"""Laws of the shipped rules on random graphs; exact means bit for bit, in float64 on dyadic values."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from random_graphs import assert_same_function, conv_graphs, dense_graphs, graphs, seeds, some

import netgraph as ng
from netgraph.rules import AddEdges, PruneEdges, PruneVertices, SplitEdges, WidenLayer

crosses = st.sampled_from(["selected", "none"])


def trainable(graph):
    return graph.edges.id[~graph.edges.frozen]


@given(graphs(), crosses, seeds)
def test_splitting_keeps_the_function_bit_for_bit(graph, cross, seed):
    ids = some(trainable(graph), np.random.default_rng(seed))
    result = ng.apply(SplitEdges(cross=cross), graph, on=ids, require="exact")
    assert result.certificate.kind == "exact"
    assert_same_function(graph, result.graph, seed=seed)
    assert not np.isin(ids, result.graph.edges.id).any()


@given(graphs(exact=False), seeds)
def test_splitting_keeps_the_function_whatever_the_layers_do(graph, seed):
    ids = some(trainable(graph), np.random.default_rng(seed))
    result = ng.apply(SplitEdges(), graph, on=ids, require="exact")
    assert_same_function(graph, result.graph, seed=seed, exact=False)
    assert_same_function(graph, result.graph, seed=seed, exact=False, train=True)


@given(graphs(), seeds)
def test_split_makes_at_most_the_crossing_edges_it_counts(graph, seed):
    ids = some(trainable(graph), np.random.default_rng(seed))
    rule = SplitEdges()
    m = ng.find(rule, graph, on=ids)
    split = ng.apply(rule, graph, on=ids, probe=None)
    bare = ng.apply(SplitEdges(cross="none"), graph, on=ids, probe=None)
    crossing = len(split.delta.edges_added) - len(bare.delta.edges_added)
    vertices = len(m) + int(np.count_nonzero(~m.p.nonnegative))
    assert len(bare.delta.edges_added) == 2 * vertices == 2 * len(bare.delta.vertices_added)
    assert 0 <= crossing <= rule.count_crossing(m)
    if not any(isinstance(k.kind, ng.Conv2d) for k in graph.links):
        assert crossing == rule.count_crossing(m)


@given(graphs(exact=False), seeds, st.integers(1, 3))
def test_widening_keeps_the_function_in_both_modes(graph, seed, count):
    result = ng.apply(WidenLayer(count=count), graph, rng=seed, require="exact")
    for layer in result.matches.l:
        assert len(result.graph.layer(layer.id)) == len(layer) + count
    assert_same_function(graph, result.graph, seed=seed, exact=False)
    assert_same_function(graph, result.graph, seed=seed, exact=False, train=True)


@given(graphs(exact=False), seeds)
def test_adding_edges_keeps_the_function(graph, seed):
    missing = len(ng.find(AddEdges(), graph))
    result = ng.apply(AddEdges(), graph, limit=5, require="exact")
    assert len(result.delta.edges_added) == min(5, missing)
    assert result.graph.num_edges == graph.num_edges + min(5, missing)
    assert_same_function(graph, result.graph, seed=seed, exact=False)


@given(graphs(), seeds)
def test_pruning_edges_of_weight_0_keeps_the_function(graph, seed):
    rng = np.random.default_rng(seed)
    weight = graph.edges.weight * (rng.random(len(graph.edges)) < 0.5)
    graph = graph.with_weights(weight)
    result = ng.apply(PruneEdges(), graph, require="exact")
    assert not (result.graph.edges.weight == 0).any()
    assert_same_function(graph, result.graph, seed=seed)


@given(graphs(exact=False), seeds)
def test_pruning_dead_vertices_keeps_the_function(graph, seed):
    rng = np.random.default_rng(seed)
    ids = trainable(graph)
    thin = ng.apply(PruneEdges(below=None), graph, on=ids[rng.random(len(ids)) < 0.6], probe=None).graph
    result = ng.apply(PruneVertices(), thin, require="exact")
    assert_same_function(thin, result.graph, seed=seed, exact=False)
    assert len(ng.find(PruneVertices(), result.graph)) == 0  # one application finds all of them


@given(st.one_of(dense_graphs(), conv_graphs()), seeds)
def test_a_split_can_be_merged_with_pruning(graph, seed):
    """Split, then prune what the split added: the rest is the old graph without the split edges."""
    ids = some(trainable(graph), np.random.default_rng(seed))
    split = ng.apply(SplitEdges(), graph, on=ids, probe=None)
    gone = ng.apply(PruneVertices(only_dead=False), split.graph, on=split.delta.vertices_added.id, probe=None)
    kept = ~np.isin(graph.edges.id, ids)
    still = np.isin(graph.edges.id[kept], gone.graph.edges.id)
    # Only hidden vertices that nothing but the split edges served may have gone with them.
    assert set(gone.graph.edges.id) <= set(graph.edges.id[kept])
    lost = np.setdiff1d(graph.vertices.id, gone.graph.vertices.id)
    assert np.isin(graph.edges.source[kept][~still], lost).sum() + np.isin(
        graph.edges.target[kept][~still], lost
    ).sum() >= np.count_nonzero(~still)


@given(dense_graphs(), seeds)
def test_removing_what_is_read_is_not_called_exact(graph, seed):
    read = np.unique(graph.edges.source)
    hidden = ng.find(PruneVertices(only_dead=False), graph).v.id
    chosen = np.intersect1d(read, hidden)
    if len(chosen):
        live = ng.find(PruneVertices(), graph).v.id
        result = ng.apply(PruneVertices(only_dead=False), graph, on=chosen, probe=None)
        assert result.certificate.kind == ("exact" if np.isin(chosen, live).all() else "unknown")
        if result.certificate.kind == "unknown":
            with pytest.raises(ng.errors.RewriteError, match="refused"):
                ng.apply(PruneVertices(only_dead=False), graph, on=chosen, require="exact")
