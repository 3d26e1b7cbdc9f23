"""Where to act: criteria give a score per edge, selections choose by it."""

from netgraph.criteria.edge_scores import CRITERIA, Criterion, get_criterion
from netgraph.criteria.selection import (
    AbsoluteThreshold,
    AtMost,
    MinMaxThreshold,
    Quantile,
    Selection,
    TopK,
    minmax_scaled,
    spread_over,
)

__all__ = [
    "CRITERIA",
    "AbsoluteThreshold",
    "AtMost",
    "Criterion",
    "MinMaxThreshold",
    "Quantile",
    "Selection",
    "TopK",
    "get_criterion",
    "minmax_scaled",
    "spread_over",
]
