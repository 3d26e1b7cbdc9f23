"""Criteria score edges, missing edges or layers; selections and rules choose by the scores where to act."""

from netgraph.criteria.edge_scores import CRITERIA, Criterion, get_criterion
from netgraph.criteria.exchange import exchange_by_gradient, removable_edges, weakest, weakest_by_sign
from netgraph.criteria.expressiveness import (
    ExpressivenessProfile,
    GrowthRule,
    contrast,
    expressiveness,
    nagn,
    trainable_chain,
)
from netgraph.criteria.gradmax import (
    GradMaxRows,
    gradmax_outgoing,
    growth_matrix,
    growth_requests,
    outgoing_by_link,
    outgoing_norm,
    outgoing_size,
)
from netgraph.criteria.missing import Drawn, MissingScores, Sampler, gradient_scores, path_scores, uniform_scores
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
from netgraph.criteria.starts import Erk, erk, erk_densities, joining_edges, kept_edges, random_edges
from netgraph.criteria.walks import Steps, Walker, phew_edges, walks_through

__all__ = [
    "AbsoluteThreshold",
    "AtMost",
    "CRITERIA",
    "Criterion",
    "Drawn",
    "Erk",
    "ExpressivenessProfile",
    "GradMaxRows",
    "GrowthRule",
    "MinMaxThreshold",
    "MissingScores",
    "Quantile",
    "Sampler",
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
    "gradient_scores",
    "gradmax_outgoing",
    "growth_matrix",
    "growth_requests",
    "joining_edges",
    "kept_edges",
    "minmax_scaled",
    "nagn",
    "outgoing_by_link",
    "outgoing_norm",
    "outgoing_size",
    "path_scores",
    "phew_edges",
    "random_edges",
    "removable_edges",
    "spread_over",
    "trainable_chain",
    "uniform_scores",
    "walks_through",
    "weakest",
    "weakest_by_sign",
]
