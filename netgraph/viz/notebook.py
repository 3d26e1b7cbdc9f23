"""Pictures and tables in notebooks: the `_repr_svg_` and `_repr_html_` of graphs, matches, rewrites and journals.

The packages of these classes do not import this one. `put_pictures_on` therefore adds the methods to the classes when
`netgraph` is imported.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from netgraph.columns import Array
from netgraph.errors import OptionError
from netgraph.graph import Graph
from netgraph.markup import escape
from netgraph.rewriting import (
    Change,
    Delta,
    Draft,
    EdgeRows,
    Explanation,
    Journal,
    LayerPairRows,
    LayerRecord,
    LayerRows,
    LinkRows,
    Matches,
    PairRows,
    Result,
    VertexRows,
)
from netgraph.tables import Table
from netgraph.viz.drawing import draw, draw_delta

SHOWN = 10
"""Largest number of matches in a table."""
SHOWN_REWRITES = 50
"""Largest number of rewrites in the table of a journal, which shows the last ones."""
_SHOWN_NAMES = 4
_DRAWN_VERTICES, _DRAWN_EDGES = 60, 400

Columns = list[tuple[str, Sequence[object]]]


def matches_html(m: Matches) -> str:
    """Format the number of matches, and a table of the first ten with their ids, layers and weights."""
    shown = m.take(np.arange(min(len(m), SHOWN)))
    columns = [column for name, rows in shown.bound.items() for column in _columns(name, rows)]
    caption = f"{len(m):,} {_plural('match', len(m), 'es')}" + (f", the first {SHOWN}" if len(m) > SHOWN else "")
    rows = list(zip(*(values for _, values in columns), strict=True))
    return Table(caption, [name for name, _ in columns], rows).html()


def _columns(name: str, rows: Any) -> Columns:
    """Columns for the rows that a pattern bound to a name. The ends of edges and links have names of their own."""
    if isinstance(rows, EdgeRows):
        taps = [(f"{name}.tap", rows.tap.tolist())] if rows.tap.any() else []
        return [(f"{name}.id", _ids(rows.id)), *taps, (f"{name}.weight", rows.weight.tolist())]
    if isinstance(rows, VertexRows):
        return [(f"{name}.id", _ids(rows.id)), (f"layer of {name}", _layer_names(rows.graph, rows.layer))]
    if isinstance(rows, PairRows):
        return [(f"{name}.tap", rows.tap.tolist())]
    if isinstance(rows, LayerRows):
        return [(f"layer {name}", _layer_names(rows.graph, rows.id)), (f"vertices of {name}", rows.size.tolist())]
    if isinstance(rows, LinkRows):
        return [(f"edges of {name}", rows.size.tolist())]
    assert isinstance(rows, LayerPairRows)
    return []


def _ids(ids: Array) -> list[str]:
    """Ids as users type them, without thousands separators."""
    return [str(i) for i in ids.tolist()]


def _layer_names(graph: Graph, ids: Any) -> list[str]:
    return [graph.layer(int(i)).name for i in ids]


def explanation_html(explanation: Explanation) -> str:
    """Format the numbers of matches left after each condition, and the nearest miss."""
    funnel = Table(explanation.rule, ["condition", "matches left"], explanation.stages).html()
    miss = f"nearest miss: {escape(explanation.nearest_miss)}" if explanation.nearest_miss else ""
    return f"<div>{funnel}{miss}</div>"


def delta_html(delta: Delta) -> str:
    """Format the numbers of added, removed and changed items by kind, with the names of layers."""
    layers = [delta.layers_added, delta.layers_removed, [new for _, new in delta.layers_changed]]
    rows: list[list[object]] = [
        ["layers", *map(len, layers), _names(layers)],
        ["links", len(delta.links_added), len(delta.links_removed), 0, ""],
        ["vertices", len(delta.vertices_added), len(delta.vertices_removed), *_changes(delta.vertices_changed)],
        ["edges", len(delta.edges_added), len(delta.edges_removed), *_changes(delta.edges_changed)],
    ]
    caption = f"rewrite {delta.after.rewrites}" if delta.after.rewrites > delta.before.rewrites else ""
    return Table(caption, ["", "added", "removed", "changed", "which"], rows).html()


def _names(layers: Sequence[Sequence[LayerRecord]]) -> str:
    texts = []
    for sign, records in zip(("+", "-", "changed"), layers, strict=True):
        names = [str(record.attributes["name"]) for record in records[:_SHOWN_NAMES]]
        more = f" and {len(records) - _SHOWN_NAMES:,} more" if len(records) > _SHOWN_NAMES else ""
        texts += [f"{sign} {', '.join(names)}{more}"] if names else []
    return "; ".join(texts)


def _changes(columns: Mapping[str, Change]) -> tuple[int, str]:
    """Number of changed values, and these numbers by column as a text."""
    counts = {name: len(change) for name, change in columns.items() if len(change)}
    return sum(counts.values()), ", ".join(f"{count:,} of {name}" for name, count in counts.items())


def result_html(result: Draft | Result) -> str:
    """Format the rule, sizes before and after, changes and certificate, with a drawing of small graphs.

    When nothing changed, format the numbers of matches left after each condition.
    """
    if not result.changed:
        why = "nothing changed" if len(result.matches) else "nothing matched"
        return f"<div>{escape(result.rule.name)}: {why}{explanation_html(result.explanation)}</div>"
    old, new = result.matches.graph, result.graph
    skipped = f", {len(result.skipped):,} skipped" if len(result.skipped) else ""
    n = len(result.matches)
    rows = [
        ["layers", old.num_layers, new.num_layers],
        ["vertices", old.num_vertices, new.num_vertices],
        ["edges", old.num_edges, new.num_edges],
        ["density", old.density, new.density],
    ]
    title = f"{result.rule.name}: {n:,} {_plural('match', n, 'es')}{skipped}"
    sizes = Table(title, ["", "before", "after"], rows).html()
    return f"<div>{sizes}{delta_html(result.delta)}{result.certificate._repr_html_()}{_picture(result)}</div>"


def _picture(result: Draft | Result) -> str:
    """Drawing of the rewrite as SVG, or '' for large graphs and without Graphviz."""
    graphs = (result.matches.graph, result.graph)
    if any(g.num_vertices > _DRAWN_VERTICES or len(g.edges) > _DRAWN_EDGES for g in graphs):
        return ""
    try:
        return draw_delta(result, detail="vertices").svg
    except OptionError:  # tables are useful without Graphviz as well
        return ""


def journal_html(journal: Journal) -> str:
    """Format a table with a row per rewrite: epoch, rule, matches, delta, sizes after it, certificate."""
    entries = journal.entries()
    rows = [
        (e.rewrite, e.epoch, e.rule, e.matches, e.summary, e.layers, e.vertices, e.edges, e.certificate.brief())
        for e in entries[-SHOWN_REWRITES:]
    ]
    columns = ["rewrite", "epoch", "rule", "matches", "delta", "layers", "vertices", "edges", "certificate"]
    shown = f", the last {SHOWN_REWRITES}" if len(entries) > SHOWN_REWRITES else ""
    caption = f"{len(entries):,} {_plural('rewrite', len(entries), 's')} in {journal.directory}{shown}"
    return Table(caption, columns, rows).html()


def _plural(word: str, count: int, ending: str) -> str:
    return word if count == 1 else word + ending


def graph_svg(graph: Graph) -> str:
    """Draw a graph as SVG."""
    return str(draw(graph).svg)


def put_pictures_on() -> None:
    """Give graphs, matches, explanations, deltas, outcomes and journals the methods by which notebooks show them."""
    shown_by: list[tuple[type, str, Callable[[Any], str]]] = [
        (Graph, "_repr_svg_", graph_svg),
        (Matches, "_repr_html_", matches_html),
        (Explanation, "_repr_html_", explanation_html),
        (Delta, "_repr_html_", delta_html),
        (Draft, "_repr_html_", result_html),
        (Result, "_repr_html_", result_html),
        (Journal, "_repr_html_", journal_html),
    ]
    for kind, name, show in shown_by:
        setattr(kind, name, show)
