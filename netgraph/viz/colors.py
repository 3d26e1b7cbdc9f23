"""The palette of all pictures: readable on white, also for people who do not tell red from green."""

from __future__ import annotations

import numpy as np

from netgraph.columns import Array

PAPER, INK, QUIET, GRAY, FAINT = "#ffffff", "#1f2328", "#57606a", "#8a9099", "#d0d5db"
MISSING = "#b9bdc3"
"""Colour of a value that is not there (NaN)."""

ROLES = {"input": ("#dbeafe", "#3b6fb6"), "hidden": ("#f1f3f5", "#868e96"), "output": ("#fdebd0", "#c87f1e")}
"""(fill, line) of a layer and its vertices, by role."""

ADDED, REMOVED, CHANGED = "#00855a", "#a8162a", "#d98a00"
"""What a rewrite did. Pictures tell them apart by width and dashes as well."""
ADDED_FILL, REMOVED_FILL, CHANGED_FILL = "#c4efdf", "#f6d3d6", "#fdebc2"

POSITIVE, NEGATIVE = ("#a9c8e6", "#2166ac"), ("#d3b8dc", "#762a83")
"""(near 0, far from 0) of the diverging map; 0 itself is GRAY. Red is left to what a rewrite removes."""
SEQUENTIAL = ("#a5dcc0", "#41b6c4", "#2c7fb8", "#253494")
"""Stops of the sequential map, from the smallest to the largest value."""


def diverging(values: Array, largest: float) -> list[str]:
    """Colour of each value: blue above 0, purple below 0, stronger towards +-`largest`, grey at 0 and for NaN.

    Args:
        values: (n,) numbers.
        largest: the absolute value with the full colour; beyond it colours stay.
    """
    values = np.asarray(values, dtype=np.float64)
    share = _share(np.abs(values), 0.0, largest)
    up, down = _blend(POSITIVE, share), _blend(NEGATIVE, share)
    rgb = np.where((values > 0)[:, None], up, np.where((values < 0)[:, None], down, _rgb(GRAY)))
    rgb[np.isnan(values)] = _rgb(MISSING)
    return _hex(rgb)


def sequential(values: Array, low: float, high: float) -> list[str]:
    """Colour of each value between `low` (light green) and `high` (dark blue), grey for NaN.

    Args:
        values: (n,) numbers.
        low, high: the values with the first and the last colour; beyond them colours stay.
    """
    values = np.asarray(values, dtype=np.float64)
    rgb = _blend(SEQUENTIAL, _share(values, low, high))
    rgb[np.isnan(values)] = _rgb(MISSING)
    return _hex(rgb)


def text_on(fill: str) -> str:
    """The colour, INK or PAPER, that has more contrast with a fill."""
    own = _luminance(fill) + 0.05
    return INK if own / (_luminance(INK) + 0.05) > (_luminance(PAPER) + 0.05) / own else PAPER


def _luminance(color: str) -> float:
    """Relative luminance, as the guidelines for accessible pages define it."""
    parts = [c / 255 / 12.92 if c <= 10.31 else ((c / 255 + 0.055) / 1.055) ** 2.4 for c in _rgb(color)]
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]


def _share(values: Array, low: float, high: float) -> Array:
    """Where each value lies between two, from 0 to 1; 0 where the two are equal, and for NaN."""
    if high <= low:
        return np.zeros(len(values))
    return np.clip(np.nan_to_num((values - low) / (high - low), nan=0.0, posinf=1.0, neginf=0.0), 0.0, 1.0)


def _blend(stops: tuple[str, ...], share: Array) -> Array:
    known = np.array([_rgb(stop) for stop in stops])
    at = np.linspace(0.0, 1.0, len(stops))
    return np.stack([np.interp(share, at, known[:, k]) for k in range(3)], axis=1)


def _rgb(color: str) -> tuple[float, float, float]:
    red, green, blue = bytes.fromhex(color[1:])
    return (float(red), float(green), float(blue))


def _hex(rgb: Array) -> list[str]:
    return [f"#{r:02x}{g:02x}{b:02x}" for r, g, b in np.rint(rgb).astype(int).tolist()]
