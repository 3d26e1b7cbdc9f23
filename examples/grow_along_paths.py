"""Grow a sparse network along its strong paths by PWMPR, and show paths, plateau and cost."""

from __future__ import annotations

import numpy as np
import torch
from sklearn.datasets import load_digits

import netgraph as ng
from compilers import lift
from compilers.training import Rewritten, TrainingData, TrainSettings, begin, train
from netgraph.analysis import path_analysis, sparse_links, tau_core, topology_metrics
from netgraph.criteria import path_scores
from netgraph.methods import PwmprOptions, pwmpr, sparse_start
from netgraph.schedules import fit_plateau

torch.set_num_threads(1)

# region start
dense = ng.mlp([64, 100, 50, 10], domain=(0, 1), seed=0)
made = sparse_start(dense, density=0.04, start="phew", seed=0)
print(made.note)
start = made.graph
# endregion start

# region paths
paths = path_analysis(start)  # log scales by layer: nothing overflows, however deep
phi, log_scale = paths.complexity("hidden2")  # weight of the paths from the inputs
print(f"total path weight {paths.total:.4g}; strongest vertex {phi.argmax()} of hidden2")
core = tau_core(paths, 0.9, within="hidden")  # fewest vertices with 90 % of the path weight
print(f"{core.size} of {core.candidates} hidden vertices carry {core.covered:.0%} of it")

scores = path_scores(start, sparse_links(start))  # for all missing edges, without a list of them
pairs = scores.sample(50, rng=0)  # in proportion to the weight of the paths that they close
print(ng.apply(ng.rules.AddEdges(), start, on=pairs).certificate)
# endregion paths

# region grow
x, y = load_digits(return_X_y=True)
order = np.random.default_rng(0).permutation(len(x))
x, y = x[order] / 16, y[order]
data = TrainingData.from_arrays(x[:1200], y[:1200], x[1200:], y[1200:], task="classification")
settings = TrainSettings(epochs=60, batch_size=32, learning_rate=4e-3)
method = pwmpr(start, PwmprOptions(stop="gain", ratio=0.25, every=2))
points: list[tuple[float, float]] = []


def watch(event: object) -> None:
    """Record density and accuracy of every step of growth."""
    if isinstance(event, Rewritten):
        density = topology_metrics(event.before)["density"]
        points.append((density, event.metrics["val_accuracy"]))
        print(f"epoch {event.epoch}: {event.proposal.reason}; {event.result.certificate.kind}")


state = train(begin(start, settings, torch.device("cpu")), data, settings, method, [watch])
grown = lift(state.net)
print(f"{grown!r}: accuracy {state.history[-1]['val_accuracy']:.3f}; FLOPs by kind {state.costs}")
# endregion grow

# region plateau
if len(points) >= 5:
    fit = fit_plateau(*zip(*points, strict=True))
    print(f"accuracy levels off at {fit.asymptote:.3f}; 95 % of that at density {fit.plateau('literal')}")
# endregion plateau

ng.viz.plot_receptive_fields(grown, pixels=(8, 8)).savefig("grow_along_paths.svg")

assert state.history[-1]["val_accuracy"] > 0.95
assert grown.num_edges > start.num_edges
assert topology_metrics(grown)["isolated"] == 0
