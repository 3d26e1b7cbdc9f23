"""Names of vertices, edges and rules, for texts."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from netgraph.graph import Graph
    from netgraph.rewriting.rule import Rule


def vertex_name(graph: Graph, row: int) -> str:
    """Name a vertex, given by its flat row, by its layer and its row there: `h[2]`."""
    return f"{graph.layer(int(graph.vertices.layer[row])).name}[{int(graph.vertices.row[row])}]"


def edge_name(graph: Graph, row: int) -> str:
    """Name an edge by its ends, and by its tap and port where they are not 0: `x[0] -> y[1], tap 3`."""
    edges = graph.edges
    text = f"{vertex_name(graph, int(edges.source_row[row]))} -> {vertex_name(graph, int(edges.target_row[row]))}"
    text += f", tap {edges.tap[row]}" if edges.tap[row] else ""
    return text + (f", port {edges.port[row]}" if edges.port[row] else "")


def rule_labels(*rules: Rule) -> list[str]:
    """Name rules for a text that has several: rules of one name with the parameters in which they differ."""
    names = [rule.name for rule in rules]
    result = []
    for rule in rules:
        alike = [other.parameters for other in rules if other.name == rule.name]
        own = {k: v for k, v in rule.parameters.items() if any(repr(p.get(k)) != repr(v) for p in alike)}
        result.append(rule.name + (f"({', '.join(f'{k}={v!r}' for k, v in own.items())})" if own else ""))
    return result if len(set(names)) < len(names) else names
