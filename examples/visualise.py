"""Draw a growing network: graphs, rewrites, plots of structure, and a film of the whole growth."""

import tempfile

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch.nn import functional

import netgraph as ng
from compilers import lift, lower
from compilers.training import Rewritten, TrainingData, TrainSettings, begin, train
from netgraph.methods import PwmprOptions, pwmpr, sparse_start
from netgraph.viz import (
    draw,
    draw_delta,
    plot_adjacency,
    plot_density,
    plot_growth,
    plot_receptive_fields,
    plot_tau_core,
    plot_weights,
    timeline,
)

torch.set_num_threads(1)

# region draw
small = ng.mlp([6, 4, 3], domain=(0, 1), seed=2)
draw(small, title="Six inputs, four vertices, three outputs").save("draw_vertices.svg")
images = ng.convnet([[8], [16]], input_size=(1, 8, 8), domain=(0, 1))
draw(images, detail="layers", title="Two convolutions").save("draw_layers.svg")
# endregion draw

# region delta
split = ng.apply(ng.rules.SplitEdges(), small, limit=3, order_by=lambda m, stats: np.abs(m.e.weight))
draw_delta(split).save("draw_delta.svg")
# endregion delta

# region diff
pruned = ng.apply(ng.rules.PruneEdges(below=0.1), split.graph)
draw(split.graph).diff(pruned.graph).save("draw_diff.svg")  # any two graphs of one history
# endregion diff

# region columns
net = lower(split.graph)
net.request("edge_gradients")
net.request("vertex_signals")
x = torch.rand(64, 6)
functional.cross_entropy(net(x), (x[:, 0] > x[:, 1]).long()).backward()
stats = net.statistics()
picture = draw(split.graph, edge_color="mean_abs_gradient", vertex_color="birth", stats=stats)
picture.save("draw_gradients.svg")
# endregion columns

# region grow
x, y = load_digits(return_X_y=True)
order = np.random.default_rng(0).permutation(len(x))
x, y = x[order] / 16, y[order]
data = TrainingData.from_arrays(x[:1200], y[:1200], x[1200:], y[1200:], task="classification")
start = sparse_start(ng.mlp([64, 32, 16, 10], domain=(0, 1), seed=0), density=0.08, seed=0).graph
settings = TrainSettings(epochs=16, batch_size=32, learning_rate=4e-3)
journal = ng.Journal.create(tempfile.mkdtemp(), start)


def keep(event):
    if isinstance(event, Rewritten):
        journal.append(event.result, before=event.before, epoch=event.epoch, metrics=event.metrics)


method = pwmpr(start, PwmprOptions(ratio=0.5, every=3))
state = train(begin(start, settings, data.device), data, settings, method, [keep])
grown = lift(state.net)
# endregion grow

# region film
film = timeline(journal, pixels=(8, 8), title="Digits, grown along strong paths")
film.save("growth.html")  # one page without any request to a network: slider, play, details of every step
film.save("growth.gif")
# endregion film

# region plots
plot_adjacency(grown).figure.savefig("plot_adjacency.svg")
plot_receptive_fields(grown, pixels=(8, 8)).savefig("plot_receptive_fields.svg")
plot_weights(grown, by="birth").figure.savefig("plot_weights.svg")
plot_tau_core(grown).figure.savefig("plot_tau_core.svg")
plot_growth(journal, over="epoch", metric="val_accuracy").savefig("plot_growth.svg")
plot_density(journal).figure.savefig("plot_density.svg")
# endregion plots

assert len(journal) >= 3
assert grown.num_edges > start.num_edges
assert state.history[-1]["val_accuracy"] > 0.9
