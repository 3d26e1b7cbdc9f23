"""Blocks of edges, made from the links of a graph. Vectorised over edges; Python runs per layer and per link only."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from compilers.plan.block import Block, Choice, Incidence, Site, stable_order
from compilers.plan.choose import Chooser
from compilers.plan.fan_in import MapFanIn, RowFanIn, TableFanIn
from compilers.plan.geometry import Geometry
from compilers.plan.kinds import DENSE, KINDS
from netgraph.columns import Array
from netgraph.graph import Graph, Layer, Link

Signature = tuple[bytes, int, int]
"""Hash of a link, and the widths of its source and its target."""


@dataclass(frozen=True, eq=False)
class BlockPattern:
    """One block without its place, shared by the plans before and after a rewrite that left the links alone.

    Attributes:
        kernel: name of the kernel.
        incidence: pattern of the edges.
        order: int32 place of each edge among those of all links of the site, or None for all in order, `(edges,)`.
        columns: places among the parents that the columns of the incidence stand for, or pairs of map and tap.
    """

    kernel: str
    incidence: Incidence
    order: Array | None
    columns: Array


@dataclass(frozen=True, eq=False)
class SiteEdges:
    """Edges of one site in the order of its blocks, with every fact that takes a pass over the edges to find.

    Attributes:
        signature: signature of each link; widths may change while its edges stay.
        used: for each link, the rows of its source layer that have an edge.
        counts: number of edges of each of these rows, over all links, `(parents,)`.
        blocks: blocks by choice, and by the rows between the parents if these are read as well.
    """

    signature: tuple[Signature, ...]
    used: tuple[Array, ...]
    counts: Array
    blocks: dict[tuple[Choice, bytes], list[BlockPattern]] = field(default_factory=dict)

    def keep(self, key: tuple[Choice, bytes], blocks: list[BlockPattern]) -> None:
        """Keep the blocks of one choice, and drop all others, so that a long history needs no more memory."""
        self.blocks.clear()
        self.blocks[key] = blocks


@dataclass(eq=False)
class Lowering:
    """One lowering under way: where layers lie, who picks kernels, and the number of slots that are taken.

    Attributes:
        graph: the network.
        layers: in topological order.
        starts: buffer row at which each layer starts, by layer id.
        input_rows: number of buffer rows that are inputs.
        chooser: picks the kernel of every site.
        known: edges of the sites of an earlier plan.
        site_edges: edges of the sites of this one.
        slots: number of weights so far, frozen ones by True.
    """

    graph: Graph
    layers: Sequence[Layer]
    starts: Mapping[int, int]
    input_rows: int
    chooser: Chooser
    known: Mapping[Site, SiteEdges]
    site_edges: dict[Site, SiteEdges] = field(default_factory=dict)
    slots: dict[bool, int] = field(default_factory=lambda: {False: 0, True: 0})

    def __post_init__(self) -> None:
        self.place = {layer.id: i for i, layer in enumerate(self.layers)}

    def blocks(self, layer: Layer) -> tuple[Block, ...]:
        """Make the blocks of one layer: convolutions, rows, and wires last; none for a layer that merges."""
        if layer.merge is not None:
            return ()
        links = sorted(self.graph.incoming[layer.id], key=lambda k: self.place[k.source])
        wires = [k for k in links if k.kind.wires and len(k)]
        weighted = [k for k in links if not k.kind.wires and len(k)]
        rows = [k for k in weighted if not gives_maps(self.graph.layer(k.source))]
        maps = [k for k in weighted if gives_maps(self.graph.layer(k.source))]
        found: list[Block] = []
        for frozen in (False, True):
            for link in maps:
                found += self._of_maps(layer, link, frozen)
            if rows:
                found += self._of_rows(layer, rows, frozen)
        return (*found, *(self._wires(layer, link) for link in wires))

    # -- edges that read rows -------------------------------------------------------------------------

    def _of_rows(self, layer: Layer, links: Sequence[Link], frozen: bool) -> Iterator[Block]:
        masks = [_mask(link, frozen) for link in links]
        if all(mask is not None and not mask.any() for mask in masks):
            return
        site = Site(layer.name, "", frozen)
        edges = self._row_edges(site, links, masks)
        parents = np.concatenate([self.starts[k.source] + u for k, u in zip(links, edges.used, strict=True)])
        fan = RowFanIn(len(layer), parents, edges.counts, self.input_rows)
        choice, cost = self.chooser.choose(site, fan)
        # Which rows lie between the parents may change when a layer comes between them.
        hull = parents - parents[0] if choice.hull else np.empty(0, np.int64)
        key = (choice, hull.tobytes())
        if key not in edges.blocks:
            edges.keep(key, list(_row_blocks(links, masks, edges, parents, choice, len(layer))))
        for block in edges.blocks[key]:
            rows = parents[block.columns] if not choice.hull else np.arange(parents[0], parents[-1] + 1)
            share = cost * len(block.incidence) / fan.edges
            yield self._block(block, links, frozen, share, parents=rows)

    def _row_edges(self, site: Site, links: Sequence[Link], masks: Sequence[Array | None]) -> SiteEdges:
        signature = tuple(self._signature(link) for link in links)
        found = self.known.get(site)
        if found is None or found.signature != signature:
            every = [
                np.bincount(_taken(k.src, mask), minlength=len(self.graph.layer(k.source)))
                for k, mask in zip(links, masks, strict=True)
            ]
            used = tuple(np.flatnonzero(counts) for counts in every)
            found = SiteEdges(signature, used, np.concatenate([c[u] for c, u in zip(every, used, strict=True)]))
        self.site_edges[site] = found
        return found

    # -- edges that read maps -------------------------------------------------------------------------

    def _of_maps(self, layer: Layer, link: Link, frozen: bool) -> Iterator[Block]:
        mask = _mask(link, frozen)
        if mask is not None and not mask.any():
            return
        source = self.graph.layer(link.source)
        site = Site(layer.name, source.name, frozen)
        geometry = Geometry.of(link.kind, source.output_grid, layer.grid)
        edges = self._map_edges(site, link, mask, len(source), geometry.taps)
        choice, cost = self.chooser.choose(site, _fan_in(layer, source, int(edges.counts.sum()), geometry))
        key = (choice, b"")
        if key not in edges.blocks:
            edges.keep(key, [_map_block(link, mask, edges, choice, geometry, len(source), len(layer))])
        for block in edges.blocks[key]:
            taps, channels = np.divmod(block.columns, len(source))
            place = self.place[source.id]
            yield self._block(
                block, [link], frozen, cost, source=place, geometry=geometry,
                taps=taps.astype(np.int32), channels=channels.astype(np.int32),
            )  # fmt: skip

    def _map_edges(self, site: Site, link: Link, mask: Array | None, sources: int, taps: int) -> SiteEdges:
        signature = (self._signature(link),)
        found = self.known.get(site)
        if found is None or found.signature != signature:
            keys = _taken(link.tap, mask).astype(np.int64) * sources + _taken(link.src, mask)
            counts = np.bincount(keys, minlength=sources * taps)
            used = np.flatnonzero(counts)
            found = SiteEdges(signature, (used,), counts[used])
        self.site_edges[site] = found
        return found

    # -- both -----------------------------------------------------------------------------------------

    def _signature(self, link: Link) -> Signature:
        return link.topology_digest, len(self.graph.layer(link.source)), len(self.graph.layer(link.target))

    def _block(self, pattern: BlockPattern, links: Sequence[Link], frozen: bool, cost: float, **place: object) -> Block:
        start = self.slots[frozen]
        weights = pattern.incidence.cells if KINDS[pattern.kernel].layout == "cells" else len(pattern.incidence)
        self.slots[frozen] = start + weights
        edges = _edge_rows(self.graph, links, pattern.order)
        return Block(
            pattern.kernel, pattern.incidence, edges, start, start + weights, frozen=frozen, cost=cost, **place  # type: ignore[arg-type]
        )  # fmt: skip

    def _wires(self, layer: Layer, link: Link) -> Block:
        source = self.graph.layer(link.source)
        edges = _edge_rows(self.graph, [link], None)
        geometry = Geometry.of(link.kind, source.output_grid, layer.grid)
        if gives_maps(source):
            kernel = "place-wires" if link.kind.places else "map-wires"
            incidence = Incidence(link.dst, link.src, len(layer), len(source))
            place = self.place[source.id]
            return Block(kernel, incidence, edges, 0, 0, source=place, geometry=geometry, frozen=True)
        used, src = np.unique(link.src, return_inverse=True)
        incidence = Incidence(link.dst, src.astype(np.int32), len(layer), len(used))
        kernel = "place-wires" if layer.grid else "wires"
        parents = self.starts[source.id] + used.astype(np.int64)
        moved = geometry if layer.grid else None
        return Block(kernel, incidence, edges, 0, 0, parents=parents, geometry=moved, frozen=True)


def gives_maps(layer: Layer) -> bool:
    """Whether values of a layer lie beside the buffer; see `LayerPlan.gives_maps`."""
    return bool(layer.output_grid) or layer.encoding == "index"


def _fan_in(layer: Layer, source: Layer, edges: int, geometry: Geometry) -> MapFanIn | TableFanIn:
    """Count the maps, or the rows of a table, that the edges of one link read."""
    picks = source.role == "position" or source.encoding == "index"
    if picks and geometry.pointwise:
        reads: Literal["index", "positions"] = "positions" if source.role == "position" else "index"
        return TableFanIn(reads, len(layer), len(source), edges, geometry.positions)
    return MapFanIn(len(layer), len(source), edges, geometry, trained=not source.is_source)


def _mask(link: Link, frozen: bool) -> Array | None:
    """Make a mask of the edges that are frozen, or that are not; None when all edges are."""
    mask = link.frozen if frozen else ~link.frozen
    return None if mask.all() else mask


def _taken(column: Array, mask: Array | None) -> Array:
    return column if mask is None else column[mask]


def _row_blocks(
    links: Sequence[Link],
    masks: Sequence[Array | None],
    edges: SiteEdges,
    parents: Array,
    choice: Choice,
    targets: int,
) -> Iterator[BlockPattern]:
    """Make the blocks of a choice: one, or the dense core and the sparse rest."""
    everything = np.arange(len(parents))
    if not choice.core:
        yield _row_block(links, masks, edges, parents, choice.kernel, choice.hull, everything, targets)
        return
    core = edges.counts >= choice.core
    kernel = DENSE.name if (edges.counts[core] == targets).all() else DENSE.padded
    yield _row_block(links, masks, edges, parents, kernel, False, everything[core], targets)
    yield _row_block(links, masks, edges, parents, choice.kernel, False, everything[~core], targets)


def _row_block(
    links: Sequence[Link],
    masks: Sequence[Array | None],
    edges: SiteEdges,
    parents: Array,
    kernel: str,
    hull: bool,
    columns: Array,
    targets: int,
) -> BlockPattern:
    # Column of each parent in the matrix, -1 for those of another part.
    column_of = np.full(len(parents), -1, dtype=np.int32)
    column_of[columns] = parents - parents[0] if hull else np.arange(len(columns))
    width = int(parents[-1] - parents[0]) + 1 if hull else len(columns)
    src: list[Array] = []
    dst: list[Array] = []
    order: list[Array] = []
    base = first = 0
    for link, mask, used in zip(links, masks, edges.used, strict=True):
        mine = column_of[first : first + len(used)]
        first += len(used)
        kept = mask
        values = link.src
        if len(mine) and not _is_range_from_zero(mine, used):
            lookup = np.full(int(used[-1]) + 1 if mask is None else int(link.src.max()) + 1, -1, dtype=np.int32)
            lookup[used] = mine
            values = lookup[link.src]
            if (mine < 0).any():
                kept = values >= 0 if mask is None else mask & (values >= 0)
        src.append(_taken(values, kept))
        dst.append(_taken(link.dst, kept))
        places = np.arange(len(link), dtype=np.int32) if kept is None else np.flatnonzero(kept).astype(np.int32)
        order.append(places + np.int32(base))
        base += len(link)
    if len(links) == 1:
        alone = None if len(dst[0]) == len(links[0]) else order[0]
        return BlockPattern(kernel, Incidence(dst[0], src[0], targets, width), alone, columns)
    places = np.concatenate(order)
    incidence = Incidence(np.concatenate(dst), np.concatenate(src), targets, width)
    if KINDS[kernel].layout == "edges":
        by_target = stable_order(incidence.dst, targets)
        incidence = Incidence(incidence.dst[by_target], incidence.src[by_target], targets, width)
        places = places[by_target]
    return BlockPattern(kernel, incidence, places, columns)


def _is_range_from_zero(columns: Array, used: Array) -> bool:
    """Whether column numbers are the source rows themselves, so that no translation is needed."""
    return int(columns[0]) == 0 and int(used[0]) == 0 and len(used) == int(used[-1]) + 1 == int(columns[-1]) + 1


def _map_block(
    link: Link, mask: Array | None, edges: SiteEdges, choice: Choice, geometry: Geometry, sources: int, targets: int
) -> BlockPattern:
    dst, src, tap = (_taken(column, mask) for column in (link.dst, link.src, link.tap))
    order = None if mask is None else np.flatnonzero(mask).astype(np.int32)
    if KINDS[choice.kernel].layout == "cells":
        columns = src if geometry.taps == 1 else src * np.int32(geometry.taps) + tap
        return BlockPattern(
            choice.kernel, Incidence(dst, columns, targets, sources * geometry.taps), order, np.empty(0, np.int64)
        )
    used = edges.used[0]
    lookup = np.zeros(sources * geometry.taps, dtype=np.int32)
    lookup[used] = np.arange(len(used))
    columns = lookup[tap.astype(np.int64) * sources + src]
    by_column = stable_order(columns, len(used))
    canonical = by_column[stable_order(dst[by_column], targets)]
    places = canonical if order is None else order[canonical]
    return BlockPattern(choice.kernel, Incidence(dst[canonical], columns[canonical], targets, len(used)), places, used)


def _edge_rows(graph: Graph, links: Sequence[Link], order: Array | None) -> Array:
    """Find rows in `graph.edges` of edges of some links; `order` has places among these edges, None for all edges."""
    offsets = [graph.edges.offset(link.key) for link in links]
    dtype = np.int32 if len(graph.edges) < 2**31 else np.int64
    if order is None:
        return np.arange(offsets[0], offsets[0] + len(links[0]), dtype=dtype)
    if len(links) == 1:
        return np.asarray(order + np.asarray(offsets[0], dtype=dtype))
    sizes = [len(link) for link in links]
    first = np.cumsum([0, *sizes])[:-1]
    shift = np.repeat(np.asarray(offsets, dtype=dtype) - first.astype(dtype), sizes)
    return np.asarray(order + shift[order], dtype=dtype)
