"""Files for other programs in their own readers: igraph, Model Explorer, and the checker of ONNX for Netron."""

import dataclasses
import json
import typing

import numpy as np
import pytest

import netgraph as ng
from compilers.export import to_onnx
from netgraph.exchange import read, write
from netgraph.graph import columns_of, without_value

pytestmark = pytest.mark.extras


@pytest.fixture(scope="module")
def graph():
    first = ng.resnet(8, width=2, input_size=(1, 4, 4), classes=2)
    return ng.apply(ng.rules.WidenLayer(), first, limit=1).graph


def test_igraph_has_all_columns_and_brings_the_graph_back(graph, tmp_path):
    igraph = pytest.importorskip("igraph")
    write(graph, tmp_path / "net.graphml")
    found = igraph.Graph.Read_GraphML(str(tmp_path / "net.graphml"))
    columns = columns_of(graph)
    for table, part in ((columns.vertices, found.vs), (columns.edges, found.es)):
        for name, values in table.items():
            if name in ("source", "target"):
                continue
            known = ~without_value(values)
            given = np.array(part[name], object)[known]
            same = given if values.dtype == object else given.astype(np.float64).astype(values.dtype)
            np.testing.assert_array_equal(same, values[known], name)
    ends = np.array(found.get_edgelist())
    np.testing.assert_array_equal(ends, np.stack([columns.edges["source"], columns.edges["target"]], axis=1))
    found.write_graphml(str(tmp_path / "again.graphml"))
    assert read(tmp_path / "again.graphml").equals(graph)


def test_model_explorer_knows_every_field(graph, tmp_path):
    builder = pytest.importorskip("model_explorer.graph_builder")
    write(graph, tmp_path / "net.json")
    made = build(builder.GraphCollection, json.loads((tmp_path / "net.json").read_text()), vars(builder))
    layers, edges = made.graphs
    assert (len(layers.nodes), len(edges.nodes)) == (graph.num_layers, graph.num_vertices)
    assert sum(len(node.incomingEdges) for node in edges.nodes) == len(graph.edges)
    ids = {node.id for node in edges.nodes}
    assert all(arc.sourceNodeId in ids for node in edges.nodes for arc in node.incomingEdges)
    assert edges.groupNodeAttributes.keys() - {""} == set(graph.layers.keys())


def build(kind, value, names):
    """A record of Model Explorer from JSON; a field that it does not have is an error."""
    kinds = typing.get_args(kind)
    if dataclasses.is_dataclass(kind):
        hints = typing.get_type_hints(kind, names)
        return kind(**{name: build(hints[name], one, names) for name, one in value.items()})
    if typing.get_origin(kind) is list:
        return [build(kinds[0], one, names) for one in value]
    return value


def test_netron_gets_a_checked_model(graph, tmp_path):
    onnx = pytest.importorskip("onnx")
    to_onnx(graph, tmp_path / "net.onnx")
    model = onnx.load(tmp_path / "net.onnx")
    onnx.checker.check_model(model, full_check=True)
    assert [one.name for one in model.graph.input] == [layer.name for layer in graph.inputs]
