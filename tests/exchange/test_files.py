"""Files for other programs: every column is there, and readers of others give it back."""

import csv
import io
import json
import re
import xml.etree.ElementTree as ET

import networkx as nx
import numpy as np
import pytest
from tiny_transformer import tiny

import netgraph as ng
from netgraph.errors import FileFormatError, GraphError, OptionError, StatisticsError
from netgraph.exchange import FORMS, read, write
from netgraph.graph import columns_of, without_value


def grown():
    graph = ng.apply(ng.rules.SplitEdges(), ng.mlp([3, 4, 2], domain=(0, 1), seed=0), limit=3).graph
    return graph.with_weights(np.linspace(-1, 1, graph.num_edges, dtype=np.float32) / 3)


GRAPHS = {
    "grown": grown,
    "norms": lambda: ng.mlp([2, 3, 1], activation="tanh", norm="layer"),
    "double": lambda: ng.mlp([2, 3, 1], dtype=np.float64),
    "convolutions": lambda: ng.resnet(8, width=2, input_size=(1, 4, 4), classes=2),
    "attention": lambda: tiny(causal=True, frequencies=(0.1,), gated=True, groups=1, norm="rms", head="tokens"),
}


def stats_of(graph):
    rng = np.random.default_rng(0)
    gradients = rng.random(len(graph.edges)).astype(np.float32)
    gradients[::3] = np.nan
    return ng.Statistics(graph.topology_hash, {"mean_abs_gradient": gradients}, {"rms": rng.random(graph.num_vertices)})


def same(found, expected, where):
    """Values as a reader of others gives them, None where there is none, against a column."""
    gaps = without_value(expected)
    assert [value is None for value in found] == gaps.tolist(), where
    values = [value for value in found if value is not None]
    kept = expected[~gaps]
    if kept.dtype == object:
        assert values == kept.tolist(), where
    elif kept.dtype.kind == "b":
        assert [str(value).lower() == "true" for value in values] == kept.tolist(), where
    else:
        np.testing.assert_array_equal(np.array(values, np.float64).astype(kept.dtype), kept, where)


def tables_of_networkx(g):
    vertices = {int(node): data for node, data in g.nodes(data=True)}
    arcs = [(int(data.get("id", key)), {**data, "source": int(a), "target": int(b)}) for a, b, key, data in keyed(g)]
    return vertices, dict(arcs)


def keyed(g):
    """Arcs with their keys; GraphML makes the id of an arc its key, and GEXF an attribute."""
    return g.edges(keys=True, data=True) if g.is_multigraph() else [(a, b, None, d) for a, b, d in g.edges(data=True)]


def of_graphml(path):
    return tables_of_networkx(nx.read_graphml(path, force_multigraph=True))


def of_gexf(path):
    return tables_of_networkx(nx.read_gexf(path))


def of_table(path):
    files = (path.with_name("net.vertices.csv"), path)
    rows = [list(csv.DictReader(io.StringIO(file.read_bytes().decode(), newline=""))) for file in files]
    tables = [{int(row["id"]): {k: v for k, v in row.items() if v != ""} for row in part} for part in rows]
    return tables[0], tables[1]


def of_model_explorer(path):
    (graph,) = (g for g in json.loads(path.read_text())["graphs"] if g["id"] == "edges")
    vertices, edges = {}, {}
    for node in graph["nodes"]:
        vertices[int(node["id"])] = {pair["key"]: pair["value"] for pair in node["attrs"]}
        assert node["namespace"] == vertices[int(node["id"])]["layer"]
        for arc, data in zip(node["incomingEdges"], node["inputsMetadata"], strict=True):
            assert arc["targetNodeInputId"] == data["id"]
            columns = {pair["key"]: pair["value"] for pair in data["attrs"]}
            edges[int(columns["id"])] = {**columns, "source": arc["sourceNodeId"], "target": node["id"]}
    return vertices, edges


def of_dot(path):
    vertices, edges = {}, {}
    for line in path.read_text().splitlines():
        if match := re.match(r"(\d+)(?: -> (\d+))? \[", line):
            columns = dict(re.findall(r'ng_(\w+)="([^"]*)"', line))
            source, target = match.groups()
            if target is None:
                vertices[int(source)] = columns
            else:
                edges[int(columns["id"])] = {**columns, "source": source, "target": target}
    return vertices, edges


READERS = {"graphml": of_graphml, "gexf": of_gexf, "csv": of_table, "json": of_model_explorer, "dot": of_dot}


@pytest.mark.parametrize("end", READERS)
@pytest.mark.parametrize("name", GRAPHS)
def test_no_column_is_lost(name, end, tmp_path):
    graph = GRAPHS[name]()
    stats = stats_of(graph)
    write(graph, tmp_path / f"net.{end}", stats=stats)
    vertices, edges = READERS[end](tmp_path / f"net.{end}")
    columns = columns_of(graph, stats.edges, stats.vertices)
    assert {"layer", "role", "activation", "row", "birth", "rms"} <= columns.vertices.keys()
    assert {"weight", "tap", "port", "frozen", "kind", "birth", "mean_abs_gradient"} <= columns.edges.keys()
    ids = columns.vertices["id"]
    assert sorted(vertices) == sorted(ids.tolist())
    assert sorted(edges) == sorted(columns.edges["id"].tolist())
    for column, values in columns.vertices.items():
        if column != "id":
            same([vertices[i].get(column) for i in ids.tolist()], values, column)
    for column, values in columns.edges.items():
        expected = ids[values] if column in ("source", "target") else values
        if column != "id":
            same([edges[i].get(column) for i in columns.edges["id"].tolist()], expected, column)


@pytest.mark.parametrize("end", ["graphml", "gexf"])
@pytest.mark.parametrize("name", GRAPHS)
def test_graphml_and_gexf_give_the_graph_back(name, end, tmp_path):
    graph = GRAPHS[name]()
    write(graph, tmp_path / f"net.{end}", stats=stats_of(graph))
    again = read(tmp_path / f"net.{end}")
    assert again.equals(graph)
    assert again.lineage == graph.lineage
    shapes = [(2, *((len(x), *x.grid) if x.encoding == "values" else x.grid)) for x in graph.inputs]
    x = {one.name: np.ones(shape, int) for one, shape in zip(graph.inputs, shapes, strict=True)}
    for layer, values in as_dict(ng.interpret(again, x)).items():
        np.testing.assert_array_equal(values, as_dict(ng.interpret(graph, x))[layer])


def as_dict(values):
    return values if isinstance(values, dict) else {"output": values}


def test_weights_come_back_bit_for_bit(tmp_path):
    rng = np.random.default_rng(0)
    graph = ng.mlp([100, 60, 40])
    bits = rng.integers(0, 2**31, graph.num_edges).astype(np.uint32) ^ (rng.integers(0, 2, graph.num_edges) << 31)
    weights = bits.astype(np.uint32).view(np.float32)
    graph = graph.with_weights(np.where(np.isfinite(weights), weights, np.float32(1)))
    for end in ("graphml", "gexf", "csv"):
        write(graph, tmp_path / f"net.{end}")
        again = read(tmp_path / f"net.{end}")
        np.testing.assert_array_equal(again.edges.weight.view(np.int32), graph.edges.weight.view(np.int32))


def test_columns_that_share_a_name_are_both_there(tmp_path):
    graph = ng.mlp([2, 1])
    stats = ng.Statistics(
        graph.topology_hash, {"weight": np.array([5.0, 7.0])}, {'a"<&%s\n': np.array([1.0, 2.0, 3.0])}
    )
    for end, reader in READERS.items():
        write(graph, tmp_path / f"net.{end}", stats=stats)
        vertices, edges = reader(tmp_path / f"net.{end}")
        found = {name.replace("_2_", "(2)").replace("weight_", "weight ") for name in edges[0]}
        assert {"weight", "weight (2)"} <= found, end
        assert len(vertices[0]) >= 7


def test_names_of_layers_are_escaped(tmp_path):
    name = 'a<b> & "c" \\ %s {\n\t}, é'
    b = ng.GraphBuilder()
    b.input("x", 1)
    b.output(name, 1)
    b.dense("x", name)
    graph = b.build()
    for end, reader in READERS.items():
        write(graph, tmp_path / f"net.{end}")
        if end != "dot":
            assert reader(tmp_path / f"net.{end}")[0][1]["layer"] == name, end
    for end in ("graphml", "gexf", "csv"):
        assert read(tmp_path / f"net.{end}").layers[name].role == "output"


def test_texts_that_xml_cannot_hold_are_refused(tmp_path):
    b = ng.GraphBuilder()
    b.input("x\x01", 1)
    b.output("y", 1)
    b.dense("x\x01", "y")
    for end in ("graphml", "gexf"):
        with pytest.raises(GraphError, match=r"'x\\x01.*' has the character '\\x01'.*another name"):
            write(b.build(), tmp_path / f"net.{end}")
        assert not (tmp_path / f"net.{end}").exists()


@pytest.mark.parametrize("end", READERS)
def test_a_fold_has_a_row_per_layer_and_per_link(end, tmp_path):
    graph = grown()
    stats = stats_of(graph)
    write(graph, tmp_path / f"net.{end}", stats=stats, fold="layers")
    if end == "json":
        (found,) = json.loads((tmp_path / "net.json").read_text())["graphs"]
        assert [node["label"] for node in found["nodes"]] == [x.name for x in graph.layers_by_id.values()]
        return
    layers, links = READERS[end](tmp_path / f"net.{end}")
    assert [int(data["vertices"]) for data in layers.values()] == [len(x) for x in graph.layers_by_id.values()]
    for data, link in zip(links.values(), graph.links, strict=True):
        assert (int(data["edges"]), int(data["source"]), int(data["target"])) == (len(link), link.source, link.target)
        assert float(data["mean_abs_weight"]) == pytest.approx(np.abs(link.weight).mean())
    mean = [data.get("mean mean_abs_gradient", data.get("mean_mean_abs_gradient")) for data in links.values()]
    first = stats.edges["mean_abs_gradient"][: len(next(iter(graph.links)))]
    assert float(mean[0]) == pytest.approx(np.nanmean(first))
    if FORMS[{"csv": "edges"}.get(end, end)].read and end != "csv":
        with pytest.raises(GraphError, match=r"picture of layers.*without fold"):
            read(tmp_path / f"net.{end}")


def test_gephi_keeps_edges_of_weight_zero_and_has_places(tmp_path):
    graph = ng.mlp([2, 2]).with_weights(np.zeros(4, np.float32))
    write(graph, tmp_path / "net.gexf")
    tree = ET.parse(tmp_path / "net.gexf")
    space = "{http://www.gexf.net/1.2draft}"
    assert all("weight" not in edge.attrib for edge in tree.iter(f"{space}edge"))
    places = [(p.get("x"), p.get("y")) for p in tree.iter(f"{space}viz:position".replace("}viz:", "/viz}"))]
    assert len(set(places)) == graph.num_vertices


def test_statistics_of_another_topology_and_other_names_are_refused(tmp_path):
    graph = ng.mlp([2, 1])
    with pytest.raises(StatisticsError, match="belong to topology"):
        write(graph, tmp_path / "net.gexf", stats=ng.Statistics("0" * 32))
    with pytest.raises(OptionError, match=r"ends in none of \.graphml, \.gexf"):
        write(graph, tmp_path / "net.xlsx")
    with pytest.raises(OptionError, match="fold='edges' is none of"):
        write(graph, tmp_path / "net.gexf", fold="edges")
    with pytest.raises(OptionError, match="picture for dot"):
        read(tmp_path / "net.dot")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "<graphml",
        "<a/>",
        '<?xml version="1.0" encoding="UT-8"?><a/>',
        "<gexf/>",
        "\0",
        '<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>',
    ],
)
@pytest.mark.parametrize("end", ["graphml", "gexf"])
def test_files_that_are_damaged_are_refused(text, end, tmp_path):
    (tmp_path / f"net.{end}").write_text(text)
    with pytest.raises((FileFormatError, GraphError), match=rf"net\.{end}"):
        read(tmp_path / f"net.{end}")
