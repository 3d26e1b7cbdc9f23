"""Activations and gradients of layers for single samples of the training data."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from compilers.running import Captured, CompiledNetwork
from compilers.training.batches import SCORE, mini_batches
from compilers.training.evaluate import training_loss
from compilers.training.natural import MeanLoss, along, natural_step
from compilers.training.settings import TrainingData, TrainSettings
from compilers.training.state import FORWARDS_PER_STEP
from netgraph.analysis import forward_flops
from netgraph.columns import Array
from netgraph.errors import OptionError
from netgraph.methods.senn import without_tangent
from netgraph.statistics import BatchSignals


def capture_signals(
    net: CompiledNetwork,
    data: TrainingData,
    settings: TrainSettings,
    epoch: int,
    layers: Sequence[str],
    *,
    samples: int = 1024,
    tangent: bool = False,
) -> tuple[BatchSignals, float]:
    """Signals as `netgraph.methods.Context.capture` says, and the floating-point operations that they took."""
    if samples < 1:
        raise OptionError(f"samples={samples} is below 1.")
    rows = torch.cat(mini_batches(data, settings, epoch, SCORE, net.graph))[:samples]
    x, y = data.x_train[rows], data.y_train[rows]
    twin = copy.deepcopy(net).double().eval()
    x = x.double() if x.is_floating_point() else x
    loss, targets = training_loss(data.task, settings.label_smoothing), y.double() if data.task == "regression" else y
    with torch.no_grad():
        own: Tensor = MeanLoss(lambda outputs: loss(outputs, targets))(twin(x))
    found = twin.capture(x, layers, cotangent=own)
    per_step = float(FORWARDS_PER_STEP * len(x) * forward_flops(net.graph))
    flops, residuals, score = per_step, {}, 0.0
    if tangent:
        step = natural_step(twin, x, own, damping=settings.damping)
        left = own.new_tensor(without_tangent(_array(own), _array(along(twin, x, step))))
        residuals = _gradients(twin.capture(x, layers, cotangent=left), layers)
        flops, score = flops + per_step + step.flops, step.score
    activations = {name: _array(found[name].activations) for name in layers}
    signals = BatchSignals(
        net.graph_topology_hash, activations, _gradients(found, layers), residuals, _array(own), score
    )
    return signals, flops


def _gradients(found: Mapping[str, Captured], layers: Sequence[str]) -> dict[str, Array]:
    named = {name: found[name].gradients for name in layers}
    return {name: _array(values) for name, values in named.items() if values is not None}


def _array(values: Tensor) -> Array:
    array: Array = values.detach().cpu().numpy()
    return array
