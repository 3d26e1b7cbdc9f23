"""Where everything of a film stands, for wide and for narrow screens. Nothing moves from step to step."""

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
# Columns of small networks stand no further apart than so many times the height of the highest.
_WIDEST_GAP, _LEAST_GAP = 1.6, 200.0
# Boxes of layers: thickness in a wide and in a narrow scene, shortest length, and length for twice the width.
_THICK, _THIN = 130.0, 40.0
_SHORTEST, _UNIT = {False: 50.0, True: 140.0}, {False: 28.0, True: 16.0}


Bow = tuple[int, int, float, list[int]]


@dataclass(frozen=True, eq=False)
class Scene:
    """Places for one shape of screen. x grows to the right, y downwards.

    Attributes:
        portrait: whether layers follow each other from top to bottom instead of left to right.
        width, height: size of the scene.
        boxes: (layers, 4) middle, width and height of each layer, heading left out; where only layers are shown, of
            the largest it ever has.
        rooms: how long the name of each layer may be, where vertices are shown.
        base, unit: where only layers are shown, a layer of n vertices is `base + unit * log2(1 + n)` long.
        bows: links that bend around layers between their ends, where there are any in a step: (source, target,
            coordinate of the crest across the direction of the flow, layers between).
        points: (vertices, 2) middle of each vertex.
        radius: of a vertex.
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
        """Crest of each link that bends in a step, because there is a layer between its ends."""
        there = {track.ends[0] for track in film.widths if track.counts[step, 0]}
        return {(a, b): crest for a, b, crest, between in self.bows if there.intersection(between)}

    def length(self, count: int) -> float:
        """Length of a layer's box across the direction of the flow, where only layers are shown."""
        return float(self.base + self.unit * np.log2(1 + count))


def make_scene(film: Film, *, portrait: bool) -> Scene:
    """Lay out a film for a wide or a narrow screen."""
    columns = _columns(film)
    bowed = [(a, b) for a, b in (track.ends for track in film.links) if abs(columns[a] - columns[b]) > 1]
    return _of_vertices(film, columns, bowed, portrait) if film.vertices else _of_layers(film, columns, bowed, portrait)


def _columns(film: Film) -> list[int]:
    """Column of each layer, without gaps."""
    own = [film.places.frames[layer.id].column for layer in film.layers]
    known = sorted(set(own))
    return [known.index(column) for column in own]


def _stacks(film: Film, columns: Sequence[int]) -> list[list[int]]:
    """Places of layers by column, and within a column from top to bottom."""
    frames = film.places.frames
    order = sorted(range(len(film.layers)), key=lambda at: (columns[at], frames[film.layers[at].id].x,
                                                            frames[film.layers[at].id].y))  # fmt: skip
    return [[at for at in order if columns[at] == column] for column in range(max(columns) + 1)]


# Everything below is computed along the flow (from inputs to outputs) and across it, and turned at the end.


def _of_vertices(film: Film, columns: Sequence[int], bowed: Sequence[tuple[int, int]], portrait: bool) -> Scene:
    assert film.vertices is not None
    stacks = _stacks(film, columns)
    n = len(stacks)
    along, across = _NARROW[::-1] if portrait else _WIDE
    head = np.array([_LABEL, 0.0]) if portrait else np.array([0.0, _LABEL])
    top = _MARGIN + (_BOW if bowed else 0.0)
    free = [across - top - _MARGIN - len(stack) * head[1] - (len(stack) - 1) * _GAP for stack in stacks]
    least = min(90.0, 0.5 * (along - 2 * _MARGIN) / n)
    # A narrow scene is as high as it needs to be.
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
    rooms = [(across - 2 * _MARGIN) / beside[at] if portrait else float(thick[columns[at]]) * scale + 0.9 * used
             for at in range(len(columns))]  # fmt: skip
    radius = max(1.2, _VERTEX_SHARE * film.places.cell * scale)
    points = middles[film.vertices.layer] + own * scale
    return _turned(portrait, along, across, boxes, rooms, 0.0, 0.0, bows, points, radius)


def _inner(
    film: Film, stacks: Sequence[Sequence[int]], free: Sequence[float], flow: float, portrait: bool
) -> tuple[Array, Array, float]:
    """Vertices relative to the middle of their layer, sizes of the layers, along and across the flow, and a scale.

    Layers stand across the flow; where many of them share a column, they lie along it if that makes vertices larger.
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
    if portrait:  # images stay upright: they are turned twice
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
    """The largest scale at which layers fit."""
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
    needs = [(free - len(stack) * base - (len(stack) - 1) * _GAP) / sum(doublings[at] for at in stack)
             for stack in stacks]  # fmt: skip
    unit = max(0.0, min(_UNIT[portrait], *needs))
    boxes = np.zeros((len(film.layers), 4))
    for number, stack in enumerate(stacks):
        lengths = [base + unit * doublings[at] for at in stack]
        gap = min(40.0, (free - sum(lengths)) / max(len(stack) - 1, 1))
        start = top + (free - sum(lengths) - gap * (len(stack) - 1)) / 2
        # A single layer stands in the middle of its column, several lie at the two ends of theirs.
        for at, length in zip(stack, lengths, strict=True):
            boxes[at] = (_MARGIN + (number + 0.5) * pitch, start + length / 2, thick, length)
            start += length + gap
    bows = _bows(boxes, columns, bowed, 20.0)
    return _turned(portrait, along, across, boxes, [], base, unit, bows, np.zeros((0, 2)), 0.0)


def _bows(boxes: Array, columns: Sequence[int], bowed: Sequence[tuple[int, int]], head: float) -> list[Bow]:
    """Crests of the links that would run through layers: above all layers between their ends, longer links higher."""
    tops = [min(float(boxes[at, 1] - boxes[at, 3] / 2) for at, own in enumerate(columns) if own == column) - head
            for column in range(max(columns) + 1)]  # fmt: skip
    result = []
    for a, b in bowed:
        low, high = sorted((columns[a], columns[b]))
        crest = min(tops[low + 1 : high]) - 5.0 * min(high - low - 2, 3)
        between = [at for at, column in enumerate(columns) if low < column < high]
        result.append((a, b, max(6.0, crest), between))
    return result


def _turned(portrait: bool, along: float, across: float, boxes: Array, rooms: Sequence[float], base: float, unit: float,
            bows: Sequence[Bow], points: Array, radius: float) -> Scene:  # fmt: skip
    # What stays empty across the flow is cut off: all of it in a wide scene, where that is its height.
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
