"""Windows of maps as sparse matrices: positions in tiles, and one matrix for all tiles that read alike.

Maps lie position by position, (positions, maps, samples). What a tap reads of a map at a position then is one row of
samples, and what it reads at the next position is another row at a constant distance: the columns of a convolution are
rows of its maps as they are, and nothing is unfolded. A tile of positions is a product of a sparse matrix, whose
columns count from the first row that the tile reads. Taps that fall into the padding have no entry, so that nothing is
padded either; tiles at a border therefore have matrices of their own.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from torch import Tensor

from compilers.kernels.csr import NativeProduct, SparseRows

if TYPE_CHECKING:
    from netgraph.columns import Array

_TILE_ENTRIES = {"cpu": 1 << 16, "cuda": 1 << 20}
"""Largest number of entries of the matrix of a tile with several positions, by type of device.

At this size the overhead of a call is small beside the product.
"""


def reversed_reach(forward: Array, source: int) -> Array:
    """Find the coordinate of the target for which a tap reads each coordinate of the source: the inverse of `reach`.

    Returns:
        Coordinates, -1 for none, `(source, taps)`.
    """
    result = np.full((source, forward.shape[1]), -1)
    target, tap = np.nonzero(forward >= 0)
    result[forward[target, tap], tap] = target
    return result


@dataclass(frozen=True, eq=False)
class Reads:
    """Edges as reads of maps.

    Attributes:
        order: slot of each edge, `(edges,)`.
        rows: map that each one adds to, sorted, `(edges,)`.
        columns: map that each one reads, `(edges,)`.
        taps: tap of each one, in height and width, `((edges,), (edges,))`.
        sizes: numbers of maps that are added to, and of maps that are read.
        reach: coordinates that taps read in height and width, (coordinates, taps) each, see `compilers.plan.reach`.
        source: size of the maps that are read, `(height, width)`.
    """

    order: Array
    rows: Array
    columns: Array
    taps: tuple[Array, Array]
    sizes: tuple[int, int]
    reach: tuple[Array, Array]
    source: tuple[int, int]

    def reversed(self) -> Reads:
        """Reverse the edges, so that they read the maps of their targets and add to those of their sources."""
        by_column = np.argsort(self.columns, kind="stable")
        height, width = (reversed_reach(*part) for part in zip(self.reach, self.source, strict=True))
        return Reads(
            self.order[by_column],
            self.columns[by_column],
            self.rows[by_column],
            (self.taps[0][by_column], self.taps[1][by_column]),
            (self.sizes[1], self.sizes[0]),
            (height, width),
            self.grid,
        )

    @property
    def grid(self) -> tuple[int, int]:
        """Size of the maps that are added to, `(height, width)`."""
        return len(self.reach[0]), len(self.reach[1])

    @property
    def entries(self) -> int:
        """Entries of the matrix of all positions."""
        height, width = ((part >= 0).sum(axis=0) for part in self.reach)
        return int((height[self.taps[0]] * width[self.taps[1]]).sum())


class Tile(NamedTuple):
    """Positions next to each other.

    Attributes:
        matrix: place in `Tiling.matrices`.
        positions: of the target.
        reads: slice of the rows (maps of positions) that it reads, from the first to the last.
    """

    matrix: int
    positions: slice
    reads: slice


class TileMatrix:
    """The reads of the positions of a tile, as a matrix (positions * targets, rows from the first to the last read).

    Attributes:
        positions: of the tile.
        rows: the matrix.
        order: slot of each entry, `(entries,)`.
    """

    def __init__(self, reads: Reads, height: Array, width: Array, device: torch.device) -> None:
        targets, sources = reads.sizes
        self.positions = len(height) * len(width)
        y, x = height[:, None, reads.taps[0]], width[None, :, reads.taps[1]]
        read = ((y >= 0) & (x >= 0)).reshape(self.positions, -1)
        columns = ((y * reads.source[1] + x) * sources + reads.columns).reshape(self.positions, -1)[read]
        position, edge = np.nonzero(read)
        counts = np.bincount(position * targets + reads.rows[edge], minlength=self.positions * targets)
        starts = np.concatenate([[0], np.cumsum(counts)])
        self.rows = SparseRows(starts, columns, int(columns.max(initial=0)) + 1, device)
        self.order = torch.from_numpy(reads.order[edge]).to(device)


class Tiling:
    """All positions of a target in tiles.

    Args:
        reads: the edges.
        device: of the matrices.

    Attributes:
        targets: number of maps that are added to.
        positions: of the target.
        matrices: that the tiles share.
        tiles: the tiles with any read.
        gaps: whether there are positions outside of the tiles.
    """

    def __init__(self, reads: Reads, device: torch.device) -> None:
        self.targets, self.positions = reads.sizes[0], reads.grid[0] * reads.grid[1]
        self.matrices: list[TileMatrix] = []
        self.tiles: list[Tile] = []
        known: dict[tuple[bytes, bytes], int] = {}
        lines, width = _tile_size(reads, device)
        columns = _runs(reads.reach[1], width)
        for top, y, height in _runs(reads.reach[0], lines):
            for left, x, across in columns:
                matrix = known.setdefault((height.tobytes(), across.tobytes()), len(self.matrices))
                if matrix == len(self.matrices):
                    self.matrices.append(TileMatrix(reads, height, across, device))
                first = (y * reads.source[1] + x) * reads.sizes[1]
                self._add(matrix, top * reads.grid[1] + left, first)
        self.gaps = sum(self.matrices[tile.matrix].positions for tile in self.tiles) < self.positions

    def _add(self, number: int, position: int, first: int) -> None:
        matrix = self.matrices[number]
        if len(matrix.order):
            positions = slice(position, position + matrix.positions)
            self.tiles.append(Tile(number, positions, slice(first, first + matrix.rows.shape[1])))


def _tile_size(reads: Reads, device: torch.device) -> tuple[int, int]:
    """Height and width of the tiles; those of more than one line are as wide as the maps."""
    height, width = reads.grid
    count = max(1, _TILE_ENTRIES.get(device.type, 1 << 20) * height * width // max(1, reads.entries))
    return _evenly(height, count // width), _evenly(width, count)


def _evenly(size: int, at_most: int) -> int:
    """Size of parts that are as few as they can be, and about equal."""
    return -(-size // -(-size // max(1, at_most)))


def _runs(part: Array, size: int) -> list[tuple[int, int, Array]]:
    """Where each run of coordinates starts, the first coordinate it reads, and its reads counted from there."""
    found = []
    for start in range(0, len(part), size):
        run = part[start : start + size]
        valid = run >= 0
        first = int(run[valid].min()) if valid.any() else 0
        found.append((start, first, np.where(valid, run - first, -1)))
    return found


class TiledProduct:
    """Weighted sums of the values that the edges read, for all positions.

    Args:
        tiling: the positions.
        weights: of the edges, `(slots,)`; read by `refresh`.
    """

    def __init__(self, tiling: Tiling, weights: Tensor) -> None:
        self._tiling, self._weights = tiling, weights
        self._values = [weights.new_empty(len(matrix.order)) for matrix in tiling.matrices]
        self._products = [NativeProduct(m.rows, v) for m, v in zip(tiling.matrices, self._values, strict=True)]

    def refresh(self) -> None:
        """Take the present weights."""
        for matrix, values in zip(self._tiling.matrices, self._values, strict=True):
            torch.index_select(self._weights, 0, matrix.order, out=values)

    def __call__(self, maps: Tensor) -> Tensor:
        """Compute the sums from maps of shape `(positions * sources, samples)`.

        Returns:
            The sums in scratch memory, `(targets, positions, samples)`.
        """
        tiling, samples = self._tiling, maps.shape[1]
        out = SCRATCH.take("maps", (tiling.targets, tiling.positions, samples), maps)
        if tiling.gaps:
            out.zero_()
        for tile in tiling.tiles:
            found = self._products[tile.matrix](maps[tile.reads])
            out[:, tile.positions].copy_(found.view(-1, tiling.targets, samples).transpose(0, 1))
        return out


class TiledGradient:
    """Gradients of weights: products of the values that are read and the gradients of sums, where an edge is."""

    def __init__(self, tiling: Tiling, like: Tensor) -> None:
        self._tiling = tiling
        self._sums = [matrix.rows.matrix(like.new_zeros(len(matrix.order))) for matrix in tiling.matrices]

    def add(self, maps: Tensor, gradients: Tensor) -> None:
        """Add the gradients of some samples.

        Args:
            maps: values that were read, `(positions * sources, samples)`.
            gradients: gradients of the sums, `(positions * targets, samples)`.
        """
        targets = self._tiling.targets
        for tile in self._tiling.tiles:
            sums = self._sums[tile.matrix]
            rows = gradients[tile.positions.start * targets : tile.positions.stop * targets]
            torch.sparse.sampled_addmm(sums, rows, maps[tile.reads].t(), out=sums)

    def write(self, slots: Tensor) -> None:
        """Write the sums over positions and samples into their slots, `(slots,)`."""
        slots.zero_()
        for matrix, sums in zip(self._tiling.matrices, self._sums, strict=True):
            slots.index_add_(0, matrix.order, sums.values())


def by_position(maps: Tensor, name: str) -> Tensor:
    """Order maps of shape `(samples, maps, height, width)` by position, in the scratch memory of this name.

    Returns:
        Rows, `(positions * maps, samples)`.
    """
    samples, channels = maps.shape[:2]
    flat = maps.flatten(1)
    # In two steps, since the transpose of a matrix is fast, and so is a copy of whole rows.
    rows = SCRATCH.take("maps", flat.t().shape, maps).copy_(flat.t()).view(channels, -1, samples)
    out = SCRATCH.take(name, (rows.shape[1], channels, samples), maps)
    return out.copy_(rows.transpose(0, 1)).view(-1, samples)


def from_positions(rows: Tensor, out: Tensor) -> None:
    """Write rows, `(maps, positions, samples)`, into maps, `(samples, maps, height, width)`."""
    out.flatten(1).copy_(rows.flatten(0, 1).t())


class Scratch(threading.local):
    """Memory for intermediate values of one call of a kernel, by name and thread.

    Fresh memory of this size comes from the operating system page by page, which costs more than to write it. PyTorch
    keeps that of other devices itself.
    """

    def __init__(self) -> None:
        self._buffers: dict[tuple[str, torch.dtype], Tensor] = {}

    def take(self, name: str, shape: Sequence[int], like: Tensor) -> Tensor:
        """Lend a tensor with any values, of the dtype and device of `like`. It replaces the former one of this name."""
        if like.device.type != "cpu":
            return like.new_empty(shape)
        size, key = math.prod(shape), (name, like.dtype)
        if key not in self._buffers or len(self._buffers[key]) < size:
            # Tensors made in inference mode could not be written outside of it later.
            with torch.inference_mode(False):
                self._buffers[key] = torch.empty(size, dtype=like.dtype)
        return self._buffers[key][:size].view(shape)


SCRATCH = Scratch()


def chunks(batch: int, values: int) -> list[slice]:
    """Part a batch evenly, so that scratch memory stays small; a position reads `values` numbers of each sample."""
    # A call for more samples is divided among threads the better, one for fewer moves maps faster.
    most = _SAMPLES if torch.get_num_threads() == 1 else 2 * _SAMPLES
    at_most = min(max(_CHUNK_VALUES // max(1, values), _SAMPLES), most)
    size = max(1, -(-batch // max(1, -(-batch // at_most))))
    return [slice(first, min(first + size, batch)) for first in range(0, batch, size)]


_CHUNK_VALUES = 1 << 18
"""Numbers that a position reads, of all samples: 1 MB in float32, which stays in the cache until the next position."""

_SAMPLES = 64
"""Samples at a time."""
