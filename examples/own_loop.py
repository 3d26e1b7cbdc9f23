"""Compile a graph, train it in your own loop, collect statistics, grow it, and train on."""

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch.nn import functional
from torch.utils.data import DataLoader, TensorDataset

import netgraph as ng
from compilers import lift, lower, migrate, parameter_groups


def digits() -> tuple[torch.Tensor, torch.Tensor]:
    data = load_digits()
    return torch.tensor(data.images, dtype=torch.float32)[:, None] / 16, torch.tensor(data.target)


# region loop
def train(net, optimizer, x, y, epochs: int) -> float:
    loader = DataLoader(TensorDataset(x, y), batch_size=128, shuffle=True)
    for _ in range(epochs):
        for inputs, targets in loader:
            optimizer.zero_grad()
            loss = functional.cross_entropy(net(inputs), targets)
            loss.backward()
            optimizer.step()
    return float(loss.detach())


# endregion loop


def main() -> None:
    torch.manual_seed(0)
    torch.set_num_threads(1)
    x, y = digits()

    # region lower
    b = ng.GraphBuilder(seed=1)
    b.input("image", 1, grid=(8, 8), domain=(0, 1))
    b.layer("maps", 12, grid=(8, 8), norm="batch", bias=False, pool=ng.Pool("max", (2, 2)))
    b.output("class", 10)
    b.conv2d("image", "maps", kernel=3, padding=1)
    b.conv2d("maps", "class", kernel=4, density=0.5)  # a kernel as large as the maps: a dense layer on all of them
    net = lower(b.build())
    optimizer = torch.optim.AdamW(parameter_groups(net, weight_decay=0.05), lr=3e-3, fused=True)
    print(net.plan.summary())
    # endregion lower
    first = train(net, optimizer, x, y, epochs=3)

    # region statistics
    net.request("edge_gradients")
    net.request("vertex_signals")
    net.request("cross_moments", source="image", target="class")
    net.request("second_moments", layer="maps", of="gradients")
    functional.cross_entropy(net(x), y).backward()
    stats = net.statistics()
    print(stats)
    missing = np.abs(stats.cross("image", "class")).max()  # the largest gradient of an edge that is not there
    noise = stats.vertex("rms_gradient")  # one per vertex, NaN for inputs
    eigenvalues = np.linalg.eigvalsh(stats.second("maps", "gradients"))
    for request in net.requested:
        net.release(request.name)
    # endregion statistics
    assert missing > 0
    assert np.nanmin(noise) >= 0
    assert eigenvalues.min() > -1e-6

    # region derivatives
    outputs, tangents = net.jvp(x, weights=torch.ones_like(net.weights))  # J v
    _, pull = net.vjp(x)
    weights, vertex_parameters = pull(torch.ones_like(outputs))  # u J
    seen = net.capture(x[:64], ["maps"], cotangent=lambda out: torch.softmax(out, 1) - functional.one_hot(y[:64], 10))
    # endregion derivatives
    assert tangents.shape == outputs.shape
    assert (len(weights), len(vertex_parameters)) == (len(net.weights), len(net.vertex_parameters))
    assert seen["maps"].gradients.shape == (64, 12, 8, 8)

    # region migrate
    graph = lift(net)
    result = ng.apply(ng.rules.WidenLayer(count=6), graph, on=[graph.layer("maps").id], rng=0)
    net, optimizer = migrate(net, optimizer, result)
    # endregion migrate
    ng.viz.draw_delta(result, detail="layers").save("own_loop.svg")
    print(result.certificate)
    last = train(net, optimizer, x, y, epochs=3)
    print(f"loss {first:.3f} -> {last:.3f}")
    assert last < first
    assert len(lift(net).layer("maps")) == 18


if __name__ == "__main__":
    main()
