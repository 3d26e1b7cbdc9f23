import numpy as np
import pytest

import netgraph as ng
from netgraph.analysis import density, isolated, sparse_links
from netgraph.errors import GraphError, OptionError
from netgraph.methods import sparse_start

STARTS = ["phew", "erk", "er", "uniform"]
GRAPHS = {
    "mlp": lambda: ng.mlp([20, 40, 30, 10], seed=1),
    "resnet": lambda: ng.resnet(8, width=8, seed=1),
    "vgg": lambda: ng.vgg(11, width=8, seed=1),
}


@pytest.mark.parametrize("start", STARTS)
@pytest.mark.parametrize("name", list(GRAPHS))
def test_the_density_is_the_one_asked_for_when_none_is_isolated(name, start):
    graph = GRAPHS[name]()
    made = sparse_start(graph, density=0.4, start=start, seed=2)
    links = sparse_links(graph)
    assert made.isolated == 0
    assert made.density == density(made.graph, links) == pytest.approx(0.4, abs=0.002)
    assert "isolated" not in made.note
    assert made.graph.rewrites == 0
    kept = np.isin(graph.edges.id, made.graph.edges.id)
    assert np.array_equal(made.graph.edges.weight, graph.edges.weight[kept])
    assert made.graph.equals(sparse_start(graph, density=0.4, start=start, seed=2).graph)


@pytest.mark.parametrize("start", STARTS)
@pytest.mark.parametrize("name", list(GRAPHS))
def test_no_vertex_is_isolated_and_what_it_took_is_told(name, start):
    graph = GRAPHS[name]()
    made = sparse_start(graph, density=0.004, start=start, seed=2)
    assert made.isolated > 0
    assert not isolated(made.graph).any()
    assert made.asked == 0.004 < made.density < 0.2
    assert f"left {made.isolated:,} vertices isolated" in made.note


@pytest.mark.parametrize("start", STARTS)
def test_the_head_on_request(start):
    graph = GRAPHS["mlp"]()
    whole, thin = (sparse_start(graph, density=0.3, start=start, seed=0, head=head).graph for head in (False, True))
    assert len(whole.links["hidden2", "output"]) == 300
    assert len(thin.links["hidden2", "output"]) < 300


def test_refusals():
    with pytest.raises(OptionError, match="Did you mean 'phew'"):
        sparse_start(GRAPHS["mlp"](), density=0.1, start="phw", seed=0)
    with pytest.raises(OptionError, match=r"density=-0\.1"):
        sparse_start(GRAPHS["mlp"](), density=-0.1, seed=0)
    with pytest.raises(GraphError, match="start from a dense network"):
        sparse_start(ng.mlp([4, 5, 3], density=0.5), density=0.1, seed=0)
    b = ng.GraphBuilder()
    b.input("x", 2)
    b.layer("unread", 2)
    b.output("y", 1)
    b.dense("x", "unread")
    b.dense("x", "y")
    with pytest.raises(GraphError, match="layer 'unread' has no edge in or none out in the dense network"):
        sparse_start(b.build(), density=0.5, start="uniform", seed=0)


@pytest.mark.parametrize("start", ["phew", "erk", "er", "uniform"])
def test_all_edges_may_be_kept(start):
    graph = ng.mlp([9, 7, 3], seed=1)
    assert sparse_start(graph, density=1.0, start=start, seed=0).graph.num_edges == graph.num_edges
