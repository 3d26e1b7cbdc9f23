"""Palette of all pictures: readable on white, also for people who cannot distinguish red from green."""

from __future__ import annotations

import numpy as np

from netgraph.columns import Array

PAPER, INK, QUIET, GRAY, FAINT = "#ffffff", "#1f2328", "#57606a", "#8a9099", "#d0d5db"
MISSING = "#b9bdc3"
"""Colour of a missing value (NaN)."""

ROLES = {
    "input": ("#dbeafe", "#3b6fb6"),
    "position": ("#d8f0f3", "#2f8592"),
    "hidden": ("#f1f3f5", "#868e96"),
    "output": ("#fdebd0", "#c87f1e"),
}
"""Colours of a layer and its vertices by the role of the layer, `(fill, line)`."""

ADDED, REMOVED, CHANGED = "#00855a", "#a8162a", "#d98a00"
"""Line colours of items that a rewrite added, removed or changed. Pictures distinguish them by width and dashes too."""
ADDED_FILL, REMOVED_FILL, CHANGED_FILL = "#c4efdf", "#f6d3d6", "#fdebc2"

POSITIVE, NEGATIVE = ("#a9c8e6", "#2166ac"), ("#d3b8dc", "#762a83")
"""Colours of the diverging map for the smallest and the largest absolute values, `(near 0, far from 0)`.

The value 0 has the colour GRAY. Red is reserved for removed items.
"""
SEQUENTIAL = ("#a5dcc0", "#41b6c4", "#2c7fb8", "#253494")
"""Colours of the sequential map at equal distances, from the smallest to the largest value."""


def diverging(values: Array, largest: float) -> list[str]:
    """Return the colour of each value: blue above 0, purple below 0, grey at 0 and for NaN.

    Args:
        values: numbers, `(n,)`.
        largest: absolute value with the strongest colour. Larger ones have the same colour.
    """
    values = np.asarray(values, dtype=np.float64)
    share = _share(np.abs(values), 0.0, largest)
    up, down = _blend(POSITIVE, share), _blend(NEGATIVE, share)
    rgb = np.where((values > 0)[:, None], up, np.where((values < 0)[:, None], down, _rgb(GRAY)))
    rgb[np.isnan(values)] = _rgb(MISSING)
    return _hex(rgb)


def sequential(values: Array, low: float, high: float) -> list[str]:
    """Return the colour of each value, from `low` (light green) to `high` (dark blue), grey for NaN.

    Args:
        values: numbers, `(n,)`.
        low, high: values with the first and the last colour. Values outside have the colour of the nearer one.
    """
    values = np.asarray(values, dtype=np.float64)
    rgb = _blend(SEQUENTIAL, _share(values, low, high))
    rgb[np.isnan(values)] = _rgb(MISSING)
    return _hex(rgb)


def text_on(fill: str) -> str:
    """Return INK or PAPER, the one with more contrast to the colour `fill`."""
    own = _luminance(fill) + 0.05
    return INK if own / (_luminance(INK) + 0.05) > (_luminance(PAPER) + 0.05) / own else PAPER


def _luminance(color: str) -> float:
    """Relative luminance of a colour, defined in the Web Content Accessibility Guidelines 2."""
    parts = [c / 255 / 12.92 if c <= 10.31 else ((c / 255 + 0.055) / 1.055) ** 2.4 for c in _rgb(color)]
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]


def _share(values: Array, low: float, high: float) -> Array:
    """Position of each value between `low` and `high`, from 0 to 1; 0 for NaN, and where `high` is not above `low`."""
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
