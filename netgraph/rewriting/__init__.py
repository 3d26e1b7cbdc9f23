"""Rewriting: rules, matches, the rewriter, deltas and the journal."""

from netgraph.rewriting.apply import Explanation, Result, apply, explain, find
from netgraph.rewriting.commit import apply_delta
from netgraph.rewriting.delta import Delta, Stamp
from netgraph.rewriting.delta_file import load_delta, save_delta
from netgraph.rewriting.journal import Entry, Journal
from netgraph.rewriting.match import EdgeRows, LayerPairRows, LayerRows, LinkRows, Matches, PairRows, VertexRows
from netgraph.rewriting.operands import NewVertices
from netgraph.rewriting.pattern import edge, layer, link, missing_edge, missing_link, vertex
from netgraph.rewriting.rewriter import Rewriter
from netgraph.rewriting.rule import Condition, Rule, at_least

__all__ = [
    "Condition",
    "Delta",
    "EdgeRows",
    "Entry",
    "Explanation",
    "Journal",
    "LayerPairRows",
    "LayerRows",
    "LinkRows",
    "Matches",
    "NewVertices",
    "PairRows",
    "Result",
    "Rewriter",
    "Rule",
    "Stamp",
    "VertexRows",
    "apply",
    "apply_delta",
    "at_least",
    "edge",
    "explain",
    "find",
    "layer",
    "link",
    "load_delta",
    "missing_edge",
    "missing_link",
    "save_delta",
    "vertex",
]
