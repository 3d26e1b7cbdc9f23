"""Search for matches of several patterns at once: columnar joins at the names that the patterns share."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from netgraph.columns import Array, spans
from netgraph.errors import RewriteError
from netgraph.rewriting.patterns.absence import Absence
from netgraph.rewriting.patterns.matches import MAX_MATCHES, Funnel, MatchedRows, Matches
from netgraph.rewriting.patterns.row_index import RowIndex, check_kinds, end_of_block

if TYPE_CHECKING:
    from netgraph.graph import Graph
    from netgraph.rewriting.patterns.pattern import Pattern
    from netgraph.statistics import Statistics


@dataclass(eq=False)
class JoinStep:
    """One part of a joined pattern on its way into the matches.

    Attributes:
        pattern: the pattern of the part.
        shared: names that earlier parts bind.
        new: names that this part binds first.
        table: matches of the part alone, or None for a part that is found between the rows of each block.
        index: rows of the table by the shared names; None for the first part.
        weight: number of combinations of later parts at each row of the table, `(rows,)`.
        apart: pairs of names that must differ, or ascend (True), once this part is joined.
    """

    pattern: Pattern
    shared: tuple[str, ...]
    new: tuple[str, ...]
    table: Matches | None = None
    index: RowIndex | None = None
    weight: Array = field(default_factory=lambda: np.empty(0))
    apart: list[tuple[str, str, bool]] = field(default_factory=list)

    @property
    def joined_text(self) -> str:
        """Name of the stage after which the part is joined."""
        how = "fits between" if self.table is None else "joined at"
        return f"{self.pattern.names[0]}: {how} {' and '.join(self.shared)}"

    @property
    def apart_text(self) -> str:
        """Name of the stage after which the parts differ."""
        return ", ".join(f"{one} {'before' if ascends else 'is not'} {other}" for one, other, ascends in self.apart)


class JoinSearch:
    """Search for the matches of several parts.

    Args:
        graph: the graph to search.
        parts: patterns, each after one that shares a name with it.
        absent: patterns that no match may be extended by.
        ascending: pairs of names whose rows must be ascending.
        most: number of matches at which the search ends, or None to find all.
    """

    def __init__(
        self,
        graph: Graph,
        parts: Sequence[Pattern],
        absent: Sequence[Pattern],
        ascending: Sequence[tuple[str, str]],
        most: int | None,
    ) -> None:
        self.graph = graph
        self.ascending = ascending
        self.most = most
        self.steps: list[JoinStep] = []
        bound: set[str] = set()
        for part in parts:
            shared = tuple(name for name in part.names if name in bound)
            self.steps.append(JoinStep(part, shared, tuple(name for name in part.names if name not in bound)))
            bound |= set(part.names)
        self.absent = [part.of_any_edge for part in absent]
        self.stages: dict[str, int] = {}
        self.kinds: dict[str, type[MatchedRows]] = {}

    def run(self, on: Any, stats: Statistics | None) -> tuple[Matches, Funnel]:
        """Find the matches, and the number of matches after each stage. Arguments as for `Pattern.match`."""
        self._list_parts(on, stats)
        absences = [Absence(self.graph, part, self.kinds, stats) for part in self.absent]
        for absence in absences:
            self._stage(absence.text, 0)
        if self.most is None:
            self._refuse_many(self._count())
        found: list[Matches] = []
        total = 0
        for block in self._blocks():
            for absence in absences:
                block = block.take(absence.holds(block))
                self._stage(absence.text, len(block))
            found.append(block)
            total += len(block)
            if self.most is not None and total >= self.most:
                break
            if self.most is None:
                self._refuse_many(total, at_least=True)
        result = join_matches(found)
        if self.most is not None:
            result = result.take(np.arange(min(len(result), self.most)))
            self._stage(f"the first {self.most:,}", len(result))
        return result, list(self.stages.items())

    def _stage(self, text: str, count: int) -> None:
        self.stages[text] = self.stages.get(text, 0) + count

    # -- parts ------------------------------------------------------------------------------------

    def _list_parts(self, on: Any, stats: Statistics | None) -> None:
        """List the matches of every part alone, and index them by the names that earlier parts bind."""
        for place, step in enumerate(self.steps):
            nothing = step.pattern.between(self.graph, {}) if place else None
            if nothing is not None and set(step.pattern.names[1:]) <= set(step.shared):
                rows = nothing
            else:
                step.table, funnel = step.pattern.match(self.graph, on if place == 0 else None, stats)
                rows = step.table
                for text, count in funnel:
                    self._stage(f"{step.pattern.names[0]}: {text}" if len(self.steps) > 1 else text, count)
            check_kinds(self.kinds, rows)
            self.kinds |= {name: type(rows.bound[name]) for name in step.new}
            if place:
                if step.table is not None:
                    step.index = RowIndex([step.table.bound[shared].rows for shared in step.shared])
                step.apart = self._apart(place)
                for text in (step.joined_text, *([step.apart_text] if step.apart else ())):
                    self._stage(text, 0)

    def _apart(self, place: int) -> list[tuple[str, str, bool]]:
        """Pairs of names that must differ, or ascend, and that the part at `place` completes."""
        step = self.steps[place]
        before = [name for earlier in self.steps[:place] for name in earlier.new]
        pairs = []
        for name in step.new:
            for other in before:
                if (other, name) in self.ascending or (name, other) in self.ascending:
                    pairs.append((other, name, True) if (other, name) in self.ascending else (name, other, True))
                elif self.kinds[other] is self.kinds[name] and not (
                    self._never_equal(name, other)
                    or any({name, other} <= set(s.pattern.names) for s in self.steps)
                    or self._follows(name, other)
                    or self._follows(other, name)
                ):
                    pairs.append((other, name, False))
        return pairs

    def _follows(self, name: str, other: str) -> bool:
        """Whether edges or links lead from `other` to `name`, which are then no part of one layer."""
        reached, new = {other}, [other]
        while new:
            begin = new.pop()
            ends = [s.pattern.names[2] for s in self.steps if self._joins(s) and s.pattern.names[1] == begin]
            new += [end for end in ends if end not in reached]
            reached |= set(ends)
        return name in reached

    def _joins(self, step: JoinStep) -> bool:
        """Whether a part whose kind is known is an edge or a link, existing or missing."""
        kind = self.kinds.get(step.pattern.names[0])
        return len(step.pattern.names) == 3 and kind is not None and kind.joins

    def _never_equal(self, name: str, other: str) -> bool:
        """Whether two edges differ because they have ends that differ."""
        ends = [frozenset(s.pattern.names[1:]) for s in self.steps if s.pattern.names[0] in (name, other)]
        return self.kinds[name].joins and len(ends) == 2 and ends[0] != ends[1]

    def _count(self) -> int:
        """Number of combinations of parts at the first name that each one shares: all matches where no two are equal.

        The number of combinations below each row is summed from the last part to the first, so that this costs
        O(rows) for each part.
        """
        tables = [step for step in self.steps if step.table is not None]
        for step in tables:
            step.weight = np.ones(len(step.table or ()))
        for place in range(len(tables) - 1, 0, -1):
            step = tables[place]
            if len(step.shared) > 1 or step.table is None:
                continue  # closes a circle, so that it leaves fewer matches, or as many
            (name,) = step.shared
            keys = step.table.bound[name].rows
            total = np.bincount(keys, weights=step.weight, minlength=1)
            before = next(other for other in tables[:place] if name in other.new)
            assert before.table is not None
            rows = before.table.bound[name].rows
            inside = rows < len(total)
            before.weight = before.weight * np.where(inside, total[np.where(inside, rows, 0)], 0.0)
        closes = any(len(step.shared) > 1 or step.table is None for step in self.steps[1:])
        return 0 if closes or self.absent or self.ascending else int(tables[0].weight.sum())

    def _refuse_many(self, count: int, *, at_least: bool = False) -> None:
        if count > MAX_MATCHES:
            names = ", ".join(name for step in self.steps for name in step.new)
            number = f"more than {MAX_MATCHES:,}" if at_least else f"{count:,}"
            raise RewriteError(
                f"The pattern of {names} has {number} matches, and at most {MAX_MATCHES:,} are listed; narrow "
                "its parts with `where`, limit the search with `on`, or take the first ones with .first(count)."
            )

    # -- joins ------------------------------------------------------------------------------------

    def _blocks(self) -> Iterator[Matches]:
        """Yield the matches in order, block by block; there is at least one block.

        The memory in use is that of a few blocks for each part.
        """
        first = self.steps[0].table
        assert first is not None
        if len(self.steps) == 1:
            yield first
            return
        stack: list[Iterator[tuple[int, Matches]]] = [iter([(0, first)])]
        yield self._empty(first)
        while stack:
            item = next(stack[-1], None)
            if item is None:
                stack.pop()
                continue
            place, partial = item
            if place == len(self.steps) - 1:
                yield partial
            elif len(partial):
                stack.append(self._extended(place + 1, partial))

    def _empty(self, first: Matches) -> Matches:
        """No match, with all names bound."""
        none, bound = np.empty(0, np.int64), dict(first.take(np.empty(0, np.int64)).bound)
        computed = {name: values[:0] for name, values in first.computed.items()}
        for step in self.steps[1:]:
            table = step.table if step.table is not None else step.pattern.between(self.graph, {})
            assert table is not None
            bound |= {name: rows.take(none) for name, rows in table.bound.items() if name in step.new}
            computed |= {name: values[:0] for name, values in table.computed.items()}
        return Matches(self.graph, bound, computed)

    def _extended(self, place: int, partial: Matches) -> Iterator[tuple[int, Matches]]:
        """Extend partial matches by the part at `place`, in blocks."""
        step = self.steps[place]
        table, index = step.table, step.index
        if table is None:
            table, index = self._between(step, partial)
        assert index is not None
        start, count = index.look_up([partial.bound[name].rows for name in step.shared])
        ends = np.cumsum(count)
        begin = 0
        while begin < len(ends):
            end = end_of_block(ends, begin)
            size = count[begin:end]
            mine = np.repeat(np.arange(begin, end), size)
            theirs = index.order[spans(start[begin:end], size)]
            yield place, self._put_together(place, partial.take(mine), table.take(theirs))
            begin = end

    def _between(self, step: JoinStep, partial: Matches) -> tuple[Matches, RowIndex]:
        """List the matches of a part between the rows of its ends in a block."""
        ends = [partial.bound[name] for name in step.shared]
        distinct = np.unique(np.stack([rows.rows for rows in ends]), axis=1, return_index=True)[1]
        table = step.pattern.between(
            self.graph, {name: rows.take(distinct) for name, rows in zip(step.shared, ends, strict=True)}
        )
        assert table is not None
        return table, RowIndex([table.bound[name].rows for name in step.shared])

    def _put_together(self, place: int, partial: Matches, more: Matches) -> Matches:
        step = self.steps[place]
        self._stage(step.joined_text, len(partial))
        bound = {**partial.bound, **{name: more.bound[name] for name in step.new}}
        whole = Matches(self.graph, bound, {**partial.computed, **more.computed})
        if not step.apart:
            return whole
        keep = np.ones(len(whole), dtype=bool)
        for one, other, ascends in step.apart:
            a, b = bound[one].rows, bound[other].rows
            keep &= a < b if ascends else a != b
        self._stage(step.apart_text, int(keep.sum()))
        return whole.take(keep)


def join_matches(parts: Sequence[Matches]) -> Matches:
    """Matches of all parts, which bind the same names in one graph, one part after another."""
    if len(parts) == 1:
        return parts[0]
    names = parts[0].bound
    bound: Mapping[str, MatchedRows] = {
        name: type(rows).concatenate([part.bound[name] for part in parts]) for name, rows in names.items()
    }
    shared = set.intersection(*(set(part.computed) for part in parts))
    computed = {name: np.concatenate([part.computed[name] for part in parts]) for name in sorted(shared)}
    return Matches(parts[0].graph, bound, computed)
