"""Patterns of rules, and their matches as columns."""

from netgraph.rewriting.patterns.edges import EdgeRows, PairRows, VertexRows, edge, missing_edge, vertex
from netgraph.rewriting.patterns.links import LayerPairRows, LayerRows, LinkRows, layer, link, missing_link
from netgraph.rewriting.patterns.matches import Funnel, MatchedRows, Matches, Pattern

__all__ = [
    "EdgeRows",
    "Funnel",
    "LayerPairRows",
    "LayerRows",
    "LinkRows",
    "Matches",
    "PairRows",
    "Pattern",
    "MatchedRows",
    "VertexRows",
    "edge",
    "layer",
    "link",
    "missing_edge",
    "missing_link",
    "vertex",
]
