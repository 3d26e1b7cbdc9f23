"""Densities by shape, random edges, and what is isolated."""

import json
from pathlib import Path

import numpy as np
import pytest

import netgraph as ng
from netgraph.analysis import density, isolated, sparse_links
from netgraph.criteria import erk, erk_densities, joining_edges, kept_edges, random_edges
from netgraph.errors import GraphError, OptionError

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "sparse_starts.json").read_text())["c_erk"]


@pytest.mark.parametrize("name", list(GOLDEN))
def test_golden_densities(name):
    case = GOLDEN[name]
    found = erk(case["shapes"], case["target_density"], kernel=case["include_kernel"])
    np.testing.assert_allclose(found.densities, case["density"], rtol=1e-9)
    assert found.epsilon == pytest.approx(case["eps"], rel=1e-9)
    assert list(found.dense) == case["dense_layers"]
    counts = [kept_edges(n, d) for n, d in zip(case["n_param"], found.densities, strict=True)]
    assert counts == case["mask_ones"]


@pytest.mark.parametrize("name", list(GOLDEN))
def test_golden_densities_of_links(name):
    case = GOLDEN[name]
    shapes = case["shapes"]
    if name.startswith("small_conv"):  # the dense layer reads maps, so it is a convolution of one position
        shapes = [*shapes[:-1], [1, 1, *shapes[-1]]]
    grid = (1, 1) if len(shapes[0]) > 2 else ()
    b = ng.GraphBuilder()
    b.input("layer0", shapes[0][-2], grid=grid)
    for i, shape in enumerate(shapes, start=1):
        (b.output if i == len(shapes) else b.layer)(f"layer{i}", shape[-1], grid=grid)
        if grid:
            b.conv2d(f"layer{i - 1}", f"layer{i}", kernel=shape[0], padding=shape[0] // 2)
        else:
            b.dense(f"layer{i - 1}", f"layer{i}")
    graph = b.build()
    options = {"density": case["target_density"], "kernel": case["include_kernel"]}
    links = sparse_links(graph, head=True)
    found = erk_densities(graph, links, **options)
    np.testing.assert_allclose([found[key] for key in links], erk(shapes, **options).densities)


@pytest.mark.parametrize(("cells", "share", "kept"), [(10, 0.1, 1), (10, 0.9, 9), (7, 0.5, 4), (5, 0, 0), (5, 1, 5)])
def test_what_goes_is_rounded_down(cells, share, kept):
    assert kept_edges(cells, share) == kept


def test_densities_at_the_ends():
    assert erk([(4, 3), (3, 2)], 1.0).densities.tolist() == [1, 1]
    assert erk([(4, 3), (3, 2)], 0.0).densities.tolist() == [0, 0]
    with pytest.raises(OptionError, match=r"density=1\.5"):
        erk([(4, 3)], 1.5)


def test_random_edges_have_the_densities_and_are_uniform():
    graph = ng.mlp([6, 5, 4], seed=1)
    first, second = graph.links_by_key
    counts = np.zeros(len(graph.edges))
    rng = np.random.default_rng(0)
    for _ in range(2000):
        keep = random_edges(graph, {first: 0.3}, rng)
        assert density(ng.thinned(graph, keep), [first]) == pytest.approx(0.3)
        counts += keep
    assert (counts[30:] == 2000).all()
    share = counts[:30] / 2000
    assert (np.abs(share - 0.3) < 4.5 * np.sqrt(0.3 * 0.7 / 2000)).all()
    assert not random_edges(graph, {first: 0.0, second: 0.0}, rng).any()


def test_frozen_edges_stay_and_count():
    b = ng.GraphBuilder()
    b.input("x", 4)
    b.output("y", 4)
    b.edges("x", "y", np.repeat(range(4), 4), np.tile(range(4), 4), weight=1.0, frozen=True)
    graph = b.build()
    (key,) = graph.links_by_key
    assert random_edges(graph, {key: 0.5}, np.random.default_rng(0)).all()


def test_random_edges_need_enough_edges():
    graph = ng.mlp([4, 4, 4], density=0.5)
    with pytest.raises(GraphError, match="fewer edges than the 12 to draw"):
        random_edges(graph, dict.fromkeys(graph.links_by_key, 0.75), np.random.default_rng(0))


def test_isolated_vertices_are_found_and_joined_by_few_edges():
    graph = ng.mlp([3, 4, 4, 2], seed=0)
    keep = np.zeros(len(graph.edges), dtype=bool)
    assert isolated(graph, keep).sum() == 10  # all but the inputs
    added = joining_edges(graph, keep, np.random.default_rng(1))
    keep[added] = True
    assert not isolated(graph, keep).any()
    assert 10 <= len(added) <= 16
    assert len(joining_edges(graph, keep, np.random.default_rng(1))) == 0


def test_one_edge_serves_two_vertices_that_lack_one():
    graph = ng.mlp([1, 2, 2, 2], seed=0)
    second = list(graph.links_by_key)[1]
    edges = graph.edges
    keep = edges.link != 1
    rows = np.flatnonzero(edges.link == 1)
    keep[rows[0]] = True  # from row 0 to row 0: the other source and the other target lack an edge
    for seed in range(5):
        (added,) = joining_edges(graph, keep, np.random.default_rng(seed))
        link = graph.links_by_key[second]
        assert (link.src[added - rows[0]], link.dst[added - rows[0]]) == (1, 1)


def test_wires_join():
    graph = ng.resnet(8, width=4, input_size=(1, 8, 8))
    assert not isolated(graph).any()
    cut = isolated(graph, graph.edges.frozen)
    names = {graph.layer(int(i)).name for i in graph.vertices.layer[cut]}
    assert "stage1-block1" not in names
    assert {"conv", "stage1-block1-conv1", "stage1-block1-conv2"} <= names
