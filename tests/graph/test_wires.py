"""Wires into merging layers: columns, and every way in which they can be wrong."""

import numpy as np
import pytest

import netgraph as ng
from netgraph.errors import GraphError, RewriteError
from netgraph.graph import port_wires


def attention(**changes):
    """x -> q, k, v (4 each on 3 tokens); two heads of two slots; a mix of four channels."""
    given = {"grid": (3,), "frequencies": ()} | changes
    b = ng.GraphBuilder(seed=0, dtype=np.float64)
    b.input("x", 2, domain=(-1, 1), grid=given["grid"])
    for name in ("q", "k", "v"):
        b.layer(name, 4, activation="identity", grid=given["grid"])
        b.dense("x", name)
    b.attend("heads", "q", "k", heads=2, frequencies=given["frequencies"])
    b.mix("mix", "heads", "v")
    b.output("y", 2, grid=given["grid"])
    b.dense("mix", "y")
    return b


def by_hand(wires, *, merge=None, width=2, activation="identity", grid=(3, 3), port=(0, 1), kind=None, **layer):
    """A builder with q, k (4 each on 3 tokens) and one merging layer with the given wires (src, dst, slot)."""
    b = ng.GraphBuilder()
    b.input("x", 2, grid=(3,))
    for name in ("q", "k"):
        b.layer(name, 4, activation="identity", grid=(3,))
        b.dense("x", name)
    layer.setdefault("bias", False)
    b.layer("m", width, activation=activation, merge=merge or ng.Attend(1.0), grid=grid, **layer)
    for name, p, (src, dst, slot) in zip(("q", "k"), port, wires, strict=True):
        kind = kind or ng.Identity()
        b.edges(name, "m", src, dst, weight=1.0, tap=slot, kind=kind, frozen=kind.wires, port=p)
    b.output("y", 1)
    b.place("m", "y")
    return b


GOOD = ([0, 1, 2, 3], [0, 0, 1, 1], [0, 1, 0, 1])


def test_wires_are_sorted_by_vertex_and_slot():
    b = ng.GraphBuilder()
    b.input("x", 1, grid=(2,))
    for name in ("a", "b", "k"):
        b.layer(name, 2, grid=(2,))
        b.dense("x", name)
    b.layer("heads", 2, activation="identity", bias=False, merge=ng.Attend(1.0), grid=(2, 2))
    wires = {"weight": 1.0, "kind": ng.Identity(), "frozen": True}
    b.edges("a", "heads", [0, 1], [0, 1], tap=[3, 0], **wires)
    b.edges("b", "heads", [1, 0], [0, 1], tap=[0, 7], **wires)
    b.edges("k", "heads", [0, 1, 0, 1], [0, 0, 1, 1], tap=[0, 3, 0, 7], port=1, **wires)
    b.output("y", 1)
    b.conv2d("heads", "y", kernel=2)
    graph = b.build()
    queries, keys = port_wires(graph, graph.layer("heads").id)
    assert [graph.layer(i).name for i in queries.sources] == ["a", "b"]
    assert queries.source.tolist() == [1, 0, 0, 1]
    assert queries.src.tolist() == [1, 0, 1, 0]
    assert queries.dst.tolist() == keys.dst.tolist() == [0, 0, 1, 1]
    assert queries.slot.tolist() == keys.slot.tolist() == [0, 3, 0, 7]
    np.testing.assert_array_equal(graph.edges.target[graph.edges.find(queries.edge)], [7, 7, 8, 8])


@pytest.mark.parametrize(
    ("b", "words"),
    [
        (by_hand((GOOD, ([0], [0], [0]))), ["vertex 11 has 0 wires at port 1 (keys)", "at least one wire"]),
        (by_hand((GOOD, ([0, 1, 2, 3], [0, 0, 1, 1], [0, 1, 0, 2]))), ["slot 1 of head 11", "one port only"]),
        (by_hand((([0, 1, 2, 3], [0, 0, 1, 1], [0, 0, 0, 1]), GOOD)), ["slot 0 of head 10", "two wires at port 0"]),
        (
            by_hand((([0, 1, 2], [0, 0, 1], [0, 1, 1]),) * 2, merge=ng.Attend(1.0, frequencies=(1.0,))),
            ["slot 1 of head 11", "no partner"],
        ),
        (
            by_hand((([0, 1], [0, 1], [0, 2]),) * 2, merge=ng.Attend(1.0, frequencies=(1.0,))),
            ["slot 2 of head 11 has no frequency", "turn 2 slots"],
        ),
        (by_hand((GOOD, GOOD), grid=(3, 2)), ["grid (3, 2)", "attend gives (3, 3)"]),
        (by_hand((GOOD, GOOD), port=(0, 2)), ["ends at port 2", "port 1 its keys"]),
        (by_hand((GOOD, GOOD), kind=ng.Dense()), ["takes Identity wires only"]),
        (by_hand((GOOD, GOOD), activation="relu"), ["'m' merges by attend", "no bias, activation"]),
        (by_hand((GOOD, GOOD), bias=True), ["'m' merges by attend", "no bias"]),
        (
            by_hand((([0, 1], [0, 1], 0), ([0, 1], [0, 0], 0)), merge=ng.Product(), grid=(3,)),
            ["vertex 10 has 2 wires at port 1 (value)", "exactly one"],
        ),
        (by_hand((([0, 1], [0, 1], 0),) * 2, merge=ng.Mix(), grid=(3,)), ["a mix reads heads on (queries, keys)"]),
    ],
)
def test_errors_name_the_vertex_the_port_and_the_slot(b, words):
    with pytest.raises(GraphError) as caught:
        b.build()
    for word in words:
        assert word in str(caught.value)


def test_dense_links_do_not_enter_a_merge():
    b = by_hand((([0, 1], [0, 1], 0),) * 2, merge=ng.Product(), grid=(3,))
    b.dense("x", "m", port=1)
    with pytest.raises(GraphError, match="takes Identity wires only; put a layer with the weights between them"):
        b.build()


def test_a_mix_reads_heads_and_no_other_maps():
    b = ng.GraphBuilder()
    b.input("x", 2, grid=(3, 3))
    b.input("v", 2, grid=(3,))
    b.output("y", 2, merge=ng.Mix(), grid=(3,), bias=False)
    b.identity("x", "y")
    b.identity("v", "y", port=1)
    with pytest.raises(GraphError, match="reads layer 'x' at port 0, which has no heads of attention"):
        b.build()


def test_builders_share_keys_and_values_among_heads():
    b = ng.GraphBuilder()
    b.input("x", 6, grid=(2,))
    b.layer("q", 8, activation="identity", grid=(2,))
    b.layer("kv", 4, activation="identity", grid=(2,))
    b.dense("x", "q")
    b.dense("x", "kv")
    b.attend("heads", "q", "kv", heads=4)
    b.mix("mix", "heads", "kv", groups=2)
    b.output("y", 1, grid=(2,))
    b.dense("mix", "y")
    graph = b.build()
    heads, mix = graph.layers["heads"], graph.layers["mix"]
    assert heads.merge == ng.Attend(2**-0.5)
    assert port_wires(graph, heads.id)[1].src.tolist() == [0, 1, 0, 1, 2, 3, 2, 3]
    assert port_wires(graph, mix.id)[0].src.tolist() == [0, 0, 1, 1, 2, 2, 3, 3]
    assert port_wires(graph, mix.id)[1].src.tolist() == [0, 1, 0, 1, 2, 3, 2, 3]
    with pytest.raises(GraphError, match="8 vertices of 'q' do not divide into 3 equal parts"):
        b.attend("more", "q", "kv", heads=3)
    with pytest.raises(GraphError, match="4 heads do not divide into 3 equal groups"):
        b.mix("more", "heads", "kv", groups=3)


def test_graphs_with_merges_are_stored_and_converted(tmp_path):
    graph = attention(grid=(3,), frequencies=(0.5,)).build()
    ng.save(graph, tmp_path / "g.safetensors")
    assert ng.load(tmp_path / "g.safetensors").equals(graph)
    assert ng.Graph.from_networkx(graph.to_networkx()).equals(graph)


def test_every_setting_of_a_merge_is_in_the_hash():
    hashes = set()
    for merge in (ng.Attend(1.0), ng.Attend(0.5), ng.Attend(1.0, True), ng.Attend(1.0, False, (0.5,))):
        graph = attention().build()
        rw = ng.Rewriter(graph, np.random.default_rng(0))
        rw.set_merge(graph.layers["heads"], merge)
        hashes.add(rw.commit()[0].topology_hash)
    assert len(hashes) == 4


def rewritten(graph, edit):
    rw = ng.Rewriter(graph, np.random.default_rng(0))
    edit(rw)
    return rw.commit()


def test_setting_a_merge_is_a_delta_that_can_be_undone():
    graph = attention().build()
    new, delta = rewritten(graph, lambda rw: rw.set_merge(graph.layers["heads"], ng.Attend(2.0)))
    assert new.layers["heads"].merge == ng.Attend(2.0)
    back, _ = ng.apply_delta(new, delta.inverse())
    assert back.equals(graph)


def test_rewrites_that_break_a_merge_are_refused():
    graph = attention().build()
    heads, mix, q = (graph.layers[name] for name in ("heads", "mix", "q"))
    wires = ng.Rewriter(graph, np.random.default_rng(0)).edges(rows=graph.edges.wired & (graph.edges.port == 0))
    cases = [
        (lambda rw: rw.add_vertices(heads, 1), "0 wires at port 0"),
        (lambda rw: rw.add_vertices(mix, 1), "0 wires at port 0"),
        (lambda rw: rw.remove(wires), "wires at port 0"),
        (lambda rw: rw.set_merge(heads, ng.Product()), "tap 1, outside 0..0"),
        (lambda rw: rw.set_merge(q, ng.Product()), "takes Identity wires only"),
        (lambda rw: rw.set_merge(mix, None), r"gives the grid \(3, 3\), but the target"),
        (lambda rw: rw.set_merge(heads, ng.Attend(1.0, frequencies=(1.0,))), None),
        (lambda rw: rw.set_merge(heads, "attend"), "needs Product"),
        (lambda rw: rw.connect(rw.vertices(q).take([0]), rw.vertices(mix).take([0]), weight=1.0), "Identity wires"),
    ]
    for edit, words in cases:
        if words is None:
            rewritten(graph, edit)
            continue
        with pytest.raises(RewriteError, match=words):
            rewritten(graph, edit)


def test_a_head_is_added_by_a_rewrite_and_the_function_stays():
    graph = attention().build()
    x = np.random.default_rng(1).uniform(-1, 1, (2, 2, 3))

    def add_head(rw):
        new = {name: rw.add_vertices(graph.layers[name], 2) for name in ("q", "k", "v")}
        for rows in new.values():
            rw.connect_all(rw.vertices("x"), rows, weight=rw.uniform(-1, 1))
        head = rw.add_vertices(graph.layers["heads"], 1)
        wires = {"weight": 1.0, "kind": ng.Identity(), "frozen": True}
        for port, name in enumerate(("q", "k")):
            rw.connect(new[name], head.take([0, 0]), tap=[0, 1], port=port, **wires)
        channels = rw.add_vertices(graph.layers["mix"], 2)
        rw.connect(head.take([0, 0]), channels, **wires)
        rw.connect(new["v"], channels, port=1, **wires)
        rw.connect_all(channels, rw.vertices("y"), weight=0.0)

    new, _ = rewritten(graph, add_head)
    assert len(new.layers["heads"]) == 3
    np.testing.assert_allclose(ng.interpret(new, x), ng.interpret(graph, x), atol=1e-15)
