"""Reads of a port of a merging layer: maps of its sources, wire by wire, and head by head."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from compilers.kernels import Maps, Selection, add_maps, maps_at, selection
from compilers.plan import LayerPlan, PortReads
from netgraph.columns import Array


class ReadPattern:
    """Wires that read maps: by slices where the vertices of a source follow each other, else by index.

    Args:
        reads: wires of a port.
        layers: all layers of the plan.
        device: of the network.
    """

    def __init__(self, reads: PortReads, layers: Sequence[LayerPlan], device: torch.device) -> None:
        self.parts: list[tuple[int, Selection, bool, Selection]] = []
        places: list[Array] = []
        for number, place in enumerate(reads.places):
            at = np.flatnonzero(reads.source == number)
            if len(at):
                rows = selection(reads.src[at], device)
                whole = isinstance(rows, slice) and len(at) == layers[place].width
                self.parts.append((place, rows, whole, selection(at, device)))
                places.append(at)
        order = np.argsort(np.concatenate(places), kind="stable")
        in_order = bool((np.diff(order) == 1).all())
        self.order = None if in_order else torch.from_numpy(order).to(device)

    def bind(self, maps: Mapping[int, Maps], layers: Sequence[LayerPlan]) -> MapReads:
        """Attach to the maps of one workspace."""
        return MapReads(self, [maps[place] for place, *_ in self.parts], [layers[p] for p, *_ in self.parts])


class MapReads:
    """The reads of a pattern in one workspace."""

    def __init__(self, pattern: ReadPattern, sources: Sequence[Maps], layers: Sequence[LayerPlan]) -> None:
        self._pattern, self._sources = pattern, sources
        self._trained = {
            inputs: [not layer.is_source or (inputs and not layer.picks) for layer in layers]
            for inputs in (False, True)
        }

    def values(self) -> Tensor:
        """Return the values that the wires read, `(batch, wires, height, width)`; a view where it can be."""
        found = []
        for source, (_, rows, _, _) in zip(self._sources, self._pattern.parts, strict=True):
            assert source.values is not None
            found.append(maps_at(source.values, rows))
        values = found[0] if len(found) == 1 else torch.cat(found, 1)
        return values if self._pattern.order is None else maps_at(values, self._pattern.order)

    def add_gradient(self, gradient: Tensor, *, inputs: bool) -> None:
        """Add gradients of these values to those of the sources; the caller lets go of the tensor."""
        parts = self._pattern.parts
        for source, (_, rows, whole, at), trained in zip(self._sources, parts, self._trained[inputs], strict=True):
            if not trained:
                continue
            part = gradient if len(parts) == 1 else maps_at(gradient, at)
            if whole:
                source.add_gradient(part, own=True)
            else:
                add_maps(source.own_gradient(), rows, part)

    def needs_gradient(self, *, inputs: bool) -> bool:
        """Whether a source needs a gradient."""
        return any(self._trained[inputs])


class HeadPattern:
    """Wires of heads that read as many channels each, `(heads, slots)`.

    Heads that follow each other and read the same channels, as grouped queries do, read them once.

    Args:
        reads: wires of these heads, head by head.
        heads: number of heads.
        layers: all layers of the plan.
        device: of the network.
    """

    def __init__(self, reads: PortReads, heads: int, layers: Sequence[LayerPlan], device: torch.device) -> None:
        channels = np.stack([reads.source, reads.src], 1).reshape(heads, -1)
        self.repeats = max(r for r in range(1, heads + 1) if heads % r == 0 and _repeat(channels, r))
        self.groups = heads // self.repeats
        kept = np.arange(len(reads)).reshape(heads, -1)[:: self.repeats].reshape(-1)
        self.pattern = ReadPattern(reads.at(kept), layers, device)

    def bind(self, maps: Mapping[int, Maps], layers: Sequence[LayerPlan]) -> HeadReads:
        """Attach to the maps of one workspace."""
        return HeadReads(self, self.pattern.bind(maps, layers))


def _repeat(channels: Array, repeats: int) -> bool:
    blocks = channels.reshape(len(channels) // repeats, repeats, -1)
    return bool((blocks == blocks[:, :1]).all())


class HeadReads:
    """The reads of heads in one workspace."""

    def __init__(self, pattern: HeadPattern, reads: MapReads) -> None:
        self._groups, self._repeats = pattern.groups, pattern.repeats
        self._reads = reads
        self.needs_gradient = reads.needs_gradient

    def values(self) -> Tensor:
        """Return the values that the heads read, `(batch, heads, positions, slots)`."""
        heads = by_head(self._reads.values(), self._groups)
        return heads if self._repeats == 1 else heads.repeat_interleave(self._repeats, 1)

    def add_gradient(self, gradient: Tensor, *, inputs: bool) -> None:
        """Add gradients of these values to those of the sources; the caller lets go of the tensor."""
        if self._repeats > 1:
            batch, _, *each = gradient.shape
            gradient = gradient.reshape(batch, self._groups, self._repeats, *each).sum(2)
        self._reads.add_gradient(as_channels(gradient), inputs=inputs)


def by_head(channels: Tensor, heads: int) -> Tensor:
    """Arrange maps `(batch, heads * n, 1, positions)` by head, as a view, `(batch, heads, positions, n)`."""
    batch, width, _, positions = channels.shape
    return channels.movedim(1, 3).view(batch, positions, heads, width // heads).transpose(1, 2)


def as_channels(heads: Tensor) -> Tensor:
    """Arrange `(batch, heads, positions, n)` as maps, head by head, `(batch, heads * n, 1, positions)`."""
    return heads.transpose(1, 2).flatten(2).unsqueeze(1).movedim(3, 1)
