"""A small graph, a rewrite of it by hand, and optimizers to carry across it."""

from types import SimpleNamespace

import numpy as np
import torch

from compilers import lift, lower, migrate
from netgraph.graph import Graph, GraphBuilder, Layer, Link
from netgraph.graph.kinds import Dense
from netgraph.graph.link import edge_columns

OPTIMIZERS = {
    "adam": lambda groups: torch.optim.Adam(groups, lr=1e-2),
    "adamw": lambda groups: torch.optim.AdamW(groups, lr=1e-2),
    "adamw amsgrad": lambda groups: torch.optim.AdamW(groups, lr=1e-2, amsgrad=True),
    "adamw fused": lambda groups: torch.optim.AdamW(groups, lr=1e-2, fused=True),
    "sgd": lambda groups: torch.optim.SGD(groups, lr=1e-2, momentum=0.9, nesterov=True),
    "rmsprop": lambda groups: torch.optim.RMSprop(groups, lr=1e-2),
}


def small() -> Graph:
    b = GraphBuilder(seed=1)
    b.input("x", 4)
    b.layer("h", 5, activation="prelu", norm="batch")
    b.output("y", 3)
    b.dense("x", "h", density=0.7)
    b.dense("h", "y")
    b.dense("x", "y", density=0.5)
    return b.build()


def rewritten(graph: Graph) -> SimpleNamespace:
    """By hand: one vertex of h goes and two come (first and last), edges with them, and a new layer is inserted."""
    h = graph.layers["h"]
    rows = np.array([0, 2, 3, 4])  # row 1 goes
    first, layer_id, edge = graph.next_ids.vertex, graph.next_ids.layer, graph.next_ids.edge
    values = {k: np.concatenate([[1.0], v[rows], [1.0]]).astype(np.float32) for k, v in h.values.items()}
    ids = np.concatenate([[first], h.vertex_ids[rows], [first + 1]])
    wider = Layer(h.id, "h", ids, np.zeros(6), values, activation="prelu", norm="batch")
    zeros = np.zeros(2, np.float32)
    extra = Layer(layer_id, "new", [first + 2, first + 3], zeros, {"bias": zeros}, activation="relu")
    links = []
    new_row = np.full(5, -1)
    new_row[rows] = np.arange(1, 5)
    for link in graph.links:
        columns = {k: v.copy() for k, v in link.columns.items()}
        column = "dst" if link.target == h.id else "src" if link.source == h.id else None
        if column:
            columns[column] = new_row[columns[column]]
            columns = {k: v[columns[column] >= 0] for k, v in columns.items()}
        if column == "dst":
            added = edge_columns(
                id=np.arange(edge, edge + 8), src=np.tile(np.arange(4), 2), dst=np.repeat([0, 5], 4),
                weight=np.full(8, 0.3, np.float32),
            )  # fmt: skip
            columns = {k: np.concatenate([v, added[k]]).astype(v.dtype) for k, v in columns.items()}
            edge += 8
        links.append(Link.sorted(link.source, link.target, link.kind, columns))
    for source, target, n, m in ((graph.layers["x"].id, layer_id, 4, 2), (layer_id, graph.layers["y"].id, 2, 3)):
        columns = edge_columns(
            id=np.arange(edge, edge + n * m), src=np.tile(np.arange(n), m), dst=np.repeat(np.arange(m), n),
            weight=np.full(n * m, 0.2, np.float32),
        )  # fmt: skip
        links.append(Link(source, target, Dense(), **columns))
        edge += n * m
    layers = [wider if layer.name == "h" else layer for layer in graph.layers.values()]
    new = Graph([*layers, extra], links, lineage=graph.lineage)
    return SimpleNamespace(graph=new, delta=SimpleNamespace(before=graph))


def train(net, optimizer, steps=5, seed=0, width=4):
    generator = torch.Generator().manual_seed(seed)
    for _ in range(steps):
        x = torch.randn(16, width, generator=generator)
        optimizer.zero_grad()
        net(x).square().mean().backward()
        optimizer.step()


def by_edge(net, vector):
    column = net.edge_column(vector)
    return dict(zip(net.graph.edges.id.tolist(), column.tolist(), strict=True))


def by_vertex(net, vector):
    flat = vector.detach().numpy()
    return {
        (int(net.graph.vertices.id[row]), name): float(flat[slot])
        for name, where in net.plan.vertex_slots.items()
        if where.trained
        for row, slot in zip(where.rows, where.slots, strict=True)
    }


def made(cls, **options):
    return lambda parameters: cls(parameters, lr=0.01, **options)


def gradients_of(net, seed):
    generator = torch.Generator().manual_seed(seed)
    made = [torch.randn(p.shape, generator=generator, dtype=p.dtype) for p in net.parameters()]
    pads = torch.ones(len(made[0]), dtype=torch.bool)
    pads[torch.from_numpy(net.plan.edge_slots).long()] = False
    made[0][pads] = 0
    return made


def step(net, optimizer, gradients):
    """One step; how far each vector moved."""
    before = [p.detach().clone() for p in net.parameters()]
    for parameter, gradient in zip(net.parameters(), gradients, strict=True):
        parameter.grad = gradient.clone()
    optimizer.step()
    return [p.detach() - b for p, b in zip(net.parameters(), before, strict=True)]


def grown(make, warm=30, **options):
    """The network before and after a rewrite, its optimizer, and masks of what is new in both vectors."""
    net = lower(small())
    optimizer = make(net.parameters())
    for seed in range(warm):
        step(net, optimizer, gradients_of(net, seed))
    result = rewritten(lift(net))
    new, carried = migrate(net, optimizer, result, **options)
    old_edges, old_vertices = by_edge(net, net.weights), by_vertex(net, net.vertex_parameters)
    edges = torch.tensor([int(i) not in old_edges for i in new.graph.edges.id])
    masks = [torch.zeros(len(p), dtype=torch.bool) for p in new.parameters()]
    masks[0][torch.from_numpy(new.plan.edge_slots).long()] = edges
    for name, where in new.plan.vertex_slots.items():
        for row, slot in zip(where.rows, where.slots, strict=True) if where.trained else ():
            masks[1][slot] = (int(new.graph.vertices.id[row]), name) not in old_vertices
    return SimpleNamespace(old=net, optimizer=optimizer, new=new, carried=carried, masks=masks)
