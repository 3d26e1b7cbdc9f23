"""Positions of all items of a film, for wide and for narrow screens. They are the same in all steps."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from netgraph.columns import Array
from netgraph.viz.film.film import Film

_WIDE, _NARROW = (1000.0, 560.0), (400.0, 500.0)
_MARGIN, _BOW, _LABEL, _GAP = 18.0, 46.0, 24.0, 14.0
_LARGEST_CELL, _VERTEX_SHARE = 44.0, 0.36
# Largest gap between columns: this factor times the height of the highest column, but at least this length.
_WIDEST_GAP, _LEAST_GAP = 1.6, 200.0
# Boxes of layers: thickness in wide and narrow scenes, shortest length, and growth for twice the number of vertices.
_THICK, _THIN = 130.0, 40.0
_SHORTEST, _UNIT = {False: 50.0, True: 140.0}, {False: 28.0, True: 16.0}


Bow = tuple[int, int, float, list[int]]
"""Link that bends around layers: source, target, coordinate of its crest, layers between its ends."""


@dataclass(frozen=True, eq=False)
class Scene:
    """Positions for one shape of screen. x grows to the right, y downwards.

    The flow is the direction from inputs to outputs: to the right, or down in a portrait scene.

    Attributes:
        portrait: whether layers follow each other from top to bottom, not from left to right.
        width, height: size of the scene.
        boxes: centre, width and height of each layer without its heading, `(layers, 4)`. In a film of layers a box has
            the size for the largest number of vertices that its layer ever has.
        rooms: largest length of the name of each layer; empty in a film of layers.
        base, unit: length of a box with n vertices in a film of layers, `base + unit * log2(1 + n)`.
        bows: links that bend in every step that has layers between their ends. The coordinate of the crest is across
            the flow.
        points: centre of each vertex, `(vertices, 2)`.
        radius: radius of a vertex.
    """

    portrait: bool
    width: float
    height: float
    boxes: Array
    rooms: tuple[float, ...]
    base: float
    unit: float
    bows: tuple[Bow, ...]
    points: Array
    radius: float

    def crests(self, film: Film, step: int) -> dict[tuple[int, int], float]:
        """Return the crests of the links that bend in a step, because it has a layer between their ends."""
        there = {track.ends[0] for track in film.widths if track.counts[step, 0]}
        return {(a, b): crest for a, b, crest, between in self.bows if there.intersection(between)}

    def length(self, count: int) -> float:
        """Return the length across the flow of a box with `count` vertices, in a film of layers."""
        return float(self.base + self.unit * np.log2(1 + count))


def make_scene(film: Film, *, portrait: bool) -> Scene:
    """Lay out a film for a wide or a narrow screen."""
    columns = _columns(film)
    bowed = [(a, b) for a, b in (track.ends for track in film.links) if abs(columns[a] - columns[b]) > 1]
    return _of_vertices(film, columns, bowed, portrait) if film.vertices else _of_layers(film, columns, bowed, portrait)


def _columns(film: Film) -> list[int]:
    """Index of the column of each layer, without empty columns."""
    own = [film.places.frames[layer.id].column for layer in film.layers]
    known = sorted(set(own))
    return [known.index(column) for column in own]


def _stacks(film: Film, columns: Sequence[int]) -> list[list[int]]:
    """Indices of layers by column, and within a column from top to bottom."""
    frames = film.places.frames
    order = sorted(
        range(len(film.layers)),
        key=lambda at: (columns[at], frames[film.layers[at].id].x, frames[film.layers[at].id].y),
    )
    return [[at for at in order if columns[at] == column] for column in range(max(columns) + 1)]


# The functions below compute positions along and across the flow. `_turn` exchanges the axes of a portrait scene.


def _of_vertices(film: Film, columns: Sequence[int], bowed: Sequence[tuple[int, int]], portrait: bool) -> Scene:
    assert film.vertices is not None
    stacks = _stacks(film, columns)
    n = len(stacks)
    along, across = _NARROW[::-1] if portrait else _WIDE
    head = np.array([_LABEL, 0.0]) if portrait else np.array([0.0, _LABEL])
    top = _MARGIN + (_BOW if bowed else 0.0)
    free = [across - top - _MARGIN - len(stack) * head[1] - (len(stack) - 1) * _GAP for stack in stacks]
    least = min(90.0, 0.5 * (along - 2 * _MARGIN) / n)
    # A portrait scene can have any height, since pages scroll down.
    flow = math.inf if portrait and n <= 4 else along - 2 * _MARGIN - n * head[0] - (n - 1) * least
    own, sizes, scale = _inner(film, stacks, free, max(flow, 0.3 * along), portrait)
    thick = np.array([max(sizes[at][0] for at in stack) for stack in stacks])
    if portrait:
        along = max(along, float(thick.sum()) * scale + n * head[0] + (n - 1) * least + 2 * _MARGIN)
    gap = (along - 2 * _MARGIN - n * head[0] - float(thick.sum()) * scale) / max(n - 1, 1)
    used = gap
    if not portrait:
        highest = max(sum(sizes[at][1] for at in stack) * scale for stack in stacks)
        used = min(gap, max(_LEAST_GAP, _WIDEST_GAP * highest))
    middles = np.zeros((len(film.layers), 2))
    at_flow = _MARGIN + (gap / 2 if n == 1 else (gap - used) * (n - 1) / 2)
    for stack, width, room in zip(stacks, thick, free, strict=True):
        at_flow += head[0]
        at_across = top + (room - sum(sizes[at][1] for at in stack) * scale) / 2
        for at in stack:
            at_across += head[1]
            middles[at] = (at_flow + width * scale / 2, at_across + sizes[at][1] * scale / 2)
            at_across += sizes[at][1] * scale + _GAP
        at_flow += width * scale + used
    boxes = np.concatenate([middles, sizes * scale], axis=1)
    bows = _bows(boxes, columns, bowed, head[1] + 14.0)
    beside = {at: len(stack) for stack in stacks for at in stack}
    rooms = [
        (across - 2 * _MARGIN) / beside[at] if portrait else float(thick[columns[at]]) * scale + 0.9 * used
        for at in range(len(columns))
    ]
    radius = max(1.2, _VERTEX_SHARE * film.places.cell * scale)
    points = middles[film.vertices.layer] + own * scale
    return _turn(portrait, along, across, boxes, rooms, 0.0, 0.0, bows, points, radius)


def _inner(
    film: Film, stacks: Sequence[Sequence[int]], free: Sequence[float], flow: float, portrait: bool
) -> tuple[Array, Array, float]:
    """Positions of vertices relative to the centre of their layer, sizes of the layers, and a common scale.

    Positions and sizes are along and across the flow, `(vertices, 2)` and `(layers, 2)`. The vertices of a layer extend
    across the flow. In a column of more than two layers they extend along it if vertices become larger that way.
    """
    assert film.vertices is not None
    places, layer = film.places.places(film.vertices.ids), film.vertices.layer
    own, sizes = np.zeros_like(places), np.zeros((len(film.layers), 2))
    image = np.array([film.is_image(at) for at in range(len(film.layers))])
    for at in range(len(film.layers)):
        inside = layer == at
        low, high = places[inside].min(axis=0), places[inside].max(axis=0)
        own[inside] = places[inside] - (low + high) / 2
        sizes[at] = high - low + film.places.cell
    if portrait:  # `_turn` exchanges the axes again, so that images stay upright
        own[image[layer]], sizes[image] = own[image[layer]][:, ::-1], sizes[image][:, ::-1]
    crowded = np.zeros(len(film.layers), bool)
    crowded[[at for stack in stacks if len(stack) > 2 for at in stack]] = True
    crowded &= ~image
    lying = np.where(crowded[:, None], sizes[:, ::-1], sizes)
    scales = [_scale(film.places.cell, some, stacks, free, flow) for some in (sizes, lying)]
    if scales[1] > scales[0]:
        return np.where(crowded[layer][:, None], own[:, ::-1], own), lying, scales[1]
    return own, sizes, scales[0]


def _scale(cell: float, sizes: Array, stacks: Sequence[Sequence[int]], free: Sequence[float], flow: float) -> float:
    """Largest scale at which all layers fit into the scene."""
    thick = sum(max(sizes[at][0] for at in stack) for stack in stacks)
    tall = [sum(sizes[at][1] for at in stack) for stack in stacks]
    return float(min(_LARGEST_CELL / cell, flow / thick, *(max(f, 40.0) / t for f, t in zip(free, tall, strict=True))))


def _of_layers(film: Film, columns: Sequence[int], bowed: Sequence[tuple[int, int]], portrait: bool) -> Scene:
    stacks = _stacks(film, columns)
    n, most = len(stacks), max(map(len, stacks))
    along, across = _NARROW[::-1] if portrait else _WIDE
    if portrait:
        along = max(along, n * max(40.0, min(1.9 * _THIN, 1500 / n)))
    top = _MARGIN + (_BOW if bowed else 0.0)
    pitch = (along - 2 * _MARGIN) / n
    thick = min(_THIN if portrait else _THICK, 0.55 * pitch)
    free = across - top - _MARGIN
    base = min(_SHORTEST[portrait], 0.6 * free / most)
    doublings = [np.log2(1 + max(1, int(film.widths[at].counts[:, 0].max()))) for at in range(len(film.layers))]
    needs = [
        (free - len(stack) * base - (len(stack) - 1) * _GAP) / sum(doublings[at] for at in stack) for stack in stacks
    ]
    unit = max(0.0, min(_UNIT[portrait], *needs))
    boxes = np.zeros((len(film.layers), 4))
    for number, stack in enumerate(stacks):
        lengths = [base + unit * doublings[at] for at in stack]
        gap = min(40.0, (free - sum(lengths)) / max(len(stack) - 1, 1))
        start = top + (free - sum(lengths) - gap * (len(stack) - 1)) / 2
        # The boxes of a column are centred, with equal gaps.
        for at, length in zip(stack, lengths, strict=True):
            boxes[at] = (_MARGIN + (number + 0.5) * pitch, start + length / 2, thick, length)
            start += length + gap
    bows = _bows(boxes, columns, bowed, 20.0)
    return _turn(portrait, along, across, boxes, [], base, unit, bows, np.zeros((0, 2)), 0.0)


def _bows(boxes: Array, columns: Sequence[int], bowed: Sequence[tuple[int, int]], head: float) -> list[Bow]:
    """Links that would run through layers, with crests above all layers between their ends, higher for longer links."""
    tops = [
        min(float(boxes[at, 1] - boxes[at, 3] / 2) for at, own in enumerate(columns) if own == column) - head
        for column in range(max(columns) + 1)
    ]
    result = []
    for a, b in bowed:
        low, high = sorted((columns[a], columns[b]))
        crest = min(tops[low + 1 : high]) - 5.0 * min(high - low - 2, 3)
        between = [at for at, column in enumerate(columns) if low < column < high]
        result.append((a, b, max(6.0, crest), between))
    return result


def _turn(
    portrait: bool,
    along: float,
    across: float,
    boxes: Array,
    rooms: Sequence[float],
    base: float,
    unit: float,
    bows: Sequence[Bow],
    points: Array,
    radius: float,
) -> Scene:
    """Make a scene of positions along and across the flow."""
    # The empty space above and below is cut off. A portrait scene keeps its width.
    if not portrait:
        low = min(
            float((boxes[:, 1] - boxes[:, 3] / 2).min()) - _LABEL, *(crest - 22.0 for _, _, crest, _ in bows), 1e9
        )
        shift = low - _MARGIN
        across = float((boxes[:, 1] + boxes[:, 3] / 2).max()) + _MARGIN - shift
        boxes = boxes - np.array([0.0, shift, 0.0, 0.0])
        points, bows = (
            points - np.array([0.0, shift]),
            [(a, b, crest - shift, between) for a, b, crest, between in bows],
        )
    width, height = (across, along) if portrait else (along, across)
    if portrait:
        boxes, points = boxes[:, [1, 0, 3, 2]], points[:, ::-1]
    return Scene(portrait, width, height, boxes, tuple(rooms), base, unit, tuple(bows), points, radius)
