"""Where to act: criteria give a score per edge, selections choose by it."""

from netgraph.criteria.edge_scores import CRITERIA, Criterion, get_criterion
from netgraph.criteria.selection import (
    AbsoluteThreshold,
    AtMost,
    MinMaxThreshold,
    Quantile,
    Selection,
    TopK,
    first_of_each,
    minmax_scaled,
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
    "first_of_each",
    "get_criterion",
    "minmax_scaled",
]
