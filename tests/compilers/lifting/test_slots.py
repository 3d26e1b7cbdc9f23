"""Maps between ids and slots, and carrying what lies in the layout of a network across a rewrite."""

import numpy as np
import pytest
import torch
from migrating import by_edge, by_vertex, rewritten, small, train

from compilers import carry_values, lift, lower, migrate
from netgraph.errors import CompileError, InputError, OptionError


@pytest.mark.parametrize("kernel", ["csr", "padded-dense"])
def test_slots_of_edges_and_edges_of_slots_are_inverse(kernel, make_graph):
    for seed in range(6):
        graph = make_graph(seed, dtype=np.float32)
        net = lower(graph, kernels={layer.name: kernel for layer in graph.layers.values()})
        slots, edges = net.edge_slots(), net.slot_edges()
        assert torch.equal(slots < 0, torch.tensor(graph.edges.frozen))
        trained = slots >= 0
        assert torch.equal(edges[slots[trained]], torch.tensor(graph.edges.id)[trained])
        assert int((edges >= 0).sum()) == int(trained.sum())
        assert torch.equal(net.weights[slots[trained]], torch.from_numpy(graph.edges.weight.copy())[trained])
        assert not net.weights[edges < 0].any()
        some = np.random.default_rng(seed).permutation(graph.edges.id)[:5]
        assert torch.equal(net.edge_slots(some), slots[torch.from_numpy(graph.edges.find(some))])
        assert torch.equal(net.edge_slots(torch.from_numpy(some)), net.edge_slots(some.tolist()))


def test_slots_of_vertices_and_vertices_of_slots_are_inverse(make_graph):
    for seed in range(6):
        graph = make_graph(seed, dtype=np.float32)
        net = lower(graph)
        for name, where in net.plan.vertex_slots.items():
            slots, vertices = net.vertex_slots(name), net.slot_vertices(name)
            have = slots >= 0
            assert torch.equal(vertices[slots[have]], torch.tensor(graph.vertices.id)[have])
            vector = net.vertex_parameters if where.trained else net.running
            column = torch.from_numpy(graph.vertices.column(name).astype(np.float32))
            assert torch.equal(vector[slots[have]].detach(), column[have])
            assert len(vertices) == len(vector)


def test_a_column_of_edges_comes_back_from_its_vector(make_graph):
    graph = make_graph(3, dtype=np.float32)
    net = lower(graph)
    column = np.arange(1.0, len(graph.edges) + 1)
    vector = net.edge_vector(column)
    assert np.array_equal(net.edge_column(vector), np.where(graph.edges.frozen, 0, column))
    assert torch.equal(net.edge_vector(torch.from_numpy(column)), vector)
    assert not vector[net.slot_edges() < 0].any()
    with pytest.raises(InputError, match=r"shape \(2,\).*edges"):
        net.edge_vector([1.0, 2.0])


@pytest.mark.parametrize("ids", [[10**6], [-1], torch.tensor([10**6])])
def test_ids_that_are_not_there_are_named(ids):
    net = lower(small())
    with pytest.raises(CompileError, match=rf"no edge {int(ids[0])} in the network"):
        net.edge_slots(ids)
    with pytest.raises(CompileError, match=rf"no vertex {int(ids[0])} in the network"):
        net.vertex_slots("bias", ids)


def test_masks_and_unknown_columns_are_refused():
    net = lower(small())
    with pytest.raises(CompileError, match="mask of booleans"):
        net.edge_slots(np.ones(3, bool))
    with pytest.raises(CompileError, match="not a whole number"):
        net.edge_slots([0.5])
    with pytest.raises(CompileError, match=r"column of vertices 'scal'.*Did you mean 'scale'"):
        net.vertex_slots("scal")


def grown():
    net = lower(small())
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    train(net, optimizer)
    return net, migrate(net, optimizer, rewritten(lift(net)))[0]


def test_an_average_goes_along_by_id_and_new_entries_start_where_they_are():
    net, new = grown()
    average = net.weights.detach() * 0.5
    carried = carry_values(average, net, new, rest=new.weights)
    before, after, own = by_edge(net, average), by_edge(new, carried), by_edge(new, new.weights)
    assert after == {i: before.get(i, own[i]) for i in after}
    assert not carried[new.slot_edges() < 0].any()
    biases = carry_values(net.vertex_parameters * 2, net, new, layout="vertex_parameters", rest=-1.0)
    before, after = by_vertex(net, net.vertex_parameters * 2), by_vertex(new, biases)
    assert after == {i: before.get(i, -1.0) for i in after}


@pytest.mark.parametrize("layout", ["edges", "vertices"])
def test_columns_of_a_graph_go_along_by_id_whatever_their_width(layout):
    net, new = grown()
    ids, later = (torch.from_numpy(getattr(n.graph, layout).id.copy()) for n in (net, new))
    values = torch.stack([ids, 2 * ids], 1).double()
    carried = carry_values(values, net, new, layout=layout, rest=-1.0)
    survives = torch.isin(later, ids)
    assert torch.equal(carried[survives], torch.stack([later, 2 * later], 1).double()[survives])
    assert (carried[~survives] == -1).all()
    assert not survives.all()


def test_running_statistics_go_along():
    net, new = grown()
    carried = carry_values(net.running + 1, net, new, layout="running", rest=new.running)
    slots = net.vertex_slots("mean", new.graph.vertices.id[np.isin(new.graph.vertices.id, net.graph.vertices.id)])
    kept = new.vertex_slots("mean", net.graph.vertices.id[np.isin(net.graph.vertices.id, new.graph.vertices.id)])
    assert torch.equal(carried[kept[kept >= 0]].sort()[0], (net.running[slots[slots >= 0]] + 1).sort()[0])


def test_values_of_another_length_and_unknown_layouts_are_refused():
    net, new = grown()
    with pytest.raises(InputError, match=r"values has shape \(3,\), but the network has .* layout 'weights'"):
        carry_values(torch.zeros(3), net, new)
    with pytest.raises(InputError, match="rest has shape"):
        carry_values(net.weights, net, new, rest=net.weights)
    with pytest.raises(OptionError, match=r"layout='weight' .*Did you mean 'weights'"):
        carry_values(net.weights, net, new, layout="weight")
