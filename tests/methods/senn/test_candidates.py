"""What a look scores, against what it says that chance gives."""

import numpy as np
import pytest
from map_training import digit_maps
from tiny_training import CPU, settings

from compilers.training import begin
from compilers.training.context import TrainerContext
from netgraph.graph.link import weighted
from netgraph.methods import Limits, SennOptions, Start, Thresholds, senn_start
from netgraph.methods.senn import SearchOptions
from netgraph.methods.senn.candidates import Evaluation


@pytest.mark.parametrize("name", ["conv1_1", "conv2_1"])
def test_chance_is_what_maps_of_other_samples_score(name):
    """Read at many positions and at one: maps that are swapped between samples know nothing of the gradients."""
    start = Start(shape=(1, 8, 8), outputs=10, domain=(0, 1), seed=0)
    graph, made = senn_start(SennOptions(widths="2/3", maps=True), start), settings()
    seen = TrainerContext(begin(graph, made, CPU), digit_maps(256, 64), made, None)
    signals = seen.capture([x.name for x in seen.graph.layers_by_id.values()], samples=256)
    rng = np.random.default_rng(0)
    look = Evaluation(
        seen.graph, signals, Thresholds(), Limits(), SearchOptions(), rng, "rational", "none", "best", bias=True
    )
    layer = seen.graph.layers[name]
    links, inputs = weighted(seen.graph.outgoing[layer.id]), look.inputs(layer)
    scores = []
    for _ in range(20):
        sums = (inputs @ rng.normal(size=inputs.shape[1])).reshape(signals.samples, -1)
        values = np.tanh(2 * (sums - sums.mean()) / sums.std())[rng.permutation(len(sums))].reshape(-1, 1)
        scores.append(sum(look.worth(k, "width", values, layer.grid, layer.pool) for k in links))
    chance = sum(look.chance(k.target, "width") * k.kind.taps for k in links)
    assert 1 / 3 < np.mean(scores) / chance < 3
