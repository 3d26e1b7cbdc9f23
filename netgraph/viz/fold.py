"""Which layers get a box of their own, so that a picture of many layers stays readable."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from netgraph.columns import Array

MOST_BOXES, MOST_ARROWS = 40, 100
"""What can be read in one picture without folding."""
MOST_IMPORTANT = 24
_GROUP_FROM, _SMALLEST_GROUP = 30, 3
_AT_EACH_END = (12, 8, 6, 4, 3)
_BESIDE_IMPORTANT = (4, 3)
# Arrows that a folded picture aims at.
_FOLDED_ARROWS = 45

Kind = Literal["layer", "group", "gap"]


@dataclass(frozen=True)
class Box:
    """One box: a layer, a group of layers that stand side by side and are alike, or a gap of layers left out."""

    kind: Kind
    layers: tuple[int, ...]

    @property
    def key(self) -> str:
        """Its name in DOT."""
        prefix = {"layer": "layer", "group": "group of layer", "gap": "left out from layer"}[self.kind]
        return f"{prefix} {self.layers[0]}"


def fold(
    order: Sequence[int],
    pairs: Collection[tuple[int, int]],
    kin: Mapping[int, Hashable],
    important: Sequence[int] = (),
) -> list[Box]:
    """The boxes of a picture, in order.

    Of many layers, those that are alike become groups; where boxes or arrows are still too many, only the first
    and the last ones and the important ones are shown, with one box for each run of others between them.

    Args:
        order: layer ids from the inputs to the outputs.
        pairs: (source, target) of the links.
        kin: what layers of one group share.
        important: layers that should be shown by themselves, the most important first.
    """
    first = set(important[:MOST_IMPORTANT])
    boxes = _grouped(order, kin, first) if len(order) > _GROUP_FROM else [Box("layer", (i,)) for i in order]
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


def _grouped(order: Sequence[int], kin: Mapping[int, Hashable], alone: set[int]) -> list[Box]:
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
    """Number of the shown box of each box: its own where it is shown, else that of the run it belongs to."""
    starts = shown | np.concatenate([[True], shown[:-1]])
    return np.cumsum(starts) - 1


def _arrows(box: Array, ends: Array) -> int:
    """How many arrows there are between different boxes."""
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
    """How many boxes stand one after another on the longest way forward."""
    place = {i: at for at, box in enumerate(boxes) for i in box.layers}
    depth = [1] * len(boxes)
    arrows = {(place[source], place[target]) for source, target in pairs}
    for source, target in sorted(arrows):
        if source < target:
            depth[target] = max(depth[target], depth[source] + 1)
    return max(depth)
