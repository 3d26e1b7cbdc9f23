"""Relations between one rewrite and the matches of another rule: lost and gained ones, and other effects."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np

from netgraph.columns import Array
from netgraph.errors import NetgraphError
from netgraph.rewriting.delta import Delta
from netgraph.rewriting.outcomes import Draft
from netgraph.rewriting.overlaps.effects import effect_of
from netgraph.rewriting.overlaps.parts import (
    GAP,
    LAYER,
    LINK,
    VERTEX,
    Act,
    Acts,
    Bound,
    acts,
    bound,
    match_keys,
    numbered,
)
from netgraph.rewriting.patterns import Matches
from netgraph.rewriting.rewriter import Rewriter
from netgraph.rewriting.rule import Rule
from netgraph.statistics import Statistics

Kind = Literal["delete-use", "produce-forbid", "change-use", "change-change", "produce-use", "delete-forbid"]
Effect = Literal["prevents", "enables", "alters"]
Reach = Literal["binds", "belongs", "near", "elsewhere", "edits"]

LOSING: dict[Act, Kind] = {"removes": "delete-use", "adds": "produce-forbid", "changes": "change-use"}
"""Kind of a relation by the act that loses a match, or that changes values under it."""
GAINING: dict[Act, Kind] = {"removes": "delete-forbid", "adds": "produce-use", "changes": "change-use"}
"""Kind of a relation by the act that gives a match."""
GROWN = ("vertices", "edges")
"""Columns of layers and links that get or lose vertices or edges."""


class RelationGroup(NamedTuple):
    """Common properties of several related pairs of matches, see `Conflict`."""

    kind: Kind
    effect: Effect
    act: Act
    column: str
    first_name: str | None
    second_name: str | None
    reach: Reach


@dataclass(frozen=True, eq=False)
class Related:
    """Related pairs with common properties: positions of the matches of the second rule, and one part concerned."""

    group: RelationGroup
    second: Array
    part: Array


def relate(step: Draft, other: Other, after: Matches, stats: Statistics | None) -> list[Related]:
    """Relate a rewrite of one match to the matches of another rule.

    Args:
        step: the rewrite.
        other: the other rule on the old graph.
        after: its matches on the new graph.
        stats: statistics of the new graph, or None.

    Returns:
        Groups of related matches. Positions are in `other.matches`, or in `after` where the effect is "enables".
    """
    if not step.changed:
        return []
    here, there = numbered(match_keys(other.matches), match_keys(after))
    own = bound(step.matches)
    old, new = acts(step.delta, after=False), acts(step.delta, after=True)
    lost = ~np.isin(here, there)
    done = _done_already(old, other.acts)
    theirs = bound(other.matches)
    act, row = joined(old, theirs)
    clashes = _clashes(old, other.acts)
    known = {(a, j) for a, j in zip(act.tolist(), theirs.match[row].tolist(), strict=True)}
    both = {pair for pair, kind in clashes.items() if kind == "change-change"}
    if both:
        keep = np.array([pair not in both for pair in zip(act.tolist(), theirs.match[row].tolist(), strict=True)], bool)
        act, row = act[keep], row[keep]
    explained = np.zeros(len(here), dtype=bool)
    explained[theirs.match[row]] = True
    explained[[j for _, j in clashes]] = True
    stays = np.intersect1d(theirs.match[row], np.flatnonzero(~lost))
    if len(stays) and _same_effect(other, step, after, stats, stays, _places(here[stays], there)):
        keep = lost[theirs.match[row]]
        act, row = act[keep], row[keep]
    keep = ~np.isin(theirs.match[row], done)
    act, row = act[keep], row[keep]
    gone = lost[theirs.match[row]]
    found = _grouped(own, old, LOSING, "prevents", act[gone], theirs, row[gone])
    found += _grouped(own, old, LOSING, "alters", act[~gone], theirs, row[~gone])
    found += _beyond(own, old, LOSING, "prevents", theirs, np.flatnonzero(lost & ~explained))
    found += _gaining(own, new, after, np.flatnonzero(~np.isin(there, here)))
    first, groups = _binders(own, old), dict[tuple[RelationGroup, int], Related]()
    for (a, j), kind in clashes.items():
        if kind == "change-change" or (a, j) not in known:
            effect: Effect = "prevents" if lost[j] else "alters"
            group = RelationGroup(kind, effect, old.act[a], old.column[a], first[a], None, "edits")
            groups.setdefault((group, j), Related(group, np.array([j]), old.key[a]))
    return found + list(groups.values())


def _places(wanted: Array, there: Array) -> Array:
    """Position of each wanted number in `there`, which has all of them."""
    order = np.argsort(there, kind="stable")
    return np.asarray(order[np.searchsorted(there[order], wanted)])


def _same_effect(
    other: Other, step: Draft, after: Matches, stats: Statistics | None, here: Array, there: Array
) -> bool:
    """Whether the other rule makes the same edits of some matches before and after the rewrite."""
    try:
        one = other.edits(other.matches.take(here), other.stats)
        two = other.edits(after.take(there), stats)
    except NetgraphError:
        return False
    return effect_of(one) == effect_of(two)


@dataclass(frozen=True, eq=False)
class Other:
    """A rule on the old graph.

    Attributes:
        rule: the rule.
        matches: its matches.
        acts: acts of rewrites of single matches, by position.
        stats: statistics of the old graph, or None.
        seed: seed of random initial values.
    """

    rule: Rule
    matches: Matches
    acts: list[tuple[int, Acts]]
    stats: Statistics | None
    seed: int

    def edits(self, m: Matches, stats: Statistics | None) -> Delta:
        """Edits that the rule makes of matches on any graph, which are not carried out."""
        rewriter = Rewriter(m.graph, np.random.default_rng(self.seed), stats)
        self.rule.rewrite(m, rewriter)
        return rewriter.delta()


def _gaining(own: Bound, new: Acts, after: Matches, gained: Array) -> list[Related]:
    """Matches that exist only after the rewrite."""
    if not len(gained):
        return []
    theirs = bound(after)
    act, row = joined(new, theirs)
    least = np.full(len(after), len(theirs.names))
    np.minimum.at(least, theirs.match[row], theirs.name[row])
    chosen = np.isin(theirs.match[row], gained) & (theirs.name[row] == least[theirs.match[row]])  # the first name
    found = _grouped(own, new, GAINING, "enables", act[chosen], theirs, row[chosen])
    rest = np.setdiff1d(gained, theirs.match[row])
    return found + _beyond(own, new, GAINING, "enables", theirs, rest)


def joined(done: Acts, theirs: Bound) -> tuple[Array, Array]:
    """Rows of acts and of bound parts with one key. A changed set of vertices concerns its layer only if bound."""
    one, two = numbered(done.key, theirs.key)
    order = np.argsort(two, kind="stable")
    start, stop = (np.searchsorted(two[order], one, side=side) for side in ("left", "right"))
    size = stop - start
    act = np.repeat(np.arange(len(one)), size)
    row = order[np.repeat(start - (np.cumsum(size) - size), size) + np.arange(int(size.sum()))]
    grown = np.array([c in GROWN for c in done.column], dtype=bool)
    keep = ~(theirs.near[row] & grown[act])
    return act[keep], row[keep]


def _grouped(
    own: Bound, done: Acts, kinds: dict[Act, Kind], effect: Effect, act: Array, theirs: Bound, row: Array
) -> list[Related]:
    """Group joined rows by act, column, and bound names; a name that binds the part counts before one near it."""
    if not len(act):
        return []
    exact = np.zeros(int(theirs.match.max()) + 1, dtype=bool)
    exact[theirs.match[row[~theirs.near[row]]]] = True
    keep = ~theirs.near[row] | ~exact[theirs.match[row]]
    act, row = act[keep], row[keep]
    first = _binders(own, done)
    label = {act_row: (done.act[act_row], done.column[act_row], first[act_row]) for act_row in np.unique(act).tolist()}
    codes = {value: number for number, value in enumerate(dict.fromkeys(label.values()))}
    by_act = np.array([codes[label[a]] for a in act.tolist()], dtype=np.int64)
    table = np.stack([by_act, theirs.name[row], theirs.near[row]])
    result = []
    for columns in np.unique(table, axis=1).T:
        mine = np.flatnonzero((table == columns[:, None]).all(axis=0))
        what, column, name = list(codes)[columns[0]]
        reach: Reach = "belongs" if columns[2] else "binds"
        group = RelationGroup(kinds[what], effect, what, column, name, theirs.names[columns[1]], reach)
        result.append(Related(group, np.unique(theirs.match[row[mine]]), done.key[act[mine[0]]]))
    return result


def _beyond(
    own: Bound, done: Acts, kinds: dict[Act, Kind], effect: Effect, theirs: Bound, rest: Array
) -> list[Related]:
    """Relations of matches that bind no touched part: through parts at their vertices, else through any other."""
    first, result = _binders(own, done), []
    plain = [k for k in range(len(done)) if done.key[k, 0] not in (LAYER, LINK) or done.act[k] != "changes"] or list(
        range(len(done))
    )
    vertices = (theirs.key[:, 0] == VERTEX) & np.isin(theirs.match, rest)
    left = rest
    for k in plain:
        at = vertices & np.isin(theirs.key[:, 1], done.ends[k][done.ends[k] >= 0])
        for name in np.unique(theirs.name[at]).tolist():
            mine = np.unique(theirs.match[at & (theirs.name == name)])
            group = RelationGroup(
                kinds[done.act[k]], effect, done.act[k], done.column[k], first[k], theirs.names[name], "near"
            )
            result.append(Related(group, mine, done.key[k]))
            left = np.setdiff1d(left, mine)
    if len(left):
        for k in plain:
            group = RelationGroup(kinds[done.act[k]], effect, done.act[k], done.column[k], first[k], None, "elsewhere")
            result.append(Related(group, left, done.key[k]))
    return result


def _done_already(old: Acts, others: list[tuple[int, Acts]]) -> list[int]:
    """Positions of matches whose edits are nothing but removals of parts that the rewrite has removed."""
    removed = np.array([act == "removes" for act in old.act], dtype=bool)
    done = []
    for second, theirs in others:
        own = np.array([column not in GROWN for column in theirs.column], dtype=bool)  # not what follows from removals
        if own.any() and all(act == "removes" for act, counts in zip(theirs.act, own, strict=True) if counts):
            one, two = numbered(old.key[removed], theirs.key[own])
            if np.isin(two, one).all():
                done.append(second)
    return done


def _clashes(old: Acts, others: list[tuple[int, Acts]]) -> dict[tuple[int, int], Kind]:
    """Kind of the conflict between each row of acts and the edits of a match, by row and position of the match."""
    found: dict[tuple[int, int], Kind] = {}
    for second, theirs in others:
        one, two = numbered(old.key, theirs.key)
        for a in np.flatnonzero(np.isin(one, two)).tolist():
            for b in np.flatnonzero(two == one[a]).tolist():
                kind = _clash(old, a, theirs, b)
                if kind is not None:
                    found.setdefault((a, second), kind)
    return found


def _clash(old: Acts, a: int, theirs: Acts, b: int) -> Kind | None:
    """Kind of the conflict between two acts on one part, or None when both have the same effect or do not meet."""
    pair = old.act[a], theirs.act[b]
    if theirs.column[b] in GROWN:
        return None
    if pair == ("changes", "changes"):
        return "change-change" if old.column[a] == theirs.column[b] and old.value[a] != theirs.value[b] else None
    if pair == ("adds", "adds") and old.key[a, 0] == GAP:
        return "produce-forbid"
    return "delete-use" if pair == ("removes", "changes") else None


def _binders(own: Bound, done: Acts) -> list[str | None]:
    """Name by which the rewritten match binds each touched part, or None."""
    names: list[str | None] = [None] * len(done)
    act, row = joined(done, own)
    for near in (True, False):  # the name that binds the part itself is written last
        for a, r in zip(act.tolist(), row.tolist(), strict=True):
            if bool(own.near[r]) is near and not (near and done.key[a, 0] != LAYER):
                names[a] = own.names[own.name[r]]
    return names
