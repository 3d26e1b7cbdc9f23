"""Patterns of several edges: paths, forks, joins and triangles; and alternatives of patterns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from netgraph.columns import Array
from netgraph.errors import OptionError
from netgraph.graph import Role
from netgraph.rewriting.patterns.edges import VertexPattern, edge
from netgraph.rewriting.patterns.matches import Funnel, Matches
from netgraph.rewriting.patterns.pattern import JoinedPattern, Pattern
from netgraph.rewriting.patterns.search import join_matches
from netgraph.statistics import Statistics

if TYPE_CHECKING:
    from netgraph.graph import Graph

End = VertexPattern | str


def path(*vertices: End, edges: Sequence[str] | None = None) -> JoinedPattern:
    """Pattern of a path of trainable edges, `path("a", "b", "c")`: a -> b -> c.

    Args:
        vertices: names of the vertices along the path, or vertex patterns; at least two.
        edges: names of the edges, one fewer than vertices; by default `e1`, `e2`, ...
    """
    if len(vertices) < 2:
        raise OptionError(f"path{vertices!r} has no edge; give at least two vertices, as in path('a', 'b').")
    names = [_name(vertex) for vertex in vertices]
    if repeated := next((name for name in names if names.count(name) > 1), None):
        raise OptionError(
            f"A path runs through {repeated!r} twice, which no graph has; give its vertices different names."
        )
    return _edges(list(pairwise(vertices)), edges)


def fork(source: End, one: End, other: End, *, edges: Sequence[str] | None = None) -> JoinedPattern:
    """Pattern of two edges out of one vertex, to different targets; each pair once, in the order of the vertices."""
    return _edges([(source, one), (source, other)], edges, ((_name(one), _name(other)),))


def join(one: End, other: End, target: End, *, edges: Sequence[str] | None = None) -> JoinedPattern:
    """Pattern of two edges into one vertex, from different sources; each pair once, in the order of the vertices."""
    return _edges([(one, target), (other, target)], edges, ((_name(one), _name(other)),))


def triangle(first: End, middle: End, last: End, *, edges: Sequence[str] | None = None) -> JoinedPattern:
    """Pattern of a path of two edges and the edge that goes around it: a -> b, b -> c and a -> c."""
    return _edges([(first, middle), (middle, last), (first, last)], edges)


def _edges(
    ends: Sequence[tuple[End, End]], names: Sequence[str] | None, ascending: tuple[tuple[str, str], ...] = ()
) -> JoinedPattern:
    given = [f"e{k}" for k in range(1, len(ends) + 1)] if names is None else list(names)
    if len(given) != len(ends):
        raise OptionError(f"edges={given} has {len(given)} names, and the pattern has {len(ends)} edges.")
    parts = tuple(edge(name, src=src, dst=dst) for name, (src, dst) in zip(given, ends, strict=True))
    return JoinedPattern(parts, ascending=ascending)


def _name(end: End) -> str:
    return end if isinstance(end, str) else end.name


@dataclass(frozen=True)
class EitherPattern(Pattern):
    """Pattern of the matches of one pattern or another, which bind the same names to parts of the same kinds.

    Attributes:
        alternatives: the patterns.
    """

    alternatives: tuple[Pattern, ...]

    def __post_init__(self) -> None:
        if not self.alternatives:
            raise OptionError("either() needs at least one pattern.")
        first = self.alternatives[0]
        for other in self.alternatives:
            if not isinstance(other, Pattern):
                raise OptionError(f"{other!r} is no pattern; give patterns such as edge('e', src='a', dst='b').")
            if set(other.names) != set(first.names):
                raise OptionError(
                    f"Alternatives bind the same names, since a rule reads them all; one binds {list(first.names)}, "
                    f"another one {list(other.names)}."
                )

    @property
    def names(self) -> tuple[str, ...]:
        return self.alternatives[0].names

    @property
    def roles(self) -> tuple[Role | None, ...]:
        return tuple(role for pattern in self.alternatives for role in pattern.roles)

    def match(self, graph: Graph, on: Any = None, stats: Statistics | None = None) -> tuple[Matches, Funnel]:
        """Find the matches of all alternatives, each match once, alternative by alternative. O(matches log matches)."""
        found: list[Matches] = []
        funnel: Funnel = []
        for number, pattern in enumerate(self.alternatives, start=1):
            m, stages = pattern.match(graph, on, stats)
            found.append(Matches(graph, {name: m.bound[name] for name in self.names}, m.computed))
            funnel += [(f"alternative {number}: {text}", count) for text, count in stages]
        kinds = {name: [type(m.bound[name]) for m in found] for name in self.names}
        if bad := next((name for name in self.names if len(set(kinds[name])) > 1), None):
            raise OptionError(
                f"Alternatives bind {bad!r} to parts of different kinds: {[k.__name__ for k in kinds[bad]]}."
            )
        m = join_matches(found)
        m = m.take(_first_of_each(m.key))
        return m, [*funnel, ("one alternative or another", len(m))]

    @property
    def of_any_edge(self) -> Pattern:
        return EitherPattern(tuple(pattern.of_any_edge for pattern in self.alternatives))


def either(*patterns: Pattern) -> EitherPattern:
    """Pattern of the matches of any of the patterns, each match once; the patterns bind the same names."""
    return EitherPattern(patterns)


def _first_of_each(key: Array) -> Array:
    """Positions of the first row of every distinct row, ascending."""
    if not len(key):
        return np.empty(0, dtype=np.int64)
    return np.sort(np.unique(key, axis=0, return_index=True)[1])
