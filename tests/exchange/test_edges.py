"""Graphs of edge lists, matrices and tables."""

import networkx as nx
import numpy as np
import pytest
import scipy.sparse
from tiny_transformer import tiny

import netgraph as ng
from netgraph.errors import FileFormatError, GraphError
from netgraph.exchange import from_edges, from_matrix, read, write

SOURCE, TARGET, WEIGHT = ["a", "b", "h", "h", "a"], ["h", "h", "g", "y", "y"], [2.0, -1.0, 3.0, 0.5, 1.0]
X = np.array([[3.0, 1.0], [1.0, 5.0]])


def test_edges_become_layers_by_the_longest_path():
    graph = from_edges([*SOURCE, "g"], [*TARGET, "y"], [*WEIGHT, 4.0], domain=(0, 9))
    assert [(x.name, len(x), x.role, x.activation) for x in graph.layers] == [
        ("input", 2, "input", "identity"),
        ("hidden1", 1, "hidden", "relu"),
        ("hidden2", 1, "hidden", "relu"),
        ("output", 1, "output", "identity"),
    ]
    assert graph.inputs[0].domain == (0, 9)
    hidden = np.maximum(X @ [2, -1], 0)
    np.testing.assert_array_equal(ng.interpret(graph, X)[:, 0], X[:, 0] + 0.5 * hidden + 4 * np.maximum(3 * hidden, 0))


def test_the_same_edges_in_any_form_are_the_same_graph():
    rng = np.random.default_rng(0)
    dense = np.triu(rng.integers(-8, 9, (9, 9)) / 8, 1)
    source, target = np.nonzero(dense)
    graph = from_edges(source, target, dense[source, target])
    assert from_matrix(dense).equals(graph)
    for form in (scipy.sparse.csr_matrix, scipy.sparse.coo_array):
        assert from_matrix(form(dense)).equals(graph)
    g = nx.DiGraph()
    g.add_nodes_from(range(9))
    g.add_weighted_edges_from(zip(source.tolist(), target.tolist(), dense[source, target].tolist(), strict=True))
    x = rng.normal(size=(4, len(graph.inputs[0])))
    np.testing.assert_array_equal(ng.interpret(ng.Graph.from_networkx(g), x), ng.interpret(graph, x))
    values = np.zeros((4, 9))
    depth = nx.DiGraph(g)
    for vertex in nx.topological_sort(depth):
        if not g.in_degree(vertex):
            values[:, vertex] = x[:, graph.inputs[0].vertex_ids.tolist().index(vertex)]
        else:
            z = values @ dense[:, vertex].astype(np.float32)
            values[:, vertex] = np.maximum(z, 0) if g.out_degree(vertex) else z
    np.testing.assert_allclose(ng.interpret(graph, x), values[:, graph.outputs[0].vertex_ids], rtol=1e-12)


def test_ids_columns_and_precision_are_kept():
    graph = from_edges(
        [10, 20], [30, 30], np.array([0.1, 0.2]), ids=[7, 5], frozen=[False, True], dtype=np.float64,
        vertices={"id": [20, 10, 30], "bias": [np.nan, np.nan, 0.25], "activation": ["", "", "tanh"],
                  "layer": ["x", "x", "y"], "low": [0, 1, np.nan], "high": [2, 3, np.nan]},
    )  # fmt: skip
    assert graph.layers["x"].vertex_ids.tolist() == [20, 10]
    assert graph.layers["x"].values["high"].tolist() == [2, 3]
    assert [(graph.edges[i].source, graph.edges[i].weight, graph.edges[i].frozen) for i in (7, 5)] == [
        (10, 0.1, False), (20, 0.2, True)
    ]  # fmt: skip
    assert graph.layers["y"].bias.dtype == np.float64
    np.testing.assert_array_equal(ng.interpret(graph, [[1.0, 2.0]]), [[np.tanh(0.2 + 0.2 + 0.25)]])


def test_stored_zeros_are_edges_and_dense_ones_are_none():
    stored = scipy.sparse.coo_array(([0.0, 1.0], ([0, 1], [2, 2])), shape=(3, 3))
    assert from_matrix(stored).num_edges == 2
    with pytest.raises(GraphError, match="Vertex 0 is isolated"):
        from_matrix(stored.toarray())


def test_a_long_chain_is_read():
    graph = from_edges(np.arange(2_000), np.arange(1, 2_001))
    assert graph.num_layers == 2_001


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((["a", "b", "c", "d"], ["b", "c", "a", "a"]), "edges form a cycle, 'a' -> 'b' -> 'c' -> 'a'; remove one"),
        ((["a", "b"], ["b"]), "2 sources and 1 targets"),
        (([1.5], [2]), r"source\[0\]=1.5 is no name"),
        ((["a"], ["b"], [np.nan]), "weight of edge 'a' -> 'b' is nan.*finite float32"),
        ((["a", "a"], ["b", "b"]), "two edges from source row 0"),
        ((["a"], ["b"], [1.0, 2.0]), r"weight has the shape \(2,\)"),
    ],
)
def test_edges_that_make_no_graph_are_refused(arguments, words):
    with pytest.raises(GraphError, match=words):
        from_edges(*arguments)


@pytest.mark.parametrize(
    ("vertices", "words"),
    [
        ({"id": ["a"]}, "the vertex 'b', which vertices"),
        ({"id": ["a", "b", "a"]}, "'a' twice"),
        (
            {"id": ["a", "b"], "norm": ["", "layer"]},
            "'b' has the norm 'layer', which a plain DAG has not",
        ),
        ({"id": ["a", "b"], "role": ["position", ""]}, "Vertex 'a' has the role 'position'"),
        ({"id": ["a", "b"], "role": ["", "input"]}, "Vertex 'b' has the role 'input', but edges end there"),
        ({"id": ["a", "b"], "layer": ["l", "l"], "role": "hidden"}, "edge 'a' -> 'b' joins vertices of one layer"),
        ({"id": ["a", "b"], "activation": ["relu", ""]}, "Vertex 'a' is an input"),
        ({"id": ["a", "b"], "activation": ["", "rely"]}, "Vertex 'b': Unknown activation 'rely'.*'relu'"),
        ({"id": ["a", "b"], "bias": [0, np.inf]}, "bias of vertex 'b' is inf"),
        ({"id": ["a", "b"], "biass": [0, 0]}, "column of vertices 'biass'.*'bias'"),
        ({"id": ["a", "b"], "bias": [0]}, r"vertices\['bias'\] has the shape"),
        ({"id": ["a", "b"], "layer": ["x"]}, r"vertices\['layer'\] has 1 texts for 2"),
    ],
)
def test_vertices_that_make_no_graph_are_refused(vertices, words):
    with pytest.raises(GraphError, match=words):
        from_edges(["a"], ["b"], vertices=vertices)


@pytest.mark.parametrize(
    ("domain", "words"), [(3, r"domain=3 is no interval"), ((1, 0), "domain of vertex row 0 is empty")]
)
def test_domains_that_are_no_intervals_are_refused(domain, words):
    with pytest.raises(GraphError, match=words):
        from_edges(["a"], ["b"], domain=domain)


def test_matrices_that_are_not_square_are_refused():
    for matrix in (np.zeros((2, 3)), np.zeros(3), scipy.sparse.coo_array((2, 3))):
        with pytest.raises(GraphError, match="give a square one"):
            from_matrix(matrix)


@pytest.mark.parametrize("end", ["csv", "tsv"])
def test_tables_give_dense_graphs_back(end, tmp_path):
    graph = ng.apply(ng.rules.SplitEdges(), ng.mlp([3, 4, 2], domain=(0, 1), activation="leaky_relu"), limit=3).graph
    write(graph, tmp_path / f"net.{end}")
    again = read(tmp_path / f"net.{end}")
    assert {x.name: (x.vertex_ids.tolist(), x.activation, x.domain) for x in again.layers} == {
        x.name: (x.vertex_ids.tolist(), x.activation, x.domain) for x in graph.layers
    }
    assert sorted(again.edges.id.tolist()) == sorted(graph.edges.id.tolist())
    np.testing.assert_array_equal(again.edges.weight[again.edges.find(graph.edges.id)], graph.edges.weight)
    x = np.random.default_rng(0).random((3, 3))
    np.testing.assert_allclose(ng.interpret(again, x), ng.interpret(graph, x), rtol=1e-14)
    (tmp_path / f"net.vertices.{end}").unlink()
    assert read(tmp_path / f"net.{end}", domain=(0, 1)).num_edges == graph.num_edges


@pytest.mark.parametrize("make", [lambda: ng.convnet([[2]], input_size=(1, 4, 4), classes=2), tiny,
                                  lambda: ng.mlp([2, 2, 1], norm="batch")])  # fmt: skip
def test_tables_of_other_layers_are_refused_with_the_remedy(make, tmp_path):
    write(make(), tmp_path / "net.csv")
    with pytest.raises(GraphError, match=r"which a plain DAG has not\. Write it as GraphML or GEXF"):
        read(tmp_path / "net.csv")


def test_tables_without_a_heading_and_with_other_columns(tmp_path):
    file = tmp_path / "net.csv"
    file.write_text("a,h,2\nb,h,-1\nh,y,0.5\n")
    expected = from_edges(["a", "b", "h"], ["h", "h", "y"], [2, -1, 0.5])
    assert read(file).equals(expected)
    file.write_text("\ufeffNote,Target,Weight,Source\r\nfirst,h,2,a\r\n,h,-1,b\r\n,y,.5,h\r\n")
    assert read(file).equals(expected)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is empty"),
        ("source,weight\n1,2\n", "name two of them source and target"),
        ("source,target,target\n1,2,3\n", "two columns 'target'"),
        ("source,target\n1\n", "row 2: 1 cells for 2 columns"),
        ("source,target,weight\n1,2,x\n", "row 2: weight 'x' is no number"),
        ("source,target,id\n1,2,x\n", "row 2: id 'x' is no whole number"),
        ("source,target,tap\n1,2,4\n", "row 2: the edge 1 -> 2 has the tap 4, a position in a kernel"),
        ("source,target\n1,2\n2,1\n", r"net\.csv': The edges form a cycle, 1 -> 2 -> 1"),
    ],
)
def test_tables_that_are_wrong_are_refused(text, words, tmp_path):
    (tmp_path / "net.csv").write_text(text)
    with pytest.raises((FileFormatError, GraphError), match=words):
        read(tmp_path / "net.csv")


def test_bytes_that_are_no_text_are_refused(tmp_path):
    (tmp_path / "net.csv").write_bytes(b"source,target\n\xff,2\n")
    with pytest.raises(FileFormatError, match="no table in UTF-8"):
        read(tmp_path / "net.csv")
