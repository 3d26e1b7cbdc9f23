"""Growth methods: compositions of parts."""

from netgraph.methods.method import Action, Context, Method, Part, Proposal
from netgraph.methods.parts import PruneBelow, PruneToBudget, Split
from netgraph.methods.registry import METHODS, MethodSpec, get_method
from netgraph.methods.ssonn import SsonnOptions, ssonn

__all__ = [
    "METHODS",
    "Action",
    "Context",
    "Method",
    "MethodSpec",
    "Part",
    "Proposal",
    "PruneBelow",
    "PruneToBudget",
    "Split",
    "SsonnOptions",
    "get_method",
    "ssonn",
]
