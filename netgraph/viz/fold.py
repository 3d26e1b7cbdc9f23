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
class Part:
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
) -> list[Part]:
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
    parts = _grouped(order, kin, first) if len(order) > _GROUP_FROM else [Part("layer", (i,)) for i in order]
    place = {i: at for at, part in enumerate(parts) for i in part.layers}
    ends = np.array([(place[source], place[target]) for source, target in pairs], np.int64).reshape(-1, 2)
    if len(parts) <= MOST_BOXES and _arrows(np.arange(len(parts)), ends) <= MOST_ARROWS:
        return parts
    own = np.array([bool(first & set(part.layers)) for part in parts])
    for shown_at_end in _BESIDE_IMPORTANT if first else _AT_EACH_END:
        shown = own.copy()
        shown[:shown_at_end] = shown[-shown_at_end:] = True
        if _arrows(_boxes(shown), ends) <= _FOLDED_ARROWS:
            break
    return _with_gaps(parts, shown)


def _grouped(order: Sequence[int], kin: Mapping[int, Hashable], alone: set[int]) -> list[Part]:
    groups: dict[Hashable, list[int]] = defaultdict(list)
    for i in order:
        groups[("alone", i) if i in alone else ("kin", kin[i])].append(i)
    parts = []
    for i in order:
        members = groups[("alone", i) if i in alone else ("kin", kin[i])]
        if len(members) < _SMALLEST_GROUP:
            parts.append(Part("layer", (i,)))
        elif members[0] == i:
            parts.append(Part("group", tuple(members)))
    return parts


def _boxes(shown: Array) -> Array:
    """Number of the box of each part: its own where it is shown, else that of the run it belongs to."""
    starts = shown | np.concatenate([[True], shown[:-1]])
    return np.cumsum(starts) - 1


def _arrows(box: Array, ends: Array) -> int:
    """How many arrows there are between different boxes."""
    moved = box[ends]
    moved = moved[moved[:, 0] != moved[:, 1]]
    return len(np.unique(moved[:, 0] * (len(box) + 1) + moved[:, 1]))


def _with_gaps(parts: Sequence[Part], shown: Array) -> list[Part]:
    result: list[Part] = []
    run: list[Part] = []
    for part, own in zip(parts, shown.tolist(), strict=True):
        if not own:
            run.append(part)
            continue
        result += _gap(run)
        run = []
        result.append(part)
    return [*result, *_gap(run)]


def _gap(run: Sequence[Part]) -> list[Part]:
    if len(run) < 2:
        return list(run)
    return [Part("gap", tuple(i for part in run for i in part.layers))]


def rank_count(parts: Sequence[Part], pairs: Collection[tuple[int, int]]) -> int:
    """How many boxes stand one after another on the longest way forward."""
    place = {i: at for at, part in enumerate(parts) for i in part.layers}
    depth = [1] * len(parts)
    arrows = {(place[source], place[target]) for source, target in pairs}
    for source, target in sorted(arrows):
        if source < target:
            depth[target] = max(depth[target], depth[source] + 1)
    return max(depth)
