"""Operations of the sums of layers: a term for each link, and the biases."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from compilers.export.forms import WeightForm, weight_form, wire_rows
from compilers.export.onnx.picks import column, picked, placed, strided
from compilers.export.onnx.sources import OperationWriter
from netgraph.columns import Array
from netgraph.graph import Layer, Link


class Summand(NamedTuple):
    """Summand of a layer.

    Attributes:
        value: name of the summand, `(batch, vertices, *grid)`; without a batch for a constant.
        batched: whether it has one entry per sample.
        biased: whether it has the biases of the layer already.
    """

    value: str
    batched: bool = True
    biased: bool = False


class SumOperations(OperationWriter):
    """Writer of sums."""

    def write(self, layer: Layer) -> str:
        """Write the sum of a layer with its biases, and return its name."""
        scope, terms, bias = self._parts.layer(layer), list[Summand](), layer.bias
        links = [link for link in self._graph.incoming[layer.id] if len(link)]
        weighted = sum(not link.kind.wires for link in links)
        for link in links:
            source = self._graph.layer(link.source)
            own = scope if weighted == 1 and not link.kind.wires else f"{scope}.from_{source.name}"
            if source.role == "position":
                terms.append(self._table(link, layer, own))
                continue
            term = self._wires(link, layer, own) if link.kind.wires else self._weights(link, layer, own, bias)
            bias = None if term.biased else bias
            terms.append(term)
        if bias is not None:
            terms.append(Summand(self._bias(layer, column(bias, layer.grid)), batched=False))
        return self._total(layer, terms)

    def _total(self, layer: Layer, terms: list[Summand]) -> str:
        scope, values = self._parts.layer(layer), [term.value for term in terms]
        if not any(term.batched for term in terms):
            shape = (len(layer), *layer.grid)
            zeros = self._parts.constant(f"{scope}.start", column(np.zeros(len(layer)), layer.grid))
            values.append(self._sources.repeated(zeros, shape, scope))
        if len(values) == 1:
            return values[0]
        return self._parts.add("Add" if len(values) == 2 else "Sum", *values, scope=scope)

    def _bias(self, layer: Layer, values: Array) -> str:
        return self._parts.constant(f"{self._parts.layer(layer)}.bias", values)

    # -- wires ------------------------------------------------------------------------------------

    def _wires(self, link: Link, layer: Layer, name: str) -> Summand:
        parts, scope, source = self._parts, self._parts.layer(layer), self._graph.layer(link.source)
        grid, width, value = source.output_grid, len(source), self._sources.value(source)
        if link.kind.places:
            value = placed(parts, value, width, link.kind.offset, grid, layer.grid, scope)  # type: ignore[attr-defined]
        elif link.kind.stride != (1, 1):
            value = strided(parts, value, link.kind.stride, scope)
        if not link.kind.places and grid and not layer.grid:  # one position of maps, read as a number
            value = parts.add("Flatten", value, scope=scope)
        rows = wire_rows(link, len(layer))
        if rows is not None:
            return Summand(picked(parts, value, rows, width, len(layer.grid), scope=scope, name=name))
        parts.check_room(f"{name}.wires", len(layer) * width)
        matrix = np.zeros((len(layer), width))
        matrix[link.dst, link.src] = 1
        return Summand(self._product(matrix, value, len(layer.grid), f"{name}.wires", layer))

    # -- weights ----------------------------------------------------------------------------------

    def _weights(self, link: Link, layer: Layer, name: str, bias: Array | None) -> Summand:
        parts, scope, source = self._parts, self._parts.layer(layer), self._graph.layer(link.source)
        grid, pointwise = source.output_grid, link.kind.pointwise
        if source.encoding == "index" and pointwise:
            return self._lookup(link, layer, name)
        form = weight_form(self._graph, link)
        self._count(link, form.zeros)
        parts.check_room(f"{name}.weight", form.places)
        value = self._sources.value(source)
        if form.sources is not None:
            value = picked(parts, value, form.sources, len(source), len(grid), scope=scope, name=f"{name}.sources")
        whole = not layer.grid and link.kind.tap_axes == grid and not link.kind.padded and form.groups == 1
        if grid and not layer.grid and (whole or pointwise):
            value, grid, whole = parts.add("Flatten", value, scope=scope), (), True
        held = bias if form.targets is None and len(grid) != 1 else None
        if whole or not link.kind.tap_axes:
            value = self._product(form.weight.reshape(len(form.weight), -1), value, len(grid), name, layer, held)
        else:
            value = self._convolved(form, link, value, name, layer, held)
            if not layer.grid:
                value = parts.add("Flatten", value, scope=scope)
        if form.targets is not None:
            rows = np.full(len(layer), -1)
            rows[form.targets] = np.arange(len(form.targets))
            value = picked(parts, value, rows, len(form.targets), len(layer.grid), scope=scope, name=f"{name}.targets")
        return Summand(value, biased=held is not None)

    def _product(self, matrix: Array, value: str, axes: int, name: str, layer: Layer, bias: Array | None = None) -> str:
        """Multiply values on a grid with a number of axes by a matrix, `(targets, sources)`, and add biases."""
        parts, scope = self._parts, self._parts.layer(layer)
        weight = parts.constant(f"{name}.weight", matrix if axes < 2 else matrix[:, :, None, None])
        if axes == 1:
            return parts.add("MatMul", weight, value, scope=scope)
        more = () if bias is None else (self._bias(layer, bias),)
        if axes == 0:
            return parts.add("Gemm", value, weight, *more, scope=scope, transB=1)
        return parts.add("Conv", value, weight, *more, scope=scope, kernel_shape=[1, 1])

    def _convolved(self, form: WeightForm, link: Link, value: str, name: str, layer: Layer, bias: Array | None) -> str:
        weight = self._parts.constant(f"{name}.weight", form.weight)
        more = () if bias is None else (self._bias(layer, bias),)
        attributes = {
            "kernel_shape": list(link.kind.kernel),
            "strides": list(link.kind.stride),
            "pads": [*link.kind.padding, *link.kind.padding],
            "group": form.groups,
        }
        return self._parts.add("Conv", value, weight, *more, scope=self._parts.layer(layer), **attributes)

    def _lookup(self, link: Link, layer: Layer, name: str) -> Summand:
        """Rows of a table, chosen by whole numbers."""
        parts, scope, source = self._parts, self._parts.layer(layer), self._graph.layer(link.source)
        parts.check_room(f"{name}.weight", len(source) * len(layer))
        table = np.zeros((len(source), len(layer)), link.weight.dtype)
        table[link.src, link.dst] = link.weight
        self._count(link, table.size - len(link))
        value = parts.add("Gather", parts.constant(f"{name}.weight", table), parts.layer(source), scope=scope, axis=0)
        if source.grid:
            axes = range(1, len(source.grid) + 1)
            value = parts.add("Transpose", value, scope=scope, perm=[0, axes[-1] + 1, *axes])
        if source.grid and not layer.grid:
            value = parts.add("Flatten", value, scope=scope)
        return Summand(value)

    def _table(self, link: Link, layer: Layer, name: str) -> Summand:
        """Constant that the edges of a layer of positions make: for each target and position their sum."""
        source = self._graph.layer(link.source)
        self._parts.check_room(f"{name}.weight", len(layer) * math.prod(layer.grid))
        found = np.zeros((len(layer), math.prod(layer.grid)))
        read = link.kind.positions(source.output_grid, layer.grid)  # each tap reads a position once at most
        reader = np.full((len(read), len(source)), -1)
        tap, position = np.nonzero(read >= 0)
        reader[tap, read[tap, position]] = position
        position = reader[link.tap, link.src]
        inside = position >= 0
        np.add.at(found, (link.dst[inside], position[inside]), link.weight[inside])
        if link.kind.pointwise and not link.kind.wires:
            self._count(link, found.size - len(link))
        return Summand(self._parts.constant(f"{name}.weight", found.reshape(len(layer), *layer.grid)), batched=False)

    def _count(self, link: Link, zeros: int) -> None:
        self._parts.zeros += zeros
        if zeros:
            where = self._graph.link_name(link.source, link.target)
            self._parts.notes.append(f"{where}: {zeros:,} missing edges are zeros here.")
