"""Growth methods: compositions of parts."""

from netgraph.methods.method import NEW_PHASE, Action, Context, Method, NewPhase, Part, Proposal, Step
from netgraph.methods.nagn import NagnOptions, nagn
from netgraph.methods.parts import PruneBelow, PruneToBudget, Split
from netgraph.methods.registry import METHODS, MethodSpec, get_method
from netgraph.methods.sparse_start import SparseInit, SparseStart, sparse_start
from netgraph.methods.ssonn import SsonnOptions, ssonn
from netgraph.methods.start import Start
from netgraph.methods.widen import Widen, layer_profile

__all__ = [
    "METHODS",
    "NEW_PHASE",
    "Action",
    "Context",
    "Method",
    "MethodSpec",
    "NagnOptions",
    "NewPhase",
    "Part",
    "Proposal",
    "PruneBelow",
    "PruneToBudget",
    "SparseInit",
    "SparseStart",
    "Split",
    "SsonnOptions",
    "Start",
    "Step",
    "Widen",
    "get_method",
    "layer_profile",
    "nagn",
    "sparse_start",
    "ssonn",
]
