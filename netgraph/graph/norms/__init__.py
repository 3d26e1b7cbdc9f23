"""Norms, one per file: each is a record with its function, its vertex columns and its bounds."""

from netgraph.graph.norms.record import Columns, Mode, Norm, NormChange, NormSetting
from netgraph.graph.norms.registry import NORMS, get_norm, register_norm, variance_columns

__all__ = [
    "NormChange",
    "Columns",
    "Mode",
    "NORMS",
    "Norm",
    "NormSetting",
    "get_norm",
    "register_norm",
    "variance_columns",
]
