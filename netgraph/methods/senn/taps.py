"""How a layer reads the values of another one: as they are, or tap by tap through a convolution."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple, Protocol

import numpy as np

from netgraph.columns import Array
from netgraph.errors import OptionError
from netgraph.graph import Conv2d, Grid, LinkKind, Pool


class Columns(NamedTuple):
    """What is read of values, and the way back.

    Attributes:
        values: (..., taps, rows) what the reading layer sees at each of its rows.
        adjoint: takes gradients of these to gradients of what was read.
    """

    values: Array
    adjoint: Callable[[Array], Array]


class Reader(Protocol):
    """Reads (..., rows of the proposed map) values as the (..., taps, rows) columns of a fed layer's inputs."""

    def __call__(self, values: Array) -> Columns:
        """What is read of values, and the way back for gradients."""
        ...


def read_directly(values: Array) -> Columns:
    """The reader of dense links: one tap, the same rows."""
    return Columns(values[..., None, :], lambda slopes: slopes[..., 0, :])


@dataclass(frozen=True)
class TapReader:
    """Reads maps through a link, with the pool of the layer that is read, if it has one, before.

    Rows of the proposed map are (examples, *grid) in row-major order, and so are those that the link reads at.

    Attributes:
        kind: `Conv2d`, whose taps become columns, zeros in the padding; or `Dense`.
        grid: of the proposed map, before its pool.
        pool: of the layer that it belongs to.

    Raises:
        OptionError: when values do not fit the grid. `GraphError` when the link or the pool does not.
    """

    kind: LinkKind
    grid: Grid
    pool: Pool | None = None

    @cached_property
    def _seen(self) -> Grid:
        """The grid that the link sees."""
        return self.grid if self.pool is None else self.pool.output_grid(self.grid)

    @cached_property
    def positions(self) -> int:
        """Positions at which the link reads: its rows for each example."""
        return int(np.prod(self.kind.output_grid(self._seen), dtype=int))

    def __call__(self, values: Array) -> Columns:
        """Columns (..., taps, examples * positions) of values (..., examples * positions of the map)."""
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
        """Maps after the pool; of a maximum that several reach, the first gets the gradient."""
        if self.pool is None:
            return maps, lambda slopes: slopes
        pool = self.pool
        taps, untap = _taps(Conv2d(pool.size, pool.stride or pool.size), maps)
        seen = taps.shape[:1] + taps.shape[2:]
        if pool.kind == "average":
            return taps.mean(axis=1), lambda s: untap(np.broadcast_to(s[:, None] / taps.shape[1], taps.shape))
        first = np.argmax(taps, axis=1)[:, None]

        def unpool(slopes: Array) -> Array:
            spread = np.zeros_like(taps)
            np.put_along_axis(spread, first, slopes.reshape(seen)[:, None], axis=1)
            return untap(spread)

        return np.take_along_axis(taps, first, axis=1)[:, 0], unpool


def _taps(kind: LinkKind, maps: Array) -> tuple[Array, Callable[[Array], Array]]:
    """(chains, taps, examples, height, width) of (chains, examples, height, width), and the transpose of that."""
    grid = maps.shape[-2:]
    return np.stack(list(kind.read(maps)), axis=1), lambda slopes: kind.spread(np.moveaxis(slopes, 1, 0), grid)
