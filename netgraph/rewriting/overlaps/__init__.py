"""Conflicts and dependencies between matches of rules, with the names of the parts that they share."""

from netgraph.rewriting.overlaps.conflicts import Conflict, Conflicts, conflicts
from netgraph.rewriting.overlaps.names import edge_name, rule_labels, vertex_name
from netgraph.rewriting.overlaps.parts import touched

__all__ = ["Conflict", "Conflicts", "conflicts", "edge_name", "rule_labels", "touched", "vertex_name"]
