"""Merges of the ports of a layer, one per file: gates, heads of attention, and their mixes."""

from netgraph.graph.merges.attend import Attend
from netgraph.graph.merges.change import ComputedRead, MergeChange
from netgraph.graph.merges.merge import Merge, PortRead
from netgraph.graph.merges.mix import Mix
from netgraph.graph.merges.product import Product
from netgraph.graph.merges.registry import MERGES, merge_from_json, merge_to_json

__all__ = [
    "MERGES",
    "Attend",
    "ComputedRead",
    "Merge",
    "MergeChange",
    "Mix",
    "PortRead",
    "Product",
    "merge_from_json",
    "merge_to_json",
]
