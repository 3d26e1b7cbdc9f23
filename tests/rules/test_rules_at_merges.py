"""Rules on attention, gates, positions and inputs of ids: each works exactly there, or says why it does not."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from tiny_transformer import batch, tiny

import netgraph as ng
from netgraph.rules import (
    AddEdges,
    AddSkip,
    InsertLayer,
    MergeVertices,
    PruneVertices,
    SplitEdges,
    SplitVertices,
    WidenLayer,
    tied_layers,
    variants,
)


def change(old, new):
    """Largest change of an output on some inputs."""
    x = batch(old)
    return float(np.abs(ng.interpret(new, x) - ng.interpret(old, x)).max())


def stages(rule, graph, on):
    """Conditions that leave fewer matches than the one before, by name."""
    counts = list(ng.explain(rule, graph, on=on).stages)
    return [name for (_, before), (name, left) in pairwise(counts) if left < before]


def rewritten(rule, graph, on=None, **options):
    return ng.draft(rule, graph, on=on, **options).graph


def widths(graph):
    return {layer.name: len(layer) for layer in graph.layers_by_id.values()}


# -- refusals ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["q", "k", "v", "heads", "mix"])
def test_layers_of_attention_are_not_widened_by_single_vertices(name):
    for graph in (tiny(), tiny(slots=1, channels=1)):
        assert "no attention reads it" in stages(WidenLayer(), graph, name)


def test_a_gate_that_several_products_share_is_not_widened():
    b = ng.GraphBuilder(dtype=np.float64)
    b.input("x", 2, domain=(-1, 1))
    for name, size in (("gate", 1), ("up", 2)):
        b.layer(name, size)
        b.dense("x", name)
    b.layer("product", 2, activation="identity", bias=False, merge=ng.Product())
    b.edges("gate", "product", [0, 0], [0, 1], weight=1.0, kind=ng.Identity(), frozen=True, port=0)
    b.identity("up", "product", port=1)
    b.output("y", 1)
    b.dense("product", "y")
    for name in ("gate", "up", "product"):
        assert stages(WidenLayer(), b.build(), name) == ["merges at the group belong to it"]


def test_a_group_with_a_product_gets_no_vertices_that_never_learn():
    assert stages(WidenLayer(init="incoming zero"), tiny(gated=True), "up") == ["group has no merge"]


@pytest.mark.parametrize("rule", [SplitVertices(), MergeVertices()])
@pytest.mark.parametrize("name", ["q", "k", "v", "heads", "mix"])
def test_vertices_at_wires_of_merges_are_neither_split_nor_merged(rule, name):
    graph = tiny()
    assert stages(rule, graph, graph.layers[name].vertex_ids) == ["vertex has no identity wires"]


def test_no_layer_is_inserted_on_wires_and_tables():
    graph = tiny()
    assert stages(InsertLayer(), graph, [("q", "heads"), ("mlp", "out")]) == ["link is not of wires"]
    for name in ("x", "positions"):
        link = graph.link((graph.layers[name].id, graph.layers["stream"].id, 0))
        assert stages(SplitEdges(), graph, link.id) == ["edge is of no table"]
        assert stages(InsertLayer(), graph, (name, "stream")) == ["link is no table"]


def test_no_link_leads_into_a_merge_out_of_heads_or_into_positions():
    graph = tiny()
    rule = AddSkip()
    assert stages(rule, graph, [("stream", "mix")]) == ["target sums what arrives"]
    assert stages(rule, graph, [("heads", "y")]) == ["source makes no heads"]
    assert "c is no input" in stages(rule, graph, [("x", "positions")])


def test_no_missing_edge_lies_at_a_merge():
    graph = tiny()
    for source, target in (("stream", "mix"), ("q", "heads"), ("norm1", "heads")):
        pair = [(graph.layers[source].vertex_ids[0], graph.layers[target].vertex_ids[1])]
        assert stages(AddEdges(), graph, pair) == ["layers have a link that may hold it"]
    assert not ng.find(AddEdges(), graph).c.rows.size


def test_a_vertex_without_which_an_output_is_lost_stays():
    b = ng.GraphBuilder(dtype=np.float64)
    b.input("x", 2, domain=(-1, 1))
    for name in ("gate", "up"):
        b.layer(name, 2)
        b.dense("x", name)
    b.product("y", "gate", "up")
    b._layers["y"] = replace(b._layers["y"], role="output")
    rule, graph = PruneVertices(only_dead=False), b.build()
    assert stages(rule, graph, graph.layers["gate"].vertex_ids) == ["merges that read it can lose it"]


# -- what works ----------------------------------------------------------------------------------------


PARTS = ["norm1 q", "norm1 k", "norm1 v", "mix attended", "norm2 mlp", "mlp out", "token y"]


@pytest.mark.parametrize("part", PARTS)
def test_edges_of_every_part_are_split(part):
    graph = tiny()
    source, target = (graph.layers[name].id for name in part.split())
    link = graph.link((source, target, 0))
    assert change(graph, rewritten(SplitEdges(), graph, link.id[::3])) < 1e-12


@pytest.mark.parametrize("count", [1, 3])
def test_gates_values_and_their_product_grow_together(count):
    graph = tiny(gated=True)
    assert tuple(graph.layers[x].id for x in ("gate", "up", "mlp")) in tied_layers(graph)
    new = rewritten(WidenLayer(count=count), graph, "up")
    assert {n: w - widths(graph)[n] for n, w in widths(new).items() if w != widths(graph)[n]} == dict.fromkeys(
        ("gate", "up", "mlp"), count
    )
    assert change(graph, new) < 1e-14


def test_an_mlp_between_tokens_grows():
    graph = tiny()
    for init in ("outgoing zero", "incoming zero", "duplicate"):
        assert change(graph, rewritten(WidenLayer(count=2, init=init), graph, "mlp")) < 1e-12


def test_patches_and_tokens_that_places_join_have_one_width():
    b = ng.GraphBuilder()
    b.input("x", 1, grid=(4, 4))
    b.layer("patches", 3, grid=(2, 2))
    b.conv2d("x", "patches", kernel=2, stride=2)
    b.layer("tokens", 3, grid=(5,))
    b.place("patches", "tokens", 1)
    b.output("y", 1, grid=(5,))
    b.dense("tokens", "y")
    graph = b.build()
    new = rewritten(WidenLayer(), graph, "patches")
    assert (widths(new)["patches"], widths(new)["tokens"]) == (4, 4)
    x = np.random.default_rng(0).normal(size=(2, 1, 4, 4))
    np.testing.assert_array_equal(ng.interpret(new, x), ng.interpret(graph, x))


# -- pruning -------------------------------------------------------------------------------------------


def prune(graph, name, *rows):
    return rewritten(PruneVertices(only_dead=False), graph, graph.layers[name].vertex_ids[list(rows)])


def lost(graph, new):
    return {n: w - widths(new).get(n, 0) for n, w in widths(graph).items() if widths(new).get(n, 0) != w}


def test_a_head_goes_with_its_queries_keys_values_and_channels():
    graph = tiny(heads=2, slots=2, channels=3)
    new = prune(graph, "heads", 1)
    assert lost(graph, new) == {"heads": 1, "q": 2, "k": 2, "v": 3, "mix": 3}
    np.testing.assert_allclose(ng.interpret(new, batch(graph)), ng.interpret(muted(graph, range(3, 6)), batch(graph)))


def test_a_channel_goes_with_its_value_and_the_last_one_with_its_head():
    graph = tiny(heads=2, slots=2, channels=2)
    assert lost(graph, prune(graph, "mix", 0)) == {"mix": 1, "v": 1}
    assert lost(graph, prune(graph, "v", 0)) == {"mix": 1, "v": 1}
    assert lost(graph, prune(graph, "v", 0, 1)) == {"mix": 2, "v": 2, "heads": 1, "q": 2, "k": 2}


def test_slots_stay_paired():
    graph = tiny(heads=2, slots=2)
    new = prune(graph, "q", 1)
    assert lost(graph, new) == {"q": 1, "k": 1}
    assert lost(graph, prune(graph, "k", 0, 1)) == {"q": 2, "k": 2, "heads": 1, "mix": 2, "v": 2}
    quiet = graph.with_weights(np.where(graph.edges.target == graph.layers["q"].vertex_ids[1], 0.0, graph.edges.weight))
    quiet = rewritten(_Quiet(), quiet, quiet.layers["q"].vertex_ids[1:2])
    assert change(quiet, new) < 1e-12


def test_slots_that_are_turned_together_go_together():
    graph = tiny(heads=2, slots=4, frequencies=(1.0, 0.25))
    assert lost(graph, prune(graph, "q", 0)) == {"q": 2, "k": 2}


def test_keys_and_values_that_other_heads_share_stay():
    graph = tiny(heads=4, slots=2, channels=2, groups=2)
    assert lost(graph, prune(graph, "q", 0)) == {"q": 1}
    assert lost(graph, prune(graph, "heads", 0)) == {"heads": 1, "q": 2, "mix": 2}
    assert lost(graph, prune(graph, "k", 0)) == {"q": 2, "k": 1}
    assert lost(graph, prune(graph, "v", 0)) == {"v": 1, "mix": 2}


def test_a_gate_goes_with_its_product_and_value():
    graph = tiny(gated=True)
    for name in ("gate", "up", "mlp"):
        assert lost(graph, prune(graph, name, 2)) == {"gate": 1, "up": 1, "mlp": 1}


def test_all_heads_leave_a_block_without_attention():
    graph = tiny()
    new = prune(graph, "heads", 0, 1)
    assert not {"heads", "q", "k", "v", "mix"} & widths(new).keys()
    assert change(graph, new) > 0


def test_a_dead_head_goes_exactly():
    graph = tiny()
    ids = graph.edges.id[np.isin(graph.edges.source, graph.layers["mix"].vertex_ids[:2])]
    thin = rewritten(ng.rules.PruneEdges(below=None), graph, ids)
    rule = PruneVertices()
    result = ng.draft(rule, thin)
    assert rule.claim(result.matches) == "exact"
    assert lost(thin, result.graph) == {"heads": 1, "q": 2, "k": 2, "v": 2, "mix": 2}
    assert change(thin, result.graph) < 1e-12


def muted(graph, channels):
    """The graph with weights 0 out of some channels of the mix."""
    ids = graph.layers["mix"].vertex_ids[list(channels)]
    return graph.with_weights(np.where(np.isin(graph.edges.source, ids), 0.0, graph.edges.weight))


class _Quiet(ng.Rule):
    """Set biases to 0."""

    pattern = ng.vertex("v")

    def rewrite(self, m, rw):
        rw.set_bias(m.v, 0.0)


# -- all of them ---------------------------------------------------------------------------------------

WHOLE = {
    "ids": tiny(),
    "rotary": tiny(ids=False, causal=True, slots=4, groups=1, frequencies=(1.0, 0.5), norm="rms", head="tokens"),
    "gated": tiny(gated=True, positions=False, norm="none"),
}


@pytest.mark.parametrize("name", WHOLE)
@pytest.mark.parametrize("variant", list(variants()), ids=lambda pair: f"{type(pair[1]).__name__} {pair[0].title}")
def test_every_shipped_rule_keeps_its_claim_or_matches_nothing(name, variant):
    what, rule = variant
    graph = what.prepare(WHOLE[name])
    result = ng.apply(rule, graph, probe=None, limit=what.limit)
    assert np.isfinite(ng.interpret(result.graph, batch(graph))).all()
    if result.changed:
        assert result.certificate.satisfies(rule.claim(result.matches))
        assert result.certificate.bound is None or change(graph, result.graph) <= result.certificate.bound + 1e-6


@pytest.mark.parametrize(("name", "rows"), [("heads", [0]), ("q", [0]), ("k", [0]), ("v", [0, 1]), ("mix", [1])])
def test_parts_of_a_head_that_nothing_reads_with_a_weight_go_exactly(name, rows):
    graph = muted(tiny(), range(2))
    rule = PruneVertices(only_dead=False)
    result = ng.apply(rule, graph, on=graph.layers[name].vertex_ids[rows], probe=None, require="exact")
    assert rule.claim(result.matches) == "exact"
    assert change(graph, result.graph) < 1e-12
