"""The graph value, its parts, and ways to build it."""

from netgraph.graph.activations import ACTIVATIONS, Activation, get_activation
from netgraph.graph.architectures import resnet, vgg
from netgraph.graph.builder import GraphBuilder, mlp
from netgraph.graph.columns import Array
from netgraph.graph.graph import Graph, NextIds
from netgraph.graph.layer import Layer, Pool
from netgraph.graph.link import Conv2d, Dense, Identity, Link
from netgraph.graph.views import EdgeTable, EdgeView, VertexTable, VertexView

__all__ = [
    "ACTIVATIONS",
    "Activation",
    "Array",
    "Conv2d",
    "Dense",
    "EdgeTable",
    "EdgeView",
    "Graph",
    "GraphBuilder",
    "Identity",
    "Layer",
    "Link",
    "NextIds",
    "Pool",
    "VertexTable",
    "VertexView",
    "get_activation",
    "mlp",
    "resnet",
    "vgg",
]
