"""Rewriting: rules, matches, the rewriter, deltas and the journal."""

from netgraph.rewriting.apply import Explanation, Result, apply, explain, find
from netgraph.rewriting.certificate import Certificate, Measurement, sample_inputs
from netgraph.rewriting.commit import apply_delta
from netgraph.rewriting.delta import Delta, Stamp
from netgraph.rewriting.journal import Entry, Journal
from netgraph.rewriting.match import EdgeRows, LayerRows, Matches, PairRows, VertexRows
from netgraph.rewriting.pattern import edge, layer, missing_edge, vertex
from netgraph.rewriting.rewriter import NewVertices, Rewriter
from netgraph.rewriting.rule import Claim, Condition, Rule, at_least

__all__ = [
    "Certificate",
    "Claim",
    "Condition",
    "Delta",
    "EdgeRows",
    "Entry",
    "Explanation",
    "Journal",
    "LayerRows",
    "Matches",
    "Measurement",
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
    "missing_edge",
    "sample_inputs",
    "vertex",
]
