"""Data that fit a network, checked before any time is spent on training."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from compilers.training.augment import check_augment
from compilers.training.settings import TrainingData, TrainSettings
from netgraph.errors import DataError, InputError
from netgraph.graph import Graph, Layer


def check_fit(graph: Graph, data: TrainingData, settings: TrainSettings) -> None:
    """Refuse data and settings that a graph cannot be trained with.

    Raises:
        OptionError: when the settings augment inputs that are no maps.
        InputError: when training or validation data do not fit the input layer, or leave its declared domain.
        DataError: when targets do not fit the output layer, or there are several input or output layers.
    """
    _check_single(graph)
    check_augment(settings, graph)
    for name in ("x_train", "x_valid"):
        _check_domain(graph, name, getattr(data, name))
    for name in ("y_train", "y_valid"):
        _check_targets(graph, name, getattr(data, name), data.task)


def _check_single(graph: Graph) -> None:
    for what, layers in (("input", graph.inputs), ("output", graph.outputs)):
        if len(layers) > 1:
            raise DataError(
                f"train feeds one tensor to one {what} layer, but the graph has {[layer.name for layer in layers]}; "
                "train it in a loop of your own."
            )


def _check_domain(graph: Graph, name: str, x: Tensor) -> None:
    """Refuse data outside the declared domain before any time is spent: certificates hold inside it only."""
    layer = graph.inputs[0]
    if layer.encoding == "index":
        _check_indices(layer, name, x)
        return
    if x.shape[1:] != (len(layer), *layer.grid):
        wanted = ", ".join(map(str, (len(layer), *layer.grid)))
        raise InputError(f"{name} has shape {tuple(x.shape)}, but input {layer.name!r} takes (samples, {wanted}).")
    # In the dtype of the data, to which a value on the boundary was rounded as well.
    dtype = np.float64 if x.dtype == torch.float64 else np.float32
    low, high = (torch.from_numpy(layer.values[key].astype(dtype)).to(x.device) for key in ("low", "high"))
    by_vertex = x.flatten(2) if layer.grid else x.unsqueeze(2)
    least, most = by_vertex.amin(dim=(0, 2)), by_vertex.amax(dim=(0, 2))
    inside = (least >= low) & (most <= high)
    if not bool(inside.all()):
        k = int((~inside).nonzero()[0])
        where = "map" if layer.grid else "feature"
        raise InputError(
            f"{name} has values from {float(least[k]):g} to {float(most[k]):g} in {where} {k}, outside the "
            f"domain [{float(low[k]):g}, {float(high[k]):g}] of input {layer.name!r}; scale or clip the data, or "
            "declare a wider domain."
        )


def _check_indices(layer: Layer, name: str, x: Tensor) -> None:
    """Refuse inputs that are no rows of the vertices of a layer."""
    if x.shape[1:] != layer.grid:
        wanted = ", ".join(map(str, ("samples", *layer.grid)))
        raise InputError(f"{name} has shape {tuple(x.shape)}, but input {layer.name!r} takes indices, ({wanted}).")
    if x.is_floating_point():
        raise InputError(
            f"{name} is {x.dtype}, but input {layer.name!r} takes indices; make the data by "
            "TrainingData.from_arrays(..., indices=True)."
        )
    low, high = int(x.min()), int(x.max())
    if low < 0 or high >= len(layer):
        raise InputError(
            f"{name} has indices from {low} to {high}, but input {layer.name!r} has the vertices 0 to "
            f"{len(layer) - 1}; give indices of this vocabulary, or make the input wider."
        )


def _check_targets(graph: Graph, name: str, y: Tensor, task: str) -> None:
    layer = graph.outputs[0]
    outputs, shape = len(layer), (len(layer), *layer.output_grid)
    if task == "regression" and y.shape[1:] != shape:
        if not layer.output_grid and y.ndim == 2:
            raise DataError(f"{name} has {y.shape[1]} targets per sample, but the graph has {outputs} outputs.")
        wanted = ", ".join(map(str, shape))
        raise DataError(f"{name} has shape {tuple(y.shape)}, but output {layer.name!r} gives (samples, {wanted}).")
    if task == "classification" and y.shape[1:] != layer.output_grid:
        if y.ndim == 1:
            raise DataError(
                f"Output {layer.name!r} gives a map of {layer.output_grid} for every class, but {name} has one class "
                "per sample; end the graph in a layer that reads or pools the whole grid."
            )
        wanted = ", ".join(map(str, ("samples", *layer.output_grid)))
        raise DataError(
            f"{name} has shape {tuple(y.shape)}, but output {layer.name!r} gives classes of shape ({wanted}); give one "
            "class number for each."
        )
    if task == "classification" and not (int(y.min()) >= 0 and int(y.max()) < outputs):
        raise DataError(
            f"{name} has class numbers from {int(y.min())} to {int(y.max())}, but the graph has {outputs} outputs; "
            f"number the classes 0..{outputs - 1}."
        )
