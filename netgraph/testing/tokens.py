"""Recipes of random graphs over tokens: attention, gates, lookups, learned positions, and single positions."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from netgraph.graph import Attend, Conv2d, Grid
from netgraph.testing.draft import GraphDraft

Step = Callable[[GraphDraft, str], str]
"""Function that adds layers after the token layer of a name, and returns the name of the last one."""

FREQUENCIES = (1.0, 0.5, 0.25)
"""Frequencies of rotations, the simplest first."""


def tokens(d: GraphDraft) -> None:
    """Draw layers over tokens without attention: lookups, positions, shifts by wires, and at most one gate.

    One gate multiplies two values of few digits, so that nothing is rounded.
    """
    name = _start(d)
    for _ in range(d.number(d.options.min_layers, max(d.options.min_layers, d.options.max_layers - 2))):
        name = d.group(partial(_step, d, name, (_layer, _shifted)))
    if d.options.max_layers > 1 and d.coin():
        name = _gate(d, name)
    _leave(d, name)


def attention(d: GraphDraft) -> None:
    """Draw blocks of attention with shortcuts around them, and layers or gates between them."""
    name = _start(d)
    memory = _start(d) if d.options.max_inputs > 1 and d.coin() else name
    name = _attention(d, name, memory)
    for _ in range(d.number(0, max(0, d.options.max_layers - 1))):
        name = d.group(partial(_step, d, name, (_layer, _gate, _shifted, partial(_attention, memory=memory))))
    _leave(d, name)


def _step(d: GraphDraft, source: str, steps: tuple[Step, ...]) -> str:
    return d.one_of(steps)(d, source)


def _start(d: GraphDraft) -> str:
    """Add an input and what makes tokens of it: nothing, a lookup, or patches behind a free first position."""
    way = d.one_of(("values", "index", "patches"))
    if way == "patches":
        return _patches(d)
    grid = (d.number(1, d.options.max_positions),)
    if way == "values":
        name = d.input(d.one_of(d.options.domains), grid)
        if not d.coin():
            return name
    else:
        name = d.ids(grid)
    target = d.hidden(grid)
    d.join(name, target)
    if d.coin():
        d.join(d.positions(grid), target)
    return target


def _patches(d: GraphDraft) -> str:
    """Add maps, a convolution that cuts them into patches, and tokens: the patches behind one learned position."""
    maps = d.input(d.one_of(d.options.domains), (d.number(1, 2), d.number(1, 2)))
    side = d.number(1, min(d.grids[maps]))
    kind = Conv2d((side, side), (side, side))
    grid = kind.output_grid(d.grids[maps])
    patches = d.hidden(grid, activation="identity", norm="none")
    d.join(maps, patches, kind)
    total = (grid[0] * grid[1] + 1,)
    target = d.hidden(total, size=d.sizes[patches])
    d.place(patches, target, 1)
    d.join(d.positions(total), target)
    return target


def _layer(d: GraphDraft, source: str) -> str:
    """Add two layers over the same tokens, around which a shortcut may lead."""
    wide = d.hidden(d.grids[source])
    d.join(source, wide)
    return _closed(d, wide, source)


def _closed(d: GraphDraft, source: str, shortcut: str) -> str:
    """Add a layer that sums edges from one layer and, at times, wires from another; the order of norms varies."""
    around = d.coin()
    size = d.sizes[shortcut] if around else None
    target = d.hidden(d.grids[source], size=size)
    d.join(source, target)
    if around:
        d.wire(shortcut, target)
    return target


def _shifted(d: GraphDraft, source: str) -> str:
    """Add a layer whose wires read earlier or later positions, beside edges from the same positions."""
    (positions,) = d.grids[source]
    longer = positions + d.number(0, 1)
    beside = longer == positions and d.coin()
    read = _projection(d, source, d.width()) if beside else source
    target = d.hidden((longer,), size=d.sizes[read])
    d.place(read, target, d.one_of((1, 0, -1) if positions > 1 else (0,)))
    if beside:
        d.join(source, target)
    return target


def _gate(d: GraphDraft, source: str) -> str:
    """Add two layers, their product, and a layer that reads it."""
    grid, size = d.grids[source], d.width()
    gate = d.hidden(grid, size=size)
    d.join(source, gate)
    up = d.hidden(grid, size=size, activation="identity", norm="none")
    d.join(source, up)
    return _closed(d, d.product(gate, up), source)


def _attention(d: GraphDraft, source: str, memory: str) -> str:
    """Add attention from one token layer to itself or another, and a layer that reads its mixes."""
    normed = source
    if d.coin():
        normed = d.hidden(d.grids[source], size=d.sizes[source], activation="identity")
        d.wire(source, normed)
    read = memory if memory != source and d.coin() else normed
    heads = d.number(1, d.options.max_heads)
    groups, shared = (d.one_of(tuple(n for n in range(heads, 0, -1) if heads % n == 0)) for _ in range(2))
    rotary = d.coin()
    slots, channels = (2 * d.number(1, 2) if rotary else d.number(1, 2)), d.number(1, 2)
    queries, keys = (_projection(d, name, n * slots) for name, n in ((normed, heads), (read, groups)))
    attend = d.attend(queries, keys, heads, _merge(d, slots // 2 if rotary else 0))
    values = _projection(d, read, shared * channels)
    mix = d.mix(attend, values, shared)
    target = _closed(d, mix, source)
    if d.coin():
        other = _projection(d, read, shared)
        d.join(d.mix(attend, other, shared), target)
    return target


def _merge(d: GraphDraft, pairs: int) -> Attend:
    """Draw scale, causality and the frequencies of this number of pairs of slots."""
    scale = d.one_of((1.0, 0.5, 2.0))
    return Attend(scale, causal=d.coin(), frequencies=tuple(d.one_of(FREQUENCIES) for _ in range(pairs)))


def _projection(d: GraphDraft, source: str, size: int) -> str:
    target = d.hidden(d.grids[source], size=size, activation="identity", norm="none")
    d.join(source, target)
    return target


def _leave(d: GraphDraft, name: str) -> None:
    """Add an output: of all tokens, of the first or the last one, or of tokens that a pool puts together."""
    grid: Grid = d.grids[name]
    way = d.one_of(("tokens", "first", "last", "pool"))
    if way in ("first", "last"):
        one = d.hidden((), size=d.sizes[name])
        d.place(name, one, 0 if way == "first" else 1 - grid[0])
        name = one
    elif way == "pool" and d.options.pools:
        pooled = d.hidden(grid, pool=d.some_pool(grid))
        d.join(name, pooled)
        name = pooled
    d.join(name, d.output(d.grids[name]))
