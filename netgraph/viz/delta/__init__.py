"""Differences between two graphs, and their pictures with vertices and with layers."""

from netgraph.viz.delta.difference import Difference
from netgraph.viz.delta.layers import layer_delta_dot
from netgraph.viz.delta.vertices import vertex_delta_dot

__all__ = [
    "Difference",
    "layer_delta_dot",
    "vertex_delta_dot",
]
