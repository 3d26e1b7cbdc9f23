"""Rewriting of graphs: rules, patterns and matches, the rewriter, deltas and the journal."""

from netgraph.rewriting.apply import apply, draft, explain, find
from netgraph.rewriting.commit import apply_delta
from netgraph.rewriting.delta import Change, Delta, LayerRecord, Stamp
from netgraph.rewriting.delta.file import DELTA_KIND, DELTA_VERSION, load_delta, save_delta
from netgraph.rewriting.journal import FIRST_GRAPH, JOURNAL_ARRAYS, JOURNAL_FILE, JOURNAL_FOLDER, Entry, Journal
from netgraph.rewriting.operands import NewVertices
from netgraph.rewriting.outcomes import PROBE_SAMPLES, Draft, Result, Rewrite
from netgraph.rewriting.patterns import (
    EdgeRows,
    LayerPairRows,
    LayerRows,
    LinkRows,
    Matches,
    PairRows,
    Pattern,
    VertexRows,
    edge,
    layer,
    link,
    missing_edge,
    missing_link,
    vertex,
)
from netgraph.rewriting.rewriter import Rewriter
from netgraph.rewriting.rule import Condition, Rule, Variant, at_least, at_most, require_rule
from netgraph.rewriting.search import Explanation, Found, search
from netgraph.rewriting.splitting import at_wires

__all__ = [
    "JOURNAL_ARRAYS",
    "Change",
    "Condition",
    "Delta",
    "Draft",
    "EdgeRows",
    "Entry",
    "Explanation",
    "FIRST_GRAPH",
    "Found",
    "JOURNAL_FOLDER",
    "JOURNAL_FILE",
    "Journal",
    "DELTA_KIND",
    "LayerPairRows",
    "LayerRecord",
    "LayerRows",
    "LinkRows",
    "Matches",
    "NewVertices",
    "Rewrite",
    "PROBE_SAMPLES",
    "PairRows",
    "Pattern",
    "Result",
    "Rewriter",
    "Rule",
    "Stamp",
    "DELTA_VERSION",
    "Variant",
    "VertexRows",
    "apply",
    "apply_delta",
    "at_least",
    "at_most",
    "at_wires",
    "draft",
    "edge",
    "explain",
    "find",
    "layer",
    "link",
    "load_delta",
    "missing_edge",
    "missing_link",
    "require_rule",
    "save_delta",
    "search",
    "vertex",
]
