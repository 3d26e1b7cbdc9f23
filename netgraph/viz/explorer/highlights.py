"""Highlights of an explorer page: the matches of a rule, its nearest misses, and the matches after each condition."""

from __future__ import annotations

from typing import Any

import numpy as np

from netgraph.columns import Array
from netgraph.graph import Graph
from netgraph.rewriting import EdgeRows, Explanation, LayerRows, LinkRows, Matches, Rewrite, Rule, VertexRows, search
from netgraph.statistics import Statistics
from netgraph.viz.explorer.packing import pack, plain_text

MOST_MISSES = 100
"""Largest number of matches that fail a condition and are highlighted, the nearest misses first."""


def highlights(rule: Rule, graph: Graph, stats: Statistics | None) -> dict[str, Any]:
    """Return the matches of a rule in a graph as JSON values.

    Every bound name that is a vertex, an edge, a layer or a link is a part. Layers count as their vertices and links
    as their edges; missing edges show by their ends. A row of a match is no miss.

    Cost: that of `find`, and O(edges + vertices) per bound name.
    """
    found = search(rule, graph, stats, None, np.random.default_rng(0))
    return _values(found.explanation(), found.passing(), found.misses(MOST_MISSES))


def rewritten(rewrite: Rewrite, matches: Matches) -> dict[str, Any]:
    """Return the matches that were rewritten as JSON values, without misses, in the form of `highlights`."""
    return _values(rewrite.explanation, matches, matches.take(np.empty(0, np.int64)))


def _values(explanation: Explanation, matches: Matches, misses: Matches) -> dict[str, Any]:
    return {
        "rule": plain_text(explanation.rule),
        "funnel": [[plain_text(name), count] for name, count in explanation.stages],
        "parts": [part for name in matches.bound if (part := _part(name, matches, misses)) is not None],
        "nearest_miss": None if explanation.nearest_miss is None else plain_text(explanation.nearest_miss),
    }


def _part(name: str, matches: Matches, misses: Matches) -> dict[str, Any] | None:
    kind, hit = _rows(matches.bound[name])
    if kind is None:
        return None
    _, near = _rows(misses.bound[name])
    return {"name": name, "of": kind, "matches": pack(hit), "misses": pack(np.setdiff1d(near, hit, assume_unique=True))}


def _rows(rows: Any) -> tuple[str | None, Array]:
    """Kind of the parts of a graph that a name is bound to, and their rows in its tables, each once, sorted."""
    if isinstance(rows, EdgeRows | VertexRows):
        return ("edges" if isinstance(rows, EdgeRows) else "vertices"), np.unique(rows.rows)
    if isinstance(rows, LayerRows):
        return "vertices", np.flatnonzero(np.isin(rows.graph.vertices.layer, rows.id))
    if isinstance(rows, LinkRows):
        return "edges", np.flatnonzero(np.isin(rows.graph.edges.link, rows.rows))
    return None, np.empty(0, np.int64)
