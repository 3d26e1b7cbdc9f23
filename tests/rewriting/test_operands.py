"""What the edits of a rewriter take: vertices and edges that a rule chooses, and what is said of anything else."""

import re

import numpy as np
import pytest
from rows_by_id import edges, vertices

import netgraph as ng
from netgraph.errors import GraphError, RewriteError
from netgraph.rewriting import EdgeRows, Rewriter, VertexRows, find
from netgraph.rules import AddEdges, AddSkip, InsertLayer, PruneEdges, WidenLayer


def test_vertices_of_layers(graph, rw):
    for given in ("b", graph.layers["b"], ["b"], (graph.layers["b"],)):
        chosen = rw.vertices(given)
        assert isinstance(chosen, VertexRows)
        assert chosen.id.tolist() == [5, 6]
    assert rw.vertices(["b", graph.layers["x"]]).id.tolist() == [5, 6, 0, 1, 2]
    assert rw.vertices(graph.outputs).id.tolist() == [7, 8]
    assert rw.vertices(graph.layers).id.tolist() == list(range(9))
    assert rw.vertices(find(WidenLayer(), graph).l).id.tolist() == [3, 4, 5, 6]
    assert rw.vertices([]).id.tolist() == []


def test_vertices_and_edges_by_id_are_not_those_by_row(graph):
    graph = ng.apply(WidenLayer(count=1), graph, on=["a"]).graph  # a has the ids 3, 4, 9 in the rows 3, 4, 5
    rw = Rewriter(graph, np.random.default_rng(0))
    assert rw.vertices("a").id.tolist() == [3, 4, 9]
    assert rw.vertices(ids=[9, 3]).id.tolist() == [9, 3]
    assert rw.vertices(rows=[5, 3]).id.tolist() == [9, 3]
    assert rw.vertices(ids=5).id.tolist() == [5]
    assert rw.vertices(rows=graph.vertices.birth > 0).id.tolist() == [9]
    assert rw.vertices(rows=graph.edges.source_row[:3]).id.tolist() == graph.edges.source[:3].tolist()
    new = graph.edges.id[graph.edges.birth > 0]
    assert isinstance(rw.edges(ids=new), EdgeRows)
    assert rw.edges(ids=new[::-1]).id.tolist() == new[::-1].tolist()
    assert rw.edges(rows=graph.edges.birth > 0).id.tolist() == new.tolist()
    assert rw.edges(rows=[0, 3]).rows.tolist() == [0, 3]
    assert len(rw.edges(ids=[])) == len(rw.vertices(rows=[])) == 0


def test_what_is_chosen_can_be_edited(graph, rw):
    assert rw.connect_all(rw.vertices("x"), rw.vertices("y"), weight=0.5) == 6
    rw.set_bias(rw.vertices("b"), [1.0, 2.0])
    rw.remove(rw.edges(rows=graph.edges.source == 0))
    new, _ = rw.commit()
    assert len(new.links["x", "y"]) == 6
    assert new.layers["b"].bias.tolist() == [1.0, 2.0]
    assert not np.isin(new.edges.source, [0]).all()
    assert len(new.links["x", "a"]) == 4


def test_what_is_new_is_not_chosen(graph, rw):
    rw.add_vertices(graph.layers["a"], 2)
    assert rw.vertices("a").id.tolist() == [3, 4]


@pytest.mark.parametrize(
    ("choose", "words"),
    [
        (lambda rw: rw.vertices(), "one of: layers, such as vertices('output'), or ids=, or rows="),
        (lambda rw: rw.vertices("a", ids=[3]), "one of: layers"),
        (lambda rw: rw.vertices(3), "vertices() got 3; give a layer"),
        (lambda rw: rw.vertices(np.array([3, 4])), "vertices as ids= or rows="),
        (lambda rw: rw.vertices(rw.vertices("a")), "got 2 VertexRows; give a layer"),
        (lambda rw: rw.vertices("aa"), "Unknown layer 'aa'. Did you mean 'a'?"),
        (lambda rw: rw.vertices(ng.mlp([1, 1]).layers["input"]), "not a layer of this graph"),
        (lambda rw: rw.vertices(ids=[3, 99]), "no vertex with id 99"),
        (lambda rw: rw.vertices(ids=[0.5]), "ids= of vertices are integers, got a list"),
        (lambda rw: rw.vertices(rows=[9]), "rows= of graph.vertices are integers from 0 to 8, or 9 booleans"),
        (lambda rw: rw.vertices(rows=[-1]), "from 0 to 8"),
        (lambda rw: rw.vertices(rows=np.ones(3, bool)), "9 booleans, got an array of bool of shape (3,)"),
        (lambda rw: rw.edges(), "edges() needs ids=, or rows="),
        (lambda rw: rw.edges(ids=[1], rows=[1]), "edges() needs ids=, or rows="),
        (lambda rw: rw.edges(ids=[1, 77]), "no edge with id 77"),
        (lambda rw: rw.edges(rows=[14]), "rows= of graph.edges are integers from 0 to 13, or 14 booleans"),
    ],
)
def test_what_cannot_be_chosen(rw, choose, words):
    with pytest.raises((RewriteError, GraphError), match=re.escape(words)):
        choose(rw)


WRONG = [
    (
        lambda rw, m: rw.connect_all(m.v, rw.graph.layers["y"], weight=1.0),
        "connect_all() got the layer 'y' as dst, and needs vertices: rw.vertices('y').",
    ),
    (
        lambda rw, m: rw.connect_all("x", "y", weight=1.0),
        "connect_all() got 'x' as src, and needs vertices: rw.vertices('x').",
    ),
    (lambda rw, m: rw.connect("x", m.v, weight=1.0), "connect() got 'x' as src"),
    (
        lambda rw, m: rw.connect(m.v.id, m.v.id, weight=1.0),
        "an array of int64 of shape (4,) as src, and needs vertices: rw.vertices(ids=...)",
    ),
    (
        lambda rw, m: rw.connect(m.v, [1, 2, 3, 4], weight=1.0),
        "got a list as dst, and needs vertices: rw.vertices(ids=...)",
    ),
    (lambda rw, m: rw.connect(m.v, m, weight=1.0), "got 4 Matches as dst, and needs vertices: m.v"),
    (
        lambda rw, m: rw.connect(edges(rw.graph, 0), m.v, weight=1.0),
        "got 1 EdgeRows as src, and needs vertices: the ends",
    ),
    (
        lambda rw, m: rw.connect_all(m.v, find(WidenLayer(), rw.graph).l, weight=1.0),
        "2 LayerRows as dst, and needs vertices: rw.vertices(m.l)",
    ),
    (lambda rw, m: rw.set_bias("a", 1), "set_bias() got 'a' as vertices, and needs vertices: rw.vertices('a')."),
    (
        lambda rw, m: rw.set_values(3, "bias", 1),
        "set_values() got 3 as vertices, and needs vertices: rw.vertices(ids=...)",
    ),
    (
        lambda rw, m: rw.set_bias(rw.add_vertices(rw.graph.layers["a"], 1), 1),
        "new; give their values to add_layer() or add_vertices()",
    ),
    (
        lambda rw, m: rw.split_vertices("a"),
        "split_vertices() got 'a' as vertices, and needs vertices: rw.vertices('a').",
    ),
    (lambda rw, m: rw.split_vertices(None), "got a NoneType as vertices"),
    (
        lambda rw, m: rw.remove("a"),
        "remove() got 'a', and needs edges, vertices, a layer or a link: rw.vertices('a'), or the layer rw.graph",
    ),
    (
        lambda rw, m: rw.remove(m.v.id),
        "remove() got an array of int64 of shape (4,), and needs edges, vertices, a layer or a link",
    ),
    (lambda rw, m: rw.remove(m), "remove() got 4 Matches"),
    (
        lambda rw, m: rw.remove(find(InsertLayer(), rw.graph).k),
        "got 3 LinkRows, and needs edges, vertices, a layer or a link: one layer or link at a time",
    ),
    (lambda rw, m: rw.remove(find(AddEdges(), ng.mlp([2, 2], density=0.5)).e), "what is not in the graph"),
    (lambda rw, m: rw.remove(rw.add_layer(1)), "what is not in the graph"),
    (lambda rw, m: rw.set_weight([1, 2], 1.0), "set_weight() got a list as edges, and needs edges: m.e"),
    (lambda rw, m: rw.set_weight(m.v, 1.0), "set_weight() got 4 VertexRows as edges, and needs edges"),
    (
        lambda rw, m: rw.set_weight(find(InsertLayer(), rw.graph).k, 1.0),
        "got 3 LinkRows as edges, and needs edges: m.k.edges",
    ),
    (
        lambda rw, m: rw.freeze(next(iter(rw.graph.links))),
        "freeze() got a Link as edges, and needs edges: rw.edges(rows=...)",
    ),
    (lambda rw, m: rw.freeze(find(AddEdges(), ng.mlp([2, 2], density=0.5)).e), "missing edges are none yet"),
    (lambda rw, m: rw.add_vertices("a", 1), "add_vertices() got 'a', and needs a layer: rw.graph.layers['a']."),
    (
        lambda rw, m: rw.add_vertices(find(WidenLayer(), rw.graph).l, 1),
        "got 2 LayerRows, and needs a layer: one at a time",
    ),
    (
        lambda rw, m: rw.set_activation("a", "tanh"),
        "set_activation() got 'a', and needs a layer: rw.graph.layers['a'].",
    ),
    (
        lambda rw, m: rw.set_activation(rw.add_layer(1), "tanh"),
        "set_activation() got 1 NewVertices, and needs a layer: what is new",
    ),
    (lambda rw, m: rw.set_activation(m.v, "tanh"), "needs a layer: rw.graph.layers[name]"),
]


@pytest.mark.parametrize(("edit", "words"), WRONG)
def test_what_edits_do_not_take_is_named_with_what_to_give(graph, rw, edit, words):
    m, _ = ng.vertex("v", role="hidden").match(graph)
    assert m.v.id.tolist() == [3, 4, 5, 6]
    with pytest.raises(RewriteError, match=re.escape(words)):
        edit(rw, m)


def test_rows_of_another_graph_are_refused(graph, rw):
    other = ng.apply(AddSkip(), graph).graph
    with pytest.raises(RewriteError, match=r"connect\(\) got 1 VertexRows of another graph as src"):
        rw.connect(vertices(other, 0), vertices(graph, 8), weight=1.0)
    for edit in (rw.remove, rw.freeze):
        with pytest.raises(RewriteError, match="3 EdgeRows of another graph"):
            edit(find(PruneEdges(), other).e.take(np.arange(3)))


@pytest.mark.parametrize("kind", ["dense", ng.Dense, 3])
def test_what_is_no_kind_of_link_is_named(graph, rw, kind):
    for edit in (rw.connect, rw.connect_all):
        with pytest.raises(RewriteError, match=r"as kind, and needs Dense\(\), Conv2d\(kernel\) or Identity\(\)"):
            edit(rw.vertices("a"), rw.vertices("y"), weight=0.0, kind=kind)


def test_what_is_no_pool_is_named(rw):
    with pytest.raises(GraphError, match=r"pool='max' is no Pool; give one, such as Pool\('max', \(2, 2\)\)"):
        rw.add_layer(2, pool="max")
