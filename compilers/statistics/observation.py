"""A request for a statistic, one backward pass as collectors see it, and the result of collecting."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from compilers.kernels import Maps, Picks
from compilers.plan import Plan


@dataclass(frozen=True)
class Request:
    """The name of a statistic to collect, and its options."""

    name: str
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass
class Collected:
    """The columns and moments that a collector hands over.

    Attributes:
        edges: tensors by name, `(slots,)`.
        vertices: by name, (width,) tensors by the place of their layer in the plan; other layers have none.
        moments: arrays by kind and names of layers, as keys of `Statistics.moments`.
    """

    edges: dict[str, Tensor] = field(default_factory=dict)
    vertices: dict[str, dict[int, Tensor]] = field(default_factory=dict)
    moments: dict[tuple[str, ...], Tensor] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Observation:
    """One forward and backward pass. Tensors are those of the network: read them, do not keep them.

    Attributes:
        plan: of the network.
        batch: number of samples.
        rows: function that gives the values of all layers without a grid, `(rows, batch)`.
        gradients: gradients of the sums of these layers, `(rows, batch)`; for rows of pooled maps, of their values.
        weights: gradient of the weights, where a collector asked for it, `(slots,)`.
        layer_maps: maps by place of their layer.
    """

    plan: Plan
    batch: int
    rows: Callable[[], Tensor]
    gradients: Tensor
    weights: Tensor | None
    layer_maps: dict[int, Maps]

    @property
    def values(self) -> Tensor:
        """Values of all layers without a grid, `(rows, batch)`."""
        return self.rows()

    @property
    def maps(self) -> Iterable[int]:
        """Places of the layers whose sums are maps."""
        return self.layer_maps

    def map_values(self, place: int) -> Tensor:
        """Return the values of a layer with a grid, `(batch, vertices, height, width)`."""
        values = self.layer_maps[place].values
        assert values is not None
        return values

    def picked_rows(self, place: int) -> Tensor:
        """Return the row of the vertex that is 1, of a layer that picks, `(batch * positions,)` int64."""
        maps = self.layer_maps[place]
        assert isinstance(maps, Picks)
        assert maps.rows is not None
        return maps.rows.expand(self.batch, -1).reshape(-1)

    def picked_counts(self, place: int) -> Tensor:
        """Return the number of samples and positions at which each vertex of a layer that picks is 1, `(vertices,)`."""
        return torch.bincount(self.picked_rows(place), minlength=self.plan.layers[place].width)

    def sum_gradients(self, place: int) -> Tensor:
        """Return the gradients of the sums of a layer with a grid, `(batch, vertices, height, width)`."""
        gradients = self.layer_maps[place].sum_gradients
        assert gradients is not None
        return gradients

    def flat_values(self, place: int) -> Tensor:
        """Return the values of any layer, `(vertices, batch * positions)`."""
        layer = self.plan.layers[place]
        if not layer.gives_maps:
            return self.values[layer.start : layer.stop]
        return self.map_values(place).transpose(0, 1).reshape(layer.width, -1)

    def flat_gradients(self, place: int) -> Tensor:
        """Return the gradients of the sums of any layer, `(vertices, batch * positions)`."""
        layer = self.plan.layers[place]
        if not layer.grid:
            return self.gradients[layer.start : layer.stop]
        return self.sum_gradients(place).transpose(0, 1).reshape(layer.width, -1)
