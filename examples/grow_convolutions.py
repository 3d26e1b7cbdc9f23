"""Grow a small convolutional network on images of digits by NAGN, and show the scores behind its decisions."""

from __future__ import annotations

import numpy as np
import torch
from sklearn.datasets import load_digits

import netgraph as ng
from compilers import lower
from compilers.training import EpochEnded, Rewritten, TrainingData, TrainSettings, begin, train
from netgraph.criteria import GrowthRule
from netgraph.methods import NagnOptions, layer_profile, nagn

torch.set_num_threads(1)

# region grow
x, y = load_digits(return_X_y=True)
order = np.random.default_rng(0).permutation(len(x))
x, y = x[order].reshape(-1, 1, 8, 8) / 16, y[order]  # one map of 8 x 8 pixels
data = TrainingData.from_arrays(x[:1200], y[:1200], x[1200:], y[1200:], task="classification")

start = ng.convnet([[4, 3], [8]], input_size=(1, 8, 8), domain=(0, 1))
settings = TrainSettings(epochs=25, batch_size=64, learning_rate=5e-3, weight_decay=1e-2, label_smoothing=0.0)
method = nagn(start, NagnOptions(delta_acc=0.02, delta_stop=0.002))


def report(event: object) -> None:
    """Print rewrites, and the accuracy of every fifth epoch."""
    if isinstance(event, Rewritten):
        print(f"  {event.proposal.reason}; {event.result.certificate.kind}")
    elif isinstance(event, EpochEnded) and event.epoch % 5 == 0:
        print(f"epoch {event.epoch}: accuracy {event.metrics['val_accuracy']:.3f}")


state = train(begin(start, settings, torch.device("cpu")), data, settings, method, [report])
# endregion grow

# region look
net = lower(start)
net.request("vertex_signals", activations=False)
images, labels = data.x_train[:500], data.y_train[:500]
torch.nn.functional.cross_entropy(net(images), labels).backward()
profile = layer_profile(start, net.statistics(), GrowthRule(non_decreasing=False))
print(profile)  # ng.viz.plot_expressiveness(profile) draws it
# endregion look

ng.viz.draw(state.net.graph, detail="layers").save("grow_convolutions.svg")

assert state.history[-1]["val_accuracy"] > 0.95
assert state.net.graph.num_edges > start.num_edges
assert "output" in str(profile)
