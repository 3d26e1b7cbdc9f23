"""The graph value, its parts, and ways to build it."""

from netgraph.graph.activations import ACTIVATIONS, Activation, get_activation
from netgraph.graph.architectures import convnet, resnet, vgg
from netgraph.graph.builder import Domain, GraphBuilder, mlp
from netgraph.graph.columns import Array
from netgraph.graph.graph import Graph
from netgraph.graph.history import NextIds, Station, check_one_history
from netgraph.graph.initialise import Init, reinitialised, rewound
from netgraph.graph.layer import Grid, Layer, Pool
from netgraph.graph.link import Conv2d, Dense, Identity, Link, LinkKey, LinkKind
from netgraph.graph.thin import thinned
from netgraph.graph.views import EdgeTable, EdgeView, VertexTable, VertexView

__all__ = [
    "ACTIVATIONS",
    "Activation",
    "Array",
    "Conv2d",
    "Dense",
    "Domain",
    "EdgeTable",
    "EdgeView",
    "Graph",
    "GraphBuilder",
    "Grid",
    "Identity",
    "Init",
    "Layer",
    "Link",
    "LinkKey",
    "LinkKind",
    "NextIds",
    "Pool",
    "Station",
    "VertexTable",
    "VertexView",
    "check_one_history",
    "convnet",
    "get_activation",
    "mlp",
    "reinitialised",
    "resnet",
    "rewound",
    "thinned",
    "vgg",
]
