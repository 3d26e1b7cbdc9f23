"""Patterns, which are data, and patterns of several parts that share names."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from netgraph.checks import whole
from netgraph.errors import OptionError
from netgraph.graph import Role
from netgraph.rewriting.patterns.matches import Funnel, MatchedRows, Matches
from netgraph.rewriting.patterns.search import JoinSearch
from netgraph.statistics import Statistics

if TYPE_CHECKING:
    from netgraph.graph import Graph


class Pattern(ABC):
    """Base of patterns: a pattern finds parts of a graph and binds them to names."""

    @property
    @abstractmethod
    def names(self) -> tuple[str, ...]:
        """Names that the pattern binds, the name of the pattern itself first."""

    @property
    @abstractmethod
    def roles(self) -> tuple[Role | None, ...]:
        """Role that each part must have, or None, for the parts that can have one."""

    @abstractmethod
    def match(self, graph: Graph, on: Any = None, stats: Statistics | None = None) -> tuple[Matches, Funnel]:
        """Find all matches, in the order of the graph, and the number of matches after each stage.

        Args:
            graph: the graph to search.
            on: parts to which the search for the first part is limited, or None for all: vertex ids, edge ids, or
                layer names or ids; for missing edges an array (pairs, 2 or 3) of source id, target id and tap; for
                links and missing links pairs of layer names or ids (for links, a port may follow).
            stats: statistics of the graph, for features that read them.

        Raises:
            RewriteError: when `on` names parts that do not exist, or there are too many matches to list.
        """

    def between(self, graph: Graph, ends: Mapping[str, MatchedRows]) -> Matches | None:
        """Find the matches at given rows of the ends, or None for a pattern that lists all matches as fast.

        Args:
            graph: the graph to search.
            ends: different combinations of rows of all parts but the first, by name.
        """
        return None

    @property
    def of_any_edge(self) -> Pattern:
        """Pattern for `without`: frozen edges and wires count as well."""
        return self

    def without(self, *absent: Pattern) -> JoinedPattern:
        """Make the pattern of the matches to which no pattern of `absent` can be added: "and not".

        A name that both patterns bind is the same part; other names are other parts than all that the match has bound.
        So `path("a", "b", "c").without(edge("x", src="b"))` has the paths whose vertex b has no reader but c, and
        `edge("e", src="a", dst="c").without(edge("x", src="a", dst="c"))` the edges that are alone between their ends.
        Edges of `absent` may be frozen ones and wires.

        Raises:
            OptionError: for a pattern that shares no name with this one.
        """
        return replace(_joined(self), absent=(*_joined(self).absent, *absent))

    def first(self, count: int) -> JoinedPattern:
        """Make the pattern of the first `count` matches, in order; it is searched only until they are found."""
        return replace(_joined(self), most=whole("first(): count", count, least=1))


@dataclass(frozen=True)
class JoinedPattern(Pattern):
    """Pattern of several parts, joined at the names that they share.

    Different names of parts of one kind are different parts: two vertices of a match are never the same vertex, and two
    edges never the same edge.

    Attributes:
        parts: patterns; each one but the first shares a name with those before it, in some order.
        absent: patterns that no match may be extended by, see `without`.
        ascending: pairs of names, whose rows must be ascending, so that equal parts are matched in one order only.
        most: number of matches at which the search ends, or None to find all.
    """

    parts: tuple[Pattern, ...]
    absent: tuple[Pattern, ...] = ()
    ascending: tuple[tuple[str, str], ...] = ()
    most: int | None = None

    def __post_init__(self) -> None:
        for pattern in (*self.parts, *self.absent):
            if not isinstance(pattern, Pattern):
                raise OptionError(f"{pattern!r} is no pattern; give patterns such as edge('e', src='a', dst='b').")
        if not self.parts:
            raise OptionError("A joined pattern needs at least one part, such as edge('e', src='a', dst='b').")
        roots = [part.names[0] for part in self.parts]
        if repeated := next((name for name in roots if roots.count(name) > 1), None):
            raise OptionError(f"Two parts have the name {repeated!r}; parts are joined at the names of their ends.")
        object.__setattr__(self, "parts", tuple(self._connected()))
        for pattern in self.absent:
            if not set(pattern.names) & set(self.names):
                raise OptionError(
                    f"without({pattern!r}) shares no name with the pattern, which binds {list(self.names)}; name an "
                    "end of it, as in edge('x', src='b')."
                )

    def _connected(self) -> list[Pattern]:
        """Parts in their order, but each one after another that shares a name with it."""
        first, *left = self.parts
        done, names = [first], set(first.names)
        while left:
            part = next((part for part in left if names & set(part.names)), None)
            if part is None:
                raise OptionError(
                    f"The parts {[p.names[0] for p in left]} share no name with {sorted(names)}; use one name for the "
                    "vertex at which parts meet, or pair('a', 'b') for two vertices that nothing joins."
                )
            left.remove(part)
            done.append(part)
            names |= set(part.names)
        return done

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(name for part in self.parts for name in part.names))

    @property
    def roles(self) -> tuple[Role | None, ...]:
        return tuple(role for part in self.parts for role in part.roles)

    def match(self, graph: Graph, on: Any = None, stats: Statistics | None = None) -> tuple[Matches, Funnel]:
        """Find the matches by joining the columns of the parts, part by part.

        Matches are in the order of the rows of the first part, then of the second one, and so on.

        Costs O(E) for each part, and O(matches of the first k parts) for each k; with `first(n)` the joins stop once n
        matches are found.
        """
        return JoinSearch(graph, self.parts, self.absent, self.ascending, self.most).run(on, stats)

    @property
    def of_any_edge(self) -> Pattern:
        return replace(self, parts=tuple(part.of_any_edge for part in self.parts))


def _joined(pattern: Pattern) -> JoinedPattern:
    return pattern if isinstance(pattern, JoinedPattern) else JoinedPattern((pattern,))


def all_of(*parts: Pattern) -> JoinedPattern:
    """Pattern of several parts: names that they share are the same vertex, or the same layer.

    Args:
        parts: patterns such as `edge("e", src="a", dst="b")`, `edge("f", src="b", dst="c")`, or patterns of several
            parts such as a `path`. Each one shares a name with another one. Two edges may have the same ends, which
            are then two taps.

    Raises:
        OptionError: for parts that share no name.
    """
    flat: list[Pattern] = []
    absent: list[Pattern] = []
    ascending: list[tuple[str, str]] = []
    for part in parts:
        if isinstance(part, JoinedPattern) and part.most is None:  # as if its parts were given one by one
            flat += part.parts
            absent += part.absent
            ascending += part.ascending
        else:
            flat.append(part)
    return JoinedPattern(tuple(flat), tuple(absent), tuple(ascending))
