"""The palette: order is seen as lightness, texts are read on every fill, and colours differ for everybody."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from netgraph.columns import Array
from netgraph.viz.colors import (
    ADDED,
    CHANGED,
    FAINT,
    GRAY,
    MISSING,
    NEGATIVE,
    POSITIVE,
    REMOVED,
    ROLES,
    diverging,
    sequential,
    text_on,
)

# Machado, Oliveira and Fernandes 2009, severity 1: what is seen without red and without green cones.
PROTAN = [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
DEUTAN = [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]


def linear(color: str) -> Array:
    """Linear red, green and blue of a colour, 0 to 1."""
    values = np.frombuffer(bytes.fromhex(color[1:]), np.uint8) / 255
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def luminance(color: str) -> float:
    return float(linear(color) @ [0.2126, 0.7152, 0.0722])


def contrast(a: str, b: str) -> float:
    dark, light = sorted((luminance(a), luminance(b)))
    return (light + 0.05) / (dark + 0.05)


def test_diverging_tells_signs_and_sizes() -> None:
    colors = diverging(np.array([-2.0, -1.0, 0.0, 1.0, 2.0, 5.0, np.nan]), 2.0)
    assert [colors[0], colors[4]] == [NEGATIVE[1], POSITIVE[1]]
    assert colors[5] == colors[4]
    assert colors[2] == GRAY
    assert colors[6] == MISSING
    assert luminance(colors[0]) < luminance(colors[1])
    assert luminance(colors[4]) < luminance(colors[3])


def test_sequential_grows_darker() -> None:
    colors = sequential(np.linspace(-1, 2, 30), 0.0, 1.0)
    light = [luminance(color) for color in colors]
    assert light == sorted(light, reverse=True)
    assert len(set(colors)) > 8
    assert sequential(np.array([np.nan, 3.0]), 3.0, 3.0) == [MISSING, colors[0]]


def test_texts_are_read_on_every_fill() -> None:
    fills = [
        *sequential(np.linspace(0, 1, 40), 0, 1),
        *diverging(np.linspace(-1, 1, 41), 1),
        *(f for f, _ in ROLES.values()),
    ]
    assert min(contrast(fill, text_on(fill)) for fill in fills) > 3.9


@pytest.mark.parametrize("seen", [np.eye(3), PROTAN, DEUTAN])
def test_signs_and_fates_differ_for_people_who_do_not_tell_red_from_green(seen: object) -> None:
    for a, b in [(POSITIVE[1], NEGATIVE[1]), *combinations((ADDED, REMOVED, CHANGED, FAINT), 2)]:
        distance = np.linalg.norm(np.asarray(seen) @ (linear(a) - linear(b)))
        assert distance > 0.1, (a, b, distance)
