"""Choice of the boxes in a picture of layers, so that a picture of many layers stays readable."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from netgraph.columns import Array
from netgraph.viz.repeats import repeats

MOST_BOXES, MOST_ARROWS = 40, 100
"""Largest numbers of boxes and of arrows in a picture without gaps."""
MOST_IMPORTANT = 24
"""Largest number of important layers that keep a box of their own."""
# Pictures of more layers than the first number have groups, and show one block of alike blocks. A group has at least as
# many layers as the second number.
_GROUP_FROM, _SMALLEST_GROUP = 30, 3
# Numbers of boxes shown at each end of a picture with gaps, tried in this order.
_AT_EACH_END = (12, 8, 6, 4, 3)
# The same for a picture that shows important layers as well.
_BESIDE_IMPORTANT = (4, 3)
# Number of arrows up to which the trial ends; the last number of boxes is taken in any case.
_FOLDED_ARROWS = 45

Kind = Literal["layer", "group", "gap"]


@dataclass(frozen=True)
class Box:
    """A box of a picture: one layer, a group of similar layers at the same depth, or a gap for layers left out.

    Attributes:
        kind: one of the three.
        layers: ids of the layers.
        blocks: for a box of the first of several alike blocks, the number of these blocks; for a gap, the number of
            alike blocks that it stands for; else 0.
    """

    kind: Kind
    layers: tuple[int, ...]
    blocks: int = 0

    @property
    def key(self) -> str:
        """Name of the box in DOT, unique in a picture."""
        prefix = {"layer": "layer", "group": "group of layer", "gap": "left out from layer"}[self.kind]
        return f"{prefix} {self.layers[0]}"


@dataclass(frozen=True)
class Kin:
    """Keys by which `fold` finds similar layers, by layer id.

    Attributes:
        beside: layers with equal keys may share a box. The key includes the depth.
        blocks: layers with equal keys may have the same place in blocks that repeat, one after the other.
    """

    beside: Mapping[int, Hashable]
    blocks: Mapping[int, Hashable]


def fold(
    order: Sequence[int], pairs: Collection[tuple[int, int]], kin: Kin, important: Sequence[int] = ()
) -> list[Box]:
    """Choose the boxes of a picture, in the order of the layers.

    Among more than 30 layers, similar ones form groups of at least 3, and of at least three alike blocks that follow
    each other, as in a transformer, the first is shown and the others become one gap. Where some layers are important,
    alike blocks without any of them are a gap from the first on. When there are still more than 40 boxes or 100 arrows,
    only the important boxes and 3 to 12 boxes at each end are shown. Each run of two or more other boxes becomes one
    gap.

    Args:
        order: layer ids from the inputs to the outputs.
        pairs: (source, target) of the links.
        kin: keys of the layers.
        important: layers that keep a box of their own, the most important first. Only the first 24 count.
    """
    first = set(important[:MOST_IMPORTANT])
    boxes = [Box("layer", (i,)) for i in order]
    if len(order) > _GROUP_FROM:
        boxes = _without_repeats(_group(order, kin.beside, first), kin.blocks, first)
    place = {i: at for at, box in enumerate(boxes) for i in box.layers}
    ends = np.array([(place[source], place[target]) for source, target in pairs], np.int64).reshape(-1, 2)
    if len(boxes) <= MOST_BOXES and _arrows(np.arange(len(boxes)), ends) <= MOST_ARROWS:
        return boxes
    own = np.array([bool(first & set(box.layers)) for box in boxes])
    for shown_at_end in _BESIDE_IMPORTANT if first else _AT_EACH_END:
        shown = own.copy()
        shown[:shown_at_end] = shown[-shown_at_end:] = True
        if _arrows(_boxes(shown), ends) <= _FOLDED_ARROWS:
            break
    return _with_gaps(boxes, shown)


def _without_repeats(boxes: Sequence[Box], kin: Mapping[int, Hashable], important: set[int]) -> list[Box]:
    """Boxes in which each run of alike blocks is its first block, if it matters, and a gap for the others."""
    result: list[Box] = []
    done = 0
    for run in repeats([(box.kind, len(box.layers), kin[box.layers[0]]) for box in boxes]):
        matters = not important or any(important & set(box.layers) for box in boxes[run.start : run.stop])
        second = run.start + run.length if matters else run.start
        result += boxes[done : run.start]
        result += [replace(box, blocks=run.count) for box in boxes[run.start : second]]
        others = tuple(i for box in boxes[second : run.stop] for i in box.layers)
        result.append(Box("gap", others, run.count - int(matters)))
        done = run.stop
    return [*result, *boxes[done:]]


def _group(order: Sequence[int], kin: Mapping[int, Hashable], alone: set[int]) -> list[Box]:
    groups: dict[Hashable, list[int]] = defaultdict(list)
    for i in order:
        groups[("alone", i) if i in alone else ("kin", kin[i])].append(i)
    boxes = []
    for i in order:
        members = groups[("alone", i) if i in alone else ("kin", kin[i])]
        if len(members) < _SMALLEST_GROUP:
            boxes.append(Box("layer", (i,)))
        elif members[0] == i:
            boxes.append(Box("group", tuple(members)))
    return boxes


def _boxes(shown: Array) -> Array:
    """Index, for each box, of the box that is drawn for it. All boxes of a run that is not shown share one."""
    starts = shown | np.concatenate([[True], shown[:-1]])
    return np.cumsum(starts) - 1


def _arrows(box: Array, ends: Array) -> int:
    """Number of arrows between different boxes."""
    moved = box[ends]
    moved = moved[moved[:, 0] != moved[:, 1]]
    return len(np.unique(moved[:, 0] * (len(box) + 1) + moved[:, 1]))


def _with_gaps(boxes: Sequence[Box], shown: Array) -> list[Box]:
    result: list[Box] = []
    run: list[Box] = []
    for box, own in zip(boxes, shown.tolist(), strict=True):
        if not own:
            run.append(box)
            continue
        result += _gap(run)
        run = []
        result.append(box)
    return [*result, *_gap(run)]


def _gap(run: Sequence[Box]) -> list[Box]:
    if len(run) < 2:
        return list(run)
    return [Box("gap", tuple(i for box in run for i in box.layers))]


def rank_count(boxes: Sequence[Box], pairs: Collection[tuple[int, int]]) -> int:
    """Return the number of boxes on the longest path along links that lead to later boxes."""
    place = {i: at for at, box in enumerate(boxes) for i in box.layers}
    depth = [1] * len(boxes)
    arrows = {(place[source], place[target]) for source, target in pairs}
    for source, target in sorted(arrows):
        if source < target:
            depth[target] = max(depth[target], depth[source] + 1)
    return max(depth)
