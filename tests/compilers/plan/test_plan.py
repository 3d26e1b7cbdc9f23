"""Plans: slots, choices of kernels, and what is refused."""

import numpy as np
import pytest
import torch
from ported import as_stored

from compilers import CostTable, lower
from netgraph.errors import CompileError
from netgraph.graph import GraphBuilder, mlp


@pytest.mark.parametrize("seed", range(10))
def test_every_trainable_edge_and_column_has_its_own_slot(make_graph, seed):
    graph = make_graph(seed)
    net = lower(graph, dtype=torch.float64)
    slots = net.plan.edge_slots
    trained = slots[slots >= 0]
    assert np.array_equal(slots < 0, graph.edges.frozen)
    assert len(np.unique(trained)) == len(trained) == graph.num_edges
    assert np.array_equal(net.weights.detach().numpy()[trained], graph.edges.weight[slots >= 0])
    used = [where.slots for where in net.plan.vertex_slots.values() if where.trained]
    assert sorted(np.concatenate(used)) == list(range(net.plan.num_vertex_slots)) if used else True


@pytest.mark.parametrize("seed", range(10))
def test_layers_come_in_order_and_read_only_earlier_rows(make_graph, seed):
    plan = lower(make_graph(seed)).plan
    stops = [0, *(layer.stop for layer in plan.layers)]
    assert stops == sorted(stops)
    for layer in plan.layers:
        for block in layer.blocks:
            assert (np.diff(block.parents) > 0).all()
            assert block.parents[-1] < layer.start


def kernels_of(net):
    return [block.kernel for layer in net.plan.layers for block in layer.blocks]


def test_density_decides_between_the_kernels():
    for density, kernel in ((0.05, "csr"), (0.6, "padded-dense"), (1.0, "dense")):
        assert kernels_of(lower(mlp([300, 100], density=density))) == [kernel]


def test_the_table_and_the_caller_overrule_the_choice():
    graph = mlp([300, 100], density=0.05)
    assert kernels_of(lower(graph, costs=CostTable(sparse_edge=1e6, torch_sparse_edge=1e6))) == ["padded-dense"]
    assert kernels_of(lower(graph, kernels={"output": "padded-dense"})) == ["padded-dense"]


def test_scattered_parents_are_gathered_and_near_ones_read_as_one_view():
    b = GraphBuilder()
    b.input("x", 1000)
    b.layer("wide", 100)
    b.output("y", 2)
    few = np.arange(0, 1000, 20)
    b.edges("x", "wide", np.tile(few, 100), np.repeat(np.arange(100), 50), weight=0.1)
    b.edges("x", "y", [0, 2, 3], [0, 0, 1], weight=0.1)
    b.edges("wide", "y", [0], [0], weight=0.1)
    wide, y = (layer.blocks[0] for layer in lower(b.build()).plan.layers[1:])
    assert wide.kernel == "dense"
    assert np.array_equal(wide.parents, few)
    assert len(y.parents) in (4, 1001)


def test_summary_is_a_table():
    text = lower(mlp([4, 3, 2])).plan.summary()
    assert text.splitlines()[0].split("  ")[0] == "layer"
    assert "4 x 3" in text
    assert "9 rows (4 inputs), 18 weight slots" in text


def test_equal_graphs_have_equal_digests_and_other_layouts_do_not():
    graph = mlp([30, 10], density=0.2)
    plan = lower(graph).plan
    assert plan.digest == lower(graph).plan.digest
    assert (
        lower(graph, kernels={"output": "csr"}).plan.digest
        != lower(graph, kernels={"output": "padded-dense"}).plan.digest
    )


def test_ports_are_refused():
    b = GraphBuilder()
    b.input("x", 2)
    b.output("y", 2)
    b.dense("x", "y", port=1)
    with pytest.raises(CompileError, match=r"'x' -> 'y' ends at port 1"):
        lower(as_stored(b))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kernels": {"output": "cdr"}}, "Did you mean 'csr'"),
        ({"kernels": {"outptu": "csr"}}, "Did you mean 'output'"),
        ({"kernels": {"output": "wires"}}, "Unknown kernel 'wires'"),
        ({"kernels": {"output": "convolution"}}, "'convolution' reads maps, but the layer reads rows"),
        ({"kernels": {"output": "dense"}}, "Use 'padded-dense'"),
        ({"dtype": torch.float16}, "float16"),
    ],
)
def test_wrong_options_are_named(options, message):
    with pytest.raises(CompileError, match=message):
        lower(mlp([30, 10], density=0.2), **options)
