"""Rewrite rules, one per file. The docstring of each rule states its effect on the function of the graph."""

from netgraph.rules.add_edges import AddEdges
from netgraph.rules.add_skip import AddSkip
from netgraph.rules.finding import FoundRule, examples_of, find_rules, load_module, rules_of, split_target
from netgraph.rules.influence import serving_only, under_coupling_norm
from netgraph.rules.insert_layer import InsertLayer
from netgraph.rules.installed import InstalledRule, installed_rules
from netgraph.rules.merge_vertices import MergeVertices
from netgraph.rules.prune_edges import PruneEdges
from netgraph.rules.prune_vertices import PruneVertices
from netgraph.rules.registry import (
    RULES,
    enter_installed_rules,
    get_rule,
    needed_fields,
    register_rule,
    variants,
)
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
    "FoundRule",
    "InsertLayer",
    "InstalledRule",
    "MergeVertices",
    "PruneEdges",
    "PruneVertices",
    "SplitEdges",
    "SplitVertices",
    "WidenLayer",
    "enter_installed_rules",
    "examples_of",
    "find_rules",
    "get_rule",
    "installed_rules",
    "load_module",
    "needed_fields",
    "register_rule",
    "rules_of",
    "split_target",
    "serving_only",
    "tied_layers",
    "under_coupling_norm",
    "variants",
]
