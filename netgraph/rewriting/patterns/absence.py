"""Condition that nothing can be added to a match: "and not"."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from netgraph.columns import Array, spans
from netgraph.rewriting.patterns.matches import MatchedRows, Matches
from netgraph.rewriting.patterns.row_index import RowIndex, check_kinds, end_of_block

if TYPE_CHECKING:
    from netgraph.graph import Graph
    from netgraph.rewriting.patterns.pattern import Pattern
    from netgraph.statistics import Statistics


class Absence:
    """Condition that no match of a pattern can be added to a match.

    Args:
        graph: the graph to search.
        part: the pattern.
        kinds: type of the rows of each name that the matches bind.
        stats: statistics of the graph.

    Costs O(rows log rows) for the rows of the pattern.
    """

    def __init__(
        self, graph: Graph, part: Pattern, kinds: Mapping[str, type[MatchedRows]], stats: Statistics | None
    ) -> None:
        table, _ = part.match(graph, None, stats)
        check_kinds(kinds, table)
        self.shared = [name for name in part.names if name in kinds]
        self.text = f"no {part.names[0]} at {' and '.join(self.shared)}"
        # An edge with a free end is another one because that end is.
        free = [name for name in part.names if name not in kinds]
        ends = [name for name in free if not table.bound[name].joins]
        self.others = {
            name: [other for other in kinds if kinds[other] is type(table.bound[name])] for name in ends or free
        }
        columns = [table.bound[name].rows for name in (*self.shared, *self.others)]
        if len(table):
            order = np.lexsort(columns[::-1])
            columns = [column[order] for column in columns]
            differs = np.r_[True, np.logical_or.reduce([np.diff(column) != 0 for column in columns])]
            columns = [column[differs] for column in columns]
        self.index = RowIndex(columns[: len(self.shared)])
        self.free = dict(zip(self.others, columns[len(self.shared) :], strict=True))

    def holds(self, block: Matches) -> Array:
        """Whether nothing can be added to each match, `(matches,)`."""
        start, count = self.index.look_up([block.bound[name].rows for name in self.shared])
        if len(self.free) < 2:  # each bound part rules one row out at most, so that one row more is enough
            count = np.minimum(count, 1 + max(map(len, self.others.values()), default=0))
        exists = np.zeros(len(block), dtype=bool)
        ends, begin = np.cumsum(count), 0
        while begin < len(ends):
            end = end_of_block(ends, begin)
            size = count[begin:end]
            mine = np.repeat(np.arange(begin, end), size)
            theirs = self.index.order[spans(start[begin:end], size)]
            fits = np.ones(len(mine), dtype=bool)
            for name, values in self.free.items():
                for other in self.others[name]:
                    fits &= values[theirs] != block.bound[other].rows[mine]
            exists[mine[fits]] = True
            begin = end
        return ~exists
