"""Drawn graphs over tokens, and the same ones with more tokens, other orders of heads, and causal attention only."""

import math
from dataclasses import replace

import numpy as np
from hypothesis import strategies as st

import netgraph as ng
from netgraph import testing
from netgraph.graph import Link

KINDS = ("tokens", "attention")


def token_graphs(**options):
    """Graphs with lookups, positions, gates and attention, of every activation and norm."""
    return testing.graphs(**{"kinds": KINDS, "exact": False, **options})


@st.composite
def with_inputs(draw, graphs):
    graph = draw(graphs)
    return graph, draw(testing.inputs(graph))


def slotted(layer):
    return layer.merge is not None and layer.merge.slotted


def all_causal(graph):
    """The same graph with causal attention in all heads."""
    return with_layers(graph, lambda x: replace(x, merge=replace(x.merge, causal=True)) if slotted(x) else x)


def with_layers(graph, change, links=None):
    return ng.Graph([change(x) for x in graph.layers_by_id.values()], links or graph.links_by_key.values())


def forward_layers(graph, *, padded=False):
    """Ids of layers over tokens of which no position depends on a later one.

    With `padded`, they also stay as they are when all layers get more positions at their ends: no position reads one of
    a shorter layer that is not there yet.
    """
    known = set()
    for i in graph.topological_order:
        layer = graph.layer(i)
        fine = len(layer.grid) == 1 or slotted(layer)
        fine &= layer.pool is None and layer.norm != "batch"
        fine &= layer.merge is None or not slotted(layer) or layer.merge.causal
        for k in graph.incoming[i]:
            offset = getattr(k.kind, "offset", 0)
            fine &= k.source in known and offset >= 0
            if padded and k.kind.places:
                fine &= math.prod(layer.grid) - offset <= math.prod(graph.layer(k.source).output_grid)
        if padded and layer.merge is not None and slotted(layer):
            fine &= layer.grid[0] <= layer.grid[1]  # a late query would see the new keys
        if fine:
            known.add(i)
    return known


def lengthened(graph, extra):
    """The same graph with more tokens at the end of every layer over tokens."""
    first = graph.next_ids.vertex

    def longer(layer):
        nonlocal first
        if len(layer.grid) != 1 and not slotted(layer):
            return layer
        grid = tuple(n + extra for n in layer.grid)
        if layer.role != "position":
            return replace(layer, grid=grid)
        ids = np.append(layer.vertex_ids, first + np.arange(extra))
        first += extra
        return replace(layer, grid=grid, vertex_ids=ids, birth=np.append(layer.birth, np.zeros(extra, np.int32)))

    return with_layers(graph, longer)


def permuted(graph, seed):
    """The same graph with the vertices of hidden layers in another order: heads, channels, queries, keys and values."""
    rng = np.random.default_rng(seed)
    layers = graph.layers_by_id
    order = {i: rng.permutation(len(x)) if x.role == "hidden" else np.arange(len(x)) for i, x in layers.items()}
    links = []
    for k in graph.links_by_key.values():
        columns = {**k.columns, "src": order[k.source][k.src], "dst": order[k.target][k.dst]}
        links.append(Link.sorted(k.source, k.target, k.kind, columns, k.port))

    def moved(layer):
        back = np.argsort(order[layer.id])
        values = {name: v[back] for name, v in layer.values.items()}
        return replace(layer, vertex_ids=layer.vertex_ids[back], birth=layer.birth[back], values=values)

    return with_layers(graph, moved, links)
