"""Rewrites of a run, counted by their effect on the number of edges and by their proof."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from netgraph.proof import LEVELS
from netgraph.rewriting import Entry

Change = Literal["grew", "shrank", "changed"]

WORDS: dict[Change, str] = {"grew": "added edges", "shrank": "removed edges", "changed": "left the number of edges"}
"""Clauses for the changes."""

Verdicts = Mapping[str, Mapping[str, int]]
"""Numbers of rewrites: for each change of the number of edges, by level of the certificate."""


def change_of(before: int, after: int) -> Change:
    """Name the change of the number of edges by a rewrite, or by several together."""
    return "grew" if after > before else "shrank" if after < before else "changed"


def verdicts(entries: Sequence[Entry], start: int) -> dict[str, dict[str, int]]:
    """Count the rewrites of a run.

    Args:
        entries: of its journal.
        start: edges before the first.
    """
    counts: dict[str, dict[str, int]] = {}
    before = start
    for entry in entries:
        levels = counts.setdefault(change_of(before, entry.edges), dict.fromkeys(LEVELS, 0))
        levels[entry.certificate.level] += 1
        before = entry.edges
    kept = {change: counts[change] for change in WORDS if change in counts}
    return {change: {level: n for level, n in levels.items() if n} for change, levels in kept.items()}


def in_words(counts: Verdicts) -> str:
    """All counts in a clause, such as "1 added edges (exact), 48 removed edges (14 exact, 34 bounded)"."""
    return ", ".join(
        f"{sum(counts[change].values()):,} {words} ({_levels(counts[change])})"
        for change, words in WORDS.items()
        if change in counts
    )


def _levels(levels: Mapping[str, int]) -> str:
    if len(levels) == 1:
        return next(iter(levels))
    return ", ".join(f"{n:,} {level}" for level, n in levels.items())
