"""Rules together: the order of two, one that undoes another, and sets of rules that end."""

from netgraph.testing.together.differing import Differing, FunctionComparison
from netgraph.testing.together.endings import Ending, ends
from netgraph.testing.together.inverses import Inversion, inverse_of
from netgraph.testing.together.isomorphism import isomorphic
from netgraph.testing.together.orders import (
    Commutation,
    Interference,
    Order,
    assert_commutes,
    commutes,
    interference,
)

__all__ = [
    "Commutation",
    "Differing",
    "Ending",
    "FunctionComparison",
    "Interference",
    "Inversion",
    "Order",
    "assert_commutes",
    "commutes",
    "ends",
    "interference",
    "inverse_of",
    "isomorphic",
]
