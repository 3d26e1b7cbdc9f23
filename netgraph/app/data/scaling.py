"""Scaling of inputs into [0, 1]."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from netgraph.app.data.raw import RawData, array_name
from netgraph.app.data.targets import listing
from netgraph.columns import Array
from netgraph.errors import DataError

# Rows that are scaled at a time, in float64: bounds the memory that scaling takes beside its result.
_SCALED_ROWS = 4096


@dataclass(frozen=True, eq=False)
class Scaling:
    """Scaling of inputs into [0, 1], `(clip(x, low, high) - low) / (high - low)`, and 0 where both bounds are equal.

    Attributes:
        low, high: values that become 0 and 1: one for all features, `()`, or one for each, `(features,)`.
    """

    low: Array
    high: Array

    @property
    def by_feature(self) -> bool:
        """Whether each feature has bounds of its own, as columns in different units have."""
        return self.low.ndim > 0

    def apply(self, rows: Array) -> tuple[Array, int]:
        """Scale rows, `(N, features)`, as float32, and count the values beyond the bounds, which become 0 or 1."""
        low, high = self.low, self.high
        span = np.where(high > low, high - low, 1.0)
        result = np.empty(rows.shape, dtype=np.float32)
        clipped = 0
        for start in range(0, len(rows), _SCALED_ROWS):
            part = rows[start : start + _SCALED_ROWS].astype(np.float64)
            clipped += int(np.count_nonzero((part < low) | (part > high)))
            # Clipping first keeps the quotient finite, however far outside a value lies.
            result[start : start + _SCALED_ROWS] = (part.clip(low, high) - low) / span
        return result, clipped

    def to_json(self) -> dict[str, Any]:
        """Convert the bounds to numbers, or to lists of numbers."""
        return {"low": self.low.tolist(), "high": self.high.tolist()}


def scaled(raw: RawData, x: Mapping[str, Array]) -> tuple[dict[str, Array], list[str], Scaling]:
    """Scale inputs to [0, 1] by the range of the training inputs alone.

    Returns:
        Each split as (N, features) float32; notes about how it was done and what had to be clipped; and the scaling.
    """
    low, high, notes = _input_range(raw, x["train"])
    scaling = Scaling(low, high)
    result = {}
    for split, inputs in x.items():
        flat = inputs.reshape(len(inputs), -1)
        result[split], clipped = scaling.apply(flat)
        if clipped:
            notes.append(
                f"{clipped} of {flat.size} {array_name('x', split)} values lay outside the range of the "
                "training inputs and were clipped into [0, 1]."
            )
    return result, notes, scaling


def _input_range(raw: RawData, train: Array) -> tuple[Array, Array, list[str]]:
    """Return the values that become 0 and 1, for all features or for each, and notes about the choice."""
    smallest, largest = train.min(), train.max()
    if smallest >= 0 and largest <= 1:
        return np.array(0.0), np.array(1.0), ["Inputs already lie in [0, 1] and are used as they are."]
    full_scale = 255.0 if train.dtype == np.uint8 else raw.full_scale
    if full_scale is not None:
        return np.array(0.0), np.array(full_scale), [f"Inputs were divided by {full_scale:g}."]
    if train.ndim > 2:
        # One range for all pixels: a range for each would distort the picture.
        low, high = np.array(smallest, dtype=np.float64), np.array(largest, dtype=np.float64)
        notes = [f"Inputs were scaled from [{low:g}, {high:g}], the range of all training inputs, to [0, 1]."]
    else:
        low, high = train.min(axis=0).astype(np.float64), train.max(axis=0).astype(np.float64)
        notes = ["Each feature was scaled to [0, 1] by its smallest and largest training value."]
        constant = np.flatnonzero(low == high)
        if len(constant):
            named = tuple(raw.columns[at] if raw.columns else str(at) for at in constant)
            notes.append(f"Features with one value in all training samples became 0: {listing(named)}.")
    with np.errstate(over="ignore"):
        if not np.isfinite(high - low).all():
            raise DataError(
                f"{raw.source}: inputs from {smallest:g} to {largest:g} are too far apart to be scaled. "
                "Rescale or drop such features."
            )
    return low, high, notes
