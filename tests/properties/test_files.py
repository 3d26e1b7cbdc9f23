"""Round trips of random graphs, and files with a damaged byte."""

import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from random_graphs import graphs, history, seeds

import netgraph as ng
from netgraph.errors import FileFormatError, GraphError
from netgraph.rewriting.delta.file import load_delta, save_delta


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("files") / "file"


@given(graphs(exact=False), st.lists(seeds, max_size=2))
def test_save_and_load_give_the_same_graph(place, graph, rewrites):
    for result in [*history(graph, rewrites)]:
        graph = result.graph
    ng.save(graph, place)
    again = ng.load(place)
    assert again.equals(graph)
    assert [layer.name for layer in again.layers] == list(graph.layers.keys())


@given(graphs(exact=False), st.lists(seeds, max_size=2))
def test_networkx_round_trip(place, graph, rewrites):
    for result in [*history(graph, rewrites)]:
        graph = result.graph
    g = graph.to_networkx()
    assert g.number_of_nodes() == graph.num_vertices
    assert g.number_of_edges() == len(graph.edges)
    assert ng.Graph.from_networkx(g).equals(graph)
    for write, read in ((nx.write_gexf, nx.read_gexf), (nx.write_graphml_xml, nx.read_graphml)):
        write(g, place)
        assert ng.Graph.from_networkx(read(place)).equals(graph)


@given(graphs(exact=False), st.lists(seeds, max_size=2))
def test_files_for_other_programs_give_the_same_graph_or_are_refused(place, graph, rewrites):
    for result in [*history(graph, rewrites)]:
        graph = result.graph
    for end in ("gexf", "graphml"):
        ng.exchange.write(graph, place.with_suffix(f".{end}"))
        assert ng.exchange.read(place.with_suffix(f".{end}")).equals(graph)
    table = place.with_suffix(".csv")
    ng.exchange.write(graph, table)
    dtype = graph.edges.weight.dtype
    try:
        again = ng.exchange.read(table, dtype=dtype)
    except GraphError as error:
        if "Write it as GraphML or GEXF" not in str(error):
            raise
        return
    assert {layer.name for layer in again.layers} == {layer.name for layer in graph.layers}
    same_values(again, graph)


def same_values(a, b):
    """Two graphs have equal values, for random inputs in their domain."""
    rng = np.random.default_rng(0)
    x = {layer.name: inputs_of(layer, rng) for layer in b.inputs}
    for name, values in by_name(b, ng.interpret(b, x)).items():
        np.testing.assert_allclose(by_name(a, ng.interpret(a, x))[name], values, rtol=1e-9, atol=1e-12)


def inputs_of(layer, rng):
    low, high = (np.clip(layer.values[name], -2, 2) for name in ("low", "high"))
    return low + (high - low) * rng.random((3, len(layer)))


def by_name(graph, values):
    return values if isinstance(values, dict) else {graph.outputs[0].name: values}


@given(st.data())
def test_any_flipped_bit_is_noticed(place, data):
    ng.save(ng.mlp([2, 3, 1], norm="batch"), place)
    damage(place, data)
    with pytest.raises(FileFormatError):
        ng.load(place)


@given(st.data())
def test_any_flipped_bit_of_a_delta_is_noticed(place, data):
    result = ng.apply(ng.rules.SplitEdges(), ng.mlp([2, 1]))
    save_delta(result.delta, place)
    damage(place, data)
    with pytest.raises(FileFormatError):
        load_delta(place)


@given(st.data())
def test_a_file_cut_short_is_noticed(place, data):
    ng.save(ng.mlp([2, 3, 1]), place)
    whole = place.read_bytes()
    place.write_bytes(whole[: data.draw(st.integers(0, len(whole) - 1))])
    with pytest.raises(FileFormatError):
        ng.load(place)


def damage(path, data):
    content = bytearray(path.read_bytes())
    at = data.draw(st.integers(0, len(content) - 1))
    content[at] ^= 1 << data.draw(st.integers(0, 7))
    path.write_bytes(content)


@given(graphs(), seeds)
def test_topology_hash_ignores_weights_and_nothing_else(graph, seed):
    rng = np.random.default_rng(seed)
    assert graph.with_weights(rng.random(len(graph.edges))).topology_hash == graph.topology_hash
    result = history(graph, [seed])[0]
    d = result.delta
    same_topology = not (
        len(d.edges_added) or len(d.edges_removed) or len(d.vertices_added) or len(d.vertices_removed)
        or d.layers_added or d.layers_removed or any(a.attributes != b.attributes for a, b in d.layers_changed)
        or any(a.columns.keys() != b.columns.keys() for a, b in d.layers_changed) or "frozen" in d.edges_changed
    )  # fmt: skip
    if same_topology:
        assert result.graph.topology_hash == graph.topology_hash
    elif "frozen" not in d.edges_changed:
        assert result.graph.topology_hash != graph.topology_hash
