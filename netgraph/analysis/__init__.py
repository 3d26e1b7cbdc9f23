"""Properties of a graph that need no training: density, path weights, receptive fields, cost of a forward pass."""

from netgraph.analysis.carrying import path_layers, path_links
from netgraph.analysis.density import admissible_edges, density, sparse_links
from netgraph.analysis.flops import forward_flops
from netgraph.analysis.influence import influential
from netgraph.analysis.isolation import isolated, isolated_vertices, lacking, leading_out, vertices_of
from netgraph.analysis.paths import Factors, PathAnalysis, PathNorm, path_analysis, path_kernel_trace
from netgraph.analysis.receptive import PathMeasure, ReceptiveFields, input_layer, reads, receptive_fields
from netgraph.analysis.tau_core import TauCore, average_tau_core_ratio, layer_tau_cores, tau_core
from netgraph.analysis.topology import topology_metrics

__all__ = [
    "Factors",
    "PathAnalysis",
    "PathMeasure",
    "PathNorm",
    "ReceptiveFields",
    "TauCore",
    "admissible_edges",
    "average_tau_core_ratio",
    "density",
    "forward_flops",
    "influential",
    "input_layer",
    "isolated",
    "isolated_vertices",
    "lacking",
    "layer_tau_cores",
    "leading_out",
    "path_analysis",
    "path_kernel_trace",
    "path_layers",
    "path_links",
    "reads",
    "receptive_fields",
    "sparse_links",
    "tau_core",
    "topology_metrics",
    "vertices_of",
]
