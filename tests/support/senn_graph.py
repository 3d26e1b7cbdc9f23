"""The golden network of the natural expansion score as a graph, and its data, in float64."""

import numpy as np
import torch
from senn_case import CASE

from compilers import lower
from compilers.training import TrainingData
from netgraph.graph import Graph, GraphBuilder

ORDER = ("W1", "b1", "v", "c", "l", "W2", "b2")
"""Parameters in the order in which the golden vectors have them."""


def golden_graph() -> Graph:
    p = {name: np.array(value) for name, value in CASE["params"].items()}
    b = GraphBuilder(dtype=np.float64)
    b.input("x", 2)
    b.layer("h", 2, activation="rational")
    b.output("y", 1)
    for source, target, kernel in (("x", "h", p["W1"]), ("h", "y", p["W2"])):
        src, dst = np.indices(kernel.shape)
        b.edges(source, target, src, dst, weight=kernel)
    columns = {name: np.concatenate([[0, 0], p[name], [0]]) for name in "vcl"}
    columns["bias"] = np.concatenate([[0, 0], p["b1"], p["b2"]])
    return b.build().with_weights(vertices=columns)


def golden_net():
    return lower(golden_graph(), dtype=torch.float64)


def golden_data() -> TrainingData:
    x, t = torch.tensor(CASE["X"], dtype=torch.float64), torch.tensor(CASE["T"], dtype=torch.float64)
    return TrainingData(x, t, x, t, task="regression")


def golden_order(net, weights, vertex_parameters) -> np.ndarray:
    """Flat vectors of the network in the order of the golden ones."""
    graph = net.graph
    lifted = net.edge_column(weights)
    matrices = []
    for source, target in (("x", "h"), ("h", "y")):
        key = (graph.layer(source).id, graph.layer(target).id, 0)
        link, start = graph.links_by_key[key], graph.edges.offset(key)
        matrix = np.zeros((len(graph.layer(source)), len(graph.layer(target))))
        matrix[link.src, link.dst] = lifted[start : start + len(link)]
        matrices.append(matrix.ravel())
    values = vertex_parameters.detach().numpy()
    columns = {name: np.zeros(graph.num_vertices) for name in ("bias", "v", "c", "l")}
    for name, column in columns.items():
        where = net.plan.vertex_slots[name]
        column[where.rows] = values[where.slots]
    hidden = [columns[name][2:4] for name in ("bias", "v", "c", "l")]
    return np.concatenate([matrices[0], *hidden, matrices[1], columns["bias"][4:]])
