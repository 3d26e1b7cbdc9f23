"""Methods of growth train a small transformer on symbols, from the first rewrite to the last epoch."""

import numpy as np
import pytest
import torch
from tiny_training import CPU, settings
from tiny_transformer import batch, tiny

import netgraph as ng
from compilers.training import TrainingData, begin, train
from netgraph.methods import METHODS, sparse_start

SENN = {"cooldown": 1, "layer_cooldown": 1, "tau": 0.0, "alpha": 0.0, "significance": 0.01, "score_samples": 32,
        "at_once": 1, "chains": 2, "steps": 2, "prune": 0.05}  # fmt: skip
OPTIONS = {
    "ssonn": {"plateau": 10.0, "spacing": 1, "final_edges": 200, "peak_edges": 400},
    "senn": SENN,
    "nagn": {"delta_acc": 10.0, "delta_stop": -10.0, "window": 1, "until": 1.0},
    "pwmpr": {},
    "gradient-growth": {},
    "rigl": {},
    "gradmax": {"every": 1, "steps": 2},
}


@pytest.mark.parametrize("name", OPTIONS)
def test_a_method_trains_a_transformer(name):
    torch.set_num_threads(1)
    graph = tiny(width=6, hidden=8, dtype=np.float32)
    x = batch(graph, 96)
    y = (x[:, 0] > x[:, 2]).astype(int)
    data = TrainingData.from_arrays(x[:64], y[:64], x[64:], y[64:], task="classification", indices=True)
    spec = METHODS[name]
    if spec.kind in ("growth", "fixed"):
        graph = sparse_start(graph, density=0.4, start="phew", seed=0).graph
    options = spec.resolve(spec.make_options(**OPTIONS[name]), graph)
    run = settings(epochs=5, batch_size=16, score_batches=2)
    ended = train(begin(graph, run, CPU), data, run, spec.build(graph, options))
    assert any(action.matches for action in ended.actions)
    assert np.isfinite([entry["val_loss"] for entry in ended.history]).all()
    kept = ended.net.graph
    assert {x.name for x in kept.layers_by_id.values()} >= {"q", "k", "v", "heads", "mix", "stream"}
    assert np.isfinite(ng.interpret(kept, x)).all()
