"""Rewrite rules, one per file. The docstring of each rule states its effect on the function of the graph."""

from netgraph.rules.add_edges import AddEdges
from netgraph.rules.add_skip import AddSkip
from netgraph.rules.influence import serving_only, under_coupling_norm
from netgraph.rules.insert_layer import InsertLayer
from netgraph.rules.merge_vertices import MergeVertices
from netgraph.rules.prune_edges import PruneEdges
from netgraph.rules.prune_vertices import PruneVertices
from netgraph.rules.registry import RULES, get_rule, register_rule, variants
from netgraph.rules.residual import tied_layers
from netgraph.rules.split_edges import MAX_CROSSING, MAX_VERTICES, SplitEdges
from netgraph.rules.split_vertices import SplitVertices
from netgraph.rules.widen_layer import WidenLayer

RULES.ship()

__all__ = [
    "MAX_CROSSING",
    "MAX_VERTICES",
    "RULES",
    "AddEdges",
    "AddSkip",
    "InsertLayer",
    "MergeVertices",
    "PruneEdges",
    "PruneVertices",
    "SplitEdges",
    "SplitVertices",
    "WidenLayer",
    "get_rule",
    "register_rule",
    "serving_only",
    "tied_layers",
    "under_coupling_norm",
    "variants",
]
