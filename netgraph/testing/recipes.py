"""Recipes of random graphs, one per kind. Each fills a draft; the smallest draws give the simplest graph."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from netgraph.graph import Conv2d, Dense, Grid
from netgraph.testing.draft import GraphDraft, Recipe
from netgraph.testing.tokens import attention, tokens


def dense(d: GraphDraft) -> None:
    """Draw a chain of dense layers, from one input to one output."""
    name = d.input(d.one_of(d.options.domains))

    def layer(source: str) -> str:
        target = d.hidden()
        d.join(source, target)
        return target

    for _ in range(d.number(d.options.min_layers, d.options.max_layers)):
        name = d.group(partial(layer, name))
    d.join(name, d.output())


def skip(d: GraphDraft) -> None:
    """Draw dense layers with links from the previous layer and from some earlier ones, several inputs and outputs."""
    names = [d.input(d.one_of(d.options.domains)) for _ in range(d.number(1, d.options.max_inputs))]
    for _ in range(d.number(max(1, d.options.min_layers), max(1, d.options.max_layers))):
        names.append(d.group(partial(_join_some, d, names, d.hidden)))
    for _ in range(d.number(1, d.options.max_outputs)):
        d.group(partial(_join_some, d, names, d.output))


def _join_some(d: GraphDraft, earlier: list[str], make: Callable[[], str]) -> str:
    target = make()
    for source in earlier[:-1]:
        if d.coin():
            d.join(source, target)
    d.join(earlier[-1], target)
    return target


def conv(d: GraphDraft) -> None:
    """Draw a chain of convolutions with padding, strides, missing taps and pools, with an output of maps or numbers."""
    name = d.input(d.one_of(d.options.domains), _maps(d))

    def layer(source: str) -> str:
        kind, grid = _step(d, d.grids[source])
        target = d.hidden(grid, pool=d.pool(grid))
        d.join(source, target, kind)
        return target

    for _ in range(d.number(d.options.min_layers, d.options.max_layers)):
        name = d.group(partial(layer, name))
    if d.grids[name] and d.coin():
        d.join(name, d.output(), Conv2d(_pair(d.grids[name])))  # a kernel of the whole grid gives numbers
        return
    kind, grid = _step(d, d.grids[name])
    d.join(name, d.output(grid), kind)


def residual(d: GraphDraft) -> None:
    """Draw blocks of a layer and a shortcut of wires around it, over numbers or maps; wires may have a stride."""
    name = d.input(d.one_of(d.options.domains), _maps(d) if d.coin() else ())
    for _ in range(d.number(1, max(1, d.options.max_layers - 1))):
        name = d.group(partial(_block, d, name))
    d.join(name, d.output(d.grids[name]), Conv2d((1, 1)) if d.grids[name] else Dense())


def _block(d: GraphDraft, source: str) -> str:
    grid = d.grids[source]
    stride = 2 if grid and d.coin() else 1
    kernel = 3 if grid and d.coin() else 1
    kind = Conv2d((kernel, kernel), (stride, stride), (kernel // 2, kernel // 2)) if grid else Dense()
    narrow = kind.output_grid(grid)
    size = d.sizes[source] if d.coin() else None  # with other sizes some maps of the wider layer have no wire
    branch = d.hidden(narrow, size=size, activation="identity" if d.coin() else None)
    d.join(source, branch, kind)
    total = d.hidden(narrow, size=size)
    d.wire(source, total, (stride, stride))
    d.wire(branch, total)
    return total


KINDS: dict[str, Recipe] = {
    "dense": dense,
    "skip": skip,
    "conv": conv,
    "residual": residual,
    "tokens": tokens,
    "attention": attention,
}
"""Recipes by name, the simplest first."""

EXACT_KINDS = tuple(name for name in KINDS if name != "attention")
"""Names of the recipes whose graphs need no function that rounds."""


def _maps(d: GraphDraft) -> Grid:
    return (d.number(1, d.options.max_side), d.number(1, d.options.max_side))


def _step(d: GraphDraft, grid: Grid) -> tuple[Dense | Conv2d, Grid]:
    """Kind of a link that fits on a grid, and its output grid."""
    if not grid:
        return Dense(), ()
    padding = (d.number(0, 1), d.number(0, 1))
    kernel = tuple(d.number(1, min(3, g + 2 * p)) for g, p in zip(grid, padding, strict=True))
    stride = (d.number(1, 2), d.number(1, 2)) if d.coin() else (1, 1)
    kind = Conv2d(_pair(kernel), stride, padding)
    return kind, kind.output_grid(grid)


def _pair(values: Grid) -> tuple[int, int]:
    return (values[0], values[1])
