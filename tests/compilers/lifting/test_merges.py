"""Networks and optimizers carried across rewrites that grow heads, keys and values."""

import numpy as np
import pytest
import torch
from growing_heads import AddHead, GrowKeys, GrowValues
from tiny_transformer import batch, tiny

import netgraph as ng
from compilers import lift, lower, migrate

GROWTH = [AddHead(slots=2, channels=3), GrowKeys(), GrowValues()]


def trained(net, optimizer, x, steps):
    """Train for some steps; return the losses before each and after the last."""
    losses = []
    for _ in range(steps):
        loss = (net(x) - 3).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    with torch.no_grad():
        return [*losses, (net(x) - 3).square().mean().item()]


def moments(net, optimizer):
    """First moments of Adam by edge id."""
    column = net.edge_column(optimizer.state[net.weights]["exp_avg"])
    return dict(zip(net.graph.edges.id.tolist(), column.tolist(), strict=True))


@pytest.mark.parametrize("frequencies", [(), (1.0, 0.5)])
def test_growth_of_attention_keeps_loss_and_moments_and_the_loss_falls_on(frequencies):
    graph = tiny(slots=4, frequencies=frequencies, causal=True, head="tokens")
    x = torch.from_numpy(batch(graph))
    net = lower(graph, dtype=torch.float64)
    optimizer = torch.optim.Adam(net.parameters(), lr=2e-3)
    losses = trained(net, optimizer, x, 5)
    for rule in GROWTH:
        result = ng.apply(rule, lift(net), on="heads", probe=None, certify=False, rng=0)
        before = moments(net, optimizer)
        net, optimizer = migrate(net, optimizer, result)
        after = moments(net, optimizer)
        assert len(after) > len(before)
        assert {edge: after[edge] for edge in before} == before
        assert not any(after[edge] for edge in after.keys() - before.keys())
        new = trained(net, optimizer, x, 5)
        np.testing.assert_allclose(new[0], losses[-1], rtol=1e-13)
        assert new[-1] < new[0]
        losses = new
