"""Grow a network deeper, wider, and with skip links; every step is exact, so training continues where it was."""

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch.nn import functional

import netgraph as ng
from compilers import lift, lower, migrate, parameter_groups

torch.set_num_threads(1)
torch.manual_seed(0)


def main() -> None:
    x, y = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(x))
    images, labels = torch.tensor(x[order] / 16, dtype=torch.float32), torch.tensor(y[order])
    held_out = slice(1500, None)

    net = lower(ng.mlp([64, 24, 10], domain=(0, 1), seed=0))
    optimizer = torch.optim.AdamW(parameter_groups(net, weight_decay=0.05), lr=3e-3, fused=True)

    # region grow
    steps = [
        ng.rules.InsertLayer(activation="relu"),  # on links whose source is never negative: relu(x) = x there
        ng.rules.AddSkip(),  # links past layers, weight 0
        ng.rules.WidenLayer(count=8),  # new vertices with outgoing weight 0
    ]
    for rule in steps:
        train(net, optimizer, images[:1500], labels[:1500], epochs=5)
        before = net(images[held_out]).detach()
        result = ng.apply(rule, lift(net), require="exact", rng=0)  # or it is refused
        net, optimizer = migrate(net, optimizer, result)
        change = float((net(images[held_out]) - before).detach().abs().max())
        print(f"{result}: outputs change by {change:.1e}")
        assert change < 1e-4
    # endregion grow

    train(net, optimizer, images[:1500], labels[:1500], epochs=5)
    accuracy = float((net(images[held_out]).argmax(1) == labels[held_out]).float().mean())
    grown = lift(net)
    ng.viz.draw(grown, detail="layers").save("grow_deeper.svg")
    print(f"accuracy {accuracy:.3f} with {grown}")
    assert accuracy > 0.93
    assert grown.num_layers > 4
    assert len(grown.links) > grown.num_layers


def train(net, optimizer, x, y, epochs):
    for _ in range(epochs):
        for rows in torch.randperm(len(x)).split(64):
            optimizer.zero_grad()
            functional.cross_entropy(net(x[rows]), y[rows]).backward()
            optimizer.step()


if __name__ == "__main__":
    main()
