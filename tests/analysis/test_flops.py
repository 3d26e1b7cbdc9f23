import pytest

import netgraph as ng
from netgraph.analysis import forward_flops


def test_a_dense_network_has_two_operations_per_edge():
    assert forward_flops(ng.mlp([5, 7, 3])) == 2 * (5 * 7 + 7 * 3)


def test_edges_that_are_not_there_do_not_count():
    graph = ng.mlp([20, 10, 3], density=0.3)
    assert forward_flops(graph) == 2 * graph.num_edges == 2 * (60 + 9)


@pytest.mark.parametrize(
    ("stride", "padding", "grid"),
    [(1, 0, (7, 5)), (1, 1, (9, 7)), (2, 1, (5, 4)), ((2, 1), (0, 1), (4, 7))],
)
def test_an_edge_of_a_convolution_counts_at_every_position_of_its_target(stride, padding, grid):
    b = ng.GraphBuilder()
    b.input("x", 2, grid=(9, 7))
    b.layer("maps", 4, grid=grid, norm="batch", pool=ng.Pool("average", grid))
    b.conv2d("x", "maps", kernel=3, stride=stride, padding=padding)
    b.output("y", 3)
    b.dense("maps", "y")
    assert forward_flops(b.build()) == 2 * (4 * 2 * 9 * grid[0] * grid[1] + 4 * 3)


def test_sums_before_pooling_count_and_wires_do_not():
    b = ng.GraphBuilder()
    b.input("x", 2, grid=(4, 4))
    b.layer("a", 2, grid=(4, 4), pool=ng.Pool("max", (2, 2)))
    b.conv2d("x", "a", kernel=1)
    b.layer("b", 2, grid=(2, 2))
    b.identity("a", "b")
    b.output("y", 1, grid=(2, 2))
    b.dense("b", "y")
    assert forward_flops(b.build()) == 2 * (4 * 16 + 2 * 4)


def test_a_residual_network_has_the_known_number_of_multiply_adds():
    first = 3 * 16 * 9 * 32 * 32
    stages = 6 * 16 * 16 * 9 * 32 * 32 + (16 * 32 + 5 * 32 * 32) * 9 * 16 * 16 + (32 * 64 + 5 * 64 * 64) * 9 * 8 * 8
    count = first + stages + 64 * 10
    assert forward_flops(ng.resnet(20)) == 2 * count
    assert count == 40_551_040  # the 40.6 million of published tables


def test_a_vgg_has_the_known_number_of_multiply_adds():
    assert forward_flops(ng.vgg(16, width=64)) == 2 * 313_201_664


def test_links_may_count_as_if_they_were_dense():
    graph = ng.convnet([[4], [6]], input_size=(1, 8, 8), classes=3)
    few = ng.apply(ng.rules.PruneEdges(below=None), graph, on=graph.edges.id[::2], probe=None).graph
    assert forward_flops(few) < forward_flops(graph)
    assert forward_flops(few, dense=few.links_by_key) == forward_flops(graph)
    first = next(iter(few.links_by_key))
    missing = 4 * 9 - len(few.links_by_key[first])
    assert forward_flops(few, dense=[first]) == forward_flops(few) + 2 * 64 * missing
