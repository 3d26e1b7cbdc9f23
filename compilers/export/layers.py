"""Text of whole layers: sums or merges, then norm, activation and pool."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from compilers.export.layouts import Layouts
from compilers.export.merging import Merging
from compilers.export.sums import SumWriter
from compilers.export.text import Held, SourceText
from compilers.export.values import Value, channels_back, channels_last, channels_second, columns, repeated
from netgraph.errors import CompileError
from netgraph.graph import Graph, Layer


def written(graph: Graph, text: SourceText, layouts: Layouts) -> None:
    """Write the forward of a graph. Raises `CompileError` for norms, activations and merges without a text."""
    writer = _Layers(graph, text, layouts)
    arguments = [writer.input(layer) for layer in layouts.inputs]
    first = arguments[0] if arguments else "inputs"
    text.line(f"batch = {first}.shape[0]")
    for layer in layouts.inputs:
        writer.read_input(layer)
    for layer_id in graph.topological_order:
        layer = graph.layer(layer_id)
        if layer.role == "position":
            writer.positions(layer)
        elif layer.role != "input":
            writer.layer(layer)
    results = [writer.outside(layer) for layer in layouts.outputs]
    text.line(f"return {', '.join(results)}")
    text.forward.insert(0, ", ".join(arguments))


class _Layers:
    def __init__(self, graph: Graph, text: SourceText, layouts: Layouts) -> None:
        self._graph, self._text, self._layouts = graph, text, layouts
        self._values: dict[int, Value] = {}
        self._sums = SumWriter(graph, text, self._values)
        self._merging = Merging(graph, text, self._values)

    # -- ends -------------------------------------------------------------------------------------

    def input(self, layer: Layer) -> str:
        """Name the argument of an input layer."""
        name = self._text.variable(layer.name)
        self._values[layer.id] = Value(name, layer)
        return name

    def read_input(self, layer: Layer) -> None:
        """Bring an input to the layout of the forward, and indices to zeros and ones."""
        name = self._values[layer.id].name
        if layer.encoding == "index":
            self._values[layer.id] = Value("" if self._is_table(layer) else self._one_hot(layer, name), layer, name)
        elif (value := self._layouts.taken(self._text, name, layer)) != name:
            self._text.line(f"{name} = {value}")

    def _is_table(self, layer: Layer) -> bool:
        """Whether all links from a layer of positions or symbols are tables of weights."""
        return all(link.kind.pointwise and not link.kind.wires for link in self._graph.outgoing[layer.id])

    def _one_hot(self, layer: Layer, index: str) -> str:
        name = self._text.variable(f"{layer.name}_values")
        value = f"F.embedding({index}, {self._text.buffer(f'{layer.name}_rows', np.eye(len(layer)))})"
        self._text.line(f"{name} = {channels_back(value, layer.grid)}")
        return name

    def outside(self, layer: Layer) -> str:
        """Text of an output."""
        return self._layouts.given(self._text, self._values[layer.id].name, layer)

    def positions(self, layer: Layer) -> None:
        """Write the values of a layer of positions, where another link than a table reads them."""
        if self._is_table(layer):
            self._values[layer.id] = Value("", layer)
            return
        one = np.eye(len(layer)).reshape(1, len(layer), *layer.grid)
        one = one.transpose(0, 2, 1) if len(layer.grid) == 1 else one
        name = self._text.variable(layer.name)
        self._text.line(f"{name} = {repeated(self._text.buffer(layer.name, one), one.shape[1:])}")
        self._values[layer.id] = Value(name, layer)

    # -- layers -----------------------------------------------------------------------------------

    def layer(self, layer: Layer) -> None:
        """Write one layer."""
        if self._merging.waits(layer):
            return
        name = self._text.variable(layer.name)
        if layer.merge is None:
            z = self._sums.write(layer, name)
        else:
            z = self._merging.write(layer, name)
            if layer.bias is not None:
                held = Held(columns(np.asarray(layer.bias), layer.grid), column="bias")
                held.vertices = columns(layer.vertex_ids, layer.grid)
                z = f"{z} + {self._text.parameter(self._text.name(f'{name}_bias'), held)}"
        z = self._activated(layer, name, self._normed(layer, name, z))
        self._text.line(f"{name} = {self._pooled(layer, z)}")
        self._values[layer.id] = Value(name, layer)

    def _normed(self, layer: Layer, name: str, z: str) -> str:
        if layer.norm == "none":
            return z
        if layer.norm not in NORMS:
            raise CompileError(
                f"Layer {layer.name!r} has the norm {layer.norm!r}, which has no module of torch; export graphs with "
                f"the norms {', '.join(sorted(NORMS))}."
            )
        own = self._text.name(f"{name}_norm")
        held = {
            key: Held(np.asarray(layer.values[column]), column=column, vertices=layer.vertex_ids,
                      trained=column not in ("mean", "var"))
            for key, column in NORMS[layer.norm].items()
        }  # fmt: skip
        size, epsilon = len(layer), f"eps={layer.norm_epsilon!r}"
        if layer.norm == "batch":
            kind = "nn.BatchNorm2d" if len(layer.grid) == 2 else "nn.BatchNorm1d"
            self._text.module(own, f"{kind}({size}, {epsilon}, momentum={layer.norm_momentum!r})", **held)
            return channels_second(f"self.{own}({channels_second(z, layer.grid)})", layer.grid)
        kind = "nn.LayerNorm" if layer.norm == "layer" else "nn.RMSNorm"
        self._text.module(own, f"{kind}({size}, {epsilon})", **held)
        value = f"self.{own}({channels_last(z, layer.grid)})"
        return channels_back(value, layer.grid)

    def _activated(self, layer: Layer, name: str, z: str) -> str:
        if layer.activation not in ACTIVATIONS:
            raise CompileError(
                f"Layer {layer.name!r} has the activation {layer.activation!r}, which has no function of torch; export "
                f"graphs with the activations {', '.join(sorted(ACTIVATIONS))}."
            )
        return ACTIVATIONS[layer.activation](self._text, layer, name, z)

    def _pooled(self, layer: Layer, value: str) -> str:
        pool = layer.pool
        if pool is None:
            return value
        axes = len(pool.size)
        kind = f"F.{'max' if pool.kind == 'max' else 'avg'}_pool{axes}d"
        options = f"{_short(pool.size)}, {_short(pool.strides)}" + (f", {_short(pool.pads)}" if any(pool.pads) else "")
        pooled = f"{kind}({channels_second(value, layer.grid)}, {options})"
        if not layer.output_grid:
            return f"{pooled}.flatten(1)"
        return channels_second(pooled, layer.output_grid)


NORMS = {
    "batch": {"weight": "scale", "bias": "shift", "running_mean": "mean", "running_var": "var"},
    "layer": {"weight": "scale", "bias": "shift"},
    "rms": {"weight": "scale"},
}
"""Vertex columns by the name in the module, for each norm."""

Activated = Callable[[SourceText, Layer, str, str], str]


def _prelu(text: SourceText, layer: Layer, name: str, z: str) -> str:
    own = text.name(f"{name}_prelu")
    held = Held(np.asarray(layer.values["slope"]), column="slope", vertices=layer.vertex_ids)
    text.module(own, f"nn.PReLU({len(layer)})", weight=held)
    value = f"self.{own}({channels_second(z, layer.grid)})"
    return channels_second(value, layer.grid)


def _rational(text: SourceText, layer: Layer, name: str, z: str) -> str:
    text.helpers.add("rational")
    arguments = [z]
    for column in ("v", "c", "l"):
        held = Held(columns(np.asarray(layer.values[column]), layer.grid), column=column)
        held.vertices = columns(layer.vertex_ids, layer.grid)
        arguments.append(text.parameter(text.name(f"{name}_{column}"), held))
    return f"rational({', '.join(arguments)})"


def _function(pattern: str) -> Activated:
    return lambda _text, layer, _name, z: pattern.format(z=z, slope=repr(layer.slope))


ACTIVATIONS: dict[str, Activated] = {
    "identity": _function("{z}"),
    "relu": _function("F.relu({z})"),
    "relu6": _function("F.relu6({z})"),
    "leaky_relu": _function("F.leaky_relu({z}, {slope})"),
    "prelu": _prelu,
    "tanh": _function("torch.tanh({z})"),
    "sigmoid": _function("torch.sigmoid({z})"),
    # Above the usual threshold of 20 torch rounds softplus to its argument.
    "softplus": _function("F.softplus({z}, threshold=50)"),
    "gelu": _function("F.gelu({z})"),
    "gelu_tanh": _function('F.gelu({z}, approximate="tanh")'),
    "silu": _function("F.silu({z})"),
    "rational": _rational,
}
"""Texts of the activations."""


def _short(sizes: tuple[int, ...]) -> str:
    return str(int(sizes[0])) if len(set(sizes)) == 1 else str(tuple(int(s) for s in sizes))
