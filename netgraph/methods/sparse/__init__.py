"""Methods that train sparse networks, in which most edges are missing, and the parts of these methods."""

from netgraph.methods.sparse.exchange_edges import ExchangeEdges
from netgraph.methods.sparse.fixed import PhewOptions, fixed, fixed_start
from netgraph.methods.sparse.grow_edges import GrowEdges
from netgraph.methods.sparse.imp import ImpOptions, imp, imp_start
from netgraph.methods.sparse.options import SparseOptions, dense_network
from netgraph.methods.sparse.prune_levels import PruneLevels
from netgraph.methods.sparse.pwmpr import (
    PwmprOptions,
    pwmpr,
    pwmpr_start,
)
from netgraph.methods.sparse.rigl import RiglOptions, rigl, rigl_start
from netgraph.methods.sparse.sparse_evolution import SetOptions, set_start, sparse_evolution
from netgraph.methods.sparse.start import SparseInit, SparseStart, sparse_start

__all__ = [
    "ExchangeEdges",
    "GrowEdges",
    "ImpOptions",
    "PhewOptions",
    "PruneLevels",
    "PwmprOptions",
    "RiglOptions",
    "SetOptions",
    "SparseInit",
    "SparseOptions",
    "SparseStart",
    "dense_network",
    "fixed",
    "fixed_start",
    "imp",
    "imp_start",
    "pwmpr",
    "pwmpr_start",
    "rigl",
    "rigl_start",
    "set_start",
    "sparse_evolution",
    "sparse_start",
]
