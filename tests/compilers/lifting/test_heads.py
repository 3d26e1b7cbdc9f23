"""Networks with attention: signals of heads, and training across the growth of heads, keys and values."""

import numpy as np
import pytest
import torch
from growing_heads import AddHead, GrowKeys, GrowValues
from tiny_transformer import batch, tiny

import netgraph as ng
from compilers import lift, lower, migrate
from netgraph.interpret import interpret_layers


def test_a_head_has_the_root_mean_square_of_its_gradient():
    """Behind the mix all is linear, so the gradient of an entry (t, s) is sum over channels of c_r(t) v_r(s)."""
    graph = tiny(norm="none", head="tokens", channels=3)
    quiet = np.isin(graph.edges.source, graph.layers["mlp"].vertex_ids)
    graph = graph.with_weights(np.where(quiet, 0.0, graph.edges.weight))
    x = batch(graph, 6)
    net = lower(graph, dtype=torch.float64)
    net.request("vertex_signals")
    net(torch.from_numpy(x)).sum().div(len(x)).backward()
    found = net.statistics(graph).vertex("rms_gradient")[graph.vertices.rows(graph.layers["heads"].vertex_ids)]
    read = _matrix(graph, "out", "y") @ _matrix(graph, "mix", "attended")
    values = interpret_layers(graph, x)["v"].reshape(6, 2, 3, 3)
    gradient = np.einsum("hr,nhrs->nhs", read.sum(axis=0).reshape(2, 3), values)
    np.testing.assert_allclose(found, np.sqrt(np.square(gradient).mean(axis=(0, 2))), rtol=1e-12)


def _matrix(graph, source, target):
    """Weights of a dense link, `(targets, sources)`."""
    link = graph.link((graph.layers[source].id, graph.layers[target].id, 0))
    matrix = np.zeros((len(graph.layers[target]), len(graph.layers[source])))
    matrix[link.dst, link.src] = link.weight
    return matrix


def _step(net, optimizer, x, y):
    optimizer.zero_grad()
    loss = torch.nn.functional.cross_entropy(net(x), y)
    loss.backward()
    optimizer.step()
    return float(loss.detach())


@pytest.mark.parametrize("rule", [AddHead(slots=2, channels=3), GrowKeys(), GrowValues()])
def test_training_goes_on_across_growth_with_the_state_of_the_optimizer(rule):
    graph = tiny(slots=4, frequencies=(1.0, 0.5), gated=True)
    x = torch.from_numpy(batch(graph, 32))
    y = (x[:, 0] > x[:, 2]).long()
    net = lower(graph, dtype=torch.float64)
    optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
    for _ in range(5):
        _step(net, optimizer, x, y)
    before = lift(net)
    result = ng.apply(rule, before, on="heads", probe=None, require="exact up to rounding")
    grown, carried = migrate(net, optimizer, result)
    first, losses = _step(net, optimizer, x, y), [_step(grown, carried, x, y)]
    assert losses[0] == pytest.approx(first, rel=1e-12)
    # New edges are 0 on the side of the output, so that the old ones first move as they would without growth.
    old, new = lift(net).edges, lift(grown).edges
    np.testing.assert_allclose(new.weight[new.find(old.id)], old.weight, rtol=1e-12, atol=1e-14)
    losses += [_step(grown, carried, x, y) for _ in range(20)]
    assert losses[-1] < losses[0]
    added = ~np.isin(new.id, old.id) & ~new.frozen
    assert (lift(grown).edges.weight[added] != result.graph.edges.weight[added]).any()
