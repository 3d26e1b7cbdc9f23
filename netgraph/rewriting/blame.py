"""Errors raised by a rule: add the rule, the matches and a remedy to the error, whatever its type."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from netgraph.columns import Array
from netgraph.errors import NetgraphError
from netgraph.rewriting.patterns import (
    EdgeRows,
    LayerPairRows,
    LayerRows,
    LinkRows,
    Matches,
    PairRows,
    VertexRows,
)

if TYPE_CHECKING:
    from netgraph.graph import Graph
    from netgraph.rewriting.rule import Rule

SHOWN = 3
"""Largest number of matches that a message names."""


@contextmanager
def blaming(rule: Rule, method: str, m: Matches) -> Iterator[None]:
    """Name the rule and its matches in every error that the block raises; the error keeps its type.

    The message of a `NetgraphError` then begins with the name of the rule, and names the matches that contain the
    parts the error concerns. Every error gets a note with the rule, the method, the matches and a call that tries one
    match alone.

    Args:
        rule: the rule that runs in the block.
        method: name of its method, such as "rewrite".
        m: the matches that the method was given.
    """
    try:
        yield
    except Exception as error:
        if isinstance(error, NetgraphError) and len(error.args) == 1 and isinstance(error.args[0], str):
            text = error.args[0]
            prefix = "" if text.startswith(rule.name) else f"{rule.name}: "
            error.args = (f"{prefix}{text}{_involved(rule, m, error)}",)
        error.add_note(_note(rule, method, m))
        raise


def describe(m: Matches, row: int) -> str:
    """Short description of one match: ids of its edges, or of its vertices, or names of its layers."""
    parts = [rows for rows in m.bound.values() if rows.joins] or list(m.bound.values())
    return ", ".join(_describe_part(m.graph, rows.take(np.array([row]))) for rows in parts)


def _describe_part(graph: Graph, root: Any) -> str:
    """Short description of one part, given as a single row."""
    if isinstance(root, PairRows):
        return f"missing edge {root.source[0]} -> {root.target[0]}"
    if isinstance(root, EdgeRows):
        edges = graph.edges
        return f"edge {root.id[0]} ({edges.source[root.rows[0]]} -> {edges.target[root.rows[0]]})"
    if isinstance(root, LinkRows | LayerPairRows):
        source, target = root.key[0][:2] if isinstance(root, LinkRows) else (int(root.source[0]), int(root.target[0]))
        names = graph.link_name(source, target)
        return f"link {names}" if isinstance(root, LinkRows) else f"missing link {names}"
    if isinstance(root, LayerRows):
        return f"layer {graph.layer(int(root.id[0])).name!r}"
    return f"vertex {root.id[0]} of layer {graph.layer(int(root.layer[0])).name!r}"


def _involved(rule: Rule, m: Matches, error: NetgraphError) -> str:
    """Text that names the matches with most of the parts the error concerns, and a remedy when there are several."""
    hits = _hits(m, error)
    rows = np.flatnonzero(hits == hits.max()) if len(hits) and hits.max() > 0 else np.empty(0, np.int64)
    if not len(rows):
        return ""
    shown = ", ".join(f"match {row} ({describe(m, row)})" for row in rows[:SHOWN].tolist())
    more = f" and {len(rows) - SHOWN:,} more" if len(rows) > SHOWN else ""
    apart = ""
    if len(rows) > 1:
        apart = (
            f" If they must not be rewritten together, name what they share in {rule.name}.exclusive, "
            "or apply the rule with limit=1."
        )
    return f" It has to do with {shown}{more} of {len(m):,}.{apart}"


def _hits(m: Matches, error: NetgraphError) -> Array:
    """Number of bound parts of each match that `error.concerns` names, `(matches,)`; vertices count for layers too."""
    hits = np.zeros(len(m), dtype=np.int64)
    edges, vertices, layers = (list(error.concerns.get(kind, ())) for kind in ("edges", "vertices", "layers"))
    for rows in m.bound.values() if len(m) else ():
        if isinstance(rows, VertexRows):
            hits += np.isin(rows.id, vertices)
        if isinstance(rows, VertexRows | LayerRows):
            hits += np.isin(rows.layer, layers)
        if isinstance(rows, EdgeRows):
            hits += np.isin(rows.id, edges)
    return hits


def _note(rule: Rule, method: str, m: Matches) -> str:
    shown = ", ".join(describe(m, row) for row in range(min(len(m), SHOWN)))
    more = f" and {len(m) - SHOWN:,} more" if len(m) > SHOWN else ""
    matches = f"{len(m):,} {'match' if len(m) == 1 else 'matches'}"
    where = f"{rule.name}.{method}, on {matches}: {shown}{more}." if len(m) else f"{rule.name}.{method}, on no match."
    alone = f" apply(rule, graph, on={on_example(m)}) tries one match alone." if len(m) > 1 else ""
    return f"In {where} The graph is as it was.{alone}"


def on_example(m: Matches) -> str:
    """Source text of the value of `on=` that selects the first match alone."""
    root = m.root
    if isinstance(root, LinkRows):
        return repr([root.key[0][:2]])
    if isinstance(root, LayerPairRows | PairRows):
        return repr([(int(root.source[0]), int(root.target[0]))])
    return repr([int(root.id[0])])
