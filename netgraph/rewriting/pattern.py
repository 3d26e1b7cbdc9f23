"""Patterns: what a rule looks for, as data. Matching is a few column operations."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from netgraph.checks import whole_numbers
from netgraph.columns import Array
from netgraph.errors import RewriteError
from netgraph.graph import Role
from netgraph.rewriting.grouping import by_value
from netgraph.rewriting.layer_patterns import (
    MAX_ENUMERATED_PAIRS,
    LayerPattern,
    LinkPattern,
    MissingLinkPattern,
    check_bound,
    check_ends,
    match_layers,
    match_links,
    match_missing_links,
)
from netgraph.rewriting.match import EdgeRows, Matches, PairRows, Rows, VertexRows

if TYPE_CHECKING:
    from netgraph.graph import Graph

NOT_LINKED, ONLY_WIRES = -1, -2
"""What stands for the link of a pair of layers that no link joins, or only `Identity` links."""


@dataclass(frozen=True)
class VertexPattern:
    """A vertex bound to `name`, of a given role or any."""

    name: str
    role: Role | None = None

    def __post_init__(self) -> None:
        check_bound(self.name, self.role)

    def admits(self, graph: Graph) -> Array:
        """(vertices,) whether each vertex of the graph fits."""
        if self.role is None:
            return np.ones(len(graph.vertices), dtype=bool)
        layers = graph.layers_by_id.values()
        fits = np.fromiter((layer.role == self.role for layer in layers), bool, len(layers))
        return np.repeat(fits, np.diff(graph.vertices.offsets))

    def describe(self) -> str:
        """Readable name of the condition."""
        return f"{self.name} is in an {self.role} layer" if self.role == "input" else f"{self.name} is {self.role}"


@dataclass(frozen=True)
class EdgePattern:
    """A trainable edge bound to `name`, with its two ends bound as `src` and `dst` say."""

    name: str
    src: VertexPattern = field(default_factory=lambda: VertexPattern("src"))
    dst: VertexPattern = field(default_factory=lambda: VertexPattern("dst"))

    def __post_init__(self) -> None:
        check_ends(self.name, self.src, self.dst, VertexPattern, "vertex")


@dataclass(frozen=True)
class MissingEdgePattern:
    """A pair of vertices without an edge at a tap and port of a link, bound to `name`, ends as for an edge."""

    name: str
    src: VertexPattern = field(default_factory=lambda: VertexPattern("src"))
    dst: VertexPattern = field(default_factory=lambda: VertexPattern("dst"))

    def __post_init__(self) -> None:
        check_ends(self.name, self.src, self.dst, VertexPattern, "vertex")


Pattern = VertexPattern | EdgePattern | MissingEdgePattern | LayerPattern | LinkPattern | MissingLinkPattern


def vertex(name: str, *, role: Role | None = None) -> VertexPattern:
    """Match vertices, bound to `name`; only those in layers of `role` when it is given."""
    return VertexPattern(name, role)


def layer(name: str, *, role: Role | None = None) -> LayerPattern:
    """Match layers, bound to `name`; only those of `role` when it is given."""
    return LayerPattern(name, role)


def edge(name: str, *, src: VertexPattern | None = None, dst: VertexPattern | None = None) -> EdgePattern:
    """Match trainable edges, bound to `name`; `src` and `dst` bind and restrict their ends."""
    return EdgePattern(name, src or VertexPattern("src"), dst or VertexPattern("dst"))


def missing_edge(
    name: str, *, src: VertexPattern | None = None, dst: VertexPattern | None = None
) -> MissingEdgePattern:
    """Match absent edges of existing links, bound to `name`; `src` and `dst` bind and restrict their ends.

    Links of wires (`Identity`) have none. A pair that is asked for by `on` belongs to the link at the lowest
    port between its layers, or at port 0 where no link joins them.
    """
    return MissingEdgePattern(name, src or VertexPattern("src"), dst or VertexPattern("dst"))


def link(name: str, *, src: LayerPattern | None = None, dst: LayerPattern | None = None) -> LinkPattern:
    """Match links, wires included, bound to `name`; `src` and `dst` bind and restrict the layers that they join."""
    return LinkPattern(name, src or LayerPattern("src"), dst or LayerPattern("dst"))


def missing_link(name: str, *, src: LayerPattern | None = None, dst: LayerPattern | None = None) -> MissingLinkPattern:
    """Match pairs of layers that no link joins, the target later in `graph.topological_order` and not an input.

    Links between any of these pairs, or all of them, close no cycle.
    """
    return MissingLinkPattern(name, src or LayerPattern("src"), dst or LayerPattern("dst"))


def match_pattern(pattern: Pattern, graph: Graph, on: Any = None) -> tuple[Matches, list[tuple[str, int]]]:
    """All matches of a pattern, in the order of `graph.edges` or `graph.vertices`, and a funnel of counts.

    Args:
        pattern: what to look for.
        graph: where.
        on: only these: vertex ids, edge ids, layer names or ids, for missing edges (pairs, 2 or 3) source id,
            target id, tap, for links and missing links pairs of layer names or ids (links: and a port).

    Raises:
        RewriteError: when `on` names what is not there, or there are too many missing pairs to list.
    """
    if isinstance(pattern, VertexPattern):
        return _match_vertices(pattern, graph, on)
    if isinstance(pattern, EdgePattern):
        return _match_edges(pattern, graph, on)
    if isinstance(pattern, LayerPattern):
        return match_layers(pattern, graph, on)
    if isinstance(pattern, LinkPattern):
        return match_links(pattern, graph, on)
    if isinstance(pattern, MissingLinkPattern):
        return match_missing_links(pattern, graph, on)
    return _match_missing(pattern, graph, on)


def _match_vertices(pattern: VertexPattern, graph: Graph, on: Any) -> tuple[Matches, list[tuple[str, int]]]:
    rows = np.arange(len(graph.vertices)) if on is None else graph.vertices.rows(np.unique(_ids(on)))
    funnel = [("vertices" if on is None else "vertices asked for", len(rows))]
    if pattern.role is not None:
        rows = rows[pattern.admits(graph)[rows]]
        funnel.append((pattern.describe(), len(rows)))
    return Matches(graph, {pattern.name: VertexRows(graph, rows)}), funnel


def _match_edges(pattern: EdgePattern, graph: Graph, on: Any) -> tuple[Matches, list[tuple[str, int]]]:
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
    funnel.append((f"{pattern.name} is trainable", len(rows)))
    for end, ends in ((pattern.src, table.source_row), (pattern.dst, table.target_row)):
        if end.role is not None:
            rows = rows[end.admits(graph)[ends[rows]]]
            funnel.append((end.describe(), len(rows)))
    bound: dict[str, Rows] = {
        pattern.name: EdgeRows(graph, rows),
        pattern.src.name: VertexRows(graph, table.source_row[rows]),
        pattern.dst.name: VertexRows(graph, table.target_row[rows]),
    }
    return Matches(graph, bound), funnel


def _match_missing(pattern: MissingEdgePattern, graph: Graph, on: Any) -> tuple[Matches, list[tuple[str, int]]]:
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
        funnel.append((f"{pattern.name} is missing", rows.shape[1]))
    for end, row in ((pattern.src, 0), (pattern.dst, 1)):
        if end.role is not None:
            rows = rows[:, end.admits(graph)[rows[row]]]
            funnel.append((end.describe(), rows.shape[1]))
    bound: dict[str, Rows] = {
        pattern.name: PairRows(graph, *rows),
        pattern.src.name: VertexRows(graph, rows[0]),
        pattern.dst.name: VertexRows(graph, rows[1]),
    }
    return Matches(graph, bound), funnel


def _each_once(graph: Graph, target: Array, source: Array, tap: Array) -> tuple[Array, Array, Array]:
    """Every triple of flat rows and tap once, sorted. As one number each, which sorts many times as fast."""
    n, taps = len(graph.vertices), _most_taps(graph)
    code = np.sort((target * n + source) * taps + tap)
    pair, tap = np.divmod(code[np.diff(code, prepend=-1) > 0], taps)
    return *np.divmod(pair, n), tap


def _most_taps(graph: Graph) -> int:
    """Taps of the largest kernel."""
    return max((k.kind.taps for k in graph.links_by_key.values()), default=1)


def _check_taps(graph: Graph, tap: Array) -> None:
    most = _most_taps(graph)
    if len(tap) and (tap.min() < 0 or tap.max() >= most):
        bad = tap[(tap < 0) | (tap >= most)][0]
        raise RewriteError(f"`on` names tap {bad}; the largest kernel of this graph has the taps 0..{most - 1}.")


def _list_missing(graph: Graph) -> Array:
    """(4, pairs) flat source and target row, tap and port of every edge that a link could still take."""
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
    """Link, as its position in `graph.links_by_key`, and port that would take an edge from each row to each other.

    That is the link at the lowest port which is not of wires; NOT_LINKED and port 0, or ONLY_WIRES, where
    there is none.
    """
    places: dict[tuple[int, int], tuple[int, int]] = {}
    for position, link in enumerate(graph.links_by_key.values()):  # ascending ports
        pair = (link.source, link.target)
        if places.get(pair, (ONLY_WIRES, 0))[0] == ONLY_WIRES:
            places[pair] = (ONLY_WIRES, 0) if link.kind.wires else (position, link.port)
    layers = np.stack([graph.vertices.layer[source], graph.vertices.layer[target]])
    starts = np.flatnonzero(np.r_[True, (np.diff(layers, axis=1) != 0).any(axis=0)][: len(source)])
    found = [places.get((s, t), (NOT_LINKED, 0)) for s, t in layers[:, starts].T.tolist()]
    runs = np.array(found, dtype=np.int64).reshape(-1, 2).T
    link, port = np.repeat(runs, np.diff(starts, append=len(source)), axis=1)
    return link, port


def _existing(graph: Graph, source: Array, target: Array, tap: Array, link: Array) -> Array:
    """Whether the receiving link joins each pair of flat vertex rows at the tap.

    O(edges of these links + pairs log edges): a link has its edges in the order of target, source and tap.
    """
    taps, links = _most_taps(graph), list(graph.links_by_key.values())
    result = np.zeros(len(link), dtype=bool)
    for position, asked in by_value(link).items():
        if position == NOT_LINKED or not len(own := links[position]):
            continue
        width = len(graph.layer(own.source))
        src, dst = (r[asked] - graph.vertices.offset(i) for r, i in ((source, own.source), (target, own.target)))
        wanted = (dst * width + src) * taps + tap[asked]
        present = (own.dst.astype(np.int64) * width + own.src) * taps + own.tap
        place = np.minimum(np.searchsorted(present, wanted), len(present) - 1)
        result[asked] = present[place] == wanted
    return result


def _ids(on: Any) -> Array:
    ids = on.id if isinstance(on, EdgeRows | VertexRows) or hasattr(on, "id") else on
    array = np.asarray(ids)
    if array.size and array.dtype.kind not in "iu":
        raise RewriteError(f"`on` needs ids, which are integers, got {array.dtype}.")
    return whole_numbers("on", ids, error=RewriteError).ravel()
