"""Patterns of vertices, edges and missing edges, and the rows that they bind."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from netgraph.checks import whole_numbers
from netgraph.columns import Array, among, by_value, column, freeze
from netgraph.errors import RewriteError
from netgraph.graph import Grid, LinkKind, Role
from netgraph.rewriting.patterns.matches import (
    MAX_ENUMERATED_PAIRS,
    Funnel,
    JoinPattern,
    MatchedRows,
    Matches,
    PartPattern,
    TableRows,
)

if TYPE_CHECKING:
    from netgraph.graph import Graph

NOT_LINKED, ONLY_WIRES = -1, -2
"""Numbers in place of the position of a link, for a pair of layers without links, and for one that takes only wires."""


class VertexRows(TableRows):
    """Vertices of a graph, one per row; `rows` are flat rows in `graph.vertices`, not ids. Properties are arrays.

    A rule gets the vertices of its matches, and other ones from `Rewriter.vertices`.
    """

    def unique(self) -> VertexRows:
        """Return every vertex once, in the order of `graph.vertices`."""
        return VertexRows(self.graph, np.unique(self.rows))

    @property
    def id(self) -> Array:
        """Vertex ids."""
        return freeze(self.graph.vertices.id[self.rows])

    @property
    def layer(self) -> Array:
        """Layer ids."""
        return freeze(self.graph.vertices.layer[self.rows])

    @property
    def birth(self) -> Array:
        """Number of the rewrite that made each vertex."""
        return freeze(self.graph.vertices.birth[self.rows])

    @property
    def nonnegative(self) -> Array:
        """Whether the value of each vertex is provably at least 0 for all inputs in the domain."""
        return freeze(self.graph.vertices.nonnegative[self.rows])

    def column(self, name: str) -> Array:
        """Values of a vertex column such as `bias`, NaN where the layer does not have the column."""
        return freeze(self.graph.vertices.column(name)[self.rows])

    @property
    def grid(self) -> Grid:
        """Output grid of these vertices. Raises `RewriteError` when they have different ones."""
        grids = {self.graph.layer(int(i)).output_grid for i in np.unique(self.layer)}
        if len(grids) != 1:
            raise RewriteError(f"These vertices have different grids {sorted(grids)}; group them by 'source grid'.")
        return grids.pop()

    @property
    def scalar(self) -> Array:
        """Whether each vertex is one number for a sample, and no map: the output grid of its layer is `()`."""
        layers = self.graph.layers_by_id
        scalar = np.array([layer.output_grid == () for layer in layers.values()], dtype=bool)
        return freeze(scalar[np.searchsorted(np.array(list(layers), dtype=np.int64), self.layer)])

    @cached_property
    def in_degree(self) -> Array:
        """Number of edges, wires included, into each vertex."""
        return freeze(np.bincount(self.graph.edges.target_row, minlength=len(self.graph.vertices))[self.rows])

    @cached_property
    def out_degree(self) -> Array:
        """Number of edges, wires included, out of each vertex."""
        return freeze(np.bincount(self.graph.edges.source_row, minlength=len(self.graph.vertices))[self.rows])

    def group_key(self, name: str) -> Array | None:
        return self.layer if name == "layer" else None


class EdgeRows(TableRows):
    """Edges of a graph, one per row; `rows` are rows in `graph.edges`, not ids. Properties are arrays.

    A rule gets the edges of its matches, and other ones from `Rewriter.edges`.
    """

    @property
    def id(self) -> Array:
        """Edge ids."""
        return freeze(self.graph.edges.id[self.rows])

    @property
    def weight(self) -> Array:
        """Weights."""
        return freeze(self.graph.edges.weight[self.rows])

    @property
    def tap(self) -> Array:
        """Taps (positions in the kernel)."""
        return freeze(self.graph.edges.tap[self.rows])

    @property
    def birth(self) -> Array:
        """Number of the rewrite that made each edge."""
        return freeze(self.graph.edges.birth[self.rows])

    @property
    def link(self) -> Array:
        """Position of the link of each edge in `graph.links_by_key`."""
        return freeze(self.graph.edges.link[self.rows])

    @property
    def port(self) -> Array:
        """Port of the target layer at which each edge arrives."""
        return freeze(self.graph.edges.port[self.rows])

    @property
    def kind(self) -> LinkKind:
        """Kind of the links of these edges. Raises `RewriteError` when they have different ones."""
        kinds = {self.graph.edges.link_kinds[k] for k in np.unique(self.link)}
        if len(kinds) != 1:
            raise RewriteError("These edges belong to links of different kinds; group them by 'link kind'.")
        kind: LinkKind = kinds.pop()
        return kind

    def group_key(self, name: str) -> Array | None:
        if name == "link kind":
            kinds = [repr(kind) for kind in self.graph.edges.link_kinds]
            return np.asarray(np.unique(kinds, return_inverse=True)[1][self.link])
        return self.link if name == "link" else self.port if name == "port" else None


class PairRows(MatchedRows):
    """Missing edges: pairs of vertices without an edge at a tap and port, one per row. Ends are vertex ids."""

    graph: Graph
    tap: Array
    port: Array
    _source: Array
    _target: Array

    def __init__(self, graph: Graph, source_rows: Array, target_rows: Array, tap: Array, port: Array) -> None:
        columns = {"_source": source_rows, "_target": target_rows, "tap": tap, "port": port}
        self.__dict__.update(graph=graph, **{name: column(values, None) for name, values in columns.items()})

    def __len__(self) -> int:
        return len(self.tap)

    def take(self, chosen: Array) -> PairRows:
        """Return the pairs at the given positions or mask."""
        return PairRows(self.graph, self._source[chosen], self._target[chosen], self.tap[chosen], self.port[chosen])

    @property
    def source(self) -> Array:
        """Source vertex ids."""
        return freeze(self.graph.vertices.id[self._source])

    @property
    def target(self) -> Array:
        """Target vertex ids."""
        return freeze(self.graph.vertices.id[self._target])

    @cached_property
    def rows(self) -> Array:
        """A unique integer key per missing edge."""
        taps, ports = (int(values.max()) + 1 if len(self) else 1 for values in (self.tap, self.port))
        pair = self._target * len(self.graph.vertices) + self._source
        return freeze((pair * ports + self.port) * taps + self.tap)

    def group_key(self, name: str) -> Array | None:
        return self.port if name == "port" else None


@dataclass(frozen=True)
class VertexPattern(PartPattern):
    """Pattern of a vertex, bound to `name`, in a layer of a given role or of any role."""

    def match(self, graph: Graph, on: Any = None) -> tuple[Matches, Funnel]:
        rows = np.arange(len(graph.vertices)) if on is None else graph.vertices.rows(np.unique(_ids(on)))
        funnel = [("vertices" if on is None else "vertices asked for", len(rows))]
        if self.role is not None:
            rows = rows[self.admits(graph)[rows]]
            funnel.append((self.describe(), len(rows)))
        return Matches(graph, {self.name: VertexRows(graph, rows)}), funnel

    def admits(self, graph: Graph) -> Array:
        """Whether the layer of each vertex has the role of the pattern; True for all without a role, `(vertices,)`."""
        if self.role is None:
            return np.ones(len(graph.vertices), dtype=bool)
        layers = graph.layers_by_id.values()
        fits = np.fromiter((layer.role == self.role for layer in layers), bool, len(layers))
        return np.repeat(fits, np.diff(graph.vertices.offsets))

    def describe(self) -> str:
        """Name of the condition on the role, for explanations."""
        return f"{self.name} is in an {self.role} layer" if self.role == "input" else f"{self.name} is {self.role}"


class _BetweenVertices(JoinPattern[VertexPattern]):
    end = (VertexPattern, "vertex")


class EdgePattern(_BetweenVertices):
    """Pattern of a trainable edge, bound to `name`; the patterns `src` and `dst` bind and restrict its ends."""

    def match(self, graph: Graph, on: Any = None) -> tuple[Matches, Funnel]:
        table = graph.edges
        if on is None:
            rows = np.arange(len(table))
            funnel = [("edges", len(rows))]
        else:
            ids = _ids(on)
            rows = table.find(ids)
            if (rows < 0).any():
                missing = ids[rows < 0].min()
                raise RewriteError(f"There is no edge with id {missing} in this graph; ids change with rewrites.")
            asked = np.zeros(len(table), dtype=bool)
            asked[rows] = True
            rows = np.flatnonzero(asked)
            funnel = [("edges asked for", len(rows))]
        rows = rows[~table.frozen[rows]]
        funnel.append((f"{self.name} is trainable", len(rows)))
        for end, ends in ((self.src, table.source_row), (self.dst, table.target_row)):
            if end.role is not None:
                rows = rows[end.admits(graph)[ends[rows]]]
                funnel.append((end.describe(), len(rows)))
        sources, targets = (VertexRows(graph, ends[rows]) for ends in (table.source_row, table.target_row))
        return self.bind(graph, EdgeRows(graph, rows), sources, targets), funnel


class MissingEdgePattern(_BetweenVertices):
    """Pattern of a missing edge at a tap of a link, bound to `name`; `src` and `dst` bind and restrict its ends."""

    def match(self, graph: Graph, on: Any = None) -> tuple[Matches, Funnel]:
        if on is None:
            rows = _list_missing(graph)
            funnel = [("missing edges of existing links", rows.shape[1])]
        else:
            pairs = whole_numbers("on", on, error=RewriteError)
            if pairs.ndim != 2 or pairs.shape[1] not in (2, 3):
                raise RewriteError(f"`on` has shape {pairs.shape}, expected (pairs, 2) ids, or (pairs, 3) with tap.")
            source, target = (graph.vertices.rows(pairs[:, k]) for k in (0, 1))
            tap = pairs[:, 2] if pairs.shape[1] == 3 else np.zeros(len(pairs), np.int64)
            _check_taps(graph, tap)
            funnel = [("pairs asked for", len(pairs))]
            target, source, tap = _each_once(graph, target, source, tap)
            link, port = _receiving_links(graph, source, target)
            rows = np.stack([source, target, tap, port])
            if (link == ONLY_WIRES).any():
                rows, link = rows[:, link != ONLY_WIRES], link[link != ONLY_WIRES]
                funnel.append(("layers have a link that may hold it", rows.shape[1]))
            absent = ~_existing(graph, rows[0], rows[1], rows[2], link)
            rows = rows[:, absent]
            funnel.append((f"{self.name} is missing", rows.shape[1]))
        for end, row in ((self.src, 0), (self.dst, 1)):
            if end.role is not None:
                rows = rows[:, end.admits(graph)[rows[row]]]
                funnel.append((end.describe(), rows.shape[1]))
        return self.bind(graph, PairRows(graph, *rows), VertexRows(graph, rows[0]), VertexRows(graph, rows[1])), funnel


def vertex(name: str, *, role: Role | None = None) -> VertexPattern:
    """Pattern of a vertex, bound to `name`; with `role`, only of vertices in layers of this role."""
    return VertexPattern(name, role)


def edge(name: str, *, src: VertexPattern | None = None, dst: VertexPattern | None = None) -> EdgePattern:
    """Pattern of a trainable edge, bound to `name`; `src` and `dst` bind and restrict its ends."""
    return EdgePattern(name, src or VertexPattern("src"), dst or VertexPattern("dst"))


def missing_edge(
    name: str, *, src: VertexPattern | None = None, dst: VertexPattern | None = None
) -> MissingEdgePattern:
    """Pattern of a missing edge of an existing link, bound to `name`; `src` and `dst` bind and restrict its ends.

    Links of wires (`Identity`) and merging layers have no missing edges. A pair that `on` names belongs to the link at
    the lowest port between its layers, or to port 0 where no link joins them.
    """
    return MissingEdgePattern(name, src or VertexPattern("src"), dst or VertexPattern("dst"))


def _each_once(graph: Graph, target: Array, source: Array, tap: Array) -> tuple[Array, Array, Array]:
    """Every triple of target row, source row and tap once, sorted.

    Each triple is coded as one number, since numbers sort many times as fast: `(target * n + source) * taps + tap`.
    """
    n, taps = len(graph.vertices), _most_taps(graph)
    code = np.sort((target * n + source) * taps + tap)
    pair, tap = np.divmod(code[np.diff(code, prepend=-1) > 0], taps)
    return *np.divmod(pair, n), tap


def _most_taps(graph: Graph) -> int:
    """Number of taps of the largest kernel."""
    return max((k.kind.taps for k in graph.links_by_key.values()), default=1)


def _check_taps(graph: Graph, tap: Array) -> None:
    most = _most_taps(graph)
    if len(tap) and (tap.min() < 0 or tap.max() >= most):
        bad = tap[(tap < 0) | (tap >= most)][0]
        raise RewriteError(f"`on` names tap {bad}; the largest kernel of this graph has the taps 0..{most - 1}.")


def _list_missing(graph: Graph) -> Array:
    """Flat source row, flat target row, tap and port of every missing edge of the links, `(4, pairs)`."""
    links = [k for k in graph.links_by_key.values() if not k.kind.wires and (not k.frozen.all() or not len(k))]
    width = {i: len(layer) for i, layer in graph.layers_by_id.items()}
    total = sum(width[k.source] * width[k.target] * k.kind.taps - len(k) for k in links)
    if total > MAX_ENUMERATED_PAIRS:
        raise RewriteError(
            f"{total:,} edges are missing, more than the {MAX_ENUMERATED_PAIRS:,} that are listed; "
            "say which ones to look at with on=pairs."
        )
    parts = []
    for k in links:
        n, m, taps = width[k.source], width[k.target], k.kind.taps
        absent = np.ones(n * m * taps, dtype=bool)
        absent[(k.dst.astype(np.int64) * n + k.src) * taps + k.tap] = False
        cell, tap = np.divmod(np.flatnonzero(absent), taps)
        dst, src = np.divmod(cell, n)
        offset = graph.vertices.offset
        parts.append(np.stack([src + offset(k.source), dst + offset(k.target), tap, np.full_like(tap, k.port)]))
    return np.concatenate(parts, axis=1) if parts else np.empty((4, 0), np.int64)


def _receiving_links(graph: Graph, source: Array, target: Array) -> tuple[Array, Array]:
    """Position in `graph.links_by_key`, and port, of the link to which a missing edge of each pair of rows belongs.

    It is the link at the lowest port that is not of wires. Where there is none, the position is NOT_LINKED or
    ONLY_WIRES, and the port is 0. Merging layers take only wires.
    """
    places: dict[tuple[int, int], tuple[int, int]] = {}
    for position, link in enumerate(graph.links_by_key.values()):  # ascending ports
        pair = (link.source, link.target)
        if places.get(pair, (ONLY_WIRES, 0))[0] == ONLY_WIRES:
            places[pair] = (ONLY_WIRES, 0) if link.kind.wires else (position, link.port)
    layers = np.stack([graph.vertices.layer[source], graph.vertices.layer[target]])
    starts = np.flatnonzero(np.r_[True, (np.diff(layers, axis=1) != 0).any(axis=0)][: len(source)])
    free = {i: (NOT_LINKED if x.merge is None else ONLY_WIRES, 0) for i, x in graph.layers_by_id.items()}
    found = [places.get((s, t), free[t]) for s, t in layers[:, starts].T.tolist()]
    runs = np.array(found, dtype=np.int64).reshape(-1, 2).T
    link, port = np.repeat(runs, np.diff(starts, append=len(source)), axis=1)
    return link, port


def _existing(graph: Graph, source: Array, target: Array, tap: Array, link: Array) -> Array:
    """Whether the given link already has an edge at each pair of flat vertex rows and tap.

    Costs O(edges of these links + pairs log edges), since the edges of a link are in the order of target, source, tap.
    """
    taps, links = _most_taps(graph), list(graph.links_by_key.values())
    result = np.zeros(len(link), dtype=bool)
    for position, asked in by_value(link).items():
        if position == NOT_LINKED:
            continue
        own = links[position]
        width = len(graph.layer(own.source))
        src, dst = (r[asked] - graph.vertices.offset(i) for r, i in ((source, own.source), (target, own.target)))
        wanted = (dst * width + src) * taps + tap[asked]
        present = (own.dst.astype(np.int64) * width + own.src) * taps + own.tap
        result[asked] = among(wanted, present)
    return result


def _ids(on: Any) -> Array:
    ids = on.id if isinstance(on, EdgeRows | VertexRows) or hasattr(on, "id") else on
    array = np.asarray(ids)
    if array.size and array.dtype.kind not in "iu":
        raise RewriteError(f"`on` needs ids, which are integers, got {array.dtype}.")
    return whole_numbers("on", ids, error=RewriteError).ravel()
