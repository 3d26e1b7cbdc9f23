"""Norms, one a file: a record holds all that differs between them."""

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
