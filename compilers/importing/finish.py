"""From drafts to a graph."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from compilers.importing.drafts import DraftLayer, DraftLink
from compilers.importing.fuse import fused, ordered, separated
from netgraph.columns import Array
from netgraph.graph import Graph, Layer, Link, required_columns


@dataclass(frozen=True, eq=False)
class Finished:
    """A graph of drafts.

    Attributes:
        graph: the graph.
        layers: name of the layer that has the values of each draft.
        edges: codes of elements of parameters with the ids of their edges, in parts.
        columns: codes of elements of parameters with the name of their vertex column and the ids of their vertices.
    """

    graph: Graph
    layers: Mapping[DraftLayer, str]
    edges: Sequence[tuple[Array, Array]]
    columns: Sequence[tuple[Array, str, Array]]

    def name(self, draft: DraftLayer) -> str:
        """Name of the layer that has the values of a draft. Raises `KeyError` when there is none."""
        return self.layers[draft]

    def find(self, draft: Any) -> str | None:
        """Name of the layer that has the values of a draft, or None."""
        return self.layers.get(draft)

    def places(
        self, starts: Mapping[str, int], shapes: Mapping[str, tuple[int, ...]]
    ) -> tuple[dict[str, Array], dict[str, tuple[str, Array]]]:
        """Edges and vertices of parameters.

        Args:
            starts: first code of each parameter.
            shapes: shape of each parameter.

        Returns:
            By parameter the id of the edge of each element, -1 for none, and the vertex column with the id of the
            vertex of each element; only parameters that have some.
        """
        names = sorted(starts, key=starts.__getitem__)
        bounds = np.array([starts[name] for name in names])
        edges: dict[str, Array] = {}
        vertices: dict[str, tuple[str, Array]] = {}

        def put(codes: Array, ids: Array, into: Any) -> None:
            number = np.searchsorted(bounds, codes, side="right") - 1
            for index in np.flatnonzero(np.bincount(number)).tolist():
                name, mine = names[index], number == index
                array = into(name)
                array.reshape(-1)[codes[mine] - bounds[index]] = ids[mine]

        for codes, ids in self.edges:
            put(codes, ids, lambda name: edges.setdefault(name, np.full(shapes[name], -1, np.int64)))
        for codes, column, ids in self.columns:
            put(
                codes, ids,
                lambda name, column=column: vertices.setdefault(name, (column, np.full(shapes[name], -1, np.int64)))[1],
            )  # fmt: skip
        return edges, vertices


def finish(inputs: Sequence[DraftLayer], outputs: Sequence[DraftLayer], *, dtype: Any) -> Finished:
    """Make a graph of the drafts on which some outputs depend.

    Drafts that only go on with the values of another one are fused into it. Inputs get the smallest ids, outputs the
    largest, both in their order.

    Args:
        inputs, outputs: the drafts; they are changed.
        dtype: precision of weights and vertex columns.

    Raises:
        GraphError: when the graph is not valid.

    Cost: O(edges log edges).
    """
    drafts, values = fused(ordered(outputs))
    added = {draft: separated(draft) for draft in drafts}
    ends = {*inputs, *(values[output] or output for output in outputs)}
    middle = [part for draft in drafts for part in (*added[draft], draft) if part not in ends]
    last = [kept for output in outputs if (kept := values[output]) is not None]
    order = [*inputs, *middle, *last]
    names = _unique_names(order)
    ids = {draft: number for number, draft in enumerate(order)}
    layers, columns, start = [], list[tuple[Array, str, Array]](), 0
    for draft in order:
        vertex_ids = np.arange(start, start + draft.width)
        start += draft.width
        layers.append(_layer(draft, ids[draft], names[draft], vertex_ids, dtype))
        for column, codes in draft.parameters.items():
            some = codes >= 0
            columns.append((codes[some], column, vertex_ids[some]))
    links, edges, start = [], list[tuple[Array, Array]](), 0
    for draft in order:
        for given in draft.links:
            made, codes = _link(given, ids[given.source], ids[draft], start, dtype)
            start += len(made)
            links.append(made)
            some = codes >= 0
            edges.append((codes[some], made.id[some]))
    held = {draft: names[draft] for draft in inputs}
    held.update((draft, names[kept]) for draft, kept in values.items() if kept is not None)
    return Finished(Graph(layers, links), held, edges, columns)


def _unique_names(drafts: Sequence[DraftLayer]) -> dict[DraftLayer, str]:
    """Wished names, with a number behind names that are taken already."""
    taken: set[str] = set()
    last: dict[str, int] = {}  # by wished name, so that many equal ones are not counted again from the start
    names = {}
    for draft in drafts:
        name, number = draft.name, last.get(draft.name, 1)
        while name in taken:
            number += 1
            name = f"{draft.name}-{number}"
        taken.add(name)
        last[draft.name] = number
        names[draft] = name
    return names


def _layer(draft: DraftLayer, layer_id: int, name: str, vertex_ids: Array, dtype: Any) -> Layer:
    if draft.role == "input":
        low, high = draft.domain or ((0.0, 1.0) if draft.encoding == "index" else (-np.inf, np.inf))
        columns = {"low": np.full(draft.width, float(low)), "high": np.full(draft.width, float(high))}
    else:
        starts = required_columns(draft.role, draft.norm, draft.activation)
        columns = {column: np.full(draft.width, start, dtype) for column, start in starts.items()}
        columns.update({column: values.astype(dtype) for column, values in draft.columns.items()})
    return Layer(
        layer_id, name, vertex_ids, np.zeros(draft.width, np.int32), columns, draft.role, draft.grid,
        draft.activation, draft.slope, draft.norm, draft.norm_epsilon, draft.norm_momentum, draft.pool, draft.merge,
        draft.encoding,
    )  # fmt: skip


def _link(given: DraftLink, source: int, target: int, start: int, dtype: Any) -> tuple[Link, Array]:
    """Link of a draft with the codes of the parameters of its edges, in the order of the edges."""
    order = np.lexsort((given.tap, given.src, given.dst))
    n = len(order)
    columns = {
        "id": np.arange(start, start + n),
        "src": given.src[order],
        "dst": given.dst[order],
        "tap": given.tap[order],
        "weight": given.weight[order].astype(dtype),
        "birth": np.zeros(n, np.int32),
        "frozen": given.frozen[order],
    }
    return Link(source, target, given.kind, port=given.port, **columns), given.parameter[order]
