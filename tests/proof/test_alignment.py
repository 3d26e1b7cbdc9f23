"""Ids of one graph for another one, found by structure and value."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import netgraph as ng
from netgraph.errors import RewriteError
from netgraph.graph import check_one_history, gpt, resnet, vgg, vit
from netgraph.proof import LEVELS, aligned, certify
from netgraph.proof.pairing import nearest_rows
from netgraph.testing import graphs, rewrites, shuffled

ARCHITECTURES = {
    "mlp": lambda: ng.mlp([8, 12, 10, 3], seed=1),
    "vgg": lambda: vgg(11, input_size=(3, 32, 32), width=4),
    "resnet": lambda: resnet(20, width=4, input_size=(3, 8, 8)),
    "vit": lambda: vit(width=16, depth=2, heads=4, groups=2, patch=4, input_size=(3, 8, 8)),
    "gpt": lambda: gpt(20, tokens=6, width=16, depth=2, heads=4, gated=True, norm="rms", positions="rotary"),
}
seeds = st.integers(0, 999)


def shuffle(graph, seed=0):
    return shuffled(graph, np.random.default_rng(seed))


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_all_ids_of_a_shuffled_architecture_come_back(name):
    graph = ARCHITECTURES[name]()
    found = aligned(graph, shuffle(graph))
    assert set(found.layers_by_id) == set(graph.layers_by_id)
    for before, after in ((graph.vertices.id, found.vertices.id), (graph.edges.id, found.edges.id)):
        assert np.array_equal(np.sort(before), np.sort(after))
    assert certify(graph, found).kind == "exact"


@given(st.data())
def test_a_shuffled_graph_is_exact(data):
    graph = data.draw(graphs())
    found = aligned(graph, shuffle(graph, data.draw(seeds)))
    assert certify(graph, found).kind == "exact"


@given(st.data())
def test_rewrites_are_proved_as_well_without_their_ids(data):
    graph = data.draw(graphs())
    try:
        new = data.draw(rewrites(graph)).graph
    except RewriteError:
        assume(False)
    known, found = certify(graph, new), certify(graph, aligned(graph, shuffle(new, data.draw(seeds))))
    assert LEVELS.index(found.level) <= LEVELS.index(known.level), (known, found)


@given(st.data())
def test_only_ids_change(data):
    graph = data.draw(graphs(kinds=("dense", "attention")))
    other = ng.apply(ng.rules.InsertLayer(), shuffle(graph), probe=None, limit=1).graph
    found = aligned(graph, other)
    ng.Graph(found.layers_by_id.values(), found.links_by_key.values())  # it is valid
    by_name = {layer.name: layer for layer in found.layers}
    for layer in other.layers:
        same = by_name[layer.name]
        assert same.attributes == layer.attributes
        assert all(np.array_equal(same.values[k], v) for k, v in layer.values.items())
    names = {layer.id: layer.name for layer in found.layers}
    assert {(names[k.source], names[k.target], k.port) for k in found.links} == {
        (other.layer(k.source).name, other.layer(k.target).name, k.port) for k in other.links
    }
    fresh = np.setdiff1d(found.vertices.id, graph.vertices.id)
    assert not np.isin(fresh, other.vertices.id).any()
    assert found.next_ids.vertex > found.vertices.id.max()


def test_the_result_continues_the_history_of_the_old_graph():
    graph = ng.mlp([4, 6, 2], seed=0)
    found = aligned(graph, shuffle(ng.apply(ng.rules.InsertLayer(), graph, limit=1, probe=None).graph))
    check_one_history(graph, found)
    assert found.rewrites == graph.rewrites + 1
    born = found.edges.birth[np.isin(found.edges.id, graph.edges.id)]
    assert len(born)
    assert not born.any()
    assert (found.edges.birth[~np.isin(found.edges.id, graph.edges.id)] == found.rewrites).all()


def test_copies_have_fresh_ids():
    graph = ng.mlp([4, 6, 2], domain=(-1, 1), seed=0)
    wide = ng.apply(ng.rules.WidenLayer(count=3, init="duplicate"), graph, rng=0).graph
    found = aligned(graph, shuffle(wide))
    ids = found.layers_by_id[graph.layer("hidden1" if "hidden1" in graph.layers else "hidden").id].vertex_ids
    assert np.isin(graph.vertices.id, found.vertices.id).all()
    assert np.count_nonzero(~np.isin(ids, graph.vertices.id)) == 3
    assert certify(graph, found).kind == "exact"


def noisy(graph, spread, seed=0):
    rng = np.random.default_rng(seed)
    return graph.with_weights(graph.edges.weight * (1 + spread * rng.normal(size=len(graph.edges))))


@pytest.mark.parametrize("widths", [[10, 40, 30, 5], [10, 1100, 5]])
def test_changed_weights_are_paired_by_the_nearest_ones(widths):
    graph = ng.mlp(widths, domain=(-1, 1), seed=3)
    changed = noisy(graph, 0.02)
    found = aligned(graph, shuffle(changed))
    at = found.vertices.find(changed.vertices.id)
    assert (at >= 0).all()
    first = next(layer for layer in graph.layers if layer.role == "hidden")
    there = found.layer(first.id)
    order = np.argsort(there.vertex_ids)
    assert np.array_equal(there.values["bias"][order], changed.layer(first.id).values["bias"])
    assert certify(graph, found).bound == pytest.approx(certify(graph, changed).bound)


def test_layers_correspond_by_name_where_values_say_nothing():
    graph, other = ng.mlp([5, 4, 4, 4, 2], seed=0), ng.mlp([5, 4, 4, 4, 2], seed=1)
    found = aligned(graph, other)
    assert {layer.name: layer.id for layer in found.layers} == {layer.name: layer.id for layer in graph.layers}


def test_layers_of_constants_correspond_by_place():
    graph = ng.mlp([3, *[3] * 60, 2], domain=(-1, 1), seed=0)  # the last layers are the same for all inputs
    assert np.isin(aligned(graph, shuffle(graph)).vertices.id, graph.vertices.id).all()


def test_inputs_that_do_not_fit_are_named_by_the_certificate():
    certificate = certify(*(lambda a, b: (a, aligned(a, b)))(ng.mlp([3, 2]), ng.mlp([4, 2])))
    assert certificate.kind == "unknown"
    assert "the vertices of the inputs" in certificate.reason


def test_many_rows_are_paired_with_the_nearest_ones():
    rng = np.random.default_rng(0)
    old = rng.normal(size=(1500, 5))
    order = rng.permutation(1500)
    new = old[order] + 1e-6
    a, b = nearest_rows(old, new, np.arange(1500), np.arange(1500))
    assert np.array_equal(a[np.argsort(b)], order)
