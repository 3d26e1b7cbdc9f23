"""Numbers at the doors of a graph: nothing is cut, wrapped or taken for another kind of number."""

import math

import networkx as nx
import numpy as np
import pytest

import netgraph as ng
from netgraph import GraphBuilder
from netgraph.errors import GraphError, NetgraphError, OptionError

NO_COUNTS = [2.5, 2.0, math.nan, math.inf, True, np.False_, "2", None, 2**70]
WRONG_ROWS = [[True, False], [0.5, 1], [0.0, 1.0], [2**32, 1], [2**64, 1], [-(2**32), 0], ["0", "1"], [None, 0]]


def builder():
    b = GraphBuilder()
    b.input("x", 3, grid=(6, 6), domain=(0, 1))
    b.layer("h", 2, grid=(6, 6))
    return b


def pair():
    b = GraphBuilder()
    b.input("x", 2, domain=(0, 1))
    b.output("y", 2)
    return b


COUNTS = {
    "width": lambda v: ng.mlp([4, v, 3]),
    "depth of vgg": lambda v: ng.vgg(v, width=1),
    "width of vgg": lambda v: ng.vgg(11, width=v),
    "depth of resnet": lambda v: ng.resnet(v, width=1),
    "width of resnet": lambda v: ng.resnet(8, width=v),
    "classes": lambda v: ng.resnet(8, width=1, classes=v),
    "input size": lambda v: ng.resnet(8, width=1, input_size=(3, v, 8)),
    "maps": lambda v: ng.convnet([[v]]),
    "hidden": lambda v: ng.convnet([[1]], hidden=[v]),
    "size": lambda v: builder().layer("more", v),
    "size of inputs": lambda v: builder().input("more", v),
    "grid": lambda v: builder().layer("more", 2, grid=(v, 2)),
    "kernel": lambda v: builder().conv2d("x", "h", kernel=v),
    "stride": lambda v: builder().conv2d("x", "h", kernel=3, stride=(1, v)),
    "padding": lambda v: builder().conv2d("x", "h", kernel=3, padding=v),
    "stride of wires": lambda v: builder().identity("x", "h", stride=v),
    "port": lambda v: builder().dense("x", "h", port=v),
    "port of edges": lambda v: pair().edges("x", "y", [0], [0], weight=1, port=v),
    "tap": lambda v: pair().edges("x", "y", [0], [0], weight=1, tap=v),
    "pool": lambda v: ng.Pool("max", (v, 2)),
    "stride of a pool": lambda v: ng.Pool("max", (2, 2), (2, v)),
    "layer": lambda v: ng.mlp([2, 1]).layer(v),
    "vertex": lambda v: ng.mlp([2, 1]).vertex(v),
    "edge": lambda v: ng.mlp([2, 1]).edges[v],
    "edges": lambda v: ng.mlp([2, 1]).edges.find([v]),
}


@pytest.mark.parametrize("door", COUNTS)
def test_what_is_no_whole_number_is_refused(door):
    for value in NO_COUNTS:
        if door in ("layer", "depth of vgg", "depth of resnet") and isinstance(value, str):
            continue
        with pytest.raises(NetgraphError):
            COUNTS[door](value)


@pytest.mark.parametrize("port", [-1, 2**40])
def test_ports_are_numbered_from_zero_in_32_bits(port):
    with pytest.raises(GraphError, match=f"port={port}"):
        pair().dense("x", "y", port=port)


@pytest.mark.parametrize("rows", WRONG_ROWS, ids=repr)
def test_rows_and_taps_are_integers_before_they_are_converted(rows):
    for column in ("src", "dst", "tap"):
        given = {"src": [0, 1], "dst": [0, 1], "tap": [0, 0], column: rows}
        with pytest.raises(GraphError, match=column):
            pair().edges("x", "y", weight=1.0, **given)


@pytest.mark.parametrize("weight", [[1.0, math.nan], [math.inf, 1], ["1", "2"], [True, False], [1e300, 0], [1j, 0]])
def test_weights_are_finite_numbers(weight):
    with pytest.raises(GraphError, match="weight"):
        pair().edges("x", "y", [0, 1], [0, 1], weight=weight)


@pytest.mark.parametrize("seed", [-1, 1.5, math.nan, True, "0"])
def test_seeds_are_whole_numbers_from_zero(seed):
    graph = ng.mlp([2, 1])
    for make in (lambda: ng.mlp([2, 1], seed=seed), lambda: ng.reinitialised(graph, seed=seed)):
        with pytest.raises(OptionError, match="seed="):
            make()


@pytest.mark.parametrize("density", [math.nan, -0.1, 1.5, True, "0.5", None])
def test_a_density_is_a_number_from_0_to_1(density):
    with pytest.raises(OptionError, match="density"):
        ng.mlp([2, 1], density=density)


@pytest.mark.parametrize(
    "domain",
    [(0, math.nan), (1, 0), (0, 1, 2), "01", 3, (0, "1"), (0, [1, 2, 3]), (True, False), (0, [0, math.nan])],
)
def test_a_domain_is_a_pair_of_numbers_in_order(domain):
    with pytest.raises(GraphError, match="domain"):
        ng.mlp([2, 1], domain=domain)


@pytest.mark.parametrize("name", ["slope", "norm_epsilon", "norm_momentum"])
@pytest.mark.parametrize("value", [math.nan, math.inf, True, "1", None, 1j])
def test_attributes_of_layers_are_finite_numbers(name, value):
    def make():
        b = pair()
        b.layer("h", 1, norm="batch", **{name: value})
        return b.build()

    with pytest.raises(GraphError, match=name):
        make()


@pytest.mark.parametrize("dtype", ["float16", "float33", int, None, 3])
def test_other_dtypes_are_refused(dtype):
    if dtype is None:
        return  # NumPy's own default, float64
    with pytest.raises(OptionError, match="dtype"):
        ng.mlp([2, 1], dtype=dtype)


def test_numpy_numbers_leave_no_trace_in_the_hash():
    plain, other = GraphBuilder(), GraphBuilder()
    for b, whole, real in ((plain, int, float), (other, np.int64, np.float64)):
        b.input("x", whole(1), grid=(whole(4), whole(4)), domain=(real(0), real(1)))
        b.layer("h", whole(2), grid=(4, 4), slope=real(0.25), activation="leaky_relu", norm_epsilon=real(0.5))
        b.output("y", whole(1))
        b.conv2d("x", "h", kernel=whole(3), padding=(whole(1), 1))
        b.conv2d("h", "y", kernel=whole(4), port=whole(0))
    assert plain.build().topology_hash == other.build().topology_hash


@pytest.mark.parametrize(
    ("name", "value"), [("tap", 0.5), ("birth", 1.5), ("birth", True), ("weight", "1"), ("frozen", 1), ("port", 2**40)]
)
def test_arcs_of_networkx_are_not_cut(name, value):
    g = ng.mlp([2, 1]).to_networkx()
    for _, _, data in g.edges(data=True):
        data[name] = value
    with pytest.raises(GraphError):
        ng.Graph.from_networkx(g)


def test_nodes_of_networkx_are_not_cut():
    g = ng.mlp([2, 1]).to_networkx()
    g.nodes[0]["birth"] = 0.5
    with pytest.raises(GraphError, match="birth"):
        ng.Graph.from_networkx(g)
    g = nx.relabel_nodes(ng.mlp([2, 1]).to_networkx(), {0: 0.5})
    with pytest.raises(GraphError, match="vertex_ids"):
        ng.Graph.from_networkx(g)
