"""Text of the sums of layers: a term for each link, and the biases."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from compilers.export.forms import WeightForm, weight_form, wire_rows
from compilers.export.text import Held
from compilers.export.values import LayerWriter, channels_back, columns, features_last, picked, placed, repeated
from netgraph.columns import Array
from netgraph.graph import Layer, Link


class SumTerm(NamedTuple):
    """Text of the part of a link in the sums of its target.

    Attributes:
        text: the text.
        batched: whether it has one entry per sample.
        biased: whether it has the biases of the target already.
    """

    text: str
    batched: bool
    biased: bool = False


class SumWriter(LayerWriter):
    """Writer of sums."""

    def write(self, layer: Layer, name: str) -> str:
        """Write the sums of a layer with its biases, and return their text."""
        links = [link for link in self._graph.incoming[layer.id] if len(link)]
        weighted = [link for link in links if not link.kind.wires]
        terms: list[SumTerm] = []
        bias = layer.bias is not None
        for link in links:
            own = name if len(weighted) == 1 else f"{name}_from_{self._graph.layer(link.source).name}"
            term = self._wires(link, layer, name) if link.kind.wires else self._weights(link, layer, own, bias)
            bias = bias and not term.biased
            terms.append(term)
        if bias:
            held = self._bias(layer)
            held.values, held.vertices = columns(held.values, layer.grid), columns(_ids(held), layer.grid)
            own = self._text.name(f"{name}_bias")
            terms.append(SumTerm(self._text.parameter(own, held), False))
        if not terms:
            terms.append(
                SumTerm(self._text.buffer(f"{name}_nothing", columns(np.zeros(len(layer)), layer.grid)), False)
            )
        batched = any(term.batched for term in terms)
        total = " + ".join(term.text for term in terms)
        if not batched:
            shape = (len(layer), *layer.grid) if not features_last(layer.grid) else (*layer.grid, len(layer))
            total = repeated(total, shape)
        return total

    # -- wires ------------------------------------------------------------------------------------

    def _wires(self, link: Link, layer: Layer, name: str) -> SumTerm:
        source = self._values[link.source]
        rows = wire_rows(link, len(layer))
        grid = source.layer.output_grid
        value = source.name
        if link.kind.places:
            value = placed(value, link.kind.offset, grid, layer.grid)  # type: ignore[attr-defined]
        elif link.kind.stride != (1, 1):
            value = f"{value}[:, :, ::{link.kind.stride[0]}, ::{link.kind.stride[1]}]"
        last = features_last(layer.grid if link.kind.places else grid)
        if not link.kind.places and len(grid) == 2 and not layer.grid:  # one position of maps, read as a number
            value, last = f"{value}.flatten(1)", True
        if rows is not None:
            return SumTerm(picked(self._text, value, rows, len(source.layer), last=last, name=name), True)
        matrix = np.zeros((len(layer), len(source.layer)))
        matrix[link.dst, link.src] = 1
        wires = self._text.buffer(f"{name}_wires", matrix if last else matrix[:, :, None, None])
        return SumTerm(f"F.linear({value}, {wires})" if last else f"F.conv2d({value}, {wires})", True)

    # -- weights ----------------------------------------------------------------------------------

    def _weights(self, link: Link, layer: Layer, name: str, bias: bool) -> SumTerm:
        source = self._graph.layer(link.source)
        if source.encoding == "index" and link.kind.pointwise:
            return self._lookup(link, layer, name)
        if source.role == "position" and link.kind.pointwise:
            return self._table(link, layer, name)
        form = weight_form(self._graph, link)
        self._count(form, link)
        value = self._values[link.source]
        with_bias = bias and form.targets is None
        attribute = self._text.name(name)
        read = value.name
        maps = len(source.output_grid) == 2
        if form.sources is not None:
            last = features_last(source.output_grid)
            read = picked(self._text, read, form.sources, len(source), last=last, name=name)
        self._module(form, link, layer, attribute, with_bias, maps=maps)
        term = f"self.{attribute}({read})"
        if maps and not layer.grid:
            term = f"{term}.flatten(1)"
        if form.targets is not None:
            rows = np.full(len(layer), -1)
            rows[form.targets] = np.arange(len(form.targets))
            term = picked(self._text, term, rows, len(form.targets), last=features_last(layer.grid), name=f"{name}_to")
        return SumTerm(term, True, with_bias)

    def _module(self, form: WeightForm, link: Link, layer: Layer, name: str, bias: bool, *, maps: bool) -> None:
        """Add the module of a link with weights."""
        targets, sources = form.weight.shape[:2]
        weight = Held(form.weight, form.edges, trained=not form.frozen)
        held = {"weight": weight}
        if bias:
            held["bias"] = self._bias(layer)
        if not maps:
            self._text.module(name, f"nn.Linear({sources}, {targets}{_option('bias', bias, True)})", **held)
            return
        if weight.values.ndim == 2:  # a dense link between maps is a convolution of one position
            weight.values, weight.edges = weight.values[:, :, None, None], form.edges[:, :, None, None]
        kernel = weight.values.shape[2:]
        options = _option("stride", _short(link.kind.stride), 1) + _option("padding", _short(link.kind.padding), 0)
        options += _option("groups", form.groups, 1) + _option("bias", bias, True)
        self._text.module(name, f"nn.Conv2d({sources * form.groups}, {targets}, {_short(kernel)}{options})", **held)

    def _bias(self, layer: Layer) -> Held:
        assert layer.bias is not None
        return Held(np.asarray(layer.bias), column="bias", vertices=layer.vertex_ids)

    def _lookup(self, link: Link, layer: Layer, name: str) -> SumTerm:
        """Rows of a table, chosen by whole numbers."""
        source = self._graph.layer(link.source)
        attribute = self._text.name(name)
        weight, edges = np.zeros((len(source), len(layer)), link.weight.dtype), np.full((len(source), len(layer)), -1)
        weight[link.src, link.dst], edges[link.src, link.dst] = link.weight, link.id
        frozen = bool(link.frozen.all()) and len(link) > 0
        self._note_zeros(int(np.count_nonzero(edges < 0)), link)
        self._note_frozen(link, frozen)
        held = Held(weight, edges, trained=not frozen)
        self._text.module(attribute, f"nn.Embedding({len(source)}, {len(layer)})", weight=held)
        term = f"self.{attribute}({self._values[link.source].index})"
        if len(source.grid) == 2 and not layer.grid:  # one position of maps, read as a number
            return SumTerm(f"{term}.flatten(1)", True)
        return SumTerm(channels_back(term, layer.grid), True)

    def _table(self, link: Link, layer: Layer, name: str) -> SumTerm:
        """Table of a layer of positions: one row per position, or one map per vertex."""
        positions = math.prod(layer.grid)
        weight, edges = np.zeros((len(layer), positions), link.weight.dtype), np.full((len(layer), positions), -1)
        weight[link.dst, link.src], edges[link.dst, link.src] = link.weight, link.id
        frozen = bool(link.frozen.all()) and len(link) > 0
        self._note_zeros(int(np.count_nonzero(edges < 0)), link)
        self._note_frozen(link, frozen)

        def shaped(values: Array) -> Array:
            return values.T if len(layer.grid) == 1 else values.reshape(len(layer), *layer.grid)

        held = Held(np.ascontiguousarray(shaped(weight)), np.ascontiguousarray(shaped(edges)), trained=not frozen)
        return SumTerm(self._text.parameter(self._text.name(name), held), False)

    def _count(self, form: WeightForm, link: Link) -> None:
        self._note_zeros(form.zeros, link)
        self._note_frozen(link, form.frozen)

    def _note_zeros(self, zeros: int, link: Link) -> None:
        if zeros:
            where = self._graph.link_name(link.source, link.target)
            self._text.missing[where] = zeros
            few = "1 missing edge is a zero" if zeros == 1 else f"{zeros:,} missing edges are zeros"
            self._text.notes.append(f"{where}: {few} here, which training changes.")

    def _note_frozen(self, link: Link, frozen: bool) -> None:
        if not frozen and bool(link.frozen.any()):
            where, count = self._graph.link_name(link.source, link.target), int(link.frozen.sum())
            few = "1 frozen edge is" if count == 1 else f"{count:,} frozen edges are"
            self._text.notes.append(f"{where}: {few} trained here.")


def _ids(held: Held) -> Array:
    assert held.vertices is not None
    return held.vertices


def _short(pair: tuple[int, ...]) -> int | tuple[int, ...]:
    return int(pair[0]) if len(set(pair)) == 1 else tuple(int(p) for p in pair)


def _option(name: str, value: object, default: object) -> str:
    return "" if value == default else f", {name}={value}"
