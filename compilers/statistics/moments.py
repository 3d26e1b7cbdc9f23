"""Second moments of one layer, and cross moments between two."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor
from torch.nn import functional

from compilers.kernels import placed
from compilers.plan import Geometry, as_maps
from compilers.statistics.observation import Collected, Observation
from netgraph.checks import choice
from netgraph.errors import GraphError, StatisticsError, unknown_name
from netgraph.graph import LinkKind

if TYPE_CHECKING:
    from compilers.plan import LayerPlan, Plan

_CHUNK_VALUES = 1 << 22
"""Largest number of unfolded values in memory at a time."""


class CrossMoments:
    """Mean over samples of h_s * dL/dz_t between two layers, linked or not, neighbours or not.

    Between layers that are linked it is the mean gradient of every edge, present or missing.

    Args:
        plan: of the network.
        device: where it runs.
        source: name of the layer whose values are taken.
        target: name of the layer whose gradients are taken.
        kind: how the target would read the maps of the source; by default as its link does, else the kernel that
            covers the whole grid, or a single position. Moments are then summed over positions, tap by tap.
    """

    reads_weights = False

    def __init__(
        self, plan: Plan, device: torch.device, *, source: str, target: str, kind: LinkKind | None = None
    ) -> None:
        self.batches = self.samples = 0
        self._names = (source, target)
        self.key = ("cross_moments", source, target)
        self._source, self._target = place_of(plan, source), place_of(plan, target)
        first, second = plan.layers[self._source], plan.layers[self._target]
        if kind is not None and not first.output_grid:
            raise StatisticsError(f"Layer {source!r} has no maps for {kind} to read; leave `kind` out.")
        if second.is_source:
            what = "an input" if second.role == "input" else "a layer of positions"
            raise StatisticsError(f"Layer {target!r} is {what}: it has no sums, and so no gradients of them.")
        self._geometry = _geometry(plan, first, second, kind) if first.output_grid else None
        taps = self._geometry.taps if self._geometry else 1
        require_memory(f"Cross moments of {source!r} and {target!r}", first.width * second.width * taps, device)
        self._sums: Tensor | None = None

    def update(self, seen: Observation) -> None:
        """Add one mini-batch."""
        plan = seen.plan
        first, second = plan.layers[self._source], plan.layers[self._target]
        taps = self._geometry.taps if self._geometry else 1
        if self._sums is None:
            self._sums = seen.gradients.new_zeros((second.width, first.width * taps))
        self._sums = self._sums.to(seen.gradients)  # the network may have moved
        if self._geometry is None or (first.picks and self._geometry.pointwise):
            gradients = seen.flat_gradients(self._target)
            if second.grid and self._geometry is None:
                gradients = gradients.view(second.width, seen.batch, -1).sum(2)
            if first.picks:
                self._sums.index_add_(1, seen.picked_rows(self._source), gradients, alpha=seen.batch)
            else:
                self._sums.addmm_(gradients, seen.flat_values(self._source).t(), alpha=seen.batch)
        else:
            self._add_maps(seen, self._geometry)
        self.batches += 1
        self.samples += seen.batch

    def _add_maps(self, seen: Observation, geometry: Geometry) -> None:
        assert self._sums is not None
        gradients = seen.flat_gradients(self._target)
        gradients = gradients.view(len(gradients), seen.batch, -1)
        for samples, columns in unfolded(seen.map_values(self._source), geometry):
            part = gradients[:, samples].reshape(len(gradients), -1)
            self._sums.addmm_(part, columns.t(), alpha=seen.batch)

    def collected(self) -> Collected:
        """Return the matrix of cross moments, `(sources, targets)`, or `(sources, targets, taps)` for maps."""
        assert self._sums is not None
        mean = self._sums / self.samples
        by_tap = mean if self._geometry is None else mean.view(len(mean), -1, self._geometry.taps)
        return Collected(moments={("cross", *self._names): by_tap.transpose(0, 1)})


class SecondMoments:
    """Second moments of one layer: the mean of `a a'` over samples and positions, a Kronecker factor of the layer.

    Args:
        plan: of the network.
        device: where it runs.
        layer: name of the layer.
        of: "activations" (its values, with a 1 appended for the bias) or "gradients" (of its sums, per sample).
        kind: of activations that are maps: moments of the columns that such a link reads, in the order (vertex, tap).
    """

    reads_weights = False

    def __init__(
        self,
        plan: Plan,
        device: torch.device,
        *,
        layer: str,
        of: Literal["activations", "gradients"] = "activations",
        kind: LinkKind | None = None,
    ) -> None:
        self.batches = self.samples = 0
        self._place, self._of, self._name = place_of(plan, layer), of, layer
        self.key = ("second_moments", layer, of)
        own = plan.layers[self._place]
        choice("of", of, ("activations", "gradients"), error=StatisticsError)
        if of == "gradients" and (own.is_source or kind is not None):
            raise StatisticsError(f"Gradients of {layer!r} have no kind of link, and those of inputs are not taken.")
        if kind is not None and not own.output_grid:
            raise StatisticsError(f"Layer {layer!r} has no maps for {kind} to read; leave `kind` out.")
        self._geometry = _reading(own, kind) if kind is not None else None
        width = own.width * (self._geometry.taps if self._geometry else 1) + (of == "activations")
        require_memory(f"Second moments of {layer!r}", width**2, device)
        self._width = width
        self._positions = self._geometry.positions if self._geometry else 1
        if self._geometry is None:
            self._positions = own.positions if of == "activations" else own.sum_positions
        self._sums: Tensor | None = None

    def update(self, seen: Observation) -> None:
        """Add one mini-batch."""
        if self._sums is None:
            self._sums = seen.gradients.new_zeros((self._width, self._width))
        self._sums = self._sums.to(seen.gradients)  # the network may have moved
        if self._of == "gradients":
            g = seen.flat_gradients(self._place)
            self._sums.addmm_(g, g.t(), alpha=seen.batch**2)
        elif self._geometry is None and seen.plan.layers[self._place].picks:
            counts = seen.picked_counts(self._place).to(self._sums)
            self._sums.diagonal()[:-1].add_(counts)
            self._add_ones(counts, seen.batch * self._positions)
        elif self._geometry is None:
            self._add(seen.flat_values(self._place))
        else:
            for _, columns in unfolded(seen.map_values(self._place), self._geometry):
                self._add(columns)
        self.batches += 1
        self.samples += seen.batch

    def _add(self, values: Tensor) -> None:
        """Add (columns, samples * positions) values, with a constant 1 as the last column."""
        assert self._sums is not None
        n = len(values)
        self._sums[:n, :n].addmm_(values, values.t())
        self._add_ones(values.sum(1), values.shape[1])

    def _add_ones(self, sums: Tensor, count: int) -> None:
        """Add the products with the constant 1: sums of the columns, and the number of their values."""
        assert self._sums is not None
        self._sums[:-1, -1] += sums
        self._sums[-1, :-1] += sums
        self._sums[-1, -1] += count

    def collected(self) -> Collected:
        """Return the square matrix of second moments."""
        assert self._sums is not None
        return Collected(moments={(self._of, self._name): self._sums / (self.samples * self._positions)})


def unfolded(maps: Tensor, geometry: Geometry) -> Iterator[tuple[slice, Tensor]]:
    """Some samples at a time: (maps * taps, samples * positions) values that a kernel reads, in order (map, tap)."""
    if geometry.run is not None:
        maps = placed(maps, geometry.target, geometry.run)
    batch, channels = maps.shape[:2]
    size = max(1, _CHUNK_VALUES // (channels * geometry.taps * geometry.positions))
    for first in range(0, batch, size):
        samples = slice(first, min(first + size, batch))
        columns = functional.unfold(maps[samples], geometry.kernel, 1, geometry.padding, geometry.stride)
        yield samples, columns.transpose(0, 1).reshape(channels * geometry.taps, -1)


def place_of(plan: Plan, name: str) -> int:
    """Return the place of a layer in the plan. Raises `StatisticsError` for an unknown name."""
    if name not in plan.position:
        raise StatisticsError(unknown_name("layer", name, plan.position))
    return plan.position[name]


def _geometry(plan: Plan, source: LayerPlan, target: LayerPlan, kind: LinkKind | None) -> Geometry:
    """Find the geometry in which the target reads maps of the source: of `kind`, or else of their link or grids."""
    if kind is None:
        place = plan.position[source.name]
        linked = [block.geometry for block in target.blocks if block.source == place]  # wires come last
        if linked and linked[0] is not None:
            return linked[0]
        grid = as_maps(source.output_grid)
        if target.grid == source.output_grid:
            return Geometry(grid, grid)
        if not target.grid:
            return Geometry(grid, (1, 1), kernel=grid)
        raise StatisticsError(
            f"Layers {source.name!r} {source.output_grid} and {target.name!r} {target.grid} have other grids and no "
            "link; say how the maps would be read with kind=Conv2d(...)."
        )
    found = _reading(source, kind)
    if found.target != as_maps(target.grid):
        raise StatisticsError(f"{kind} gives maps of {found.target}, but layer {target.name!r} has {target.grid}.")
    return found


def _reading(source: LayerPlan, kind: LinkKind) -> Geometry:
    try:
        return Geometry.of(kind, source.output_grid, kind.output_grid(source.output_grid))
    except GraphError as error:
        raise StatisticsError(f"Layer {source.name!r}: {error}") from None


def require_memory(what: str, numbers: int, device: torch.device) -> None:
    """Raise `StatisticsError` when this number of values does not fit into the memory of the device."""
    wanted = 8 * numbers
    if device.type == "cuda":
        whole = torch.cuda.mem_get_info(device)[1]
    else:
        try:
            whole = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        except (ValueError, OSError, AttributeError):  # unknown on this system
            return
    if wanted > whole:
        raise StatisticsError(
            f"{what} take {wanted / 2**30:,.1f} GiB, and the memory has {whole / 2**30:,.1f} GiB; capture the raw "
            "activations and gradients of a batch instead."
        )
