"""Patterns of layers, links and missing links, and the rows that they bind."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from netgraph.checks import whole
from netgraph.columns import Array, column, freeze, spans
from netgraph.errors import RewriteError
from netgraph.graph import Layer, Link, LinkKey, Role
from netgraph.rewriting.patterns.matches import MAX_ENUMERATED_PAIRS, Funnel, MatchedRows, Matches, TableRows
from netgraph.rewriting.patterns.parts import JoinPattern, PartPattern, PartWhere, conditions_of_part
from netgraph.rewriting.patterns.rows import EdgeRows
from netgraph.statistics import Statistics

if TYPE_CHECKING:
    from netgraph.graph import Graph


class LayerRows(MatchedRows):
    """Layers of a graph, one per row; `id` holds their ids."""

    graph: Graph
    id: Array

    def __init__(self, graph: Graph, ids: Array) -> None:
        self.__dict__.update(graph=graph, id=column(ids, np.int64))

    def __len__(self) -> int:
        return len(self.id)

    def __iter__(self) -> Iterator[Layer]:
        return (self.graph.layer(int(i)) for i in self.id)

    def take(self, chosen: Array) -> LayerRows:
        """Return the layers at the given positions or mask."""
        return LayerRows(self.graph, freeze(self.id[chosen]))

    @classmethod
    def concatenate(cls, parts: Sequence[LayerRows]) -> LayerRows:
        """Return the layers of all parts, one part after another."""
        return cls(parts[0].graph, freeze(np.concatenate([part.id for part in parts])))

    @property
    def rows(self) -> Array:
        """Layer ids, as unique keys of the rows."""
        return self.id

    @property
    def layer(self) -> Array:
        """Layer ids."""
        return self.id

    def group_key(self, name: str) -> Array | None:
        if name == "grid":
            grids = [repr(layer.output_grid) for layer in self]
            return np.asarray(np.unique(grids, return_inverse=True)[1])
        return self.id if name == "layer" else None

    @property
    def size(self) -> Array:
        """Number of vertices of each layer."""
        return freeze(np.array([len(layer) for layer in self], dtype=np.int64))


class LinkRows(TableRows):
    """Links of a graph, one per row: `rows` are their positions in `graph.links_by_key`."""

    joins = True

    def __iter__(self) -> Iterator[Link]:
        links = self.graph.links_by_key
        return (links[key] for key in self.key)

    @property
    def key(self) -> list[LinkKey]:
        """Key of each link: (source layer id, target layer id, port)."""
        keys = list(self.graph.links_by_key)
        return [keys[row] for row in self.rows.tolist()]

    @property
    def port(self) -> Array:
        """Port of the target layer at which each link arrives."""
        return freeze(np.array([key[2] for key in self.key], dtype=np.int64))

    @property
    def size(self) -> Array:
        """Number of edges, frozen ones included, of each link."""
        return freeze(np.diff(self.graph.edges.offsets)[self.rows])

    @property
    def edges(self) -> EdgeRows:
        """All edges of these links, ordered by link."""
        return EdgeRows(self.graph, spans(self.graph.edges.offsets[self.rows], self.size))

    def group_key(self, name: str) -> Array | None:
        return self.rows if name == "link" else self.port if name == "port" else None


class LayerPairRows(MatchedRows):
    """Pairs of layers that no link joins, one per row; `source` and `target` are layer ids."""

    joins = True

    graph: Graph
    source: Array
    target: Array

    def __init__(self, graph: Graph, source: Array, target: Array) -> None:
        self.__dict__.update(graph=graph, source=column(source, np.int64), target=column(target, np.int64))

    def __len__(self) -> int:
        return len(self.source)

    def take(self, chosen: Array) -> LayerPairRows:
        """Return the pairs at the given positions or mask."""
        return LayerPairRows(self.graph, freeze(self.source[chosen]), freeze(self.target[chosen]))

    @classmethod
    def concatenate(cls, parts: Sequence[LayerPairRows]) -> LayerPairRows:
        """Return the pairs of all parts, one part after another."""
        columns = ([part.source for part in parts], [part.target for part in parts])
        return cls(parts[0].graph, *(freeze(np.concatenate(several)) for several in columns))

    @property
    def rows(self) -> Array:
        """A unique integer key per pair."""
        return freeze(self.source * self.graph.next_ids.layer + self.target)


@dataclass(frozen=True)
class LayerPattern(PartPattern):
    """Pattern of a layer, bound to `name`, of a given role or of any role."""

    def match(self, graph: Graph, on: Any = None, stats: Statistics | None = None) -> tuple[Matches, Funnel]:
        """Find the layers. Costs O(layers)."""
        if on is None:
            layers = list(graph.layers_by_id.values())
            funnel = [("layers", len(layers))]
        else:
            asked = [on] if isinstance(on, str) or np.ndim(on) == 0 else list(on)
            layers = [graph.layer(key) for key in asked]
            funnel = [("layers asked for", len(layers))]
        ids = np.unique(np.array([x.id for x in layers], dtype=np.int64))
        for text, admitted in self.conditions(graph):
            ids = ids[np.isin(ids, admitted)]
            funnel.append((text, len(ids)))
        return Matches(graph, {self.name: LayerRows(graph, ids)}), funnel

    def conditions(self, graph: Graph) -> list[tuple[str, Array]]:
        """List the conditions on the role and of `where`: (condition, ids of the layers that pass it)."""
        result = []
        if self.role is not None:
            of_role = [x.id for x in graph.layers_by_id.values() if x.role == self.role]
            result.append((f"{self.name} is {self.role}", np.array(of_role, dtype=np.int64)))
        if self.where is not None:
            every = LayerRows(graph, np.array(list(graph.layers_by_id), dtype=np.int64))
            result += [(text, every.id[mask]) for text, mask in conditions_of_part(self.name, self.where, every)]
        return result


class _BetweenLayers(JoinPattern[LayerPattern]):
    end = (LayerPattern, "layer")


class LinkPattern(_BetweenLayers):
    """Pattern of a link, bound to `name`; the patterns `src` and `dst` bind and restrict its two layers."""

    def match(self, graph: Graph, on: Any = None, stats: Statistics | None = None) -> tuple[Matches, Funnel]:
        """Find the links. Costs O(links)."""
        keys = list(graph.links_by_key)
        if on is not None:
            keys = sorted({key for asked in _layer_tuples(on) for key in _links_asked_for(graph, asked)})
        funnel = [("links" if on is None else "links asked for", len(keys))]
        for which, end in enumerate((self.src, self.dst)):
            for text, admitted in end.conditions(graph):
                allowed = set(admitted.tolist())
                keys = [key for key in keys if key[which] in allowed]
                funnel.append((text, len(keys)))
        place = {key: row for row, key in enumerate(graph.links_by_key)}
        source, target, _port = np.array(keys, dtype=np.int64).reshape(-1, 3).T
        links = LinkRows(graph, np.array([place[key] for key in keys], dtype=np.int64))
        return self.bind(graph, links, LayerRows(graph, source), LayerRows(graph, target)), funnel


class MissingLinkPattern(_BetweenLayers):
    """Pattern of two layers that no link joins, bound to `name`; `src` and `dst` bind and restrict the two layers."""

    def match(self, graph: Graph, on: Any = None, stats: Statistics | None = None) -> tuple[Matches, Funnel]:
        """Find the pairs of layers. Costs O(layers^2)."""
        order = np.array(graph.topological_order, dtype=np.int64)
        place = np.zeros(graph.next_ids.layer, dtype=np.int64)
        place[order] = np.arange(len(order))
        if on is None:
            if (total := len(order) * (len(order) - 1) // 2) > MAX_ENUMERATED_PAIRS:
                raise RewriteError(
                    f"{total:,} pairs of layers may lack a link, more than the {MAX_ENUMERATED_PAIRS:,} that are "
                    "listed; say which ones to look at with on=pairs."
                )
            source, target = (order[k] for k in np.triu_indices(len(order), 1))
            funnel = [("pairs of layers", len(source))]
        else:
            asked = [[graph.layer(x).id for x in pair[:2]] for pair in _layer_tuples(on)]
            source, target = np.unique(np.array(asked, dtype=np.int64).reshape(-1, 2), axis=0).T
            funnel = [("pairs of layers asked for", len(source))]

        def keep(name: str, holds: Array) -> None:
            nonlocal source, target
            source, target = source[holds], target[holds]
            funnel.append((name, len(source)))

        keep(f"{self.src.name} comes before {self.dst.name}", place[source] < place[target])
        sources = [x.id for x in graph.layers_by_id.values() if x.is_source]
        keep(f"{self.dst.name} is no input", ~np.isin(target, sources))
        linked = np.array([key[:2] for key in graph.links_by_key], dtype=np.int64).reshape(-1, 2)
        keep("no link joins them", ~np.isin(source * len(place) + target, linked[:, 0] * len(place) + linked[:, 1]))
        for which, end in enumerate((self.src, self.dst)):
            for text, admitted in end.conditions(graph):
                keep(text, np.isin((source, target)[which], admitted))
        by_id = np.lexsort((target, source))
        source, target = source[by_id], target[by_id]
        pairs = LayerPairRows(graph, source, target)
        return self.bind(graph, pairs, LayerRows(graph, source), LayerRows(graph, target)), funnel


def layer(name: str, *, role: Role | None = None, where: PartWhere = None) -> LayerPattern:
    """Pattern of a layer, bound to `name`; with `role` and `where`, only of layers that pass them: see `vertex`."""
    return LayerPattern(name, role, where)


def link(name: str, *, src: LayerPattern | str = "src", dst: LayerPattern | str = "dst") -> LinkPattern:
    """Pattern of a link, also of wires, bound to `name`; `src` and `dst` bind and restrict the layers that it joins."""
    return LinkPattern(name, src, dst)  # type: ignore[arg-type]  # names become patterns


def missing_link(name: str, *, src: LayerPattern | str = "src", dst: LayerPattern | str = "dst") -> MissingLinkPattern:
    """Pattern of a missing link: two layers that no link joins, bound to `name`; `src` and `dst` bind the layers.

    The target is later in `graph.topological_order` and is neither an input nor a layer of positions. So links for any
    of these pairs, or for all of them, close no cycle.
    """
    return MissingLinkPattern(name, src, dst)  # type: ignore[arg-type]  # names become patterns


def _layer_tuples(on: Any) -> list[tuple[Any, ...]]:
    """Convert `on` to tuples of layer names or ids; one link, or one pair, may be given without a list around it."""
    if isinstance(on, Link):
        return [on.key]
    rows = [row.key if isinstance(row, Link) else row for row in on]
    if rows and all(isinstance(row, str | int | np.integer) for row in rows):
        rows = [rows]
    if bad := [row for row in rows if isinstance(row, str) or np.ndim(row) != 1 or len(row) not in (2, 3)]:
        raise RewriteError(f"`on` has {bad[0]!r}; links are given by (source, target), names or ids of their layers.")
    return [tuple(row if isinstance(row, tuple | list) else np.asarray(row).tolist()) for row in rows]


def _links_asked_for(graph: Graph, asked: tuple[Any, ...]) -> list[LinkKey]:
    """Keys of the links between two layers, at the given port or at all ports; `asked` is (source, target[, port])."""
    source, target = (graph.layer(x) for x in asked[:2])
    ports = [whole("port", port, error=RewriteError) for port in asked[2:]]
    keys = [k.key for k in graph.outgoing[source.id] if k.target == target.id and k.port in (ports or [k.port])]
    if not keys:
        port = f" at port {ports[0]}" if ports else ""
        raise RewriteError(f"There is no link from {source.name!r} to {target.name!r}{port} in this graph.")
    return keys
