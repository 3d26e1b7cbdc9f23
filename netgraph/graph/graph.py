"""The graph: an immutable value of layers, links and ids, with flat columns over all its vertices and edges."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from netgraph.checks import whole
from netgraph.columns import Array, FrozenDict, ReadOnly, column, digest
from netgraph.errors import GraphError, unknown_name
from netgraph.graph.bounds import Bounds, Domains
from netgraph.graph.history import NextIds, Station
from netgraph.graph.layer import DOMAIN_COLUMNS, Layer
from netgraph.graph.link import Link, LinkKey
from netgraph.graph.norms import Mode, variance_columns
from netgraph.graph.propagation import bounds
from netgraph.graph.views import EdgeTable, LayersView, LinksView, VertexTable, VertexView

if TYPE_CHECKING:
    import networkx


class Graph(ReadOnly):
    """A neural network as an immutable vertex/edge DAG.

    A graph never changes. A rewrite returns a new graph that shares all unchanged layers and links with the old one.
    `==` compares object identity; compare contents with `same_topology` or `equals`.

    Args:
        layers: the layers, in any order.
        links: the links, in any order, at most one per (source, target, port).
        next_ids: ids of the next new layer, vertex and edge; by default one more than the largest in use.
        lineage: hash of the history that gave out the ids; by default the hash of a fresh graph.
        rewrites: number of rewrites that led to this graph. The next rewrite has number `rewrites + 1`, which is the
            birth of all vertices and edges that it makes.
        past: station of the graph before this one in its history, linked to all earlier known ones; None at the start.
        validate: whether to check everything. Pass False only for layers and links that are already checked.

    Raises:
        GraphError: when a layer or link is wrong; the message names it.
    """

    def __init__(
        self,
        layers: Iterable[Layer],
        links: Iterable[Link] = (),
        *,
        next_ids: NextIds | None = None,
        lineage: str | None = None,
        rewrites: int = 0,
        past: Station | None = None,
        validate: bool = True,
    ) -> None:
        layer_list = sorted(layers, key=lambda layer: layer.id)
        link_list = sorted(links, key=lambda link: link.key)
        own = self.__dict__  # see __setattr__
        own["_layers"] = FrozenDict({layer.id: layer for layer in layer_list})
        own["_links"] = FrozenDict({link.key: link for link in link_list})
        own["_names"] = FrozenDict({layer.name: layer.id for layer in layer_list})
        own["next_ids"] = next_ids or self._smallest_next_ids()
        own["rewrites"] = whole("rewrites", rewrites, least=0, error=GraphError)
        own["past"] = past
        if validate:
            from netgraph.graph.validate import validate_graph
            from netgraph.graph.wires import check_summed_port

            validate_graph(self, layer_list, link_list)
            for link in link_list:
                check_summed_port(self, link)
        own["lineage"] = lineage if lineage is not None else digest("fresh", self.topology_hash).hex()

    _layers: FrozenDict[int, Layer]
    _links: FrozenDict[LinkKey, Link]
    _names: FrozenDict[str, int]
    next_ids: NextIds
    rewrites: int
    past: Station | None
    lineage: str

    def _instead(self) -> str:
        return " Rewrite it with apply(rule, graph), or give other weights with with_weights()."

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)

    def __getstate__(self) -> dict[str, Any]:
        kept = ("_layers", "_links", "_names", "next_ids", "rewrites", "past", "lineage")
        return {name: self.__dict__[name] for name in kept}  # cached properties are computed again on demand

    def __deepcopy__(self, memo: dict[int, Any]) -> Graph:
        return self  # a value that never changes needs no copy

    def _smallest_next_ids(self) -> NextIds:
        vertex = max((int(layer.vertex_ids.max()) for layer in self._layers.values() if len(layer)), default=-1)
        edge = max((int(link.id.max()) for link in self._links.values() if len(link)), default=-1)
        return NextIds(max(self._layers, default=-1) + 1, vertex + 1, edge + 1)

    # -- layers and links -------------------------------------------------------------------------

    @cached_property
    def layers(self) -> LayersView:
        """Layers in topological order: `for layer in graph.layers`; also by name: `graph.layers["hidden"]`."""
        return LayersView(self)

    @cached_property
    def links(self) -> LinksView:
        """Links by `(source name, target name)` or `(source name, target name, port)`; iteration yields links."""
        return LinksView(self)

    def layer(self, key: int | str) -> Layer:
        """Return the layer with this id or name. Raises `GraphError`, with the nearest name, when there is none."""
        if isinstance(key, str):
            key = self._names.get(key, key)
        elif type(key) is not int:
            key = whole("layer id", key, error=GraphError)
        layer = self._layers.get(key) if isinstance(key, int) else None
        if layer is None:
            raise GraphError(unknown_name("layer", key, self._names))
        return layer

    def link(self, key: LinkKey) -> Link | None:
        """Return the link with this key, `(source id, target id, port)`, or None."""
        return self._links.get(key)

    def link_name(self, source: int, target: int) -> str:
        """Name a link for messages by the names of its two layers, given by id: `'x' -> 'h'`."""
        return f"{self.layer(source).name!r} -> {self.layer(target).name!r}"

    @property
    def layers_by_id(self) -> Mapping[int, Layer]:
        """Layers by id, in increasing order of ids. The rows of `vertices` have the same order."""
        return self._layers

    @property
    def links_by_key(self) -> Mapping[LinkKey, Link]:
        """Links by key, in increasing order of keys. The rows of `edges` have the same order."""
        return self._links

    @cached_property
    def inputs(self) -> tuple[Layer, ...]:
        """Input layers, in increasing order of ids."""
        return tuple(layer for layer in self._layers.values() if layer.role == "input")

    @cached_property
    def outputs(self) -> tuple[Layer, ...]:
        """Output layers, in increasing order of ids."""
        return tuple(layer for layer in self._layers.values() if layer.role == "output")

    @cached_property
    def incoming(self) -> Mapping[int, tuple[Link, ...]]:
        """Links into each layer, by layer id."""
        result: dict[int, list[Link]] = {i: [] for i in self._layers}
        for link in self._links.values():
            result[link.target].append(link)
        return FrozenDict({i: tuple(links) for i, links in result.items()})

    @cached_property
    def outgoing(self) -> Mapping[int, tuple[Link, ...]]:
        """Links out of each layer, by layer id."""
        result: dict[int, list[Link]] = {i: [] for i in self._layers}
        for link in self._links.values():
            result[link.source].append(link)
        return FrozenDict({i: tuple(links) for i, links in result.items()})

    @cached_property
    def topological_order(self) -> tuple[int, ...]:
        """Layer ids, inputs first, ordered so that the source of every link precedes its target.

        Raises:
            GraphError: when the links form a cycle.
        """
        waiting = dict.fromkeys(self._layers, 0)
        after: dict[int, list[int]] = {i: [] for i in self._layers}
        for source, target, _port in self._links:
            waiting[target] += 1
            after[source].append(target)
        ready = [i for i, count in waiting.items() if count == 0]
        ready.sort(key=lambda i: {"input": 0, "position": 1}.get(self._layers[i].role, 2))
        for layer in ready:  # the loop appends to `ready`: it is a queue
            for target in after[layer]:
                waiting[target] -= 1
                if waiting[target] == 0:
                    ready.append(target)
        if len(ready) < len(self._layers):
            stuck = [self._layers[i].name for i, count in waiting.items() if count > 0]
            shown = ", ".join(map(repr, stuck[:5])) + (f" and {len(stuck) - 5} more" if len(stuck) > 5 else "")
            raise GraphError(f"The links form a cycle through or before the layers {shown}; remove one of the links.")
        return tuple(ready)

    # -- flat columns -----------------------------------------------------------------------------

    @cached_property
    def edges(self) -> EdgeTable:
        """All edges as flat columns, sorted by link key, then target row, source row, tap."""
        return EdgeTable(self)

    @cached_property
    def vertices(self) -> VertexTable:
        """All vertices as flat columns, sorted by layer id, then row."""
        return VertexTable(self)

    def vertex(self, vertex_id: int) -> VertexView:
        """Return the vertex with this id as an object. Raises `GraphError` when there is none."""
        return self.vertices.by_id(vertex_id)

    # -- counts -----------------------------------------------------------------------------------

    @cached_property
    def num_edges(self) -> int:
        """Number of trainable edges. Frozen edges, biases and norm parameters are not counted."""
        return sum(len(link) - int(np.count_nonzero(link.frozen)) for link in self._links.values())

    @cached_property
    def num_parameters(self) -> int:
        """Number of parameters that gradients train: edges, biases, norm parameters and activation parameters."""
        return self.num_edges + sum(len(layer) * len(layer.trainable) for layer in self._layers.values())

    @cached_property
    def num_vertices(self) -> int:
        """Number of vertices of all layers, inputs and outputs included."""
        return sum(map(len, self._layers.values()))

    @property
    def num_layers(self) -> int:
        """Number of layers, inputs and outputs included."""
        return len(self._layers)

    @cached_property
    def admissible_edges(self) -> int:
        """Largest number of edges that the links can hold, wires excluded: the sum of `sources * targets * taps`."""
        layers = self._layers
        return sum(k.kind.admissible_edges(len(layers[k.source]), len(layers[k.target])) for k in self._links.values())

    @property
    def density(self) -> float:
        """Density `num_edges / admissible_edges`; 0 when there are no admissible edges."""
        return self.num_edges / self.admissible_edges if self.admissible_edges else 0.0

    # -- identity ---------------------------------------------------------------------------------

    @cached_property
    def topology_hash(self) -> str:
        """Hash of layers, links and ids, without weights. Layers and links cache their own digests."""
        parts = [layer.topology_digest for layer in self._layers.values()]
        parts += [link.topology_digest for link in self._links.values()]
        return digest(len(self._layers), *parts).hex()

    def same_topology(self, other: Graph) -> bool:
        """Return whether both graphs have the same layers, links and ids; weights may differ."""
        return self.topology_hash == other.topology_hash

    def equals(self, other: Graph) -> bool:
        """Return whether both graphs are equal in every column, bit for bit, and at the same point of one history."""
        if (self.next_ids, self.lineage, self.rewrites) != (other.next_ids, other.lineage, other.rewrites):
            return False
        if not self.same_topology(other):
            return False
        mine, theirs = self._layers.values(), other._layers.values()
        pairs = [(a.birth, b.birth) for a, b in zip(mine, theirs, strict=True)]
        pairs += [(a.values[k], b.values[k]) for a, b in zip(mine, theirs, strict=True) for k in a.values]
        for a, b in zip(self._links.values(), other._links.values(), strict=True):
            pairs += [(a.weight, b.weight), (a.birth, b.birth)]
        return all(x.dtype == y.dtype and x.tobytes() == y.tobytes() for x, y in pairs)

    def with_weights(self, weight: Array | None = None, *, vertices: Mapping[str, Array] | None = None) -> Graph:
        """Return the graph with other trained values and the same topology.

        Args:
            weight: weights in the order of `graph.edges`, `(edges,)`, or None to keep them; wires keep their weight 1.
            vertices: vertex columns by name (`bias`, `scale`, ...) in the order of `graph.vertices`, each
                `(vertices,)`; entries of layers without that column are ignored.

        Raises:
            GraphError: when a shape is wrong, a used value is not finite, or a variance is negative.
        """
        links = dict(self._links)
        if weight is not None:
            flat = self._checked("weight", weight, len(self.edges))
            with np.errstate(over="ignore"):
                flat = column(flat.astype(self.edges.weight.dtype), None)
            bad = ~(np.isfinite(flat) | self.edges.wired)
            if bad.any():
                row = int(np.flatnonzero(bad)[0])
                raise GraphError(
                    f"The weight of edge {self.edges.id[row]} is {np.asarray(weight)[row]}; "
                    f"it must be a finite {flat.dtype}."
                )
            for (key, link), start in zip(self._links.items(), self.edges.offsets[:-1].tolist(), strict=True):
                if not link.kind.wires:
                    links[key] = link.with_weight(column(flat[start : start + len(link)], link.weight.dtype))
        layers, variances = dict(self._layers), variance_columns()
        for name, values in (vertices or {}).items():
            if name in DOMAIN_COLUMNS:
                raise GraphError(
                    f"Column {name!r} is the domain of the inputs, not a trained value; build a new graph."
                )
            flat = self._checked(name, values, self.num_vertices)
            for (i, layer), start in zip(self._layers.items(), self.vertices.offsets[:-1].tolist(), strict=True):
                if name in layer.values:
                    with np.errstate(over="ignore"):
                        part = flat[start : start + len(layer)].astype(layer.values[name].dtype)
                    if not np.isfinite(part).all() or (name in variances and (part < 0).any()):
                        raise GraphError(
                            f"Column {name!r} of layer {layer.name!r} has values that are not finite, or a negative "
                            "variance; restore the last good ones."
                        )
                    layers[i] = layers[i].with_values({name: part})
        return self._derive(layers, links)

    def _checked(self, name: str, values: Array, n: int) -> Array:
        array = np.asarray(values)
        if array.shape != (n,):
            raise GraphError(f"Column {name!r} has shape {array.shape}, expected ({n},), one value per row.")
        if array.dtype.kind not in "iuf":
            raise GraphError(f"Column {name!r} is {array.dtype}; give numbers.")
        return array

    def _derive(self, layers: Mapping[int, Layer], links: Mapping[LinkKey, Link]) -> Graph:
        new = Graph(
            layers.values(),
            links.values(),
            next_ids=self.next_ids,
            lineage=self.lineage,
            rewrites=self.rewrites,
            past=self.past,
            validate=False,
        )
        for name in ("topology_hash", "topological_order"):
            if name in self.__dict__:
                new.__dict__[name] = self.__dict__[name]
        return new

    # -- bounds -----------------------------------------------------------------------------------

    def bounds(self, *, domain: Domains | None = None, mode: Mode = "eval") -> Bounds:
        """Compute the interval of every vertex over all inputs in the domain, rounded outward.

        Args:
            domain: `(low, high)` of input layers by name, each a number or one number per vertex. A graph with one
                input layer takes one pair alone. Input layers without an entry keep their declared domain.
            mode: statistics of batch norm: the running ones ("eval"), or those of any batch ("train").

        Raises:
            InputError: when a domain does not fit the inputs, is empty, or has NaN.
            OptionError: for an unknown mode.

        Cost: O(edges + vertices) the first time; bounds over the declared domains are cached.
        """
        if domain is not None:
            return bounds(self, domain=domain, mode=mode)
        kept = f"_bounds_{mode}"
        if kept not in self.__dict__:
            self.__dict__[kept] = bounds(self, mode=mode)
        result: Bounds = self.__dict__[kept]
        return result

    # -- conversion -------------------------------------------------------------------------------

    def to_networkx(
        self, *, edges: Mapping[str, Array] | None = None, vertices: Mapping[str, Array] | None = None
    ) -> networkx.MultiDiGraph:
        """Convert to NetworkX: a node per vertex and an arc per edge, keyed by id, with all columns as attributes.

        Args:
            edges, vertices: further columns by name, such as those of statistics.
        """
        from netgraph.graph.convert import to_networkx

        return to_networkx(self, edges, vertices)

    @classmethod
    def from_networkx(cls, g: networkx.DiGraph) -> Graph:
        """Read a graph that `to_networkx` wrote, or any weighted DAG (see `netgraph.graph.convert`)."""
        from netgraph.graph.convert import from_networkx

        graph: Graph = from_networkx(g)
        return graph

    def __repr__(self) -> str:
        order = [self._layers[i] for i in self.topological_order[:4]]
        names = ", ".join(f"{layer.name}:{len(layer)}" for layer in order)
        more = f", ... {self.num_layers - 4} more" if self.num_layers > 4 else ""
        return (
            f"Graph({self.num_layers} layers [{names}{more}], {self.num_vertices:,} vertices, "
            f"{self.num_edges:,} {'edge' if self.num_edges == 1 else 'edges'}, density {self.density:.3g})"
        )
