"""`lift`: trained values of a network, put back onto the graph that it was lowered from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from netgraph.columns import Array
from netgraph.graph import Graph

if TYPE_CHECKING:
    from compilers.running import CompiledNetwork


def lift(net: CompiledNetwork) -> Graph:
    """The graph of a network with its present weights and vertex columns, running statistics included.

    The topology, and so its hash, is that of `net.graph`. Values keep their bits when network and graph have the
    same dtype; otherwise they are rounded to that of the graph. Frozen weights are those of `net.graph`, unless a
    state dict brought others.

    Raises:
        GraphError: when a value is not finite.
    """
    graph, plan = net.graph, net.plan
    frozen = plan.edge_slots < 0
    weights = net.edge_column(net.weights)
    if frozen.any():
        weights = weights.astype(np.promote_types(weights.dtype, graph.edges.weight.dtype))
        weights[frozen] = _frozen_weights(net)
    columns = {}
    for name, where in plan.vertex_slots.items():
        flat = (net.vertex_parameters if where.trained else net.running).detach().cpu().numpy()
        columns[name] = _replaced(graph.vertices.column(name), where.rows, flat[where.slots])
    return graph.with_weights(weights, vertices=columns)


def _frozen_weights(net: CompiledNetwork) -> Array:
    """Weights of the frozen edges: of the graph, unrounded, where the network has the same in its dtype."""
    frozen = net.plan.edge_slots < 0
    theirs, slots = net.graph.edges.weight[frozen], net.plan.frozen_slots[frozen]
    held = net.frozen_weights.detach().cpu().numpy()
    if not len(held):
        return theirs
    mine = np.where(slots >= 0, held[slots], theirs.astype(held.dtype))
    found: Array = np.where(mine == theirs.astype(held.dtype), theirs, mine)
    return found


def _replaced(column: Array, rows: Array, values: Array) -> Array:
    """Copy a column with other values in some rows, in the wider dtype of both, so that nothing is rounded."""
    new = column.astype(np.promote_types(column.dtype, values.dtype))
    new[rows] = values
    return new
