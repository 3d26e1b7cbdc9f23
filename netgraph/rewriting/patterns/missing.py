"""Pattern of missing edges."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from netgraph.checks import choice, whole_numbers
from netgraph.columns import Array, among, by_value, freeze
from netgraph.errors import RewriteError
from netgraph.rewriting.patterns.edges import BetweenVertices, VertexPattern
from netgraph.rewriting.patterns.matches import MAX_ENUMERATED_PAIRS, Funnel, MatchedRows, Matches
from netgraph.rewriting.patterns.rows import PairRows, VertexRows, most_taps
from netgraph.statistics import Statistics

if TYPE_CHECKING:
    from netgraph.graph import Graph

NOT_LINKED, ONLY_WIRES = -1, -2
"""Numbers in place of the position of a link, for a pair of layers without links, and for one that takes only wires."""

Links = Literal["existing", "any"]


@dataclass(frozen=True)
class MissingEdgePattern(BetweenVertices):
    """Pattern of a missing edge at a tap of a link, bound to `name`; `src` and `dst` bind and restrict its ends.

    Attributes:
        links: "existing" for missing edges of links that exist, "any" for those of new links as well.
    """

    links: Links = "existing"

    def __post_init__(self) -> None:
        super().__post_init__()
        choice("links", self.links, ("existing", "any"))

    def match(self, graph: Graph, on: Any = None, stats: Statistics | None = None) -> tuple[Matches, Funnel]:
        """Find the missing edges. Costs O(missing edges of the links)."""
        if on is None:
            rows = _list_missing(graph, self.links)
            funnel = [("missing edges" if self.links == "any" else "missing edges of existing links", rows.shape[1])]
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
        return self._kept(graph, rows, funnel)

    def between(self, graph: Graph, ends: Mapping[str, MatchedRows]) -> Matches | None:
        """Find the missing edges between given pairs of ends. Costs O(pairs * taps), and O(E) for their links."""
        if not ends:
            return self._kept(graph, np.empty((4, 0), dtype=np.int64), [])[0]
        source, target = ends[self.src.name].rows, ends[self.dst.name].rows
        order = np.lexsort((source, target))
        source, target = source[order], target[order]
        if self.links == "any":
            ids = list(graph.layers_by_id)
            new = _linkable(graph)[
                np.searchsorted(ids, graph.vertices.layer[source]), np.searchsorted(ids, graph.vertices.layer[target])
            ]
        else:
            new = np.zeros(len(source), dtype=bool)
        link, port = _receiving_links(graph, source, target)
        keep = (link >= 0) | ((link == NOT_LINKED) & new)
        source, target, link, port = (column[keep] for column in (source, target, link, port))
        taps = np.array([k.kind.taps for k in graph.links_by_key.values()] + [1], dtype=np.int64)[link]
        each = np.repeat(np.arange(len(link)), taps)
        tap = np.arange(len(each)) - np.repeat(np.cumsum(taps) - taps, taps)
        rows = np.stack([source[each], target[each], tap, port[each]])
        rows = rows[:, ~_existing(graph, rows[0], rows[1], rows[2], link[each])]
        return self._kept(graph, rows, [])[0]

    def _kept(self, graph: Graph, rows: Array, funnel: Funnel) -> tuple[Matches, Funnel]:
        """Matches of the missing edges, `(4, edges)`, whose ends pass their conditions."""
        for end, row in ((self.src, 0), (self.dst, 1)):
            for text, mask in end.conditions(graph):
                rows = rows[:, mask[rows[row]]]
                funnel.append((text, rows.shape[1]))
        pairs = PairRows(graph, *(freeze(row) for row in rows))
        return self.bind(graph, pairs, VertexRows(graph, rows[0]), VertexRows(graph, rows[1])), funnel


def missing_edge(
    name: str,
    *,
    src: VertexPattern | str = "src",
    dst: VertexPattern | str = "dst",
    links: Links = "existing",
) -> MissingEdgePattern:
    """Pattern of a missing edge, bound to `name`.

    Links of wires (`Identity`) and merging layers have no missing edges. A pair that `on` names belongs to the link at
    the lowest port between its layers, or to port 0 where no link joins them.

    Args:
        name: the name.
        src, dst: patterns that bind and restrict its ends, or just their names.
        links: "existing" for the missing edges of links that exist; "any" for those between all other layers as well
            where a `Dense` link may join them: the source is earlier in `graph.topological_order`, makes no heads, and
            is no output; the target sums its inputs, and has the grid of the source. Edges at any of them, or at all,
            close no cycle.
    """
    return MissingEdgePattern(name, src, dst, links)  # type: ignore[arg-type]  # names become patterns


def _each_once(graph: Graph, target: Array, source: Array, tap: Array) -> tuple[Array, Array, Array]:
    """Every triple of target row, source row and tap once, sorted.

    Each triple is coded as one number, since numbers sort many times as fast: `(target * n + source) * taps + tap`.
    """
    n, taps = len(graph.vertices), most_taps(graph)
    code = np.sort((target * n + source) * taps + tap)
    pair, tap = np.divmod(code[np.diff(code, prepend=-1) > 0], taps)
    return *np.divmod(pair, n), tap


def _check_taps(graph: Graph, tap: Array) -> None:
    most = most_taps(graph)
    if len(tap) and (tap.min() < 0 or tap.max() >= most):
        bad = tap[(tap < 0) | (tap >= most)][0]
        raise RewriteError(f"`on` names tap {bad}; the largest kernel of this graph has the taps 0..{most - 1}.")


def _linkable(graph: Graph) -> Array:
    """Whether a new `Dense` link may join two layers, `(layers, layers)`, by positions in `graph.layers_by_id`.

    Costs O(layers^2).
    """
    layers = list(graph.layers_by_id.values())
    place = np.empty(len(layers), dtype=np.int64)
    place[np.searchsorted(list(graph.layers_by_id), graph.topological_order)] = np.arange(len(layers))
    reads = np.array([x.role != "output" and (x.merge is None or not x.merge.gives_heads) for x in layers], dtype=bool)
    sums = np.array([not x.is_source and x.merge is None for x in layers], dtype=bool)
    grids = {grid: code for code, grid in enumerate(dict.fromkeys(g for x in layers for g in (x.grid, x.output_grid)))}
    given, taken = (np.array([grids[g] for g in column], dtype=np.int64) for column in (
        [x.output_grid for x in layers], [x.grid for x in layers]))  # fmt: skip
    fits = (given[:, None] == taken[None, :]) & reads[:, None] & sums[None, :] & (place[:, None] < place[None, :])
    index = {i: k for k, i in enumerate(graph.layers_by_id)}
    for source, target, _port in graph.links_by_key:
        fits[index[source], index[target]] = False
    return np.asarray(fits)


def _list_missing(graph: Graph, which: Links) -> Array:
    """Flat source row, flat target row, tap and port of every missing edge, `(4, pairs)`."""
    links = [k for k in graph.links_by_key.values() if not k.kind.wires and (not k.frozen.all() or not len(k))]
    width = {i: len(layer) for i, layer in graph.layers_by_id.items()}
    total = sum(width[k.source] * width[k.target] * k.kind.taps - len(k) for k in links)
    new: list[tuple[int, int]] = []
    if which == "any":
        ids = np.array(list(graph.layers_by_id), dtype=np.int64)
        new = [(int(ids[s]), int(ids[t])) for s, t in np.argwhere(_linkable(graph))]
        total += sum(width[s] * width[t] for s, t in new)
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
    for s, t in new:
        dst, src = np.divmod(np.arange(width[s] * width[t]), width[s])
        zero = np.zeros_like(src)
        parts.append(np.stack([src + graph.vertices.offset(s), dst + graph.vertices.offset(t), zero, zero]))
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
    taps, links = most_taps(graph), list(graph.links_by_key.values())
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
