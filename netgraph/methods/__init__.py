"""Growth methods: compositions of parts."""

from netgraph.methods.exchange_edges import ExchangeEdges
from netgraph.methods.expand import Expand
from netgraph.methods.expansion import Candidate, Check, Limits, Thresholds
from netgraph.methods.fixed import ErkOptions, PhewOptions, fixed
from netgraph.methods.goal import Goal
from netgraph.methods.gradmax import GradMaxOptions, GradMaxWiden, gradmax
from netgraph.methods.grow_edges import GrowEdges
from netgraph.methods.imp import ImpCOptions, ImpOptions, imp
from netgraph.methods.method import NEW_PHASE, Action, Context, Method, NewPhase, Part, Proposal, Requests, Step
from netgraph.methods.nagn import NagnOptions, nagn
from netgraph.methods.prune import PruneBelow, PruneToBudget
from netgraph.methods.prune_inputs import PruneInputs
from netgraph.methods.prune_levels import PruneLevels
from netgraph.methods.pwmpr import (
    GradientGrowthOptions,
    PathHybridOptions,
    PwmpOptions,
    PwmprOptions,
    RandomGrowthOptions,
    pwmpr,
)
from netgraph.methods.registry import METHODS, MethodSpec, get_method
from netgraph.methods.rigl import RiglOptions, rigl
from netgraph.methods.senn import SennOptions, senn, senn_start
from netgraph.methods.sparse import SparseOptions
from netgraph.methods.sparse_evolution import SetOptions, sparse_evolution
from netgraph.methods.sparse_start import SparseInit, SparseStart, sparse_start
from netgraph.methods.split import Split
from netgraph.methods.ssonn import SsonnOptions, ssonn
from netgraph.methods.start import Start
from netgraph.methods.widen import Widen, layer_profile

__all__ = [
    "METHODS",
    "NEW_PHASE",
    "Action",
    "Candidate",
    "Check",
    "Context",
    "ErkOptions",
    "ExchangeEdges",
    "Expand",
    "Goal",
    "GradMaxOptions",
    "GradMaxWiden",
    "GradientGrowthOptions",
    "GrowEdges",
    "ImpCOptions",
    "ImpOptions",
    "Limits",
    "Method",
    "MethodSpec",
    "NagnOptions",
    "NewPhase",
    "Part",
    "PathHybridOptions",
    "PhewOptions",
    "Proposal",
    "PruneBelow",
    "PruneInputs",
    "PruneLevels",
    "PruneToBudget",
    "PwmpOptions",
    "PwmprOptions",
    "RandomGrowthOptions",
    "Requests",
    "RiglOptions",
    "SennOptions",
    "SetOptions",
    "SparseInit",
    "SparseOptions",
    "SparseStart",
    "Split",
    "SsonnOptions",
    "Start",
    "Step",
    "Thresholds",
    "Widen",
    "fixed",
    "get_method",
    "gradmax",
    "imp",
    "layer_profile",
    "nagn",
    "pwmpr",
    "rigl",
    "senn",
    "senn_start",
    "sparse_evolution",
    "sparse_start",
    "ssonn",
]
