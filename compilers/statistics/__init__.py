"""Collectors of statistics, which a network updates in every backward."""

from compilers.statistics.collectors import COLLECTORS, Collector, EdgeGradients, VertexSignals, make_collector
from compilers.statistics.columns import collected_columns, edge_column
from compilers.statistics.moments import CrossMoments, SecondMoments, place_of
from compilers.statistics.observation import Observation, Request

__all__ = [
    "COLLECTORS",
    "Collector",
    "CrossMoments",
    "EdgeGradients",
    "Observation",
    "Request",
    "SecondMoments",
    "VertexSignals",
    "collected_columns",
    "edge_column",
    "make_collector",
    "place_of",
]
