"""Weights and gradients of all edges over the epochs of a run, kept beside its journal."""

from __future__ import annotations

import numpy as np

from compilers import CompiledNetwork
from compilers.training import EpochEnded
from netgraph.app.run_directory import RunDirectory
from netgraph.graph import Graph
from netgraph.statistics import Statistics
from netgraph.storage import EpochValues, is_kept, load_epochs, save_epoch

_GRADIENT = "mean_abs_gradient"


def keep_epoch(run: RunDirectory, net: CompiledNetwork, event: EpochEnded) -> None:
    """Write the weights after an epoch, and mean absolute gradients if the method collects them, if it is kept.

    Cost: O(edges), and the writing of a file.
    """
    graph = net.graph
    edges = event.signals.edges if event.signals is not None else {}
    if not is_kept(event.epoch, event.epochs, len(graph.edges), 1 + (_GRADIENT in edges)):
        return
    # Frozen edges have no trained weight: the column of the network is 0 there.
    weight = np.where(graph.edges.frozen, graph.edges.weight, net.edge_column(net.weights))
    save_epoch(run.path, EpochValues(event.epoch, graph.rewrites, graph.topology_hash, weight, edges.get(_GRADIENT)))


def last_statistics(run: RunDirectory, graph: Graph) -> Statistics | None:
    """Read the gradients of the last epoch that the run kept of this topology; None where it kept none.

    Cost: O(edges) for each kept epoch.
    """
    found = None
    for values in load_epochs(run.path):
        if values.gradient is not None and values.topology_hash == graph.topology_hash:
            found = Statistics(graph.topology_hash, {_GRADIENT: values.gradient})
    return found
