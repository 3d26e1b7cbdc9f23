"""netgraph: a neural network as an explicit graph, grown by rewrite rules.

    >>> import netgraph as ng
    >>> graph = ng.mlp([4, 2], domain=(0, 1))
    >>> result = ng.apply(ng.rules.SplitEdges(), graph, limit=3)
    >>> result.certificate.kind
    'exact'

Importing this package imports neither torch nor SciPy; the `compilers` package does.
"""

from netgraph import analysis, criteria, errors, methods, proof, rules, schedules, viz
from netgraph.graph import (
    Attend,
    Conv2d,
    Dense,
    Graph,
    GraphBuilder,
    Identity,
    Layer,
    Link,
    Mix,
    Place,
    Pool,
    Product,
    convnet,
    gpt,
    mlp,
    reinitialised,
    resnet,
    rewound,
    thinned,
    transformer_encoder,
    vgg,
    vit,
)
from netgraph.interpret import interpret, interpret_layers
from netgraph.proof import Certificate, certify
from netgraph.rewriting import (
    Delta,
    Draft,
    Journal,
    Result,
    Rewriter,
    Rule,
    apply,
    apply_delta,
    at_least,
    at_most,
    draft,
    edge,
    explain,
    find,
    layer,
    link,
    missing_edge,
    missing_link,
    vertex,
)
from netgraph.statistics import BatchSignals, Statistics
from netgraph.storage import load, save

__version__ = "0.1.0"

__all__ = [
    "Attend",
    "BatchSignals",
    "Certificate",
    "Conv2d",
    "Delta",
    "Dense",
    "Draft",
    "Graph",
    "GraphBuilder",
    "Identity",
    "Journal",
    "Layer",
    "Link",
    "Mix",
    "Place",
    "Pool",
    "Product",
    "Result",
    "Rewriter",
    "Rule",
    "Statistics",
    "analysis",
    "apply",
    "apply_delta",
    "at_least",
    "at_most",
    "certify",
    "convnet",
    "criteria",
    "draft",
    "edge",
    "errors",
    "explain",
    "find",
    "gpt",
    "interpret",
    "interpret_layers",
    "layer",
    "link",
    "load",
    "methods",
    "missing_edge",
    "missing_link",
    "mlp",
    "proof",
    "reinitialised",
    "rewound",
    "resnet",
    "rules",
    "save",
    "schedules",
    "thinned",
    "transformer_encoder",
    "vertex",
    "vgg",
    "vit",
    "viz",
]
