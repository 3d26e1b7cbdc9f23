"""A few numbers that tell how a topology changes as it grows."""

from __future__ import annotations

import numpy as np

from netgraph.analysis.density import density, sparse_links
from netgraph.analysis.paths import exponential, log_kernel_trace, path_analysis
from netgraph.analysis.tau_core import average_tau_core_ratio
from netgraph.graph import Graph
from netgraph.graph.columns import Array


def isolated_vertices(graph: Graph) -> Array:
    """Ids of hidden vertices that no edge enters, or none leaves; wires are edges here.

    No output depends on the inputs through them. With weights of 0 on their other side and no bias they never learn.

    Args:
        graph: any graph.

    Returns:
        (vertices,) int64 ids, in the order of `graph.vertices`.

    Cost: O(edges + vertices).
    """
    table = graph.vertices
    entered, left = (np.zeros(len(table), dtype=bool) for _ in range(2))
    hidden = np.zeros(len(table), dtype=bool)
    for link in graph.links:
        entered[table.offset(link.target) + link.dst] = True
        left[table.offset(link.source) + link.src] = True
    for layer in graph.layers_by_id.values():
        start = table.offset(layer.id)
        hidden[start : start + len(layer)] = layer.role == "hidden"
    return np.asarray(table.id[hidden & ~(entered & left)])


def topology_metrics(graph: Graph, *, tau: float = 0.9) -> dict[str, float]:
    """Numbers to draw over the course of growth.

    Args:
        graph: any graph.
        tau: of the tau-cores.

    Returns:
        `density` over `sparse_links`; `path_weight` and `path_kernel_trace`, inf when too large for a float, and their
        logarithms `log_path_weight` and `log_path_kernel_trace`, -inf without paths; `tau_core_ratio`, the average
        over hidden layers (NaN without any); `isolated`, how many hidden vertices lack edges in or out.

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
