"""Values of layers as the operations of others read them."""

from __future__ import annotations

import numpy as np

from compilers.export.onnx.parts import ModelParts
from netgraph.graph import Graph, Layer


class OperationWriter:
    """Writer of operations of a part of the layers.

    Args:
        graph: the graph.
        parts: parts of the model.
        sources: values of the layers.
    """

    def __init__(self, graph: Graph, parts: ModelParts, sources: SourceValues) -> None:
        self._graph, self._parts, self._sources = graph, parts, sources


class SourceValues:
    """Values of layers. Indices become zeros and ones, and positions a value for each sample, where they are read.

    Args:
        graph: the graph.
        parts: parts of the model.
    """

    def __init__(self, graph: Graph, parts: ModelParts) -> None:
        self._graph, self._parts = graph, parts
        self._known: dict[int, str] = {}
        self._samples = ""

    def __setitem__(self, layer: Layer, value: str) -> None:
        self._known[layer.id] = value

    def value(self, layer: Layer) -> str:
        """Name of the values of a layer, `(batch, vertices, *grid)`."""
        if layer.id not in self._known:
            self._known[layer.id] = self._positions(layer) if layer.role == "position" else self._one_hot(layer)
        return self._known[layer.id]

    def _positions(self, layer: Layer) -> str:
        scope = self._parts.layer(layer)
        self._parts.check_room(f"{scope}.positions", len(layer) ** 2)
        one = self._parts.constant(f"{scope}.positions", np.eye(len(layer)).reshape(len(layer), *layer.grid))
        return self.repeated(one, (len(layer), *layer.grid), scope)

    def _one_hot(self, layer: Layer) -> str:
        scope = self._parts.layer(layer)
        ends = self._parts.constant(f"{scope}.off_on", np.array([0.0, 1.0]))
        return self._parts.add("OneHot", scope, self._parts.whole(len(layer)), ends, scope=scope, axis=1)

    def repeated(self, value: str, shape: tuple[int, ...], scope: str) -> str:
        """Repeat a value for all samples: `(batch, *shape)`."""
        if not self._samples:
            first = self._graph.inputs[0]
            name = self._parts.layer(first)
            self._samples = self._parts.add("Shape", name, scope=name, start=0, end=1)
        whole = self._parts.add("Concat", self._samples, self._parts.whole(*shape), scope=scope, axis=0)
        return self._parts.add("Expand", value, whole, scope=scope)
