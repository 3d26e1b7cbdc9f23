"""Numbers that describe a topology, to follow it as it grows."""

from __future__ import annotations

from netgraph.analysis.density import density, sparse_links
from netgraph.analysis.isolation import isolated_vertices
from netgraph.analysis.paths import exponential, log_kernel_trace, path_analysis
from netgraph.analysis.tau_core import average_tau_core_ratio
from netgraph.checks import checked
from netgraph.graph import Graph


@checked
def topology_metrics(graph: Graph, *, tau: float = 0.9) -> dict[str, float]:
    """Compute numbers that describe a topology, to plot them over the course of growth.

    Args:
        graph: any graph.
        tau: fraction of the path weight that the tau-cores carry.

    Returns:
        `density` over `sparse_links`; `path_weight` and `path_kernel_trace`, inf when too large for a float, and their
        logarithms `log_path_weight` and `log_path_kernel_trace`, -inf without paths; `tau_core_ratio`, the average
        over hidden layers, NaN without any; `isolated`, the number of hidden vertices that lack incoming or outgoing
        edges.

    Raises:
        OptionError: for a tau outside (0, 1].

    Cost: that of two `path_analysis` and of `path_kernel_trace`.
    """
    paths, trace = path_analysis(graph), log_kernel_trace(path_analysis(graph, power=2))
    return {
        "density": density(graph, sparse_links(graph)),
        "path_weight": paths.total,
        "log_path_weight": paths.log_total,
        "path_kernel_trace": exponential(trace),
        "log_path_kernel_trace": trace,
        "tau_core_ratio": average_tau_core_ratio(paths, tau),
        "isolated": float(len(isolated_vertices(graph))),
    }
