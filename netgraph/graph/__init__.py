"""Graphs: the immutable value with its layers, links and columns, and functions that build and analyse it."""

from netgraph.graph.activations import (
    ACTIVATIONS,
    Activation,
    Derivatives,
    Expression,
    get_activation,
    register_activation,
)
from netgraph.graph.architectures import VGG_SCALES, VGG_STAGES, convnet, resnet, vgg
from netgraph.graph.bounds import Bounds, Domains
from netgraph.graph.builder import Domain, GraphBuilder, mlp
from netgraph.graph.graph import Graph
from netgraph.graph.history import NextIds, Station, check_one_history, earlier, kept_rows, stations
from netgraph.graph.initialise import Init, reinitialised, rewound, thinned
from netgraph.graph.kinds import (
    KIND_FIELDS,
    LINK_KINDS,
    Conv2d,
    Dense,
    Identity,
    LinkKind,
    kind_from_json,
    kind_to_json,
    windows,
)
from netgraph.graph.layer import (
    DOMAIN_COLUMNS,
    Grid,
    Layer,
    Pool,
    Role,
    full_columns,
    required_columns,
)
from netgraph.graph.link import LARGEST_PORT, Link, LinkKey, weighted
from netgraph.graph.norms import (
    NORMS,
    Columns,
    Mode,
    Norm,
    NormChange,
    NormSetting,
    get_norm,
    register_norm,
    variance_columns,
)
from netgraph.graph.plain import layer_attributes_from_json, layer_attributes_to_json
from netgraph.graph.propagation import check_domain
from netgraph.graph.validate import validate_link
from netgraph.graph.views import EdgeTable, EdgeView, VertexTable, VertexView

__all__ = [
    "KIND_FIELDS",
    "LINK_KINDS",
    "kind_from_json",
    "kind_to_json",
    "layer_attributes_from_json",
    "layer_attributes_to_json",
    "Bounds",
    "Domains",
    "Mode",
    "ACTIVATIONS",
    "Activation",
    "NormChange",
    "Columns",
    "Conv2d",
    "DOMAIN_COLUMNS",
    "Dense",
    "Derivatives",
    "Domain",
    "EdgeTable",
    "EdgeView",
    "Expression",
    "Graph",
    "GraphBuilder",
    "Grid",
    "Identity",
    "Init",
    "LARGEST_PORT",
    "Layer",
    "Link",
    "LinkKey",
    "LinkKind",
    "NORMS",
    "NextIds",
    "Norm",
    "Pool",
    "Role",
    "NormSetting",
    "Station",
    "VGG_SCALES",
    "VGG_STAGES",
    "VertexTable",
    "VertexView",
    "check_domain",
    "check_one_history",
    "convnet",
    "earlier",
    "full_columns",
    "get_activation",
    "get_norm",
    "kept_rows",
    "mlp",
    "register_activation",
    "register_norm",
    "reinitialised",
    "required_columns",
    "resnet",
    "rewound",
    "stations",
    "thinned",
    "validate_link",
    "variance_columns",
    "vgg",
    "weighted",
    "windows",
]
