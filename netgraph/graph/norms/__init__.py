"""Norms, one a file: a record holds all that differs between them."""

from netgraph.graph.norms.record import Change, Columns, Mode, Norm, Setting
from netgraph.graph.norms.registry import NORMS, get_norm, register_norm, variance_columns

__all__ = [
    "Change",
    "Columns",
    "Mode",
    "NORMS",
    "Norm",
    "Setting",
    "get_norm",
    "register_norm",
    "variance_columns",
]
