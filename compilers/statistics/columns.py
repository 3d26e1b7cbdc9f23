"""Columns in the rows of a graph, made from tensors in the layout of its plan."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from torch import Tensor

from compilers.plan import Plan
from compilers.statistics.collectors import Collector
from netgraph.columns import Array
from netgraph.errors import StatisticsError
from netgraph.graph import Graph


def edge_column(plan: Plan, values: Tensor) -> Array:
    """Read a column, `(edges,)`, out of a tensor of slots, `(slots,)`; 0 for frozen edges."""
    flat = values.detach().cpu().numpy()
    slots = plan.edge_slots
    column: Array = flat[slots] if len(flat) else np.zeros(len(slots), dtype=flat.dtype)
    column[slots < 0] = 0
    return column


def collected_columns(
    collectors: Mapping[tuple[Any, ...], Collector], plan: Plan, graph: Graph
) -> tuple[dict[str, Array], dict[str, Array], dict[tuple[str, ...], Array]]:
    """Read the results of collectors: columns of edges, columns of vertices (NaN in layers without any), and moments.

    Raises:
        StatisticsError: when a collector has seen no mini-batch.
    """
    edges: dict[str, Array] = {}
    vertices: dict[str, Array] = {}
    moments: dict[tuple[str, ...], Array] = {}
    for key, collector in collectors.items():
        if not collector.samples:
            raise StatisticsError(f"{key[0]!r} has seen no mini-batch; run a backward after the request.")
        found = collector.collected()
        edges |= {name: edge_column(plan, values) for name, values in found.edges.items()}
        vertices |= {name: _vertex_column(plan, graph, parts) for name, parts in found.vertices.items()}
        moments |= {name: values.detach().cpu().numpy() for name, values in found.moments.items()}
    return edges, vertices, moments


def _vertex_column(plan: Plan, graph: Graph, parts: Mapping[int, Tensor]) -> Array:
    """Put values by place of their layer into one column, NaN for other layers, `(vertices,)`."""
    column = np.full(graph.num_vertices, np.nan)
    for place, values in parts.items():
        start = graph.vertices.offset(plan.layers[place].id)
        column[start : start + len(values)] = values.detach().cpu().numpy()
    return column
