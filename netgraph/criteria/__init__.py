"""Where to act: criteria give a score per edge or per layer, selections and rules choose by it."""

from netgraph.criteria.edge_scores import CRITERIA, Criterion, get_criterion
from netgraph.criteria.exchange import exchange_by_gradient, weakest, weakest_by_sign
from netgraph.criteria.expressiveness import (
    ExpressivenessProfile,
    GrowthRule,
    contrast,
    expressiveness,
    nagn,
    trainable_chain,
)
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
from netgraph.criteria.starts import Erk, erk, erk_densities, isolated, joining_edges, kept_edges, random_edges
from netgraph.criteria.walks import Steps, Walker, phew_edges, walks_through

__all__ = [
    "CRITERIA",
    "AbsoluteThreshold",
    "AtMost",
    "Criterion",
    "Erk",
    "ExpressivenessProfile",
    "GrowthRule",
    "MinMaxThreshold",
    "Quantile",
    "Selection",
    "Steps",
    "TopK",
    "Walker",
    "contrast",
    "erk",
    "erk_densities",
    "exchange_by_gradient",
    "expressiveness",
    "get_criterion",
    "isolated",
    "joining_edges",
    "kept_edges",
    "minmax_scaled",
    "nagn",
    "phew_edges",
    "random_edges",
    "spread_over",
    "trainable_chain",
    "walks_through",
    "weakest",
    "weakest_by_sign",
]
