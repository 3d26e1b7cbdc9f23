"""Averages of the weights across growth, penalties of single edges, and batch norm of an averaged network."""

import numpy as np
import torch
from torch.nn import functional
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

import netgraph as ng
from compilers import carry_values, lift, lower, migrate


def batches(x: torch.Tensor, y: torch.Tensor, epochs: int):
    for _ in range(epochs):
        for rows in torch.randperm(len(x)).split(64):
            yield x[rows], y[rows]


def main() -> None:
    torch.manual_seed(0)
    torch.set_num_threads(1)
    x = 2 * torch.rand(1024, 6) - 1
    y = (x[:, :2].prod(1) + 0.3 * x[:, 2] > 0).long()
    net = lower(ng.mlp([6, 16, 2], domain=(-1, 1), norm="batch", seed=1))
    optimizer = torch.optim.NAdam(net.parameters(), lr=3e-3)

    # region penalty
    first = net.graph.links["input", "hidden1"]
    penalty = torch.zeros_like(net.weights)  # one number for each slot
    penalty[net.edge_slots(first.id)] = 1e-3  # of the edges of one link, by their ids
    # endregion penalty

    averaged = AveragedModel(net, multi_avg_fn=get_ema_multi_avg_fn(0.95))
    for inputs, targets in batches(x, y, epochs=6):
        optimizer.zero_grad()
        loss = functional.cross_entropy(net(inputs), targets) + (penalty * net.weights.abs()).sum()
        loss.backward()
        optimizer.step()
        averaged.update_parameters(net)

    # region average
    old, average = net, averaged.module
    result = ng.apply(ng.rules.WidenLayer(count=8), lift(net), rng=0)
    net, optimizer = migrate(net, optimizer, result)
    penalty = carry_values(penalty, old, net)  # new edges have no penalty
    averaged_again = AveragedModel(net, multi_avg_fn=get_ema_multi_avg_fn(0.95))
    with torch.no_grad():
        for name in ("weights", "vertex_parameters"):
            own = getattr(net, name)  # where new entries start
            carried = carry_values(getattr(average, name), old, net, layout=name, rest=own)
            getattr(averaged_again.module, name).copy_(carried)
    averaged_again.n_averaged.copy_(averaged.n_averaged)
    # endregion average
    ng.viz.draw_delta(result, detail="layers").save("average_and_penalise.svg")
    kept = np.isin(net.graph.edges.id, old.graph.edges.id)
    before, after = (module.edge_column(module.weights) for module in (average, averaged_again.module))
    assert np.array_equal(after[kept], before[np.isin(old.graph.edges.id, net.graph.edges.id)])

    for inputs, targets in batches(x, y, epochs=6):
        optimizer.zero_grad()
        loss = functional.cross_entropy(net(inputs), targets) + (penalty * net.weights.abs()).sum()
        loss.backward()
        optimizer.step()
        averaged_again.update_parameters(net)

    # region norms
    final = averaged_again.module.eval()
    with torch.no_grad():
        final.running.copy_(torch.stack([final.batch_statistics(part) for part in x.split(256)]).mean(0))
    # endregion norms
    accuracy = float((final(x).argmax(1) == y).float().mean())
    print(f"accuracy of the averaged network {accuracy:.3f}")
    assert accuracy > 0.9


if __name__ == "__main__":
    main()
