"""Rewrite rules, one per file. Each states in its docstring what it does to the function."""

from netgraph.rewriting.rule import Rule
from netgraph.rules.add_edges import AddEdges
from netgraph.rules.prune_edges import PruneEdges
from netgraph.rules.prune_vertices import PruneVertices
from netgraph.rules.split_edges import MAX_CROSSING, MAX_VERTICES, SplitEdges
from netgraph.rules.widen_layer import WidenLayer

RULES: dict[str, type[Rule]] = {
    "add-edges": AddEdges,
    "prune-edges": PruneEdges,
    "prune-vertices": PruneVertices,
    "split-edges": SplitEdges,
    "widen-layer": WidenLayer,
}
"""The shipped rules by the name that the command line uses."""

__all__ = [
    "MAX_CROSSING",
    "MAX_VERTICES",
    "RULES",
    "AddEdges",
    "PruneEdges",
    "PruneVertices",
    "SplitEdges",
    "WidenLayer",
]
