"""Statistics that a method asks for: collected at fixed weights, and nothing left behind."""

import numpy as np
import pytest
import torch
from map_training import digit_maps, settings, tiny_resnet
from tiny_training import CPU

import netgraph as ng
from compilers.training import TrainingData, begin, collect
from netgraph.errors import StatisticsError


def test_statistics_are_collected_at_fixed_weights_and_leave_nothing_behind():
    data, options = digit_maps(256, 64), settings()
    state = begin(tiny_resnet(), options, CPU)
    weights, running = state.net.weights.clone(), state.net.running.clone()
    requests = {"cross_moments": [{"source": "input", "target": "conv"}], "vertex_signals": [{"activations": False}]}
    stats = collect(state.net, data, options, 0, requests, 3)
    assert (stats.batches, stats.samples) == (3, 96)
    assert stats.cross("input", "conv").shape == (1, 4, 9)
    assert "rms_gradient" in stats.vertices
    assert torch.equal(state.net.weights, weights)
    assert torch.equal(state.net.running, running)
    assert state.net.weights.grad is None
    assert state.net.requested == ()
    everything = collect(state.net, data, options, 0, requests, 999)
    assert everything.samples == 256


def test_a_request_that_is_refused_leaves_nothing_behind():
    data, options = digit_maps(256, 64), settings()
    state = begin(tiny_resnet(), options, CPU)
    requests = {"cross_moments": [{"source": "input", "target": "conv"}, {"source": "input", "target": "cnv"}]}
    with pytest.raises(StatisticsError, match="Did you mean 'conv'"):
        collect(state.net, data, options, 0, requests, 1)
    assert state.net.requested == ()


def test_cross_moments_of_a_link_are_the_gradient_of_its_edges():
    rng = np.random.default_rng(0)
    x, y = rng.random((64, 5)), rng.integers(0, 3, 64)
    data = TrainingData.from_arrays(x, y, x, y, task="classification")
    options = settings(batch_size=16, label_smoothing=0.0)
    state = begin(ng.mlp([5, 4, 3], domain=(0, 1), seed=0), options, CPU)
    asked = {"cross_moments": [{"source": "input", "target": "hidden1"}], "edge_gradients": [{}]}
    stats = collect(state.net, data, options, 0, asked, 4)
    gradient = stats.edge("mean_gradient")[:20].reshape(4, 5)
    np.testing.assert_allclose(stats.cross("input", "hidden1").T, gradient, rtol=1e-4, atol=1e-7)
