"""Moderate sizes: nothing recurses along a chain, nothing is done edge by edge."""

import numpy as np
import pytest

import netgraph as ng
from netgraph.rules import PruneEdges, SplitEdges, WidenLayer

DEPTH = 20_000


@pytest.fixture(scope="module")
def chain():
    b = ng.GraphBuilder(dtype=np.float64)
    last = b.input("x", 1, domain=(0, 1))
    for i in range(DEPTH - 2):
        name = b.layer(f"h{i}", 1, bias=False)
        b.edges(last, name, [0], [0], weight=1.0)
        last = name
    b.output("y", 1)
    b.edges(last, "y", [0], [0], weight=0.5)
    return b.build()


def test_a_deep_chain(chain, tmp_path):
    assert chain.num_layers == DEPTH
    assert repr(chain).startswith("Graph(20000 layers [x:1, h0:1, h1:1, h2:1, ... 19996 more], 20,000 vertices")
    np.testing.assert_array_equal(ng.interpret(chain, [[0.25], [1.0]]), [[0.125], [0.5]])
    middle = chain.edges.id[DEPTH // 2]
    result = ng.apply(SplitEdges(), chain, on=[middle], require="exact")
    assert result.graph.num_layers == DEPTH + 1
    shared = sum(result.graph.layers_by_id[i] is layer for i, layer in chain.layers_by_id.items())
    assert shared == DEPTH
    ng.save(result.graph, tmp_path / "chain")
    loaded = ng.load(tmp_path / "chain")
    assert loaded.equals(result.graph)
    assert ng.apply_delta(loaded, result.delta.inverse())[0].equals(chain)


def test_names_that_are_not_there_in_a_deep_chain(chain):
    assert "h0" in chain.layers
    assert "nothing" not in chain.layers
    assert chain.layers.get("nothing") is None


def test_a_wide_link():
    graph = ng.mlp([500, 400], domain=(0, 1))
    assert graph.num_edges == 200_000
    rng = np.random.default_rng(0)
    chosen = rng.choice(graph.edges.id, 2_000, replace=False)
    result = ng.apply(SplitEdges(cross="none"), graph, on=chosen, require="exact")
    new = result.graph
    assert new.num_edges == 200_000 + 2_000
    assert len(new.layers["split-2"]) == 2_000
    assert np.count_nonzero(result.delta.edge_rows < 0) == 4_000
    assert ng.apply_delta(new, result.delta.inverse())[0].equals(graph)
    capped = SplitEdges()
    crossing = capped.count_crossing(ng.find(capped, graph, on=chosen[:500]))
    crossed = ng.apply(capped, graph, on=chosen[:500], probe=None)
    assert len(crossed.delta.edges_added) == 1_000 + crossing
    thin = ng.apply(PruneEdges(below=0.04), graph, probe=None)
    assert 0 < thin.graph.num_edges < 50_000
    back = ng.apply_delta(thin.graph, thin.delta.inverse())[0]
    assert back.equals(graph)


def test_widening_a_wide_network():
    graph = ng.mlp([300, 200, 100])
    new = ng.apply(WidenLayer(count=50), graph, probe=None).graph
    assert new.num_edges == 300 * 250 + 250 * 100
