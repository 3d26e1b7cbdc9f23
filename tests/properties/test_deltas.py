"""Laws of deltas, for random sequences of rewrites on random graphs."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from random_graphs import graphs, history, seeds, with_dyadic_values

import netgraph as ng
from netgraph.errors import RewriteError
from netgraph.rewriting.delta.file import load_delta, save_delta

runs = st.lists(seeds, min_size=1, max_size=4)
pairs = st.lists(seeds, min_size=2, max_size=2)


@given(graphs(), runs)
def test_inverse_restores_the_old_graph_bit_for_bit(graph, rewrites):
    results = history(graph, rewrites)
    new = results[-1].graph
    for result in reversed(results):
        new, _ = ng.apply_delta(new, result.delta.inverse())
    assert new.equals(graph)


@given(graphs(), runs)
def test_delta_redoes_the_rewrite(graph, rewrites):
    for result in history(graph, rewrites):
        again, delta = ng.apply_delta(graph, result.delta)
        assert again.equals(result.graph)
        assert delta.after == result.delta.after
        graph = again


@given(graphs(), runs)
def test_composition_equals_the_steps(graph, rewrites):
    results = history(graph, rewrites)
    whole = results[0].delta
    for result in results[1:]:
        whole = whole.then(result.delta)
    new, _ = ng.apply_delta(graph, whole)
    assert new.equals(results[-1].graph)
    old, _ = ng.apply_delta(new, whole.inverse())
    assert old.equals(graph)


@given(graphs(), runs)
def test_a_delta_and_its_inverse_are_nothing(graph, rewrites):
    results = history(graph, rewrites)
    for result in results:
        assert result.delta.then(result.delta.inverse()).is_empty
        assert result.delta.inverse().then(result.delta).is_empty
    whole = results[0].delta
    for result in results[1:]:
        whole = whole.then(result.delta)
    back = whole.then(whole.inverse())
    assert back.is_empty, back
    assert ng.apply_delta(graph, back)[0].equals(graph)


@given(graphs(), st.lists(seeds, min_size=3, max_size=3), st.booleans())
def test_composition_is_associative_in_effect(graph, rewrites, detour):
    results = history(graph, rewrites)
    a, b, c = (r.delta for r in results)
    if detour:  # what went comes back: the hardest case for rows and values
        b, c = a.inverse(), a.then(results[1].delta)
    left, right = a.then(b).then(c), a.then(b.then(c))
    one, two = ng.apply_delta(graph, left)[0], ng.apply_delta(graph, right)[0]
    expected = results[1].graph if detour else results[2].graph
    assert one.equals(expected)
    assert two.equals(expected)
    assert left.summary() == right.summary()


@given(graphs(), pairs)
def test_composed_partly_undone(graph, rewrites):
    """a, b, then b undone is a: also when it is written as one delta."""
    a, b = (r.delta for r in history(graph, rewrites))
    new, _ = ng.apply_delta(graph, a.then(b).then(b.inverse()))
    assert new.equals(ng.apply_delta(graph, a)[0])


@given(graphs(), runs, runs)
def test_from_one_branch_to_another(graph, here, there):
    """Undo one run and do another, as one delta: both gave the same ids to different things."""
    one, other = history(graph, here), history(graph, there)
    whole = ng.rewriting.Delta.nothing(graph)
    for result in one:
        whole = result.delta.inverse().then(whole)
    for result in other:
        whole = whole.then(result.delta)
    new, bound = ng.apply_delta(one[-1].graph, whole)
    assert new.equals(other[-1].graph)
    assert ng.apply_delta(new, whole.inverse())[0].equals(one[-1].graph)
    assert whole.then(whole.inverse()).is_empty
    old, kept = one[-1].graph, bound.edge_rows >= 0
    np.testing.assert_array_equal(old.edges.source[bound.edge_rows[kept]], new.edges.source[kept])
    np.testing.assert_array_equal(old.edges.target[bound.edge_rows[kept]], new.edges.target[kept])
    kept = bound.vertex_rows >= 0
    np.testing.assert_array_equal(old.vertices.layer[bound.vertex_rows[kept]], new.vertices.layer[kept])


@given(graphs(), runs)
def test_rows_follow_ids(graph, rewrites):
    results = history(graph, rewrites)
    whole = results[0].delta
    for result in results[1:]:
        whole = whole.then(result.delta)
    new = results[-1].graph
    for rows, old, now in (
        (whole.edge_rows, graph.edges.id, new.edges.id),
        (whole.vertex_rows, graph.vertices.id, new.vertices.id),
    ):
        kept = rows >= 0
        np.testing.assert_array_equal(old[rows[kept]], now[kept])
        assert not np.isin(now[~kept], old).any()
        assert np.count_nonzero(kept) == np.isin(old, now).sum()


@given(graphs(), runs)
def test_statistics_are_carried_by_id(graph, rewrites):
    columns = {"g": graph.edges.id * 2.0}
    stats = ng.Statistics(graph.topology_hash, columns, {"v": graph.vertices.id + 0.5}, batches=3)
    for result in history(graph, rewrites):
        stats = stats.carry(result.delta, fill=-1.0)
        graph = result.graph
        stats.check(graph)
    fresh_edges, fresh_vertices = stats.edge("g") == -1, stats.vertex("v") == -1
    np.testing.assert_array_equal(stats.edge("g")[~fresh_edges], graph.edges.id[~fresh_edges] * 2.0)
    np.testing.assert_array_equal(stats.vertex("v")[~fresh_vertices], graph.vertices.id[~fresh_vertices] + 0.5)
    assert (graph.edges.birth[fresh_edges] > 0).all()
    assert stats.batches == 3


@given(graphs(), runs)
def test_saved_deltas_have_the_same_effect(tmp_path_factory, graph, rewrites):
    path = tmp_path_factory.mktemp("deltas") / "delta"
    for result in history(graph, rewrites):
        save_delta(result.delta, path)
        read = load_delta(path)
        assert read.before == result.delta.before
        assert read.after == result.delta.after
        new, bound = ng.apply_delta(graph, read)
        assert new.equals(result.graph)
        np.testing.assert_array_equal(bound.edge_rows, result.delta.edge_rows)
        assert ng.apply_delta(new, read.inverse())[0].equals(graph)
        graph = new


@given(graphs(), runs)
def test_ids_are_never_given_twice(graph, rewrites):
    ever_edges, ever_vertices = set(graph.edges.id.tolist()), set(graph.vertices.id.tolist())
    before = graph
    for result in history(graph, rewrites):
        new = result.graph
        fresh_edges = set(new.edges.id.tolist()) - set(before.edges.id.tolist())
        fresh_vertices = set(new.vertices.id.tolist()) - set(before.vertices.id.tolist())
        assert not fresh_edges & ever_edges
        assert not fresh_vertices & ever_vertices
        ever_edges |= fresh_edges
        ever_vertices |= fresh_vertices
        before = new


@given(graphs(), pairs)
def test_a_delta_fits_only_its_own_branch(graph, rewrites):
    one = history(graph, rewrites[:1])[0]
    other = history(graph, rewrites)[1]
    with pytest.raises(RewriteError, match="starts at topology"):
        ng.apply_delta(graph, other.delta)
    with pytest.raises(RewriteError, match="starts at topology"):
        ng.apply_delta(one.graph, one.delta)


@given(graphs(), runs)
def test_rewrites_leave_the_old_graph_alone(graph, rewrites):
    weight, hash_before = graph.edges.weight.copy(), ng.Graph(
        graph.layers_by_id.values(), graph.links_by_key.values()
    ).topology_hash  # fmt: skip
    history(graph, rewrites)
    rebuilt = ng.Graph(graph.layers_by_id.values(), graph.links_by_key.values())
    np.testing.assert_array_equal(np.concatenate([k.weight for k in graph.links]), weight)
    assert rebuilt.topology_hash == hash_before == graph.topology_hash


@given(graphs(), seeds, seeds)
def test_training_does_not_part_a_graph_from_its_delta(graph, seed, values):
    result = history(graph, [seed])[0]
    trained = with_dyadic_values(result.graph, np.random.default_rng(values))
    back, _ = ng.apply_delta(trained, result.delta.inverse())
    assert back.topology_hash == graph.topology_hash
    rows = result.delta.edge_rows
    survivors = (rows >= 0) & ~trained.edges.frozen
    changed = result.delta.edges_changed.get("weight")
    if changed is not None:  # what the rewrite set goes back to what it was
        survivors &= ~np.isin(trained.edges.id, changed.id)
    np.testing.assert_array_equal(back.edges.weight[rows[survivors]], trained.edges.weight[survivors])


@given(graphs(), runs)
def test_every_result_is_a_valid_graph(graph, rewrites):
    """A commit checks what it touched; building the result from its parts checks everything."""
    for result in history(graph, rewrites):
        new = result.graph
        whole = ng.Graph(new.layers_by_id.values(), new.links_by_key.values(), next_ids=new.next_ids)
        assert whole.topology_hash == new.topology_hash
