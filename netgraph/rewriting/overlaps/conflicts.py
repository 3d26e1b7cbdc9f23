"""Conflicts and dependencies between the matches of two rules on one graph, by name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import combinations_with_replacement

import numpy as np

from netgraph.checks import whole
from netgraph.columns import Array
from netgraph.errors import NetgraphError
from netgraph.graph import Graph
from netgraph.rewriting.apply import draft, find
from netgraph.rewriting.outcomes import Draft
from netgraph.rewriting.overlaps.names import rule_labels
from netgraph.rewriting.overlaps.parts import acts, numbered, part_name
from netgraph.rewriting.overlaps.relate import Effect, Kind, Other, Related, RelationGroup, relate
from netgraph.rewriting.patterns import Matches
from netgraph.rewriting.rule import Rule
from netgraph.statistics import Statistics

TRIED = 200
"""Largest number of matches of each rule that `conflicts` rewrites one at a time by default."""

StatisticsOf = Statistics | Callable[[Graph], Statistics] | None
"""Statistics of a graph, or a function that makes those of any graph."""

VERBS = {"removes": "is removed", "adds": "is added", "changes": "is changed"}


@dataclass(frozen=True, eq=False)
class Conflict:
    """Pairs of matches of two rules of which the rewrite of the first one concerns the second, all in one way.

    Attributes:
        kind: "delete-use" (removes a part that the second reads), "produce-forbid" (adds a part whose absence it
            needs), "change-use" (changes a value that it reads), "change-change" (both set one value, differently);
            and for dependencies "produce-use" (adds a part that it reads) and "delete-forbid" (removes a part whose
            absence it needs).
        effect: "prevents" (the second match is gone), "alters" (it stays, and reads or sets other values) or "enables"
            (it exists only afterwards: a dependency).
        first, second: names of the rules.
        first_name: name by which the first match binds the part, or None when it does not bind it.
        second_name: name by which the second match binds the part, or at which the part lies, or None.
        part: one such part by name, as an example.
        pairs: positions of the matches of both rules, `(pairs, 2)`. Where the effect is "enables" the second match is
            not on the graph, and its position is -1.
        text: the conflict as a sentence.
    """

    kind: Kind
    effect: Effect
    first: str
    second: str
    first_name: str | None
    second_name: str | None
    part: str
    pairs: Array
    text: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.text}"


@dataclass(frozen=True, eq=False)
class Conflicts:
    """Conflicts between the matches of two rules on one graph. It is true when there are any.

    Attributes:
        items: the conflicts, those that prevent a match first.
        first, second: all matches of both rules on the graph, to which `Conflict.pairs` refers.
        tried: number of matches of each rule that were rewritten, one at a time.
        excluded: number of pairs of one rule that conflict and that its `exclusive` already keeps apart.
        exclusive: names for `Rule.exclusive` that would keep all remaining pairs of one rule apart; () without such.
        remedy: text of a remedy, "" without conflicts.
    """

    items: tuple[Conflict, ...]
    first: Matches
    second: Matches
    tried: tuple[int, int]
    excluded: int
    exclusive: tuple[str | tuple[str, ...], ...]
    remedy: str

    def __iter__(self) -> Iterator[Conflict]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)

    def __str__(self) -> str:
        lines = [*map(str, self.items)] or ["no conflicts"]
        left = [
            f"{n:,} of {len(m):,}" for n, m in zip(self.tried, (self.first, self.second), strict=True) if n < len(m)
        ]
        lines += [f"Rewritten were {' and '.join(left)} matches only; see `most`."] if left else []
        lines += [f"{self.excluded:,} pairs are kept apart by `exclusive`."] if self.excluded else []
        return "\n".join([*lines, *([self.remedy] if self.remedy else [])])


def conflicts(
    a: Rule,
    b: Rule,
    graph: Graph,
    stats: StatisticsOf = None,
    *,
    dependencies: bool = False,
    most: int | None = TRIED,
    rng: int = 0,
) -> Conflicts:
    """Find the conflicts between the matches of two rules on a graph, or between the matches of one rule (`a` twice).

    Every match is rewritten by itself, and then the matches of the other rule are compared: a match that is gone, one
    that binds a part with another value, and two rewrites that set one value differently are conflicts. What is lost
    or gained through a condition is found as well, since it is tried. Two rules that both read a part, or both remove
    it, do not conflict.

    Args:
        a, b: the rules; `b` may be `a`.
        graph: the graph.
        stats: statistics of the graph, for rules that read them, which rewrites carry along, with NaN for new parts; or
            a function that makes the statistics of a graph.
        dependencies: whether matches that a rewrite enables are listed too.
        most: largest number of matches of each rule that are rewritten, the first ones in order; None for all.
        rng: seed of random initial values.

    Raises:
        RewriteError, StatisticsError: as `draft` and `find`.

    Costs two searches and a rewrite for each match that is rewritten.

    Example:
        >>> import netgraph as ng
        >>> graph = ng.mlp([1, 1], bias=False).with_weights([0.5])
        >>> print(conflicts(ng.rules.PruneEdges(below=1), ng.rules.SplitEdges(), graph).items[0])
        delete-use: m.e of PruneEdges is removed, and m.e of SplitEdges reads it, such as edge input[0] -> output[0] \
(1 pair of matches; the match of SplitEdges is gone then)
    """
    most = None if most is None else whole("most", most, least=0)
    alone = a is b or (type(a) is type(b) and a.parameters == b.parameters)
    own = stats(graph) if callable(stats) else stats
    one = _TriedRule.of(a, graph, own, most, rng)
    two = one if alone else _TriedRule.of(b, graph, own, most, rng)
    tally = _Tally(graph)
    for first, second in [(one, two)] if alone else [(one, two), (two, one)]:
        flipped = first is two and not alone
        for at, step in first.steps:
            carried = stats(step.graph) if callable(stats) else None if stats is None else stats.carry(step.delta)
            for found in relate(step, second.other, second.after(step, carried), carried):
                if found.group.effect != "enables" or dependencies:
                    tally.add(at, found, flipped, step.graph)
    return _conflicts(tally, one, two, alone)


@dataclass(frozen=True, eq=False)
class _TriedRule:
    """A rule with its matches on the graph, and the rewrites of single matches, by position."""

    other: Other
    steps: list[tuple[int, Draft]]

    @classmethod
    def of(cls, rule: Rule, graph: Graph, stats: Statistics | None, most: int | None, seed: int) -> _TriedRule:
        matches = find(rule, graph, stats)
        count = len(matches) if most is None else min(most, len(matches))
        steps = []
        for at in range(count):
            order = -np.abs(np.arange(len(matches)) - at)  # this match first
            steps.append((at, draft(rule, graph, stats, limit=1, order_by=order, rng=seed)))
        done = [(at, acts(step.delta, after=False)) for at, step in steps if step.changed]
        return cls(Other(rule, matches, done, stats, seed), steps)

    @property
    def matches(self) -> Matches:
        return self.other.matches

    def after(self, step: Draft, stats: Statistics | None) -> Matches:
        """Matches of the rule after a rewrite; none where its conditions raise an error there."""
        if not step.changed:
            return self.matches
        try:
            return find(self.other.rule, step.graph, stats)
        except NetgraphError:
            return self.matches.take(np.empty(0, dtype=np.int64))


class _Tally:
    """Related pairs by their common properties."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.pairs: dict[tuple[bool, RelationGroup], list[Array]] = {}
        self.parts: dict[tuple[bool, RelationGroup], str] = {}

    def add(self, first: int, found: Related, flipped: bool, new: Graph) -> None:
        """Add the pairs of a match and the related matches."""
        second = found.second if found.group.effect != "enables" else np.full(len(found.second), -1)
        key = flipped, found.group
        self.pairs.setdefault(key, []).append(np.column_stack([np.full(len(second), first), second]))
        if key not in self.parts:
            self.parts[key] = part_name(found.part, (self.graph, new))


def _conflicts(tally: _Tally, one: _TriedRule, two: _TriedRule, alone: bool) -> Conflicts:
    apart = _kept_apart(one) if alone else np.empty((0, 2), dtype=np.int64)
    labels = rule_labels(one.other.rule, two.other.rule)
    items, excluded, left = [], np.empty((0, 2), dtype=np.int64), [np.empty((0, 2), dtype=np.int64)]
    for (flipped, group), parts in tally.pairs.items():
        pairs = np.unique(np.concatenate(parts), axis=0)
        if alone:
            pairs = pairs[pairs[:, 0] != pairs[:, 1]]
            rows, known = numbered(pairs, apart)
            excluded = np.unique(np.concatenate([excluded, np.sort(pairs[np.isin(rows, known)])]), axis=0)
            pairs = pairs[~np.isin(rows, known)]
        if not len(pairs):
            continue
        if group.effect != "enables":
            left.append(pairs)
        acting, other = labels[::-1] if flipped else labels
        part = tally.parts[flipped, group]
        text = _sentence(group, acting, other, part, len(pairs), alone)
        names = group.first_name, group.second_name
        items.append(Conflict(group.kind, group.effect, acting, other, names[0], names[1], part, pairs, text))
    items.sort(key=lambda c: ("prevents", "enables", "alters").index(c.effect))
    exclusive = _remedy(one, np.unique(np.concatenate(left), axis=0)) if alone else ()
    remedy = _advice(one, two, exclusive, alone) if any(c.effect != "enables" for c in items) else ""
    count = len(one.steps), len(two.steps)
    return Conflicts(tuple(items), one.matches, two.matches, count, len(excluded), exclusive, remedy)


def _sentence(group: RelationGroup, first: str, second: str, part: str, count: int, alone: bool) -> str:
    verb = f"gets another {group.column}" if group.act == "changes" and group.column else VERBS[group.act]
    actor = f"m.{group.first_name} of {first} {verb}" if group.first_name else f"{first}: {part} {verb}"
    forbids = group.kind in ("produce-forbid", "delete-forbid")
    other = f"another match of {second}" if alone else second
    reader = {
        "binds": f"m.{group.second_name} of {other} {'needs that it is absent' if forbids else 'reads it'}",
        "belongs": f"m.{group.second_name} of {other} has it",
        "near": f"it lies at m.{group.second_name} of {other}",
        "elsewhere": f"a condition of {other} depends on it",
        "edits": f"{other} {'sets it too' if group.act == 'changes' else 'does so too'}",
    }[group.reach]
    if group.kind == "delete-use" and group.reach == "edits":
        reader = f"{other} changes it"
    effect = {
        "prevents": f"the match of {other} is gone then" if not alone else "the other match is gone then",
        "enables": f"only then {second} matches",
        "alters": "the match stays, with another effect",
    }[group.effect]
    example = f", such as {part}" if group.first_name else ""
    return f"{actor}, and {reader}{example} ({count:,} {'pair' if count == 1 else 'pairs'} of matches; {effect})"


def _shared(m: Matches, pairs: Array, names: tuple[str, ...]) -> Array:
    """Whether the two matches of each pair share a row among these bound names."""
    rows = np.stack([getattr(m, name).rows for name in names])
    one, two = rows[:, pairs[:, 0]], rows[:, pairs[:, 1]]
    return np.asarray((one[:, None] == two[None]).any(axis=(0, 1)))


def _kept_apart(side: _TriedRule) -> Array:
    """Pairs of matches that `exclusive` does not let be rewritten together, `(pairs, 2)`."""
    n = len(side.steps)
    pairs = np.argwhere(~np.eye(n, dtype=bool))
    apart = np.zeros(len(pairs), dtype=bool)
    for entry in side.other.rule.exclusive:
        apart |= _shared(side.matches, pairs, (entry,) if isinstance(entry, str) else entry)
    return np.asarray(pairs[apart], dtype=np.int64)


def _remedy(side: _TriedRule, pairs: Array) -> tuple[str | tuple[str, ...], ...]:
    """Fewest names, or pairs of names of one sort, such that every conflicting pair shares a row among them."""
    bound = side.matches.bound
    options = [
        (x,) if x == y else (x, y)
        for x, y in combinations_with_replacement(bound, 2)
        if type(bound[x]) is type(bound[y])
    ]
    chosen: list[str | tuple[str, ...]] = []
    left = pairs
    while len(left):
        shares = [_shared(side.matches, left, names) for names in options]
        best = max(range(len(options)), key=lambda k: (int(shares[k].sum()), -len(options[k])))
        if not shares[best].any():
            return ()
        names = options[best]
        chosen.append(names[0] if len(names) == 1 else names)
        left = left[~shares[best]]
    return tuple(chosen)


def _advice(one: _TriedRule, two: _TriedRule, exclusive: tuple[str | tuple[str, ...], ...], alone: bool) -> str:
    if not alone:
        first, second = rule_labels(one.other.rule, two.other.rule)
        return f"Remedy: the order of {first} and {second} matters here; apply them in a stated order."
    if not exclusive:
        return f"Remedy: apply {one.other.rule.name} with limit=1, and again until nothing changes."
    both = tuple(dict.fromkeys([*one.other.rule.exclusive, *exclusive]))
    return f"Remedy: exclusive = {both!r} in {one.other.rule.name}, so that such matches are not rewritten together."
