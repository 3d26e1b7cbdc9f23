"""Readers: functions from the values of a layer to the inputs of its reader, directly or through a convolution."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple, Protocol

import numpy as np

from netgraph.columns import Array
from netgraph.errors import OptionError
from netgraph.graph import Grid, LinkKind, Pool, windows


class Columns(NamedTuple):
    """Inputs that a layer reads from the values of another layer, with the adjoint of the reading.

    Attributes:
        values: inputs of the reading layer at each of its rows, `(..., taps, rows)`.
        adjoint: function from gradients of these inputs to gradients of the values that were read.
    """

    values: Array
    adjoint: Callable[[Array], Array]


class Reader(Protocol):
    """Function from the values of a proposed map, `(..., rows of the map)`, to the columns of its reader's inputs."""

    def __call__(self, values: Array) -> Columns:
        """Return the inputs that the reading layer gets from values of a map, `(..., rows of the map)`."""
        ...


def read_directly(values: Array) -> Columns:
    """Read values through a dense link: one tap, the same rows."""
    return Columns(values[..., None, :], lambda slopes: slopes[..., 0, :])


@dataclass(frozen=True)
class TapReader:
    """Reader of maps through a link, after the pool of their layer.

    Rows of a map are `(examples, *grid)` in row-major order, before and after the reading.

    Attributes:
        kind: kind of the link. The taps of a `Conv2d` become columns, with zeros in the padding; `Dense` has one tap.
        grid: grid of the map, before its pool.
        pool: pool of the layer of the map, or None.

    Raises:
        OptionError: when values do not fit the grid. `GraphError` when the link or the pool does not fit it.
    """

    kind: LinkKind
    grid: Grid
    pool: Pool | None = None

    @cached_property
    def _seen(self) -> Grid:
        """Grid of the map after its pool."""
        return self.grid if self.pool is None else self.pool.output_grid(self.grid)

    @cached_property
    def positions(self) -> int:
        """Number of positions at which the link reads, which is the number of rows for each example."""
        return int(np.prod(self.kind.output_grid(self._seen), dtype=int))

    def __call__(self, values: Array) -> Columns:
        """Return the inputs of the reading layer, `(..., taps, examples * positions)`.

        Args:
            values: values of the map, `(..., examples * positions of the map)`.
        """
        size = int(np.prod(self.grid, dtype=int))
        if values.shape[-1] % size:
            raise OptionError(f"{values.shape[-1]} rows are no number of examples on the grid {self.grid}.")
        lead, examples = values.shape[:-1], values.shape[-1] // size
        seen, unpool = self._pooled(values.reshape(-1, examples, *self.grid))
        if self.kind.pointwise:
            flat = seen.reshape(*lead, 1, -1)
            return Columns(flat, lambda s: unpool(s.reshape(seen.shape)).reshape(values.shape))
        taps, untap = _taps(self.kind, seen)

        def adjoint(slopes: Array) -> Array:
            return unpool(untap(slopes.reshape(taps.shape))).reshape(values.shape)

        return Columns(taps.reshape(*lead, self.kind.taps, -1), adjoint)

    def _pooled(self, maps: Array) -> tuple[Array, Callable[[Array], Array]]:
        """Pool maps; return them and the adjoint. The gradient of a maximum goes to the first value that reaches it."""
        if self.pool is None:
            return maps, lambda slopes: slopes
        pool = self.pool
        taps, untap = _windows(pool, maps, 0.0 if pool.kind == "average" else -np.inf)
        seen = taps.shape[:1] + taps.shape[2:]
        if pool.kind == "average":
            return taps.mean(axis=1), lambda s: untap(np.broadcast_to(s[:, None] / taps.shape[1], taps.shape))
        first = np.argmax(taps, axis=1)[:, None]

        def unpool(slopes: Array) -> Array:
            spread = np.zeros_like(taps)  # a window has a value of the map, which is above that of the padding
            np.put_along_axis(spread, first, slopes.reshape(seen)[:, None], axis=1)
            return untap(spread)

        return np.take_along_axis(taps, first, axis=1)[:, 0], unpool


def _windows(pool: Pool, maps: Array, padding: float) -> tuple[Array, Callable[[Array], Array]]:
    """Read the values of maps at each place of the windows of a pool, as `_taps` does; `padding` is the value there."""
    grid = maps.shape[2:]
    padded = np.pad(maps, [(0, 0), (0, 0), *((p, p) for p in pool.pads)], constant_values=padding)
    pooled = pool.output_grid(grid) or (1,) * len(grid)

    def untap(slopes: Array) -> Array:
        spread = np.zeros_like(padded)
        for window, part in zip(windows(spread, pool.size, pool.strides, pooled), slopes.swapaxes(0, 1), strict=True):
            window += part
        return spread[(slice(None), slice(None), *(slice(p, p + g) for g, p in zip(grid, pool.pads, strict=True)))]

    return np.stack(list(windows(padded, pool.size, pool.strides, pooled)), axis=1), untap


def _taps(kind: LinkKind, maps: Array) -> tuple[Array, Callable[[Array], Array]]:
    """Read the values of maps at every tap; return them and the adjoint of this reading.

    Maps are `(chains, examples, *grid)`, values `(chains, taps, examples, *output_grid)` with the grid that the link
    gives.
    """
    grid = maps.shape[-2:]
    target = kind.output_grid(grid)
    read = np.stack(list(kind.read(maps, grid, target)), axis=1)
    return read, lambda slopes: kind.spread(np.moveaxis(slopes, 1, 0), grid, target)
