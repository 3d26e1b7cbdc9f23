"""Residual groups: which layers wires tie to one width, and WidenLayer widening them together."""

import numpy as np
import pytest
from ported import as_stored
from random_graphs import assert_same_outputs, with_dyadic_values

import netgraph as ng
from netgraph import GraphBuilder, Identity
from netgraph.graph import resnet, vgg
from netgraph.proof import certify
from netgraph.rules import WidenLayer, tied_layers

INITS = ("outgoing zero", "incoming zero")


def names(graph):
    return [tuple(graph.layer(i).name for i in group) for group in tied_layers(graph)]


def widths(graph):
    return {name: len(layer) for name, layer in graph.layers.items()}


def chain(**options):
    """x -> a ~> s ~> t -> y, with a -> b ~> s and s -> c ~> t: a residual stage of one-layer blocks, dense."""
    b = GraphBuilder(dtype=np.float64, seed=1)
    b.input("x", 3, domain=(-1, 1))
    for name in ("a", "b", "s", "c", "t"):
        b.layer(name, 4, **{"activation": "relu", **options.get(name, {})})
    b.output("y", 2)
    for pair in (("x", "a"), ("a", "b"), ("s", "c"), ("t", "y"), ("a", "y")):
        b.dense(*pair)
    for pair in (("a", "s"), ("b", "s"), ("s", "t"), ("c", "t")):
        b.identity(*pair)
    return b.build()


def random_values(graph, seed=0):
    """Weights, norms and batch statistics at random, but wires."""
    rng = np.random.default_rng(seed)
    n = graph.num_vertices
    values = {"mean": rng.normal(size=n), "var": rng.uniform(0.5, 2, n), "scale": rng.normal(size=n)}
    return graph.with_weights(vertices=values)


# -- groups ---------------------------------------------------------------------------------------


def test_the_groups_of_a_residual_network_are_its_stages():
    groups = [group for group in names(resnet(14, width=2)) if len(group) > 1]
    assert groups == [
        ("conv", "stage1-block1-conv2", "stage1-block1", "stage1-block2-conv2", "stage1-block2"),
        ("stage2-block1-conv2", "stage2-block1", "stage2-block2-conv2", "stage2-block2"),
        ("stage3-block1-conv2", "stage3-block1", "stage3-block2-conv2", "stage3-block2"),
    ]


def test_every_layer_is_in_one_group_in_topological_order():
    for graph in (resnet(14, width=2), chain(), vgg(11, width=1)):
        order = graph.topological_order
        groups = tied_layers(graph)
        assert sorted(i for group in groups for i in group) == sorted(order)
        place = {i: k for k, i in enumerate(order)}
        assert [place[group[0]] for group in groups] == sorted(place[group[0]] for group in groups)
        assert all([place[i] for i in group] == sorted(place[i] for i in group) for group in groups)
    assert all(len(group) == 1 for group in tied_layers(vgg(11, width=1)))


@pytest.mark.parametrize(
    ("sizes", "src", "dst", "tied"),
    [
        ((3, 3), [0, 1, 2], [0, 1, 2], True),
        ((3, 3), [2, 0, 1], [0, 1, 2], True),  # one to one, in another order
        ((3, 3), [0, 0, 1], [0, 1, 2], False),
        ((3, 3), [0, 1, 2], [1, 1, 2], False),
        ((3, 3), [0, 1], [0, 1], False),
        ((3, 4), [0, 1, 2], [0, 1, 2], False),
        ((4, 3), [0, 1, 2], [0, 1, 2], False),
    ],
)
def test_only_wires_from_all_to_all_tie(sizes, src, dst, tied):
    b = GraphBuilder(dtype=np.float64)
    b.input("x", 2)
    b.layer("a", sizes[0])
    b.layer("s", sizes[1])
    b.output("y", 1)
    b.dense("x", "a")
    b.dense("s", "y")
    b.edges("a", "s", src, dst, weight=1.0, kind=Identity(), frozen=True)
    graph = b.build()
    assert (("a", "s") in names(graph)) == tied
    result = ng.apply(WidenLayer(count=2), graph, on="a", require="exact")
    assert len(result.graph.layers["s"]) == sizes[1] + 2 * tied
    assert len(result.graph.links["a", "s"]) == len(src) + 2 * tied
    assert_same_outputs(graph, result.graph, exact=False)


def test_a_long_chain_of_wires_is_one_group():
    b = GraphBuilder()
    last = b.input("x", 1)
    for k in range(2000):
        layer = b.layer(f"h{k}", 1)
        (b.identity if k else b.dense)(last, layer)
        last = layer
    b.dense(last, b.output("y", 1))
    assert [len(group) for group in tied_layers(b.build())] == [1, 2000, 1]


# -- widening -------------------------------------------------------------------------------------


@pytest.mark.parametrize("init", INITS)
@pytest.mark.parametrize("on", ["conv", "stage1-block2", "stage2-block1-conv2", "stage3-block3-conv1", None])
def test_a_residual_network_widens_exactly(on, init):
    graph = random_values(resnet(20, width=2, input_size=(2, 8, 8), dtype=np.float64))
    result = ng.apply(WidenLayer(count=3, init=init), graph, on=on, rng=1, require="exact")
    assert result.certificate.assumptions == ()
    assert certify(result.graph, graph).level == "exact"
    group = next(g for g in names(graph) if on in g) if on else [x.name for x in graph.layers.values()]
    grown = {name for name, width in widths(result.graph).items() if width != widths(graph)[name]}
    assert grown == set(group) - {"input", "output"}
    for train in (False, True):
        assert_same_outputs(graph, result.graph, exact=False, train=train)
    assert ng.apply_delta(result.graph, result.delta.inverse())[0].equals(graph)


def test_new_vertices_of_a_group_are_wired_to_each_other_and_read_by_no_old_one():
    graph = chain()
    new = ng.apply(WidenLayer(count=2), graph, on="s", require="exact").graph
    assert widths(new) == {"x": 3, "a": 6, "b": 6, "s": 6, "c": 6, "t": 6, "y": 2}
    for pair in (("a", "s"), ("b", "s"), ("s", "t"), ("c", "t")):
        link = new.links[pair]
        assert sorted(zip(link.src.tolist(), link.dst.tolist(), strict=True)) == [(i, i) for i in range(6)]
        assert link.frozen.all()
    inside = new.links["a", "b"]
    assert len(inside) == 6 * 6  # both ends are of the group
    assert not inside.weight[inside.src >= 4].any()
    assert inside.weight[(inside.src < 4) & (inside.dst >= 4)].all()
    assert not new.links["t", "y"].weight[new.links["t", "y"].src >= 4].any()
    assert new.links["x", "a"].weight.all()


def test_a_group_widens_once_however_many_of_its_layers_are_matched():
    graph = chain()
    whole = ng.apply(WidenLayer(count=2), graph, rng=3)
    assert [x.name for x in whole.matches.l] == ["a", "b", "s", "c", "t"]
    assert not len(whole.skipped)
    for on in ("t", ["b", "c"]):
        assert ng.apply(WidenLayer(count=2), graph, on=on, rng=3).graph.equals(whole.graph)
    assert ng.apply(WidenLayer(count=2), graph, limit=1, rng=3).graph.equals(whole.graph)


@pytest.mark.parametrize("init", INITS)
@pytest.mark.parametrize("norm", ["none", "batch"])
def test_norms_activations_and_several_links_into_a_layer(norm, init):
    layers = {name: {"norm": norm, "activation": act} for name, act in zip("absct", ("tanh", "gelu", "relu", "silu",
              "identity"), strict=True)}  # fmt: skip
    graph = chain(**layers)
    if norm == "batch":
        graph = random_values(graph)
    result = ng.apply(WidenLayer(count=2, init=init), graph, require="exact")
    for train in (False, True):
        assert_same_outputs(graph, result.graph, exact=False, train=train)


@pytest.mark.parametrize("init", INITS)
@pytest.mark.parametrize("norm", ["none", "batch"])
def test_sparse_convolutions_pools_and_a_dense_layer_over_the_whole_grid(norm, init):
    """Missing taps, a pooled sum, a shortcut that strides, and maps that a dense layer reads."""
    b = GraphBuilder(dtype=np.float64, seed=2)
    b.input("x", 2, grid=(6, 6), domain=(0, 1))
    b.layer("a", 3, grid=(6, 6), norm=norm)
    b.layer("b", 3, grid=(6, 6), norm=norm, activation="identity")
    b.layer("s", 3, grid=(6, 6), bias=False, pool=ng.Pool("max", (2, 2)))
    b.layer("h", 3, grid=(3, 3), norm=norm)
    b.layer("half", 3, grid=(2, 2), norm=norm)
    b.layer("d", 4, norm=norm)
    b.output("y", 2)
    for source, target in (("x", "a"), ("a", "b"), ("x", "b")):
        b.conv2d(source, target, kernel=3, padding=1, density=0.6)
    b.identity("a", "s")
    b.identity("b", "s")
    b.identity("s", "h")
    b.conv2d("s", "h", kernel=1, density=0.5, port=1)
    b.identity("h", "half", stride=2)
    b.conv2d("s", "half", kernel=3, stride=2, padding=1, density=0.6)
    b.conv2d("half", "d", kernel=2)
    b.dense("d", "y")
    graph = with_dyadic_values(as_stored(b), np.random.default_rng(0))
    assert [group for group in names(graph) if len(group) > 1] == [("a", "b", "s", "h")]
    for on in ("s", "half", "d", None):
        result = ng.apply(WidenLayer(count=2, init=init), graph, on=on, require="exact")
        assert len(result.graph.links["a", "s"]) == (3 if on in ("half", "d") else 5)
        for train in (False, True):
            assert_same_outputs(graph, result.graph, exact=False, train=train)


# -- refusals -------------------------------------------------------------------------------------


@pytest.mark.parametrize("where", ["a", "b", "s", "c", "t"])
def test_layer_norm_anywhere_in_the_group_refuses_all_of_it(where):
    graph = chain(**{where: {"norm": "layer"}})
    assert not ng.apply(WidenLayer(), graph).changed
    assert ng.explain(WidenLayer(), graph).stages[-2:] == (
        ("norms of the group act vertex by vertex", 0), ("group has no input or output layer", 0),
    )  # fmt: skip


@pytest.mark.parametrize("end", ["x", "y"])
def test_a_group_with_an_input_or_output_is_refused(end):
    b = GraphBuilder()
    b.input("x", 2)
    b.layer("a", 2)
    b.layer("free", 2)
    b.output("y", 2)
    b.dense("x", "free")
    b.dense("free", "y")
    for pair in (("x", "a"), ("a", "y")) if end == "x" else (("a", "y"), ("x", "a")):
        (b.identity if end in pair else b.dense)(*pair)
    graph = b.build()
    assert [x.name for x in ng.find(WidenLayer(), graph).l] == ["free"]
    miss = ng.explain(WidenLayer(), graph, on="a").nearest_miss
    assert miss == "layer 'a' fails 'group has no input or output layer'"


def test_incoming_zero_needs_f_of_0_to_be_0_all_over_the_group():
    graph = chain(c={"activation": "sigmoid"})
    assert not ng.apply(WidenLayer(init="incoming zero"), graph).changed
    assert ng.apply(WidenLayer(), graph, require="exact").changed


def test_copies_are_refused_at_wires():
    rule = WidenLayer(init="duplicate")
    assert not ng.apply(rule, chain()).changed
    assert ng.explain(rule, chain()).stages[-1] == ("layer has no identity wires", 0)


def test_a_wire_from_a_new_vertex_to_an_old_one_would_not_be_exact():
    """The negative twin: what widening one layer of a group alone would have to do is found out."""

    class Bold(WidenLayer):
        def rewrite(self, m, rw):
            rows = {name: m.graph.vertices.offset(m.graph.layers[name].id) for name in ("x", "s")}
            x, s = (ng.rewriting.VertexRows(m.graph, np.array([row])) for row in rows.values())
            new = rw.add_vertices(m.graph.layers["a"], 1)
            rw.connect(x, new, weight=1.0)
            rw.connect(new, s, weight=1.0, kind=Identity(), frozen=True)

    result = ng.apply(Bold(), chain(), on="a")
    assert result.rule.claim(result.matches) == "exact"
    assert result.certificate.level not in ("exact", "exact up to rounding")
