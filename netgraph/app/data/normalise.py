"""Normalisation of inputs to mean 0 and deviation 1, and of their domain."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from netgraph.app.data.images import ImageLayout
from netgraph.columns import Array
from netgraph.graph import Domain

# Rows that are worked on at a time, in float64: bounds the memory that this takes beside its result.
_ROWS = 4096


@dataclass(frozen=True, eq=False)
class Normalisation:
    """Normalisation of inputs, `(x - mean) / std`.

    Attributes:
        mean, std: numbers of each channel of an image, `(channels,)`, or else of each column of a table, `(features,)`.
        layout: order of the pixels of an image in a row; None for tables.
    """

    mean: Array
    std: Array
    layout: ImageLayout | None

    @classmethod
    def measured(cls, rows: Array, layout: ImageLayout | None) -> Normalisation:
        """Measure mean and deviation of training rows, `(N, features)`; the deviation of equal values is set to 1."""
        count = rows.size // (layout.channels if layout else rows.shape[1])
        mean = sum(part.sum(axis=(0, 2)) for part in _parts(rows, layout)) / count
        squares = sum(((part - mean[:, None]) ** 2).sum(axis=(0, 2)) for part in _parts(rows, layout))
        by_channel = _by_channel(rows, layout)
        # The deviation of equal values can come out as a rounding error instead of 0.
        varies = by_channel.min(axis=(0, 2)) < by_channel.max(axis=(0, 2))
        return cls(mean, np.where(varies, np.sqrt(squares / count), 1.0), layout)

    def apply(self, rows: Array) -> Array:
        """Normalise rows, as float32, `(N, features)`."""
        result = np.empty(rows.shape, np.float32)
        wide = _by_channel(result, self.layout)
        for start, part in zip(range(0, len(rows), _ROWS), _parts(rows, self.layout), strict=True):
            wide[start : start + _ROWS] = (part - self.mean[:, None]) / self.std[:, None]
        return result

    def domain(self, domain: Domain) -> Domain:
        """Normalise a domain: the new low and high, for each channel of an image, or else for each feature.

        They are rounded to float32 as inputs are, so that every normalised input lies between them.
        """
        low, high = (((np.asarray(bound) - self.mean) / self.std).astype(np.float32) for bound in domain)
        return low.astype(np.float64), high.astype(np.float64)

    def to_json(self) -> dict[str, list[float]]:
        """Convert mean and deviation to lists of numbers."""
        return {"mean": self.mean.tolist(), "std": self.std.tolist()}

    @property
    def note(self) -> str:
        """Sentence for the user that describes the normalisation."""
        if self.layout is None:
            return "Each feature was normalised by its own mean and standard deviation over the training samples."
        mean, std = (", ".join(f"{value:.4g}" for value in values) for values in (self.mean, self.std))
        return f"Each channel was normalised by mean {mean} and standard deviation {std} of the training samples."


def _by_channel(rows: Array, layout: ImageLayout | None) -> Array:
    """View rows as `(N, channels, positions)`; every column of a table is a channel with one position."""
    return layout.by_channel(rows) if layout else rows[:, :, None]


def _parts(rows: Array, layout: ImageLayout | None) -> Iterator[np.ndarray[Any, np.dtype[np.float64]]]:
    """Yield some rows at a time, as float64, `(N, channels, positions)`."""
    for start in range(0, len(rows), _ROWS):
        yield _by_channel(rows[start : start + _ROWS], layout).astype(np.float64)
