"""Statistics at fixed weights for methods, collected when they are asked for."""

from __future__ import annotations

from collections.abc import Sequence

from compilers.running import CompiledNetwork
from compilers.training.batches import SCORE, mini_batches
from compilers.training.evaluate import training_loss
from compilers.training.settings import TrainingData, TrainSettings
from netgraph.graph import LinkKey
from netgraph.methods import Requests
from netgraph.statistics import Statistics


def edge_statistics(net: CompiledNetwork, data: TrainingData, settings: TrainSettings, epoch: int) -> Statistics:
    """Gradient statistics at fixed weights over `settings.score_batches` mini-batches of the training data."""
    return collect(net, data, settings, epoch, {"edge_gradients": [{}]}, settings.score_batches)


def dense_gradients(
    net: CompiledNetwork, data: TrainingData, settings: TrainSettings, epoch: int, links: Sequence[LinkKey]
) -> Statistics:
    """Mean gradient of every edge of some links, present or missing, over one mini-batch: `Statistics.cross`."""
    graph = net.graph
    pairs = dict.fromkeys((graph.layer(source).name, graph.layer(target).name) for source, target, _port in links)
    requests = {"cross_moments": [{"source": source, "target": target} for source, target in pairs]}
    return collect(net, data, settings, epoch, requests, 1)


def collect(
    net: CompiledNetwork, data: TrainingData, settings: TrainSettings, epoch: int, requests: Requests, batches: int
) -> Statistics:
    """Statistics at fixed weights, in train mode, over the first mini-batches; running statistics stay.

    Args:
        net: the network.
        data: training data.
        settings: how to train, for the loss and the size of the mini-batches.
        epoch: by which the training data are shuffled.
        requests: options of each statistic by its name, see `CompiledNetwork.request`.
        batches: how many mini-batches.
    """
    loss_of = training_loss(data.task, settings.label_smoothing)
    running = net.running.clone()
    try:
        for name, asked in requests.items():
            for options in asked:
                net.request(name, **options)
        for rows in mini_batches(data, settings, epoch, SCORE, net.graph)[:batches]:
            net.zero_grad(set_to_none=True)
            loss_of(net(data.x_train[rows]), data.y_train[rows]).backward()  # type: ignore[no-untyped-call]
        net.zero_grad(set_to_none=True)
        return net.statistics()
    finally:
        for name in requests:
            net.release(name)
        net.running.copy_(running)
