"""Paths of weights from position to position, one by one, as an oracle for graphs of a few vertices."""

import math
from collections import defaultdict

import numpy as np


def edge_sums(graph, power=1):
    """The weight of all paths through each edge, wires included, by id, and the weight of all paths."""
    steps, through = _steps(graph, power), defaultdict(float)
    total = 0.0

    def walk(node, weight, passed):
        nonlocal total
        layer, _row, _position = node
        if graph.layer(layer).role == "output":
            total += weight
            for edge in passed:
                through[edge] += weight
        for target, factor, edge in steps[node]:
            walk(target, weight * factor, [*passed, edge])

    for layer in graph.inputs:
        for row in range(len(layer)):
            for position in range(math.prod(layer.grid)):
                walk((layer.id, row, position), 1.0, [])
    return dict(through), total


def _steps(graph, power):
    """Steps from each vertex and position: the target, the factor, and the edge."""
    steps = defaultdict(list)
    for link in graph.links:
        source, target = graph.layer(link.source), graph.layer(link.target)
        reach = _reach(graph, link, source, target, power)
        for edge, src, dst, tap, weight in zip(link.id, link.src, link.dst, link.tap, link.weight, strict=True):
            scale = 1.0 if target.norm == "none" else abs(target.values["scale"][dst]) ** power
            for start, stop, share in reach[tap if link.kind.taps > 1 else 0]:
                step = ((target.id, int(dst), stop), abs(weight) ** power * scale * share, int(edge))
                steps[source.id, int(src), start].append(step)
    return steps


def _reach(graph, link, source, target, power):
    """For each tap: position of the source, position of the target, and factor."""
    merge = target.merge
    if merge is not None and link.port not in merge.carried:
        return [[]]
    if merge is None or not merge.head_ports:
        pairs = link.kind.positions(source.output_grid, target.grid)
        return [[(int(p), i, 1.0) for i, p in enumerate(row) if p >= 0] for row in pairs]
    heads = next(graph.layer(k.source).merge for k in graph.incoming[target.id] if k.port == 0)
    queries, (keys,) = target.grid[0], source.output_grid
    seen = [[s for s in range(keys) if s <= t or not heads.causal] for t in range(queries)]
    return [[(s, t, len(seen[t]) ** -power) for t in range(queries) for s in seen[t]]]


def with_mixed_signs(graph, seed=0):
    """The graph with weights of both signs, none of them 0."""
    rng = np.random.default_rng(seed)
    weight = np.where(
        graph.edges.wired, 1.0, rng.uniform(0.25, 1.5, len(graph.edges)) * rng.choice([-1, 1], len(graph.edges))
    )
    return graph.with_weights(weight)
