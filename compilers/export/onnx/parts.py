"""ModelParts of a model of ONNX under construction, as plain values: operations, constants, and their names."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from netgraph.columns import Array, digest
from netgraph.errors import CompileError
from netgraph.graph import Layer
from netgraph.storage import readable

LARGEST = 2**31 - 2**24
"""Largest size of all constants together, in bytes. A file of ONNX holds less than 2 GiB; 16 MiB of them stay free."""


@dataclass(eq=False)
class OnnxOperation:
    """One operation.

    Attributes:
        kind: operator of ONNX, such as "Gemm".
        scope: name of the layer that it belongs to.
        name: its name.
        inputs: names of the values that it reads; "" for an optional one that is left out.
        output: name of its result.
        attributes: attributes by name.
    """

    kind: str
    scope: str
    name: str
    inputs: tuple[str, ...]
    output: str
    attributes: dict[str, Any]


@dataclass(eq=False)
class ModelParts:
    """Operations and constants of a model. Names of values are those of the layers, or begin with them.

    Attributes:
        operations: operations, each after those that it reads.
        constants: constants by name, float32 or int64.
        notes: remarks about differences between the model and the graph.
        zeros: number of places of constants without an edge.
    """

    operations: list[OnnxOperation] = field(default_factory=list)
    constants: dict[str, Array] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    zeros: int = 0
    _size: int = 0
    _taken: set[str] = field(default_factory=set)
    _layers: dict[int, str] = field(default_factory=dict)
    _whole: dict[tuple[int, ...], str] = field(default_factory=dict)
    _shared: dict[bytes, str] = field(default_factory=dict)

    def reserve(self, layers: Iterable[Layer]) -> None:
        """Give each layer the name of its values, before anything else has a name."""
        for layer in layers:
            self._layers[layer.id] = self.name(layer.name)

    def layer(self, layer: Layer) -> str:
        """Name of the values of a layer."""
        return self._layers[layer.id]

    def name(self, wished: str) -> str:
        """Give out a name that is not given out yet."""
        wished = readable(wished) or "layer"
        found, number = wished, 1
        while found in self._taken:
            number += 1
            found = f"{wished}_{number}"
        self._taken.add(found)
        return found

    # -- constants --------------------------------------------------------------------------------

    def constant(self, wished: str, values: Any) -> str:
        """Add numbers as float32, and return their name. Raises `CompileError` for numbers beyond float32."""
        values = np.asarray(values)
        with np.errstate(over="ignore"):
            single = np.ascontiguousarray(values, np.float32)
        if not np.isfinite(single).all():
            raise CompileError(
                f"{wished!r} has the value {values[~np.isfinite(single)][0]:g}, which is beyond float32, the numbers "
                "of the file; scale the weights, or keep the graph with netgraph.save."
            )
        return self._held(wished, single)

    def shared(self, wished: str, values: Any) -> str:
        """Add numbers that many layers have, such as a causal mask, once for the model, and return their name."""
        values = np.ascontiguousarray(values, np.float64)
        key = digest(values)
        if key not in self._shared:
            self._shared[key] = self.constant(wished, values)
        return self._shared[key]

    def rows(self, wished: str, values: Array) -> str:
        """Add whole numbers, such as rows of vertices, and return their name."""
        return self._held(wished, np.ascontiguousarray(values, np.int64))

    def whole(self, *values: int) -> str:
        """Add a few whole numbers, such as a shape, once for the model, and return their name."""
        if values not in self._whole:
            self._whole[values] = self._held("_".join(["whole", *map(str, values)]), np.array(values, np.int64))
        return self._whole[values]

    def check_room(self, wished: str, places: int) -> None:
        """Refuse a constant for which a file has no room, before it is made. Raises `CompileError`."""
        size = 4 * places
        if self._size + size > LARGEST:
            raise CompileError(
                f"{wished!r} needs {size / 1e9:,.2f} GB beside {self._size / 1e9:,.2f} GB of other numbers, and a file "
                "of ONNX holds at most 2 GB. Missing edges take room there, as zeros; keep a sparse graph with "
                "netgraph.save."
            )

    def _held(self, wished: str, values: Array) -> str:
        self.check_room(wished, values.size)
        name = self.name(wished)
        self.constants[name] = values
        self._size += values.nbytes
        return name

    # -- operations -------------------------------------------------------------------------------

    def add(self, kind: str, *inputs: str, scope: str, **attributes: Any) -> str:
        """Add an operation of a layer, and return the name of its result. `scope` is the name of the layer."""
        name = self.name(f"{scope}/{kind}")
        self.operations.append(OnnxOperation(kind, scope, name, inputs, name, attributes))
        return name

    def finish(self, value: str, name: str, *, copy: bool) -> str:
        """Give the result of a layer its name, and return the name.

        Args:
            value: name of the result.
            name: name of the layer.
            copy: whether to copy a value that the layer takes over as it is; else that value keeps its name.
        """
        last = self.operations[-1] if self.operations else None
        if last is not None and last.output == value and last.scope == name:
            last.output = name
            return name
        if copy:
            self.operations.append(OnnxOperation("Identity", name, self.name(f"{name}/Identity"), (value,), name, {}))
            return name
        return value
