"""Search for repeated blocks in a sequence, such as the blocks of a transformer or of a residual network."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from netgraph.columns import Array

# Smallest and largest number of items of a block, and smallest number of blocks of a run.
_SHORTEST, _LONGEST, _FEWEST = 2, 64, 3


@dataclass(frozen=True)
class Repeat:
    """A run of equal blocks that follow each other.

    Attributes:
        start: index of the first item.
        length: number of items of a block.
        count: number of blocks.
    """

    start: int
    length: int
    count: int

    @property
    def stop(self) -> int:
        """Index after the last item."""
        return self.start + self.length * self.count


def repeats(keys: Sequence[Hashable]) -> list[Repeat]:
    """Find the runs of at least three equal blocks of 2 to 64 items, in the order of their starts.

    Where runs overlap, the one with the most items is taken. Equal items alone are a chain and no blocks. All runs with
    one length of blocks start at equal items if they can.

    Args:
        keys: key of each item. Items with equal keys are equal.

    Cost: O(items), 64 times.
    """
    numbers: dict[Hashable, int] = {}
    codes = np.array([numbers.setdefault(key, len(numbers)) for key in keys], np.int64)
    spans = list(_spans(codes))
    first = {length: int(codes[start]) for start, length, _stop in sorted(spans, reverse=True)}
    found: list[Repeat] = []
    free = np.ones(len(codes), bool)
    for start, length, stop in sorted(spans, key=lambda span: (span[0] - span[2], span[1], span)):
        aligned = start + int(np.argmax(codes[start : start + length] == first[length]))
        run = Repeat(aligned, length, (stop - aligned) // length)
        if run.count >= _FEWEST and free[run.start : run.stop].all():
            free[run.start : run.stop] = False
            found.append(run)
    return sorted(found, key=lambda run: run.start)


def _spans(codes: Array) -> Iterator[tuple[int, int, int]]:
    """Start, length of a block, and stop of all stretches in which every item equals the one a block before it."""
    for length in range(_SHORTEST, min(_LONGEST, len(codes) // _FEWEST) + 1):
        same = np.concatenate([[0], codes[:-length] == codes[length:], [0]])
        starts, stops = np.flatnonzero(np.diff(same) == 1), np.flatnonzero(np.diff(same) == -1)
        for start, stop in zip(starts.tolist(), (stops + length).tolist(), strict=True):
            block = codes[start : start + length]
            if stop - start >= _FEWEST * length and (block != block[0]).any():
                yield start, length, stop
