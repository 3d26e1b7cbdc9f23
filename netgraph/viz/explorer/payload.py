"""Payload of an explorer page: all that it shows, as JSON values.

    {"format": 1, "title": text,
     "graphs": one or two of {"name", "layers", "vertices", "edges", "links"}   (see `graph_part`),
     "paired": whether the graphs are of one history, so that an id means the same thing in both,
     "rewrites": per graph a list of {"number", "rule", "parameters", "reason", "epoch", "certificate", "level",
                 "matches", "summary"}: the column `birth` of vertices and edges has the number of the one that made
                 each, and 0 at the start; `removed`, in a graph that has it, of the one that removed each, or 0,
     "history": per graph null, or {"epochs", "edge_ids", "weight", "gradient"}   (see `EdgeHistory`),
     "highlights": null, or {"graph": index, "rule", "funnel", "parts", "nearest_miss"}   (see `highlights`)}

Arrays are `{"dtype", "shape", "data"}`, see `pack`.
"""

from __future__ import annotations

from typing import Any

from netgraph.errors import GraphError, StatisticsError
from netgraph.graph import Graph, check_one_history
from netgraph.rewriting import Rule
from netgraph.statistics import Statistics
from netgraph.viz.explorer.graphs import graph_part
from netgraph.viz.explorer.highlights import highlights, rewritten
from netgraph.viz.explorer.packing import plain_text
from netgraph.viz.explorer.subjects import Read, Shown, read_subject
from netgraph.viz.layout import layout

FORMAT = 1
"""Version of the payload."""


def make_payload(
    subject: Any, *, stats: Statistics | None = None, rule: Rule | None = None, beside: Any = None
) -> dict[str, Any]:
    """Return the payload of a page. Arguments as for `explore`.

    Cost: O(vertices + edges) per graph and, of a run, per rewrite, up to sorting.
    """
    read = read_subject(subject, last_only=beside is not None)
    shown = list(read.shown)
    if beside is not None:
        shown += read_subject(beside, last_only=True).shown
    graphs = [one.graph for one in shown]
    paired = len(graphs) == 2 and _one_history(*graphs)
    together = layout(graphs) if paired else None
    parts = [
        graph_part(one.graph, one.name, together or layout(one.graph), _fitting(stats, one.graph), one.more)
        for one in shown
    ]
    _check_stats(stats, graphs)
    return {
        "format": FORMAT,
        "title": plain_text(_title(read, shown, beside)),
        "graphs": parts,
        "paired": paired,
        "rewrites": [one.rewrites for one in shown],
        "history": [None if one.history is None else one.history.to_json() for one in shown],
        "highlights": _highlights(read, graphs, stats, rule),
    }


def _title(read: Read, shown: list[Shown], beside: Any) -> str:
    return read.title if beside is None else f"{read.title} beside {shown[-1].name}"


def _one_history(one: Graph, other: Graph) -> bool:
    try:
        check_one_history(one, other)
    except GraphError:
        return False
    return True


def _fitting(stats: Statistics | None, graph: Graph) -> Statistics | None:
    return stats if stats is not None and stats.topology_hash == graph.topology_hash else None


def _check_stats(stats: Statistics | None, graphs: list[Graph]) -> None:
    """Raise `StatisticsError` when statistics belong to none of the graphs, or have other sizes."""
    if stats is None:
        return
    fitting = [graph for graph in graphs if _fitting(stats, graph)]
    if not fitting and len(graphs) > 1:
        raise StatisticsError(
            f"These statistics belong to topology {stats.topology_hash[:8]}, and none of the graphs shown has it; "
            "collect them again on one of these graphs, or take them along with .carry(delta)."
        )
    stats.check(fitting[0] if fitting else graphs[0])


def _highlights(read: Read, graphs: list[Graph], stats: Statistics | None, rule: Rule | None) -> dict[str, Any] | None:
    if rule is not None:
        graph = graphs[read.focus]
        return {"graph": read.focus, **highlights(rule, graph, _fitting(stats, graph))}
    if read.matches is None:
        return None
    return {"graph": 0, **rewritten(*read.matches)}
