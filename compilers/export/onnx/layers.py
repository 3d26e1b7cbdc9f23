"""Operations of whole layers: sums or merges, then norm, activation and pool."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from compilers.export.onnx.merging import MergeOperations
from compilers.export.onnx.parts import ModelParts
from compilers.export.onnx.picks import column
from compilers.export.onnx.sources import SourceValues
from compilers.export.onnx.sums import SumOperations
from netgraph.errors import CompileError
from netgraph.graph import Graph, Layer


def written(graph: Graph) -> ModelParts:
    """Write a graph. Raises `CompileError` for norms, activations and merges without operations, and for its size."""
    parts = ModelParts()
    order = [graph.layer(i) for i in graph.topological_order]
    parts.reserve(order)
    sources = SourceValues(graph, parts)
    sums, merging = SumOperations(graph, parts, sources), MergeOperations(graph, parts, sources)
    for layer in order:
        if layer.role == "position" or layer.encoding == "index":
            continue  # made where others read them
        if layer.role == "input":
            sources[layer] = parts.layer(layer)
            continue
        scope = parts.layer(layer)
        if layer.merge is None:
            value = sums.write(layer)
        else:
            value = merging.write(layer)
            if layer.bias is not None:
                bias = parts.constant(f"{scope}.bias", column(layer.bias, layer.grid))
                value = parts.add("Add", value, bias, scope=scope)
        value = _pooled(parts, layer, _activated(parts, layer, _normed(parts, layer, value)))
        sources[layer] = parts.finish(value, scope, copy=layer.role == "output")
    return parts


Written = Callable[[ModelParts, Layer, str], str]

# -- norms ----------------------------------------------------------------------------------------


def _normed(parts: ModelParts, layer: Layer, z: str) -> str:
    if layer.norm not in NORMS:
        raise CompileError(
            f"Layer {layer.name!r} has the norm {layer.norm!r}, for which ONNX has no operations here; export graphs "
            f"with the norms {', '.join(sorted(NORMS))}."
        )
    return NORMS[layer.norm](parts, layer, z)


def _held(parts: ModelParts, layer: Layer, part: str, *names: str) -> list[str]:
    """Vertex columns as constants, `(vertices,)`; `part` is the part of the layer that has them."""
    return [parts.constant(f"{parts.layer(layer)}.{part}.{name}", layer.values[name]) for name in names]


def _shaped(parts: ModelParts, layer: Layer, part: str, name: str) -> str:
    """A vertex column as a constant that broadcasts over the values."""
    return parts.constant(f"{parts.layer(layer)}.{part}.{name}", column(layer.values[name], layer.grid))


def _batch(parts: ModelParts, layer: Layer, z: str) -> str:
    columns = _held(parts, layer, "norm", "scale", "shift", "mean", "var")
    scope = parts.layer(layer)
    return parts.add("BatchNormalization", z, *columns, scope=scope, epsilon=layer.norm_epsilon)


def _layer(parts: ModelParts, layer: Layer, z: str) -> str:
    """Layer norm over the last axis, to which the vertices are moved."""
    scope, axes = parts.layer(layer), range(1, len(layer.grid) + 1)
    if axes:
        z = parts.add("Transpose", z, scope=scope, perm=[0, *(axis + 1 for axis in axes), 1])
    columns = _held(parts, layer, "norm", "scale", "shift")
    z = parts.add("LayerNormalization", z, *columns, scope=scope, axis=-1, epsilon=layer.norm_epsilon)
    return parts.add("Transpose", z, scope=scope, perm=[0, axes[-1] + 1, *axes]) if axes else z


def _rms(parts: ModelParts, layer: Layer, z: str) -> str:
    """RMS norm in single operations: ONNX has an operator from opset 23 on."""
    scope = parts.layer(layer)
    square = parts.add("Mul", z, z, scope=scope)
    mean = parts.add("ReduceMean", square, parts.whole(1), scope=scope, keepdims=1)
    moved = parts.add("Add", mean, parts.constant(f"{scope}.norm.epsilon", layer.norm_epsilon), scope=scope)
    ratio = parts.add("Div", z, parts.add("Sqrt", moved, scope=scope), scope=scope)
    return parts.add("Mul", ratio, _shaped(parts, layer, "norm", "scale"), scope=scope)


NORMS: Mapping[str, Written] = {
    "none": lambda _parts, _layer, z: z,
    "batch": _batch,
    "layer": _layer,
    "rms": _rms,
}
"""Writers of norms by name."""

# -- activations ----------------------------------------------------------------------------------


def _activated(parts: ModelParts, layer: Layer, z: str) -> str:
    if layer.activation not in ACTIVATIONS:
        raise CompileError(
            f"Layer {layer.name!r} has the activation {layer.activation!r}, for which ONNX has no operations here; "
            f"export graphs with the activations {', '.join(sorted(ACTIVATIONS))}."
        )
    return ACTIVATIONS[layer.activation](parts, layer, z)


def _operator(kind: str, **attributes: str) -> Written:
    return lambda parts, layer, z: parts.add(kind, z, scope=parts.layer(layer), **attributes)


def _leaky(parts: ModelParts, layer: Layer, z: str) -> str:
    return parts.add("LeakyRelu", z, scope=parts.layer(layer), alpha=layer.slope)


def _prelu(parts: ModelParts, layer: Layer, z: str) -> str:
    return parts.add("PRelu", z, _shaped(parts, layer, "activation", "slope"), scope=parts.layer(layer))


def _relu6(parts: ModelParts, layer: Layer, z: str) -> str:
    scope = parts.layer(layer)
    low, high = (parts.constant(f"{scope}.activation.{name}", v) for name, v in (("low", 0.0), ("high", 6.0)))
    return parts.add("Clip", z, low, high, scope=scope)


def _silu(parts: ModelParts, layer: Layer, z: str) -> str:
    scope = parts.layer(layer)
    return parts.add("Mul", z, parts.add("Sigmoid", z, scope=scope), scope=scope)


def _rational(parts: ModelParts, layer: Layer, z: str) -> str:
    """The rational activation `(2 v z + c) / (1 + z^2) + l z`, of parameters that are divided by their scale."""
    scope = parts.layer(layer)
    v, c, l = (np.asarray(layer.values[name], np.float64) for name in ("v", "c", "l"))  # noqa: E741
    scale = np.sqrt(v**2 + c**2 + l**2 + 1e-8)
    wave, offset, line = (
        parts.constant(f"{scope}.activation.{name}", column(values / scale, layer.grid))
        for name, values in (("2v", 2 * v), ("c", c), ("l", l))
    )
    one = parts.constant(f"{scope}.activation.one", 1.0)
    top = parts.add("Add", parts.add("Mul", z, wave, scope=scope), offset, scope=scope)
    below = parts.add("Add", parts.add("Mul", z, z, scope=scope), one, scope=scope)
    bell = parts.add("Div", top, below, scope=scope)
    return parts.add("Add", bell, parts.add("Mul", z, line, scope=scope), scope=scope)


ACTIVATIONS: Mapping[str, Written] = {
    "identity": lambda _parts, _layer, z: z,
    "relu": _operator("Relu"),
    "relu6": _relu6,
    "leaky_relu": _leaky,
    "prelu": _prelu,
    "tanh": _operator("Tanh"),
    "sigmoid": _operator("Sigmoid"),
    "softplus": _operator("Softplus"),
    "gelu": _operator("Gelu"),
    "gelu_tanh": _operator("Gelu", approximate="tanh"),
    "silu": _silu,
    "rational": _rational,
}
"""Writers of activations by name."""

# -- pools ----------------------------------------------------------------------------------------


def _pooled(parts: ModelParts, layer: Layer, value: str) -> str:
    pool, scope = layer.pool, parts.layer(layer)
    if pool is None:
        return value
    kind = "MaxPool" if pool.kind == "max" else "AveragePool"
    if not layer.output_grid:
        return parts.add("Flatten", parts.add(f"Global{kind}", value, scope=scope), scope=scope)
    more = {"count_include_pad": 1} if pool.kind == "average" else {}
    shape = {"kernel_shape": list(pool.size), "strides": list(pool.strides), "pads": [*pool.pads, *pool.pads]}
    return parts.add(kind, value, scope=scope, **shape, **more)
