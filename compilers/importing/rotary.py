"""Recognition of rotary positions: queries and keys that are turned in pairs, by angles that grow with the position."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from netgraph.columns import Array

CLOSE = 1e-9
"""Largest relative difference of an exact table of cosines and sines from those of the angles that are read off."""

ROUNDING = 2.0**-21
"""The same for a table that was made in float32, for an angle of 0; it grows with the angle, which is rounded too."""


class NoRotation(Exception):
    """Factors change from position to position in another way than rotary positions; the text says how."""


@dataclass(frozen=True, eq=False)
class Slots:
    """Queries or keys of heads, without their rotation.

    Attributes:
        source: source of each slot of each head, `(heads, slots)`; the slots `2i` and `2i + 1` turn together.
        factor: factor of each slot, `(heads, slots)`.
        channel: channel that is each slot, `(slots,)`.
        frequency: angle per position of each pair of slots, `(slots // 2,)`; empty where nothing turns.
        phase: angle of each pair at position 0, `(slots // 2,)`.
        rounding: largest relative difference of the table from the cosines and sines of these angles; 0 below `CLOSE`.
    """

    source: Array
    factor: Array
    channel: Array
    frequency: Array
    phase: Array
    rounding: float = 0.0


def slots_of(source: Array, factor: Array) -> Slots:
    """Find the pairs of channels that turn together, and their angles, by the values of the factors.

    A channel is the sum of `factor * source` over the last axis. Either each channel has a single source and one factor
    at all positions, or two channels have the same two sources `a`, `b` and are `s (a cos u - b sin u)` and
    `s (a sin u + b cos u)` with `u = frequency * position + phase`.

    Args:
        source: number that identifies the source of each term, `(heads, positions, channels, terms)`.
        factor: factor of each term, 0 where there is none, of the same shape.

    Raises:
        NoRotation: where the factors are others.
    """
    low = _least(np.where(factor == 0, np.iinfo(np.int64).max, source))
    high = -_least(-np.where(factor == 0, -1, source))
    if (high < 0).any():
        raise NoRotation("a channel of a head is 0 at all positions")
    if ((factor != 0) & (source != low[:, None, :, None]) & (source != high[:, None, :, None])).any():
        raise NoRotation("a channel is a sum of more than two features")
    first = np.where(source == low[:, None, :, None], factor, 0.0).sum(axis=3)
    second = np.where((source == high[:, None, :, None]), factor, 0.0).sum(axis=3)
    turned = low != high
    if (turned != turned[0]).any():
        raise NoRotation("heads turn different channels")
    channels = np.flatnonzero(turned[0])
    if not len(channels):
        return _still(low, first)
    pairs = _pairs(low[:, channels], high[:, channels], channels)
    plain = np.flatnonzero(~turned[0])
    if len(plain) % 2:
        raise NoRotation("an odd number of channels does not turn")
    return _joined(_turned(low, high, first, second, pairs), _still(low[:, plain], first[:, :, plain]), pairs, plain)


def _least(source: Array) -> Array:
    """Least source of each channel, `(heads, channels)`."""
    least: Array = source.min(axis=(1, 3))
    return least


def _still(source: Array, factor: Array) -> Slots:
    """Slots of channels with one factor at all positions."""
    if (factor != factor[:, :1]).any():
        raise NoRotation("a factor changes from position to position and turns no pair of channels")
    none = np.zeros(0)
    return Slots(source, factor[:, 0], np.arange(source.shape[1]), none, none)


def _pairs(low: Array, high: Array, channels: Array) -> Array:
    """Pairs of channels with the same two sources, `(pairs, 2)`."""
    order = np.lexsort((channels, high[0], low[0]))
    one, two = order[0::2], order[1::2]
    paired = len(order) % 2 == 0 and all((part[:, one] == part[:, two]).all() for part in (low, high))
    groups = len(np.unique(np.stack([low[0], high[0]]), axis=1).T)
    if not paired or 2 * groups != len(channels):
        raise NoRotation("channels do not turn in pairs")
    pairs = np.stack([channels[one], channels[two]], axis=1)
    return pairs[np.argsort(pairs[:, 0], kind="stable")]


def _turned(low: Array, high: Array, first: Array, second: Array, pairs: Array) -> Slots:
    """Slots of pairs, from the factors `first` of the source `low` and `second` of `high`."""
    one, two = pairs.T
    matrix = [[first[:, :, one], second[:, :, one]], [first[:, :, two], second[:, :, two]]]
    swapped = (matrix[0][0] * matrix[1][1] - matrix[0][1] * matrix[1][0])[:, 0] < 0
    a = np.where(swapped, high[:, one], low[:, one])
    b = np.where(swapped, low[:, one], high[:, one])
    (aa, ab), (ba, bb) = ([np.where(swapped[:, None], row[1 - i], row[i]) for i in (0, 1)] for row in matrix)
    number = aa + 1j * ba  # the pair is turned by the angle of this number
    start = number[:, :1]
    size = np.abs(start)
    frequency = _frequency(number[0] / start[0])
    position = np.arange(number.shape[1])[:, None]
    known = np.maximum(size * (1 + np.abs(frequency) * position), np.finfo(float).tiny)
    mixed = max(float((np.abs(part) / known).max()) for part in (aa - bb, ab + ba))
    if mixed > ROUNDING:
        raise NoRotation("a pair of channels is mixed by no rotation")
    error = np.abs(number - start * np.exp(1j * frequency * position))
    if (error > ROUNDING * known).any():
        raise NoRotation("the angles of a pair do not grow by one angle per position, the same for all heads")
    phase = np.angle(start)[:, 0]
    if np.abs(phase - phase[0]).max() > CLOSE:
        raise NoRotation("heads start at different angles")
    rounding = max(mixed, float((error / np.maximum(size, np.finfo(float).tiny)).max()))
    source = np.stack([a, b], axis=2).reshape(len(a), -1)
    factor = size[:, 0].repeat(2, axis=1)
    return Slots(source, factor, pairs.reshape(-1), frequency, phase[0], rounding if rounding > CLOSE else 0.0)


def _frequency(turned: Array) -> Array:
    """Angle per position of numbers on the unit circle, `(positions, pairs)`.

    The angle between neighbours is made more precise by positions ever further apart, then by all of them.
    """
    positions = len(turned)
    frequency = np.zeros(turned.shape[1])
    lag = 1
    while lag < positions:
        frequency += np.angle(turned[lag] * np.exp(-1j * frequency * lag)) / lag
        lag *= 2
    position = np.arange(positions)[:, None]
    rest = np.angle(turned * np.exp(-1j * frequency * position))
    found: Array = frequency + (position * rest).sum(axis=0) / max(1, (position**2).sum())
    return found


def _joined(turned: Slots, still: Slots, pairs: Array, plain: Array) -> Slots:
    """All slots: the pairs that turn, then the other channels in pairs with frequency 0."""
    zeros = np.zeros(len(plain) // 2)
    return Slots(
        np.concatenate([turned.source, still.source], axis=1),
        np.concatenate([turned.factor, still.factor], axis=1),
        np.concatenate([pairs.reshape(-1), plain]),
        np.concatenate([turned.frequency, zeros]),
        np.concatenate([turned.phase, zeros]),
        turned.rounding,
    )
