"""Proofs about layers that merge their ports: attention, mixes and gates."""

from dataclasses import replace

import numpy as np
import pytest
from attention_graphs import (
    block,
    key,
    permuted,
    weights,
    with_column,
    with_columns,
    with_head,
    with_layer,
    with_matrix,
    with_merge,
    with_moved_bias,
    with_parts,
    with_permuted_heads,
    with_swapped_heads,
    with_swapped_ports,
    with_swapped_slots,
    with_wider_gate,
    with_wider_keys,
    with_wider_values,
)  # fmt: skip
from proof_graphs import assert_bounded, assert_exact, both_ways

import netgraph as ng
from netgraph.graph import Graph, Link, Place
from netgraph.proof import certify
from netgraph.rewriting import apply
from netgraph.rules import SplitEdges, WidenLayer

KINDS = {
    "plain": {}, "causal": {"causal": True}, "rotary": {"rotary": True}, "gated": {"gated": True},
    "shared keys": {"groups": 1}, "causal rotary": {"causal": True, "rotary": True},
}  # fmt: skip
kinds = pytest.mark.parametrize("options", KINDS.values(), ids=KINDS.keys())


@kinds
def test_a_block_that_grows_by_parts_of_weight_zero_is_exact(options):
    old = block(**options)
    more = (0.3,) if options.get("rotary") else None
    assert_exact(old, with_head(old))
    assert_exact(old, with_wider_values(old))
    assert_exact(old, with_wider_keys(old, frequencies=more))
    assert_exact(old, with_wider_keys(old, queries=0.0, keys=1.0, frequencies=more))
    if options.get("gated"):
        assert_exact(old, with_wider_gate(old))
    both = with_wider_values(with_wider_keys(with_head(old), frequencies=more), out=0.5)
    assert both_ways(old, both)[0].kind == "bounded"


WRONG = {
    "scale": lambda g: with_merge(g, scale=2 * g.layer("a").merge.scale),
    "sign of the scale": lambda g: with_merge(g, scale=-g.layer("a").merge.scale),
    "causal": lambda g: with_merge(g, causal=not g.layer("a").merge.causal),
    "ports": with_swapped_ports,
    "slots of queries": with_swapped_slots,
    "slots of keys": lambda g: with_swapped_slots(g, "k"),
    "heads": with_swapped_heads,
    "bias": with_moved_bias,
    "epsilon": lambda g: with_layer(g, "n", norm_epsilon=1e-3),
    "heads without columns": lambda g: with_permuted_heads(g, out=False),
    "bias of queries": lambda g: with_column(g, "q", "bias", g.layer("q").bias + 0.5),
}


@pytest.mark.parametrize("options", [{}, {"causal": True}, {"rotary": True}], ids=["plain", "causal", "rotary"])
@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG.keys())
def test_a_wrong_change_of_attention_is_bounded_and_never_exact(wrong, options):
    old = block(**options)
    for certificate in both_ways(old, wrong(old)):
        assert certificate.kind == "bounded", str(certificate)
        assert not certificate.rounding


def test_other_frequencies_and_a_lost_rotation_are_no_exact_changes():
    old = block(rotary=True)
    for frequencies in ((0.9,), (-1.0,), ()):
        assert_bounded(old, with_merge(old, frequencies=frequencies))
    assert_exact(old, with_merge(old, frequencies=(1.0, 0.25)))  # no slot turns by the second one


def test_frequencies_of_zero_turn_nothing():
    old = block()
    assert_exact(old, with_merge(old, frequencies=(0.0,)))


def test_new_slots_count_where_neither_queries_nor_keys_are_zero():
    old = block(rotary=True)
    assert_bounded(old, with_wider_keys(old, keys=0.5, frequencies=(0.3,)))
    plain = block()
    new = with_wider_keys(plain, keys=1.0)
    link = new.links_by_key[key(new, "n", "k")]
    last = link.dst == len(new.layer("k")) - 1
    half = with_parts(new, links=[link.with_weight(np.where(last, 0.0, link.weight))])  # one of the two slots is 0
    assert_bounded(plain, half)


def test_a_turning_slot_is_zero_only_with_its_pair():
    old = block(rotary=True)
    new = with_wider_keys(old, keys=1.0, frequencies=(0.3,))
    queries, keys = (new.links_by_key[key(new, "n", name)] for name in "qk")
    links = [
        k.with_weight(np.where(k.dst == len(new.layer(name)) - 1 - back, 0.0, k.weight))
        for k, name, back in ((queries, "q", 0), (keys, "k", 1))
    ]
    crossed = with_parts(new, links=links)  # one query and the other key are 0: they still meet
    for name, back in (("q", 0), ("k", 1)):
        bias = crossed.layer(name).bias.copy()
        bias[len(bias) - 1 - back] = 0.0
        crossed = with_column(crossed, name, "bias", bias)
    assert_bounded(old, crossed)


@kinds
def test_a_key_bias_cancels_where_nothing_turns(options):
    old = block(**options)
    new = with_column(old, "k", "bias", old.layer("k").bias + 1)
    (assert_bounded if options.get("rotary") else assert_exact)(old, new)


def test_a_value_bias_passes_attention_unchanged():
    old = block()
    b = old.layer("v").bias
    mixed = with_column(old, "v", "bias", np.zeros(len(b)))
    mixed = with_parts(mixed, [replace(mixed.layer("m"), values={"bias": b})])
    assert_exact(old, mixed)
    assert_bounded(old, with_column(old, "v", "bias", b + 0.5))


def test_a_factor_may_move_from_the_scale_to_the_keys():
    old = block()
    link = old.links_by_key[key(old, "n", "k")]
    for factor, rounds in ((2.0, False), (0.7, True)):
        new = with_merge(old, scale=old.layer("a").merge.scale / factor)
        assert_bounded(old, new)
        new = with_parts(new, links=[link.with_weight(link.weight * factor)])
        new = with_column(new, "k", "bias", old.layer("k").bias * factor)
        if rounds:
            for certificate in both_ways(old, new):
                assert certificate.rounding
                assert 0 < certificate.bound < 1e-6
        else:
            assert_exact(old, new)


@pytest.mark.parametrize("options", [{}, {"rotary": True}, {"causal": True}], ids=["plain", "rotary", "causal"])
def test_permuted_heads_with_permuted_columns_are_exact(options):
    old = block(**options)
    assert_exact(old, with_permuted_heads(old))


def test_a_copied_head_shares_its_columns():
    old = block()
    copied = with_head(old, copy=0)
    columns = weights(copied, "m", "r")
    for share, exact in ((0.5, True), (0.25, False)):
        shared = columns.copy()
        shared[:, 4:], shared[:, :2] = share * columns[:, :2], (1 - share) * columns[:, :2]
        there, back = both_ways(old, with_matrix(copied, "m", "r", shared))
        assert there.kind == back.kind == "exact" if exact else there.rounding and back.rounding


def test_permuted_mix_channels_and_products_are_exact():
    old = block(values=3, gated=True)
    new = permuted(old, "v", [1, 0, 2, 3, 4, 5])
    assert_bounded(old, new)
    assert_exact(old, with_matrix(new, "m", "r", weights(old, "m", "r")[:, [1, 0, 2, 3, 4, 5]]))
    gates = permuted(permuted(old, "gate", [2, 1, 0]), "up", [2, 1, 0])
    assert_bounded(old, gates)
    assert_exact(old, with_matrix(gates, "h", "s", weights(old, "h", "s")[:, [2, 1, 0]]))


def test_the_factors_of_a_product_may_change_places():
    old = block(gated=True)
    h = old.layer("h").id
    links = [replace(k, port=1 - k.port) for k in old.incoming[h]]
    swapped = Graph(list(old.layers_by_id.values()), [k for k in old.links_by_key.values() if k.target != h] + links)
    assert_exact(old, swapped)
    rest = [k for k in swapped.links_by_key.values() if k.target != h]
    one = key(old, "gate", "h")
    up = replace(old.links_by_key[key(old, "up", "h", 1)], port=0)
    squared = [up, replace(up, port=1, id=old.links_by_key[one].id)]
    assert_bounded(old, Graph(list(old.layers_by_id.values()), [*rest, *squared]))


def test_a_bias_and_an_activation_behind_a_merge_count():
    old = block(gated=True)
    biased = with_parts(old, [replace(old.layer("h"), values={"bias": np.array([0.5, 0.0, 0.0])})])
    assert_bounded(old, biased)
    assert_bounded(biased, with_column(biased, "h", "bias", [0.0, 0.5, 0.0]))
    assert_bounded(old, with_layer(old, "h", activation="tanh"))
    assert_bounded(old, with_layer(old, "m", activation="relu"))


@pytest.mark.parametrize("ends", [("n", "q"), ("n", "k"), ("n", "v"), ("m", "r"), ("n2", "h")])
def test_edges_around_attention_are_split_exactly(ends):
    old = block()
    link = old.links_by_key[key(old, *ends)]
    rule = SplitEdges(epsilon=0.0)
    result = apply(rule, old, on=old.edges.where(np.isin(old.edges.id, link.id[:3])), require="exact")
    assert result.matches
    assert_exact(old, result.graph)


def test_widening_the_mlp_of_a_block_is_exact():
    for options in ({}, {"gated": True}):
        old = block(**options)
        result = apply(WidenLayer(count=2), old, on="h", require="exact")
        assert_exact(old, result.graph)


@pytest.mark.parametrize("norm", ["layer", "batch", "none"])
def test_proofs_hold_behind_and_before_every_norm(norm):
    old = block(norm=norm)
    assert_exact(old, with_head(old))
    assert_exact(old, with_wider_keys(old))
    for wrong in (WRONG["scale"], WRONG["bias"], WRONG["heads"]):
        assert certify(old, wrong(old)).kind == "bounded"


def test_a_mix_moves_no_more_than_its_values_where_its_head_is_unmoved():
    old = block(norm="none")
    v = old.links_by_key[key(old, "n", "v")]
    new = with_parts(old, links=[v.with_weight(v.weight + 2.0**-20)])
    r = np.abs(weights(old, "m", "r")).sum(axis=1).max()
    assert certify(old, new).bound < 1e-3
    assert r > 0


def test_small_changes_of_the_logits_have_small_bounds():
    old = block(norm="none")
    bounds = [certify(old, with_merge(old, scale=0.5 + step)).bound for step in (1e-3, 1e-6, 1e-9)]
    assert bounds[0] > 100 * bounds[1] > 10_000 * bounds[2] > 0
    at = key(old, "n", "q")
    q = old.links_by_key[at]
    assert certify(old, with_columns(old, at, weight=q.weight + 1e-9)).bound < 1e-5


def test_rms_norm_and_layer_norm_are_different_functions():
    old = block(norm="rms")
    n = old.layer("n")
    centred = with_layer(old, "n", norm="layer", values={**n.values, "shift": np.zeros(len(n))})
    assert_bounded(old, centred)
    assert_bounded(old, with_layer(old, "n", norm_epsilon=2e-5))
    assert_exact(old, with_head(old))
    assert_exact(old, with_wider_keys(old))


def test_other_places_and_other_positions_are_no_exact_changes():
    old = ng.vit(
        input_size=(1, 4, 4), patch=2, width=4, depth=1, heads=2, hidden=4, classes=2, domain=(0, 1), dtype=float
    )
    places = [k for k in old.links_by_key.values() if k.kind.places]
    assert len(places) == 2
    for link in places:
        for offset in (link.kind.offset - 1, link.kind.offset - 2):
            assert_bounded(old, with_parts(old, links=[replace(link, kind=Place(offset))]))
    (table,) = (layer for layer in old.layers_by_id.values() if layer.role == "position")
    (link,) = old.outgoing[table.id]
    turned = {**link.columns, "src": len(table) - 1 - link.src}
    assert_bounded(old, with_parts(old, links=[Link.sorted(*link.key[:2], link.kind, turned)]))
    assert_exact(old, with_parts(old, [replace(table, vertex_ids=table.vertex_ids[::-1].copy())]))


def test_inputs_of_other_encodings_are_not_compared():
    old = ng.gpt(5, tokens=3, width=4, depth=1, heads=2, hidden=4)
    new = with_parts(old, [replace(layer, encoding="values") for layer in old.inputs])
    for pair in ((old, new), (new, old)):
        certificate = certify(*pair)
        assert certificate.kind == "unknown"
        assert "encoding" in certificate.reason


@pytest.mark.parametrize("options", [{}, {"rotary": True}], ids=["plain", "rotary"])
def test_slots_of_queries_and_keys_may_change_places_together(options):
    old = block(heads=1, keys=4, **options)
    first, second = ((0, 1), (2, 3)) if not options else ((0, 2), (1, 3))

    def swapped(graph, names):
        for name in names:
            for slots in (first, second):
                graph = with_swapped_slots(graph, name, slots)
        return graph

    assert_bounded(old, swapped(old, "k"))
    if options:  # pairs keep their frequencies
        assert_bounded(old, swapped(old, "qk"))
        exchanged = with_merge(swapped(old, "qk"), frequencies=old.layer("a").merge.frequencies[::-1])
        assert_exact(old, exchanged)
        assert_bounded(old, with_swapped_slots(with_swapped_slots(old, "q"), "k"))  # a pair is turned the other way
    else:
        assert_exact(old, swapped(old, "qk"))


@pytest.mark.parametrize("shift", [-1.0, 1.0])
def test_a_constant_of_values_counts_once_in_the_change_of_their_mix(shift):
    """The change of the values is a vertex minus a constant; its interval has the constant as well."""

    def graph(hidden):
        b = ng.GraphBuilder(dtype=np.float64)
        b.input("x", 1, grid=(2,), domain=(0, 1))
        b.layer("s", 1, grid=(2,), activation="softplus", bias=False)
        b.dense("x", "s")
        b.layer("h", 1, grid=(2,), activation="identity", bias=shift if hidden else 0.0)
        b.edges("s", "h", [0], [0], weight=2.0 if hidden else 0.0)
        b.layer("q", 1, grid=(2,), activation="identity")
        b.edges("h", "q", [0], [0], weight=1.0)
        b.attend("a", "q", "q", heads=1)
        b.mix("m", "a", "h")
        b.output("y", 1, grid=(2,))
        b.edges("m", "y", [0], [0], weight=1.0)
        fresh = b.build()
        return fresh.with_weights(
            np.where(fresh.edges.target == fresh.layers["s"].vertex_ids[0], 1.0, fresh.edges.weight)
        )

    old, new = graph(False), graph(True)
    x = np.linspace(0, 1, 22).reshape(11, 1, 2)
    change = np.abs(ng.interpret(new, x) - ng.interpret(old, x)).max()
    for one, two in ((old, new), (new, old)):
        assert ng.certify(one, two).bound >= change
