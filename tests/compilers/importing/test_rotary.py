"""Rotary positions, by value: pairs of channels, their angles, and factors that are no rotation."""

import numpy as np
import pytest

from compilers.importing.rotary import NoRotation, slots_of

HEADS, TOKENS, WIDTH = 3, 7, 8
FREQUENCY = np.array([1.0, 0.31, 0.1, 1e-4])


def rotated(pairs, frequency=FREQUENCY, *, offset=0, scale=1.0, swap=False):
    """Sources and factors of channels that turn in the given pairs; all other channels are as they are."""
    source = np.zeros((HEADS, TOKENS, WIDTH, 2), np.int64)
    factor = np.zeros(source.shape)
    source[..., 0] = np.arange(HEADS)[:, None, None] * 100 + np.arange(WIDTH)
    factor[..., 0] = scale
    for f, (i, j) in zip(frequency, pairs, strict=False):
        angle = f * (np.arange(TOKENS) + offset)
        for channel, other, sign in ((i, j, -1.0), (j, i, 1.0)):
            source[:, :, channel, 1] = source[:, :, other, 0]
            factor[:, :, channel] = scale * np.stack([np.cos(angle), sign * np.sin(angle)], axis=-1)
    if swap:
        source, factor = source[..., ::-1], factor[..., ::-1]
    return source, factor


HALVES = [(i, i + 4) for i in range(4)]
NEIGHBOURS = [(2 * i, 2 * i + 1) for i in range(4)]


@pytest.mark.parametrize("pairs", [HALVES, NEIGHBOURS])
@pytest.mark.parametrize("swap", [False, True])
@pytest.mark.parametrize("scale", [1.0, 0.5])
def test_frequencies_and_pairs_are_read_off(pairs, swap, scale):
    found = slots_of(*rotated(pairs, swap=swap, scale=scale))
    np.testing.assert_allclose(found.frequency, FREQUENCY, rtol=1e-12)
    np.testing.assert_array_equal(found.channel.reshape(-1, 2), pairs)
    np.testing.assert_array_equal(found.source, np.arange(HEADS)[:, None] * 100 + np.ravel(pairs))
    np.testing.assert_allclose(found.factor, scale)
    np.testing.assert_allclose(found.phase, 0, atol=1e-12)


def test_tables_of_float32_give_the_angles_that_fit_all_positions():
    source, factor = rotated(HALVES)
    found = slots_of(source, factor.astype(np.float32).astype(float))
    np.testing.assert_allclose(found.frequency, FREQUENCY, atol=1e-8)
    assert 1e-9 < found.rounding < 1e-7


def test_channels_that_do_not_turn_have_frequency_zero():
    found = slots_of(*rotated([(0, 2), (1, 3)]))
    np.testing.assert_allclose(found.frequency, [1.0, 0.31, 0, 0], rtol=1e-12)
    np.testing.assert_array_equal(found.channel, [0, 2, 1, 3, 4, 5, 6, 7])


def test_plain_channels_have_no_frequencies():
    found = slots_of(*rotated([]))
    assert len(found.frequency) == 0
    np.testing.assert_array_equal(found.channel, np.arange(WIDTH))


def test_positions_that_start_later_have_a_phase():
    found = slots_of(*rotated(HALVES, offset=2))
    np.testing.assert_allclose(found.phase, 2 * FREQUENCY, rtol=1e-9)
    np.testing.assert_allclose(found.frequency, FREQUENCY, rtol=1e-9)


def test_turning_backwards_is_a_negative_frequency():
    np.testing.assert_allclose(slots_of(*rotated(HALVES, -FREQUENCY)).frequency, -FREQUENCY, rtol=1e-12)


def wrong(change):
    source, factor = rotated(HALVES)
    change(source, factor)
    return source, factor


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda s, f: f.__setitem__((slice(None), 5, 1), 0.3), "grow|rotation"),
        (lambda s, f: f.__setitem__((slice(None), slice(None), 1, 1), 0.3), "rotation"),
        (lambda s, f: f.__setitem__((1, slice(None), 0), f[0, :, 1]), "rotation"),
        (lambda s, f: s.__setitem__((slice(None), 3, 2), 77), "more than two"),
        (lambda s, f: f.__setitem__((slice(None), slice(None), 2), 0), "0 at all positions"),
        (lambda s, f: f.__setitem__((slice(None), slice(None), 2, 1), 0), "changes|pairs|odd"),
    ],
)
def test_other_factors_are_no_rotation(change, text):
    with pytest.raises(NoRotation, match=text):
        slots_of(*wrong(change))


def test_heads_with_different_frequencies_are_no_rotation():
    source, factor = rotated(HALVES)
    factor[1] = rotated(HALVES, FREQUENCY * 2)[1][1]
    with pytest.raises(NoRotation, match="same for all heads"):
        slots_of(source, factor)
