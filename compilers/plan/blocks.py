"""From the links of a graph to blocks of edges. Vectorised over edges; Python runs per layer and per link only."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from compilers.kernels import KERNELS
from compilers.plan.choose import (
    RowFan,
    check_maps,
    check_rows,
    choose_maps,
    choose_rows,
    map_cost,
    not_full,
    overruled,
    row_cost,
)
from compilers.plan.costs import CostTable
from compilers.plan.geometry import Geometry
from compilers.plan.plan import Block, Choice, Incidence, Site, stable_order
from netgraph.columns import Array
from netgraph.errors import CompileError
from netgraph.graph import Graph, Identity, Layer, Link


@dataclass(frozen=True, eq=False)
class Part:
    """One block without its place: what plans of two graphs share when a rewrite left the links alone.

    Attributes:
        kernel: name of the kernel.
        incidence: pattern of the edges.
        order: (edges,) int32 place of each edge among those of all links of the site, or None for all in order.
        columns: what the columns of the incidence are: places among the parents, or pairs of map and tap.
    """

    kernel: str
    incidence: Incidence
    order: Array | None
    columns: Array


@dataclass(frozen=True, eq=False)
class Pattern:
    """Everything about the edges of one site that costs more than their number of columns to find.

    Attributes:
        signature: hashes of the links.
        used: per link, the rows of the source layer that have an edge.
        counts: (parents,) edges of each of them, over all links.
        parts: by choice, and by the rows between the parents where those are read as well.
    """

    signature: tuple[bytes, ...]
    used: tuple[Array, ...]
    counts: Array
    parts: dict[tuple[Choice, bytes], list[Part]] = field(default_factory=dict)

    def keep(self, key: tuple[Choice, bytes], parts: list[Part]) -> None:
        """Remember the parts of one choice, and no others: a long history must not pile them up."""
        self.parts.clear()
        self.parts[key] = parts


@dataclass(eq=False)
class Lowering:
    """One lowering under way: where layers lie, how to choose, and how many slots are taken.

    Attributes:
        graph: the network.
        layers: in topological order.
        starts: buffer row at which each layer starts, by layer id.
        input_rows: number of buffer rows that are inputs.
        costs: by which kernels are picked.
        kernels: kernel by layer name, as the caller wants it.
        settled: choices of an earlier lowering of the same topology, by site.
        known: patterns of an earlier plan, by site.
    """

    graph: Graph
    layers: Sequence[Layer]
    starts: Mapping[int, int]
    input_rows: int
    costs: CostTable
    kernels: Mapping[str, str]
    settled: Mapping[Site, Choice]
    known: Mapping[Site, Pattern]
    choices: dict[Site, Choice] = field(default_factory=dict)
    patterns: dict[Site, Pattern] = field(default_factory=dict)
    slots: dict[bool, int] = field(default_factory=lambda: {False: 0, True: 0})
    obeyed: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.place = {layer.id: i for i, layer in enumerate(self.layers)}

    def blocks(self, layer: Layer) -> tuple[Block, ...]:
        """The blocks of one layer: convolutions, rows, and wires last."""
        links = sorted(self.graph.incoming[layer.id], key=lambda k: self.place[k.source])
        wires = [k for k in links if isinstance(k.kind, Identity) and len(k)]
        weighted = [k for k in links if not isinstance(k.kind, Identity) and len(k)]
        rows = [k for k in weighted if not self.graph.layer(k.source).output_grid]
        maps = [k for k in weighted if self.graph.layer(k.source).output_grid]
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
        pattern = self._pattern(site, links, masks)
        parents = np.concatenate([self.starts[k.source] + u for k, u in zip(links, pattern.used, strict=True)])
        fan = RowFan(len(layer), parents, pattern.counts, self.input_rows)
        choice = self.settled.get(site)
        if choice is not None:
            check_rows(choice, fan, layer.name)
        kernel = self._override(layer, "rows")
        if choice is None and kernel is not None:
            choice = overruled(kernel, fan, self.costs, layer.name)
        cost, choice = choose_rows(fan, self.costs) if choice is None else (row_cost(fan, choice, self.costs), choice)
        self.choices[site] = choice
        # Which rows lie between the parents may change when a layer comes between them.
        hull = parents - parents[0] if choice.hull else np.empty(0, np.int64)
        key = (choice, hull.tobytes())
        if key not in pattern.parts:
            pattern.keep(key, list(_row_parts(links, masks, pattern, parents, choice, len(layer))))
        for part in pattern.parts[key]:
            rows = parents[part.columns] if not choice.hull else np.arange(parents[0], parents[-1] + 1)
            share = cost * len(part.incidence) / fan.edges
            yield self._block(part, links, frozen, share, parents=rows)

    def _pattern(self, site: Site, links: Sequence[Link], masks: Sequence[Array | None]) -> Pattern:
        signature = tuple(link.topology_digest for link in links)
        found = self.known.get(site)
        if found is None or found.signature != signature:
            every = [
                np.bincount(_taken(k.src, mask), minlength=len(self.graph.layer(k.source)))
                for k, mask in zip(links, masks, strict=True)
            ]
            used = tuple(np.flatnonzero(counts) for counts in every)
            found = Pattern(signature, used, np.concatenate([c[u] for c, u in zip(every, used, strict=True)]))
        self.patterns[site] = found
        return found

    # -- edges that read maps -------------------------------------------------------------------------

    def _of_maps(self, layer: Layer, link: Link, frozen: bool) -> Iterator[Block]:
        mask = _mask(link, frozen)
        if mask is not None and not mask.any():
            return
        source = self.graph.layer(link.source)
        site = Site(layer.name, source.name, frozen)
        geometry = Geometry.of(link.kind, source.output_grid, layer.grid)
        found = self.known.get(site)
        signature = (link.topology_digest,)
        if found is None or found.signature != signature:
            keys = _taken(link.tap, mask).astype(np.int64) * len(source) + _taken(link.src, mask)
            counts = np.bincount(keys, minlength=len(source) * geometry.taps)
            used = np.flatnonzero(counts)
            found = Pattern(signature, (used,), counts[used])
        self.patterns[site] = pattern = found
        edges = int(pattern.counts.sum())
        cells = len(layer) * len(source) * geometry.taps
        trained = source.role != "input"
        choice = self.settled.get(site)
        if choice is not None:
            check_maps(choice, edges, cells, layer.name)
        kernel = self._override(layer, "maps")
        if choice is None and kernel is not None:
            choice = Choice(kernel)
            if kernel == "convolution" and edges < cells:
                raise CompileError(not_full(layer.name, kernel, edges, cells))
        sizes = (edges, len(layer), geometry, self.costs)
        if choice is None:
            cost, choice = choose_maps(*sizes, trained=trained, cells=cells)
        else:
            cost = map_cost(choice, *sizes, trained=trained, cells=cells)
        self.choices[site] = choice
        key = (choice, b"")
        if key not in pattern.parts:
            pattern.keep(key, [_map_part(link, mask, pattern, choice, geometry, len(source), len(layer))])
        for part in pattern.parts[key]:
            taps, channels = np.divmod(part.columns, len(source))
            place = self.place[source.id]
            yield self._block(
                part, [link], frozen, cost, source=place, geometry=geometry,
                taps=taps.astype(np.int32), channels=channels.astype(np.int32),
            )  # fmt: skip

    # -- both -----------------------------------------------------------------------------------------

    def _override(self, layer: Layer, reads: str) -> str | None:
        """The kernel that the caller wants for the edges of a layer that read rows, or maps."""
        kernel = self.kernels.get(layer.name)
        if kernel is None or KERNELS[kernel].reads != reads:
            return None
        self.obeyed.add(layer.name)
        return kernel

    def check_overrides(self) -> None:
        """Raise `CompileError` for a kernel that was asked for where nothing is that it could run."""
        for name in self.kernels.keys() - self.obeyed:
            kernel = self.kernels[name]
            found = {"maps" if site.source else "rows" for site in self.choices if site.layer == name}
            if not found:  # nothing there has weights
                continue
            reads = " and ".join(sorted(found))
            fitting = sorted(k for k, v in KERNELS.items() if v.reads in reads and v.layout != "none")
            raise CompileError(
                f"kernels[{name!r}]: {kernel!r} reads {KERNELS[kernel].reads}, but the layer reads {reads}; "
                f"use one of {fitting}."
            )

    def _block(self, part: Part, links: Sequence[Link], frozen: bool, cost: float, **place: object) -> Block:
        start = self.slots[frozen]
        weights = part.incidence.cells if KERNELS[part.kernel].layout == "cells" else len(part.incidence)
        self.slots[frozen] = start + weights
        edges = _edge_rows(self.graph, links, part.order)
        return Block(
            part.kernel, part.incidence, edges, start, start + weights, frozen=frozen, cost=cost, **place  # type: ignore[arg-type]
        )  # fmt: skip

    def _wires(self, layer: Layer, link: Link) -> Block:
        source = self.graph.layer(link.source)
        edges = _edge_rows(self.graph, [link], None)
        if source.output_grid:
            geometry = Geometry.of(link.kind, source.output_grid, layer.grid)
            incidence = Incidence(link.dst, link.src, len(layer), len(source))
            place = self.place[source.id]
            return Block("map-wires", incidence, edges, 0, 0, source=place, geometry=geometry, frozen=True)
        used, src = np.unique(link.src, return_inverse=True)
        incidence = Incidence(link.dst, src.astype(np.int32), len(layer), len(used))
        return Block(
            "wires", incidence, edges, 0, 0, parents=self.starts[source.id] + used.astype(np.int64), frozen=True
        )


def _mask(link: Link, frozen: bool) -> Array | None:
    """Which edges are frozen, or which are not; None when all are as wanted."""
    mask = link.frozen if frozen else ~link.frozen
    return None if mask.all() else mask


def _taken(column: Array, mask: Array | None) -> Array:
    return column if mask is None else column[mask]


def _row_parts(
    links: Sequence[Link], masks: Sequence[Array | None], pattern: Pattern, parents: Array, choice: Choice, targets: int
) -> Iterator[Part]:
    """The blocks of a choice: one, or the dense core and the sparse rest."""
    everything = np.arange(len(parents))
    if not choice.core:
        yield _row_part(links, masks, pattern, parents, choice.kernel, choice.hull, everything, targets)
        return
    dense = pattern.counts >= choice.core
    kernel = "dense" if (pattern.counts[dense] == targets).all() else "padded-dense"
    yield _row_part(links, masks, pattern, parents, kernel, False, everything[dense], targets)
    yield _row_part(links, masks, pattern, parents, choice.kernel, False, everything[~dense], targets)


def _row_part(
    links: Sequence[Link],
    masks: Sequence[Array | None],
    pattern: Pattern,
    parents: Array,
    kernel: str,
    hull: bool,
    columns: Array,
    targets: int,
) -> Part:
    # Column of each parent in the matrix, -1 for those of another part.
    column_of = np.full(len(parents), -1, dtype=np.int32)
    column_of[columns] = parents - parents[0] if hull else np.arange(len(columns))
    width = int(parents[-1] - parents[0]) + 1 if hull else len(columns)
    src: list[Array] = []
    dst: list[Array] = []
    order: list[Array] = []
    base = first = 0
    for link, mask, used in zip(links, masks, pattern.used, strict=True):
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
        return Part(kernel, Incidence(dst[0], src[0], targets, width), alone, columns)
    places = np.concatenate(order)
    incidence = Incidence(np.concatenate(dst), np.concatenate(src), targets, width)
    if KERNELS[kernel].layout == "edges":
        by_target = stable_order(incidence.dst, targets)
        incidence = Incidence(incidence.dst[by_target], incidence.src[by_target], targets, width)
        places = places[by_target]
    return Part(kernel, incidence, places, columns)


def _is_range_from_zero(columns: Array, used: Array) -> bool:
    """Whether column numbers are the source rows themselves, so that no translation is needed."""
    return int(columns[0]) == 0 and int(used[0]) == 0 and len(used) == int(used[-1]) + 1 == int(columns[-1]) + 1


def _map_part(
    link: Link, mask: Array | None, pattern: Pattern, choice: Choice, geometry: Geometry, sources: int, targets: int
) -> Part:
    dst, src, tap = (_taken(column, mask) for column in (link.dst, link.src, link.tap))
    order = None if mask is None else np.flatnonzero(mask).astype(np.int32)
    if KERNELS[choice.kernel].layout == "cells":
        columns = src if geometry.taps == 1 else src * np.int32(geometry.taps) + tap
        return Part(
            choice.kernel, Incidence(dst, columns, targets, sources * geometry.taps), order, np.empty(0, np.int64)
        )
    used = pattern.used[0]
    lookup = np.zeros(sources * geometry.taps, dtype=np.int32)
    lookup[used] = np.arange(len(used))
    columns = lookup[tap.astype(np.int64) * sources + src]
    by_column = stable_order(columns, len(used))
    canonical = by_column[stable_order(dst[by_column], targets)]
    places = canonical if order is None else order[canonical]
    return Part(choice.kernel, Incidence(dst[canonical], columns[canonical], targets, len(used)), places, used)


def _edge_rows(graph: Graph, links: Sequence[Link], order: Array | None) -> Array:
    """Rows in `graph.edges` of edges given by their place among those of some links."""
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
