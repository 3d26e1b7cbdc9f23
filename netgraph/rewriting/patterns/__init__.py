"""Patterns of rules, and their matches as columns."""

from netgraph.rewriting.patterns.alike import Alike, activations, correlation, cosine, distance
from netgraph.rewriting.patterns.edges import edge, vertex
from netgraph.rewriting.patterns.links import LayerPairRows, LayerRows, LinkRows, layer, link, missing_link
from netgraph.rewriting.patterns.matches import Funnel, MatchedRows, Matches
from netgraph.rewriting.patterns.missing import missing_edge
from netgraph.rewriting.patterns.pairs import pair
from netgraph.rewriting.patterns.parts import as_mask
from netgraph.rewriting.patterns.pattern import Pattern, all_of
from netgraph.rewriting.patterns.rows import EdgeRows, PairRows, VertexRows
from netgraph.rewriting.patterns.shapes import either, fork, join, path, triangle

__all__ = [
    "Alike",
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
    "activations",
    "all_of",
    "as_mask",
    "correlation",
    "cosine",
    "distance",
    "edge",
    "either",
    "fork",
    "join",
    "layer",
    "link",
    "missing_edge",
    "missing_link",
    "pair",
    "path",
    "triangle",
    "vertex",
]
