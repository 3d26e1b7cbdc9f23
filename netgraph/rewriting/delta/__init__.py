"""Deltas: the difference between two graphs of one history, as columns."""

from netgraph.rewriting.delta.checks import check_fit, check_known, check_places
from netgraph.rewriting.delta.compose import new_rows
from netgraph.rewriting.delta.delta import Change, Delta, EdgeRecords, LayerRecord, LinkRecord, Stamp, VertexRecords
from netgraph.rewriting.delta.file import load_delta, save_delta

__all__ = [
    "Change",
    "Delta",
    "EdgeRecords",
    "LayerRecord",
    "LinkRecord",
    "Stamp",
    "VertexRecords",
    "check_fit",
    "check_known",
    "check_places",
    "load_delta",
    "new_rows",
    "save_delta",
]
