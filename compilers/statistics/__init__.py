"""Statistics that are collected while a network runs."""

from compilers.statistics.collectors import COLLECTORS, Collector, make_collector
from compilers.statistics.columns import edge_column, found_columns
from compilers.statistics.moments import place_of
from compilers.statistics.observation import Observation, Request

__all__ = [
    "COLLECTORS",
    "Collector",
    "Observation",
    "Request",
    "edge_column",
    "found_columns",
    "make_collector",
    "place_of",
]
