"""Graphs of networks of neat-python."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from netgraph.columns import Array
from netgraph.errors import ImportRefused
from netgraph.graph import Graph, GraphBuilder
from netgraph.storage.neat.network import NeatNetwork, parsed


def from_neat(network: str | os.PathLike[str] | Mapping[str, Any], *, domain: Any = None) -> Graph:
    """Make the graph of a network of neat-python: the values of its `FeedForwardNetwork`, in float64.

    A node computes `f(bias + response * sum(weight * input))`. Nodes with the same length of the longest path from an
    input and the same activation become one layer, in the order of their ids, and enabled connections become edges.
    Response and the scale of neat-python's activations (its sigmoid is `1 / (1 + exp(-5 z))`) are multiplied into
    weights and biases. Nodes that no output needs are left out. The activations clamped, abs and hat are two or three
    vertices of ReLU. The outputs are one layer, "output", in the order of neat-python. Where their activations differ,
    or other nodes read them, this layer sums hidden vertices by frozen edges.

    Args:
        network: file that `neat.export.export_network_json` wrote, its text, or the parsed text.
        domain: interval of the inputs, as in `GraphBuilder.input`; unbounded by default. A network with softplus needs
            one, because softplus of neat-python rises to 12 only.

    Raises:
        ImportRefused: for recurrent networks, for aggregations other than the sum, and for activations that vertices
            cannot compute; the message names the node.
        FileFormatError: for a text that is no network of neat-python.
        OSError: when the file cannot be read.

    Cost: one Python object per connection, as the text has them.

    Example:
        >>> text = neat.export.export_network_json(neat.nn.FeedForwardNetwork.create(genome, config))  # doctest: +SKIP
        >>> graph = from_neat(text, domain=(0, 1))  # doctest: +SKIP
    """
    found = NeatNetwork(parsed(network))
    vertices = _Vertices(found)
    b = GraphBuilder(dtype=np.float64)
    b.input("input", len(found.inputs), domain=domain)
    for name, rows in vertices.layers():
        form = found.forms[vertices.node[rows[0]]]
        b.layer(
            name, len(rows), activation=form.activation, slope=form.slope, bias=vertices.bias[rows],
            role="output" if name == "output" else "hidden",
        )  # fmt: skip
    for source, target, edges in vertices.links():
        src, dst = (vertices.row[ends[edges]] for ends in (vertices.src, vertices.dst))
        b.edges(source, target, src, dst, weight=vertices.weight[edges])
    if not vertices.direct:
        _sum_outputs(b, found, vertices)
    graph = b.build()
    _check_limits(graph, found, vertices)
    return graph


def _sum_outputs(b: GraphBuilder, network: NeatNetwork, vertices: _Vertices) -> None:
    """Add an output layer that sums the vertices of the outputs by frozen edges."""
    b.output("output", len(network.outputs), bias=np.array([network.forms[k].offset for k in network.outputs]))
    place = {node: row for row, node in enumerate(network.outputs)}
    edges: dict[str, list[tuple[int, int, float]]] = defaultdict(list)
    for v, node in enumerate(vertices.node.tolist()):
        if node in place:
            edges[vertices.names[v]].append((int(vertices.row[v]), place[node], float(vertices.out[v])))
    for name, rows in edges.items():
        src, dst, weight = zip(*rows, strict=True)
        b.edges(name, "output", src, dst, weight=weight, frozen=True)


def _check_limits(graph: Graph, network: NeatNetwork, vertices: _Vertices) -> None:
    """Refuse vertices whose argument may pass the limit of their form."""
    for name, rows in vertices.layers():
        most = network.forms[vertices.node[rows[0]]].most
        if most == np.inf:
            continue
        high = graph.bounds().z_high[np.isin(graph.vertices.id, graph.layers[name].vertex_ids)]
        if (high > most).any():
            row = int(np.argmax(high > most))
            where = f"node {network.ids[vertices.node[rows[row]]]}"
            raise ImportRefused(
                f"The {where} has the activation 'softplus', which neat-python computes as log(1 + exp(min(5 z, "
                f"{most:g}))) / 5, and for inputs in the domain 5 z may reach {high[row]:.4g}. Give the interval of "
                "the inputs, domain=(low, high), or a smaller one.",
                op="activation softplus",
                path=where,
            )


class _Vertices:
    """Columns of the vertices that stand for nodes, and of the edges between them.

    Attributes:
        node: index of the node of each vertex.
        bias, out: bias of each vertex, and its weight in the value of its node.
        names, row: name of the layer of each vertex, and its row there.
        src, dst, weight: vertices at the ends of each edge, and its weight.
        direct: whether the vertices of the outputs form the output layer.
    """

    def __init__(self, network: NeatNetwork) -> None:
        n, forms = network, network.forms
        counts = np.where(n.needed, [len(form.parts) for form in forms], 0)
        first = np.cumsum(counts) - counts
        self.node = np.repeat(np.arange(len(n.nodes)), counts)
        parts = [part for form, needed in zip(forms, n.needed, strict=True) if needed for part in form.parts]
        scale, shift, self.out = np.array(parts).T
        response, bias = (np.array([node[key] for node in n.nodes], np.float64) for key in ("response", "bias"))
        offset = np.array([form.offset for form in forms])
        bias += np.bincount(n.dst, n.weight * response[n.dst] * offset[n.src], minlength=len(bias))
        self.bias = scale * bias[self.node] + shift
        edge, self.src, self.dst = _pairs(n.src, n.dst, first, counts)
        self.weight = (n.weight * response[n.dst])[edge] * self.out[self.src] * scale[self.dst]
        outputs = [forms[k] for k in n.outputs]
        self.direct = not np.isin(n.src, n.outputs).any() and all(f.alone and f == outputs[0] for f in outputs)
        self.names = self._named(network)
        self._depth = n.depth[self.node]
        names, self._layer = np.unique(self.names, return_inverse=True)
        self._names: list[str] = names.tolist()
        self.row = self._rows(network)

    def _named(self, network: NeatNetwork) -> list[str]:
        """Name the layer of each vertex: by depth, and by activation where a depth has several."""
        ends = set(network.outputs) if self.direct else set()
        levels: dict[int, set[str]] = defaultdict(set)
        depth, nodes = network.depth.tolist(), self.node.tolist()
        for node in nodes:
            if node not in ends:
                levels[depth[node]].add(network.forms[node].activation)
        names = []
        for node in nodes:
            hidden, several = f"hidden{depth[node]}", len(levels[depth[node]]) > 1
            name = f"{hidden}-{network.forms[node].activation}" if several else hidden
            names.append("input" if not depth[node] else "output" if node in ends else name)
        return names

    def _rows(self, network: NeatNetwork) -> Array:
        """Row of each vertex: of inputs and outputs in the order of the network, else by id of the node."""
        rank = np.arange(len(network.nodes))
        rank[network.inputs] = np.arange(len(network.inputs))
        if self.direct:
            rank[network.outputs] = np.arange(len(network.outputs))
        order = np.lexsort((rank[self.node], self._layer))
        size = np.bincount(self._layer)
        row = np.empty_like(order)
        row[order] = np.arange(len(order)) - np.repeat(np.cumsum(size) - size, size)
        return row

    def layers(self) -> Iterator[tuple[str, Array]]:
        """Yield the name and the vertices, in the order of rows, of each layer but the input, by depth."""
        order = np.lexsort((self.row, self._layer))
        members = np.split(order, np.cumsum(np.bincount(self._layer))[:-1])
        found = [(name == "output", int(self._depth[rows].max()), name, rows)
                 for name, rows in zip(self._names, members, strict=True)]  # fmt: skip
        for _last, depth, name, rows in sorted(found, key=lambda item: item[:3]):
            if depth:
                yield name, rows

    def links(self) -> Iterator[tuple[str, str, Array]]:
        """Yield source, target and edges of each link."""
        pairs = self._layer[self.src] * len(self._names) + self._layer[self.dst]
        order = np.argsort(pairs, kind="stable")
        for edges in np.split(order, np.flatnonzero(np.diff(pairs[order])) + 1):
            if len(edges):
                source, target = divmod(int(pairs[edges[0]]), len(self._names))
                yield self._names[source], self._names[target], edges


def _pairs(src: Array, dst: Array, first: Array, counts: Array) -> tuple[Array, Array, Array]:
    """Return `(edge, source vertex, target vertex)` of all pairs of vertices of the ends of each connection."""
    sizes = counts[src] * counts[dst]
    edge = np.repeat(np.arange(len(src)), sizes)
    inside = np.arange(len(edge)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    return edge, first[src[edge]] + inside // counts[dst[edge]], first[dst[edge]] + inside % counts[dst[edge]]
