"""Laws of the shipped rules on random graphs; exact means bit for bit, in float64 on dyadic values."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from random_graphs import assert_same_outputs, conv_graphs, dense_graphs, graphs, seeds, some

import netgraph as ng
from netgraph import testing
from netgraph.graph import get_activation
from netgraph.rules import (
    AddEdges,
    InsertLayer,
    MergeVertices,
    PruneEdges,
    PruneVertices,
    SplitEdges,
    SplitVertices,
    WidenLayer,
)

crosses = st.sampled_from(["selected", "none"])


def trainable(graph):
    return graph.edges.id[~graph.edges.frozen]


def of_tables(graph):
    """Ids of the edges of lookups and learned positions."""
    sources = [x.id for x in graph.layers.values() if x.role == "position" or x.encoding == "index"]
    edges = graph.edges
    return edges.id[np.isin(graph.vertices.layer[edges.source_row], sources)]


@given(graphs(), crosses, seeds)
def test_splitting_keeps_the_function_bit_for_bit(graph, cross, seed):
    ids = some(trainable(graph), np.random.default_rng(seed))
    result = ng.apply(SplitEdges(cross=cross), graph, on=ids, require="exact")
    assert result.certificate.kind == "exact"
    assert_same_outputs(graph, result.graph)
    split = ids[~np.isin(ids, of_tables(graph))]
    assert not np.isin(split, result.graph.edges.id).any()
    np.testing.assert_array_equal(np.sort(result.matches.e.id), np.sort(split))


@given(graphs(exact=False), seeds)
def test_splitting_keeps_the_function_whatever_the_layers_do(graph, seed):
    ids = some(trainable(graph), np.random.default_rng(seed))
    result = ng.apply(SplitEdges(), graph, on=ids, require="exact")
    assert_same_outputs(graph, result.graph, exact=False)
    assert_same_outputs(graph, result.graph, exact=False, train=True)


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
    assert_same_outputs(graph, result.graph, exact=False)
    assert_same_outputs(graph, result.graph, exact=False, train=True)


@given(graphs(exact=False))
def test_adding_edges_keeps_the_function(graph):
    missing = len(ng.find(AddEdges(), graph))
    result = ng.apply(AddEdges(), graph, limit=5, require="exact")
    assert len(result.delta.edges_added) == min(5, missing)
    assert result.graph.num_edges == graph.num_edges + min(5, missing)
    assert_same_outputs(graph, result.graph, exact=False)


@given(graphs(), seeds)
def test_pruning_edges_of_weight_0_keeps_the_function(graph, seed):
    rng = np.random.default_rng(seed)
    weight = graph.edges.weight * (rng.random(len(graph.edges)) < 0.5)
    graph = graph.with_weights(weight)
    result = ng.apply(PruneEdges(), graph, require="exact")
    assert not (result.graph.edges.weight == 0).any()
    assert_same_outputs(graph, result.graph)


@given(graphs(exact=False), seeds)
def test_pruning_dead_vertices_keeps_the_function(graph, seed):
    rng = np.random.default_rng(seed)
    ids = trainable(graph)
    thin = ng.apply(PruneEdges(below=None), graph, on=ids[rng.random(len(ids)) < 0.6], probe=None).graph
    result = ng.apply(PruneVertices(), thin, require="exact")
    assert_same_outputs(thin, result.graph, exact=False)
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
    chosen = some(ng.find(PruneVertices(only_dead=False), graph).v.id, np.random.default_rng(seed))
    if len(chosen):
        rule = PruneVertices(only_dead=False)
        result = ng.apply(rule, graph, on=chosen)
        if rule.claim(result.matches) == "exact":
            assert_same_outputs(graph, result.graph)
        if result.certificate.kind != "exact":
            assert rule.claim(result.matches) == "bounded"
            with pytest.raises(ng.errors.RewriteError, match="refused"):
                ng.apply(rule, graph, on=chosen, require="exact")


# -- every rule, with every option -----------------------------------------------------------------

rules = testing.rules()
limits = st.sampled_from([None, 1, 3])


def copied(graph, seed):
    """The same function with some vertices split, so that there is something to merge."""
    rule = SplitVertices()
    chosen = some(ng.find(rule, graph).v.id, np.random.default_rng(seed))
    return ng.apply(rule, graph, on=chosen, probe=None).graph


def rewrite(rule, graph, seed, limit):
    if isinstance(rule, MergeVertices):
        graph = copied(graph, seed)
    order = np.random.default_rng(seed).random(len(ng.find(rule, graph)))
    return graph, ng.apply(rule, graph, rng=seed, limit=limit, order_by=order)


def rounds_nothing(graph):
    """Whether activations are piecewise linear and weights have few bits, such as halves of halves of eighths."""
    activations = {layer.activation for layer in graph.layers.values()}
    return all(get_activation(name).exact for name in activations) and not (graph.edges.weight * 2**10 % 1).any()


@given(graphs(exact=False), rules, seeds, limits)
def test_what_is_claimed_exact_is_the_same_function_in_both_modes(graph, rule, seed, limit):
    graph, result = rewrite(rule, graph, seed, limit)
    claim = rule.claim(result.matches) if result.changed else "exact"
    if claim == "exact":
        assert_same_outputs(graph, result.graph, exact=False)
        assert_same_outputs(graph, result.graph, exact=False, train=True)


@given(graphs(), rules, seeds, limits)
def test_what_is_claimed_exact_is_exact_bit_for_bit_on_dyadic_values(graph, rule, seed, limit):
    graph, result = rewrite(rule, graph, seed, limit)
    if result.changed and rule.claim(result.matches) == "exact" and rounds_nothing(result.graph):
        assert_same_outputs(graph, result.graph)


@given(graphs(exact=False, domains=((0, 1), (-1, 1))), rules, seeds, limits)
def test_certificates_are_at_least_what_is_claimed(graph, rule, seed, limit):
    """At least: a random change may happen to change nothing, as where a ReLU is never on."""
    graph, result = rewrite(rule, graph, seed, limit)
    if result.changed:
        claim = rule.claim(result.matches)
        assert result.certificate.satisfies(claim), f"claimed {claim}, but {result.certificate}"


@given(graphs(exact=False), rules, seeds, limits)
def test_every_rewrite_can_be_taken_back(graph, rule, seed, limit):
    graph, result = rewrite(rule, graph, seed, limit)
    back, _delta = ng.apply_delta(result.graph, result.delta.inverse())
    assert back.same_topology(graph)
    for name in ("id", "weight"):
        np.testing.assert_array_equal(getattr(back.edges, name), getattr(graph.edges, name))
    kept = np.isin(graph.vertices.id, result.graph.vertices.id)
    assert kept.all() or isinstance(rule, PruneVertices | MergeVertices)
    assert not np.isin(result.delta.edges_added.id, graph.edges.id).any()


@given(graphs(exact=False), rules)
def test_no_match_is_no_edit(graph, rule):
    nothing = ng.find(rule, graph).take(np.empty(0, dtype=np.int64))
    rw = ng.Rewriter(graph, np.random.default_rng(0))
    rule.rewrite(nothing, rw)
    assert rw.delta().is_empty
    assert rule.claim(nothing) in ("exact", "exact up to rounding", "bounded")


@given(graphs())
def test_inserting_a_layer_takes_over_every_edge(graph):
    result = ng.apply(InsertLayer(), graph, require="exact")
    old = result.matches.k.edges
    new = result.graph.edges
    moved = np.isin(new.id, result.delta.edges_added.id) & np.isin(new.target, graph.vertices.id)
    assert np.count_nonzero(moved) == len(old)
    for values in ("weight", "tap"):
        np.testing.assert_array_equal(np.sort(getattr(new, values)[moved]), np.sort(getattr(old, values)))
    assert not np.isin(old.id, new.id).any()


@given(dense_graphs(), seeds)
def test_merging_undoes_splitting(graph, seed):
    graph = merged(graph)
    split = copied(graph, seed)
    again = merged(split)
    assert again.num_vertices == graph.num_vertices
    np.testing.assert_array_equal(again.edges.weight, graph.edges.weight)
    assert set(again.vertices.id) == set(graph.vertices.id)


def merged(graph):
    """No two vertices compute the same."""
    while True:
        result = ng.apply(MergeVertices(), graph, probe=None)
        if not result.changed:
            return graph
        graph = result.graph
