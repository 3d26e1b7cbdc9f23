"""Differences between two graphs by name, and between their functions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from netgraph.columns import Array
from netgraph.graph import Graph
from netgraph.proof import Certificate, aligned, certify
from netgraph.rewriting import edge_name, vertex_name
from netgraph.testing.compare import OutputDifference, default_inputs, difference
from netgraph.testing.exact import is_exact
from netgraph.testing.together.drawing import plural

MEASURED = 1e-5
"""Relative tolerance of outputs of graphs whose evaluation rounds, see `difference`."""
SHOWN = 8
"""Largest number of differing parts in a text."""


@dataclass(frozen=True)
class Differing:
    """A part in which two graphs differ.

    Attributes:
        part: name of the part, such as "weight of x[0] -> y[0]".
        first, second: its value in the first and in the second graph; None where the graph does not have it.
    """

    part: str
    first: str | None
    second: str | None

    def __str__(self) -> str:
        first, second = ("absent" if value is None else value for value in (self.first, self.second))
        return f"{self.part}: {first} | {second}"


def differing(one: Graph, two: Graph) -> tuple[Differing, ...]:
    """List the parts in which two graphs differ, under the pairing of their parts that `aligned` finds."""
    two = aligned(one, two)
    return (*_layers(one, two), *_links(one, two), *_vertices(one, two), *_edges(one, two))


def _layers(one: Graph, two: Graph) -> Iterator[Differing]:
    for i in [*one.layers_by_id, *(i for i in two.layers_by_id if i not in one.layers_by_id)]:
        a, b = one.layers_by_id.get(i), two.layers_by_id.get(i)
        if a is None or b is None:
            layer = a or b
            assert layer is not None
            texts = [None if x is None else f"{plural(len(x), 'vertex', 'vertices')}, {x.activation}" for x in (a, b)]
            yield Differing(f"layer {layer.name}", *texts)
            continue
        names = [n for n in sorted({*a.attributes, *b.attributes}) if n != "name" or a.role in ("input", "output")]
        for name in names:
            before, after = a.attributes.get(name), b.attributes.get(name)
            if before != after:
                yield Differing(f"{name} of layer {a.name}", str(before), str(after))


def _links(one: Graph, two: Graph) -> Iterator[Differing]:
    for key in [*one.links_by_key, *(k for k in two.links_by_key if k not in one.links_by_key)]:
        a, b = one.link(key), two.link(key)
        if a is not None and b is not None and a.kind == b.kind:
            continue
        graph = one if a is not None else two
        port = f" at port {key[2]}" if key[2] else ""
        name = f"link {graph.layer(key[0]).name} -> {graph.layer(key[1]).name}{port}"
        yield Differing(name, *(None if k is None else f"{k.kind}, {plural(len(k), 'edge', 'edges')}" for k in (a, b)))


def _vertices(one: Graph, two: Graph) -> Iterator[Differing]:
    a, b = one.vertices, two.vertices
    for graph, other, only in ((one, b, "first"), (two, a, "second")):
        for row in np.flatnonzero(other.find(graph.vertices.id) < 0).tolist():
            if int(graph.vertices.layer[row]) not in (two if graph is one else one).layers_by_id:
                continue  # the layer is listed
            there = ("present", None) if only == "first" else (None, "present")
            yield Differing(f"vertex {vertex_name(graph, row)}", *there)
    rows = np.flatnonzero(b.find(a.id) >= 0)
    partner = b.find(a.id[rows])
    for name in sorted(
        {name for graph in (one, two) for layer in graph.layers_by_id.values() for name in layer.values}
    ):
        before, after = a.column(name)[rows], b.column(name)[partner]
        for k in np.flatnonzero(_unequal(before, after)).tolist():
            yield Differing(f"{name} of {vertex_name(one, int(rows[k]))}", _text(before[k]), _text(after[k]))


def _edges(one: Graph, two: Graph) -> Iterator[Differing]:
    a, b = one.edges, two.edges
    for graph, other, only in ((one, b, "first"), (two, a, "second")):
        for row in np.flatnonzero(other.find(graph.edges.id) < 0).tolist():
            weight = f"weight {_text(graph.edges.weight[row])}"
            there = (weight, None) if only == "first" else (None, weight)
            yield Differing(f"edge {edge_name(graph, row)}", *there)
    rows = np.flatnonzero(b.find(a.id) >= 0)
    partner = b.find(a.id[rows])
    for name in ("weight", "frozen", "tap"):
        before, after = getattr(a, name)[rows], getattr(b, name)[partner]
        for k in np.flatnonzero(before != after).tolist():
            yield Differing(f"{name} of {edge_name(one, int(rows[k]))}", _text(before[k]), _text(after[k]))


def _unequal(a: Array, b: Array) -> Array:
    return np.asarray((a != b) & ~(np.isnan(a) & np.isnan(b)))


def _text(value: object) -> str:
    return f"{value + 0.0:g}" if isinstance(value, float | np.floating) else str(value)


Same = Literal["same", "different", "not decided"]


@dataclass(frozen=True, eq=False)
class FunctionComparison:
    """Comparison of the functions of two graphs.

    Attributes:
        verdict: "same" (proved, at least up to rounding), "different" (measured) or "not decided" (neither).
        certificate: proof about the two graphs, with parts paired by structure and value.
        difference: largest measured difference of an output beyond the tolerance, or None.
    """

    verdict: Same
    certificate: Certificate
    difference: OutputDifference | None

    def __str__(self) -> str:
        if self.difference is not None:
            return f"different: {self.difference}"
        if self.verdict == "same":
            return f"the same ({self.certificate.level})"
        return f"not decided: no difference was measured, but the proof is only {self.certificate}"


def compare_functions(one: Graph, two: Graph) -> FunctionComparison:
    """Compare the functions of two graphs: first measure, then prove."""
    certificate = certify(one, aligned(one, two))
    if certificate.satisfies("exact up to rounding"):
        return FunctionComparison("same", certificate, None)
    found = measured_difference(one, two)
    return FunctionComparison("not decided" if found is None else "different", certificate, found)


def measured_difference(one: Graph, two: Graph) -> OutputDifference | None:
    """Largest difference of an output on corners, zero and random inputs: beyond rounding, or any on exact graphs."""
    exact = is_exact(one) and is_exact(two)
    return difference(one, two, default_inputs(one), relative=0.0 if exact else MEASURED)
