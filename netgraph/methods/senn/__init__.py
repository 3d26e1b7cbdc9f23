"""SENN: growth in width and in depth, decided by the natural expansion score (Mitchell et al. 2023)."""

from netgraph.methods.senn.decision import Candidate, Check, Limits, Thresholds
from netgraph.methods.senn.expand import Expand
from netgraph.methods.senn.method import SENN_TRAINING, SennOptions, senn, senn_start
from netgraph.methods.senn.natural import Expansion, LayerFactors, layer_residual, pseudo_inverse, without_tangent
from netgraph.methods.senn.prune_inputs import PruneInputs
from netgraph.methods.senn.reads import FedLayer, inputs_of, most_additions, patches, rows_of
from netgraph.methods.senn.search import (
    DepthProposal,
    SearchOptions,
    WidthProposal,
    pooled_score,
    search_depth,
    search_width,
)
from netgraph.methods.senn.taps import Columns, Reader, TapReader, read_directly

__all__ = [
    "Candidate",
    "Check",
    "Columns",
    "DepthProposal",
    "Expand",
    "Expansion",
    "FedLayer",
    "LayerFactors",
    "Limits",
    "PruneInputs",
    "Reader",
    "SearchOptions",
    "SennOptions",
    "SENN_TRAINING",
    "TapReader",
    "Thresholds",
    "WidthProposal",
    "inputs_of",
    "layer_residual",
    "most_additions",
    "patches",
    "pooled_score",
    "pseudo_inverse",
    "read_directly",
    "rows_of",
    "search_depth",
    "search_width",
    "senn",
    "senn_start",
    "without_tangent",
]
