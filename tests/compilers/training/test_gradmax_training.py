"""GradMax in training: gradients of what is new, exact rewrites, and a journal that is replayed."""

import numpy as np
import pytest
import torch
from map_training import digit_maps, settings
from tiny_training import CPU, assert_same_state

import netgraph as ng
from compilers import lift, lower
from compilers.training import Rewritten, Settled, begin, load_checkpoint, save_checkpoint, train
from netgraph.criteria import gradmax_outgoing, growth_matrix, growth_requests
from netgraph.criteria.gradmax import outgoing_by_link, outgoing_size
from netgraph.methods import GradMaxOptions, Start, gradmax
from netgraph.methods.gradmax import gradmax_start


def dense(activation):
    return ng.mlp([5, 6, 4, 3], activation=activation, dtype=np.float64, domain=(-3, 3), seed=2)


def convolutional(activation):
    """Without padding by the link that reads, so that two convolutions are one to the edge of the grid."""
    b = ng.GraphBuilder(seed=3, dtype=np.float64)
    b.input("x", 2, grid=(9, 8), domain=(-3, 3))
    b.layer("hidden1", 3, grid=(4, 4), activation=activation)
    b.layer("c", 4, grid=(2, 3), activation="gelu")
    b.output("y", 3)
    b.conv2d("x", "hidden1", kernel=3, stride=2, padding=(0, 1))
    b.conv2d("hidden1", "c", kernel=(3, 2))
    b.conv2d("c", "y", kernel=(2, 3))
    return b.build()


def loss_of(net, x, y):
    return torch.nn.functional.mse_loss(net(x), y)


def gradients(graph, x, y):
    net = lower(graph, dtype=torch.float64)
    loss_of(net, x, y).backward()
    return net.edge_column(net.weights.grad)


@pytest.mark.parametrize(("activation", "slope"), [("tanh", 1.0), ("prelu", 1.0), ("gelu", 0.5), ("silu", 0.5)])
@pytest.mark.parametrize("made", [dense, convolutional])
def test_the_gradient_of_new_incoming_weights_is_the_norm_times_the_singular_value(made, activation, slope):
    graph = made(activation)
    rng = np.random.default_rng(0)
    first = graph.inputs[0]
    x = torch.from_numpy(rng.normal(size=(32, len(first), *first.grid)).clip(-3, 3))
    y = torch.from_numpy(rng.normal(size=(32, 3)))
    layer = graph.layers["hidden1"].id
    asked, _ = growth_requests(graph, layer)
    net = lower(graph, dtype=torch.float64)
    for options in asked:
        net.request("cross_moments", **options)
    loss_of(net, x, y).backward()
    stats = net.statistics()
    moments = {(o["source"], o["target"]): stats.cross(o["source"], o["target"]) for o in asked}
    growth = growth_matrix(graph, layer, moments)
    rows = gradmax_outgoing(growth, 2, 0.3, outgoing_size(graph, layer), rng)
    rule = ng.rules.WidenLayer(count=2, init="incoming zero", outgoing=outgoing_by_link(graph, layer, rows.weights))
    result = ng.apply(rule, graph, on=np.array([layer]), require="exact")
    new = result.graph
    found = gradients(new, x, y)
    fresh = new.layer(layer).vertex_ids[-2:]
    norms = [np.linalg.norm(found[new.edges.target == i]) for i in fresh]
    np.testing.assert_allclose(norms, slope * 0.3 * rows.values, rtol=1e-9)
    # The negative twin: random weights of the same norm have smaller ones.
    other = gradmax_outgoing(None, 2, 0.3, outgoing_size(graph, layer), rng)
    rule = ng.rules.WidenLayer(count=2, init="incoming zero", outgoing=outgoing_by_link(graph, layer, other.weights))
    new = ng.apply(rule, graph, on=np.array([layer])).graph
    random = gradients(new, x, y)
    assert sum(random[np.isin(new.edges.target, fresh)] ** 2) < sum(np.square(norms))


def start(activation="prelu"):
    data = Start(shape=(1, 8, 8), outputs=10, domain=(0, 1), seed=1)
    return gradmax_start(GradMaxOptions(widths="4,4/6", activation=activation), data)


def growth(graph):
    return gradmax(graph, GradMaxOptions(widths="4,4/6", every=1, steps=3, share=0.5, batches=2))


def test_a_run_grows_exactly_learns_and_is_replayed(tmp_path):
    data, options = digit_maps(512, 128), settings(epochs=6)
    graph = start()
    state = begin(graph, options, CPU)
    journal = ng.Journal.create(tmp_path, graph)
    kinds, born = [], []

    def record(event):
        if isinstance(event, Rewritten):
            kinds.append(event.result.certificate.kind)
            born.append(event.result.delta.vertices_added.id)
            journal.append(event.result, before=event.before, epoch=event.epoch, seed=event.seed)

    train(state, data, options, growth(graph), [record])
    assert kinds == ["exact"] * 9
    widths = [len(la) for la in state.net.graph.layers.values()]
    assert widths == [1, 10, 10, 15, 10]
    *_, (_, last) = journal.replay()
    assert last.topology_hash == state.net.graph.topology_hash
    losses = [entry["train_loss"] for entry in state.history]
    assert losses[-1] < 0.7 * losses[0]
    end = lift(state.net)
    moved = np.bincount(end.edges.target_row, np.abs(end.edges.weight), end.num_vertices)
    assert moved[np.isin(end.vertices.id, np.concatenate(born))].min() > 1e-3  # all that is new has learned


def test_a_resumed_run_is_the_uninterrupted_one_bit_for_bit(tmp_path):
    data, options = digit_maps(256, 64), settings(epochs=5)
    graph = start()
    whole = train(begin(graph, options, CPU), data, options, growth(graph))
    half = begin(graph, options, CPU)

    def stop(event):
        if isinstance(event, Settled) and event.epoch == 2:
            save_checkpoint(half, tmp_path / "state")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(half, data, options, growth(graph), [stop])
    resumed = train(load_checkpoint(tmp_path / "state", options, CPU), data, options, growth(graph))
    assert_same_state(resumed, whole)
