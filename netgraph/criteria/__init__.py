"""Where to act: criteria give a score per edge or per layer, selections and rules choose by it."""

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
from netgraph.criteria.fed import FedLayer, inputs_of, most_additions, patches, rows_of
from netgraph.criteria.fisher import FisherScore
from netgraph.criteria.gradmax import (
    GradMaxRows,
    gradmax_outgoing,
    growth_matrix,
    growth_requests,
    outgoing_norm,
)
from netgraph.criteria.inputs import InputScores, input_scores
from netgraph.criteria.missing import Drawn, MissingScores, gradient_scores, path_scores, uniform_scores
from netgraph.criteria.natural import Expansion, LayerFactors, layer_residual, pseudo_inverse, without_tangent
from netgraph.criteria.search import (
    DepthProposal,
    SearchOptions,
    WidthProposal,
    pooled_score,
    search_depth,
    search_width,
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
from netgraph.criteria.starts import Erk, erk, erk_densities, joining_edges, kept_edges, random_edges
from netgraph.criteria.taps import Columns, Reader, TapReader, read_directly
from netgraph.criteria.walks import Steps, Walker, phew_edges, walks_through

__all__ = [
    "CRITERIA",
    "AbsoluteThreshold",
    "AtMost",
    "Columns",
    "Criterion",
    "DepthProposal",
    "Drawn",
    "Erk",
    "Expansion",
    "ExpressivenessProfile",
    "FedLayer",
    "FisherScore",
    "GradMaxRows",
    "GrowthRule",
    "InputScores",
    "LayerFactors",
    "MinMaxThreshold",
    "MissingScores",
    "Quantile",
    "Reader",
    "SearchOptions",
    "Selection",
    "Steps",
    "TapReader",
    "TopK",
    "Walker",
    "WidthProposal",
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
    "input_scores",
    "inputs_of",
    "joining_edges",
    "kept_edges",
    "layer_residual",
    "minmax_scaled",
    "most_additions",
    "nagn",
    "outgoing_norm",
    "patches",
    "path_scores",
    "phew_edges",
    "pooled_score",
    "pseudo_inverse",
    "random_edges",
    "read_directly",
    "removable_edges",
    "rows_of",
    "search_depth",
    "search_width",
    "spread_over",
    "trainable_chain",
    "uniform_scores",
    "walks_through",
    "weakest",
    "weakest_by_sign",
    "without_tangent",
]
