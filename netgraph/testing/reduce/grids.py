"""Cases on smaller grids: numbers in place of maps, fewer tokens, smaller maps and kernels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from netgraph.errors import GraphError
from netgraph.graph import Dense, Grid, Identity, Layer, Link, LinkKind, Place
from netgraph.testing.cases import Case
from netgraph.testing.plants import with_columns
from netgraph.testing.reduce.rebuild import Inputs, parts, rebuild


def flattened(case: Case) -> Iterator[Case]:
    """Yield the case with numbers in place of maps and tokens: one tap of every kernel, and no pools.

    Attention and learned positions need tokens, so graphs that have them stay as they are.
    """
    layers, links = parts(case)
    tokens = any(layer.role == "position" or (layer.merge is not None and layer.merge.slotted) for layer in layers)
    if tokens or not any(layer.grid for layer in layers):
        return
    narrow = [replace(layer, grid=(), pool=None) for layer in layers]
    plain = []
    for k in links:
        pairs = np.stack([k.dst, k.src])
        first = np.sort(np.unique(pairs, axis=1, return_index=True)[1])
        columns = {name: v[first] for name, v in k.columns.items()}
        kind = Identity() if k.kind.wires else Dense()
        plain.append(with_columns(k, {**columns, "tap": np.zeros(len(first), np.int32)}, kind=kind))
    x = {layer.name: _first_position(layer, case.x[layer.name]) for layer in case.graph.inputs}
    yield from rebuild(case, narrow, plain, x)


def _first_position(layer: Layer, values: Any) -> Any:
    kept = 2 if layer.encoding == "values" else 1
    return values.reshape(*values.shape[:kept], -1)[..., 0]


def shorter(case: Case) -> Iterator[Case]:
    """Yield the case with one token less, for each number of tokens that some layers have."""
    layers, links = parts(case)
    lengths = {n for layer in layers if len(layer.grid) == 1 for n in layer.grid if n > 1}
    for n in sorted(lengths, reverse=True):
        cut = {layer.id: _cut(layer, n) for layer in layers}
        x = {
            layer.name: case.x[layer.name][..., : n - 1] if layer.grid == (n,) else case.x[layer.name]
            for layer in case.graph.inputs
        }
        for shift in (0, 1, -1):
            moved = [_moved(link, len(cut[link.source]), shift) for link in links]
            yield from rebuild(case, list(cut.values()), moved, x)


def _cut(layer: Layer, n: int) -> Layer:
    """Return the layer with `n - 1` tokens if it has `n`, also among queries or keys, and with a pool that fits."""
    if len(layer.grid) != 1 and not (layer.merge is not None and layer.merge.slotted):
        return layer
    grid: Grid = tuple(size - (size == n) for size in layer.grid)
    pool = layer.pool
    if pool is not None and grid != layer.grid:
        pool = replace(pool, size=tuple(min(k, g) for k, g in zip(pool.size, grid, strict=True)))
    if layer.role == "position" and grid != layer.grid:
        return replace(layer, grid=grid, vertex_ids=layer.vertex_ids[:-1], birth=layer.birth[:-1])
    return replace(layer, grid=grid, pool=pool)


def _moved(link: Link, sources: int, shift: int) -> Link:
    """Return the link without edges of vertices that are gone, and with wires that read positions moved by a shift."""
    kind = Place(link.kind.offset + shift) if isinstance(link.kind, Place) else link.kind
    keep = link.src < sources
    return with_columns(link, {name: v[keep] for name, v in link.columns.items()}, kind=kind)


def smaller_maps(case: Case) -> Iterator[Case]:
    """Yield the case with one row or column less in all input maps, or with a simpler kernel of one of the links."""
    layers, links = parts(case)
    for axis in (0, 1):
        if any(len(x.grid) == 2 and x.grid[axis] > 1 for x in case.graph.inputs):
            cut = (slice(None),) * (2 + axis) + (slice(-1),)
            x = {name: v[cut] if v.ndim == 4 and v.shape[2 + axis] > 1 else v for name, v in case.x.items()}
            yield from _regrid(case, links, axis, x)
    for place, link in enumerate(links):
        for kind in link.kind.simpler():
            changed = [*links[:place], _crop(link, kind), *links[place + 1 :]]
            yield from _regrid(case, changed, None, case.x)
            yield from rebuild(case, layers, changed)


def _crop(link: Link, kind: LinkKind) -> Link:
    """Return the link with another kind, without edges at taps that the kernel of that kind does not have."""
    row, column = np.divmod(link.tap, link.kind.kernel[1])
    keep = (row < kind.kernel[0]) & (column < kind.kernel[1])
    columns = {name: v[keep] for name, v in link.columns.items()}
    columns["tap"] = (row * kind.kernel[1] + column)[keep]
    return with_columns(link, columns, kind=kind)


def _regrid(case: Case, links: list[Link], axis: int | None, x: Inputs) -> Iterator[Case]:
    """Yield the case with input maps smaller by one along an axis; the links determine all later grids."""
    layers: dict[int, Layer] = {}
    try:
        for i in case.graph.topological_order:
            layer = case.graph.layer(i)
            grid = layer.grid
            if layer.role == "input" and len(grid) == 2 and axis is not None:
                grid = tuple(g - (g > 1 and k == axis) for k, g in enumerate(grid))
            for k in links:
                if k.kind.places or layer.merge is not None:
                    continue  # declared, or of tokens, which do not shrink with maps
                if k.target == i and k.source in layers and (layer.grid or k.kind.tap_axes):
                    grid = k.kind.output_grid(layers[k.source].output_grid) if layer.grid else ()
            layers[i] = replace(layer, grid=grid)
    except GraphError:
        return
    cut = {
        layer.name: v.reshape(*v.shape[: 2 if layer.encoding == "values" else 1], *layers[layer.id].grid)
        for layer in case.graph.inputs if (v := x[layer.name]) is not None
    }  # fmt: skip
    yield from rebuild(case, list(layers.values()), links, cut)
