"""Data of a film: every vertex, edge, layer and link that it ever shows, with the steps in which it exists."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from netgraph.columns import Array, IdIndex
from netgraph.errors import OptionError
from netgraph.graph import Graph, Layer, weighted
from netgraph.markup import shortened
from netgraph.viz.film.steps import Step
from netgraph.viz.layout import Layout, Pixels, layout

MOST_VERTICES = 1500
MOST_EDGES = 40_000
"""Largest numbers of vertices and of edges, over all steps, that a film shows one by one."""
MOST_LAYERS = 60
"""Largest number of layers, over all steps."""
MOST_KEPT = 1500
"""Approximate number of kept edges that a step draws, the ones with the largest weights."""
_LEVELS = 127
# Largest number of stored weight levels; more are thinned out over the steps.
_MOST_WEIGHTS = 300_000


@dataclass(frozen=True)
class Caption:
    """Text beside a step: a heading, facts as pairs of name and value, and sizes of the graph."""

    heading: str
    facts: tuple[tuple[str, str], ...]
    edges: int
    vertices: int
    layers: int


@dataclass(frozen=True, eq=False)
class Track:
    """Numbers of vertices of a layer, or of edges of a link, over the steps.

    Attributes:
        ends: index of the layer in `Film.layers`, or indices of the source and the target layer of the link.
        counts: number of all members, of new ones, and of ones removed in the next step, `(steps, 3)`; 0 if absent.
        wires: whether the link has wires only, which are not trained.
    """

    ends: tuple[int, ...]
    counts: Array
    wires: bool = False


@dataclass(frozen=True, eq=False)
class Lives:
    """Lifetimes of vertices or edges, a row for each. An id that is removed and added again has two rows.

    Attributes:
        ids: id of each row.
        first, last: first and last step in which it exists.
    """

    ids: Array
    first: Array
    last: Array

    def alive(self, step: int) -> Array:
        """Rows that exist in a step."""
        return np.flatnonzero((self.first <= step) & (step <= self.last))

    def states(self, rows: Array, step: int, final: int) -> tuple[Array, Array]:
        """Masks of the rows that are new in a step, and of the rows that are removed in the next one.

        A row that is both counts as new only.
        """
        new = (self.first[rows] == step) & (step > 0)
        return new, (self.last[rows] == step) & (step < final) & ~new


@dataclass(frozen=True, eq=False)
class VertexLives(Lives):
    """Lifetimes of vertices; `layer` has the index of the layer of each in `Film.layers`."""

    layer: Array


@dataclass(frozen=True, eq=False)
class EdgeLives(Lives):
    """Lifetimes of edges, with their weights as levels from -127 to 127.

    Attributes:
        source, target: rows of the ends in `VertexLives`.
        wire: mask of edges that are not trained.
        weights: levels of all edges in one array, for every `stride`-th step of each lifetime.
        offset: index of the first level of each edge in `weights`.
        stride: number of steps that share a level.
        threshold: smallest absolute level at which a kept edge is drawn, `(steps,)`.
        largest: absolute weight of the level 127. Larger weights have the same level.
    """

    source: Array
    target: Array
    wire: Array
    weights: Array
    offset: Array
    stride: int
    threshold: Array
    largest: float

    def levels(self, rows: Array, step: int) -> Array:
        """Weight levels of some edges in a step in which they exist."""
        return np.asarray(self.weights[self.offset[rows] + (step - self.first[rows]) // self.stride])


@dataclass(frozen=True, eq=False)
class Film:
    """The growth of a network in steps.

    Attributes:
        title: heading of the film.
        captions: text of each step.
        notes: remarks about the whole film, such as omissions.
        layers: all layers that are shown.
        widths: numbers of vertices of each layer.
        links: numbers of edges of each pair of layers.
        places: positions of layers and vertices.
        frozen: whether some edges are not trained. They are drawn, and counted among the drawn ones.
        pixels: shape of the input as an image, or None.
        vertices, edges: lifetimes, or None in a film of layers.
    """

    title: str
    captions: tuple[Caption, ...]
    notes: tuple[str, ...]
    layers: tuple[Layer, ...]
    widths: tuple[Track, ...]
    links: tuple[Track, ...]
    places: Layout
    frozen: bool = False
    pixels: Pixels | None = None
    vertices: VertexLives | None = None
    edges: EdgeLives | None = None

    @property
    def final(self) -> int:
        """Number of the last step."""
        return len(self.captions) - 1

    def is_image(self, place: int) -> bool:
        """Whether the vertices of a layer are laid out as the pixels of an image."""
        if self.pixels is None or self.layers[place].role != "input":
            return False
        return int(self.widths[place].counts[:, 0].max()) == math.prod(self.pixels)

    def label(self, place: int) -> str:
        """Name of a layer, shortened when it is long."""
        return shortened(self.layers[place].name) or "(no name)"


class TooManyThingsError(OptionError):
    """The graphs have too many vertices, edges or layers to show them one by one."""


def make_film(
    title: str, steps: Iterable[Step], notes: Iterable[str | None], *, vertices: bool, pixels: Pixels | None
) -> Film:
    """Make a film of steps, which are read once.

    Args:
        title: heading of the film.
        steps: the graphs with their captions, in order.
        notes: texts; None is left out.
        vertices: show every vertex and edge, or else layers and links only.
        pixels: shape of the input as an image, or None.

    Raises:
        TooManyThingsError: `vertices` is True, and the steps have too many vertices, edges or layers.
        OptionError: no input layer has as many vertices as `pixels`.
    """
    collector = _LifeCollector() if vertices else None
    members, links = _Members(), _Members()
    layers: dict[int, Layer] = {}
    trainable: set[tuple[int, ...]] = set()
    frozen = False
    captions: list[Caption] = []

    def graphs() -> Iterator[Graph]:
        nonlocal frozen
        for number, step in enumerate(steps):
            graph = step.graph
            captions.append(Caption(step.heading, step.facts, graph.num_edges, graph.num_vertices, graph.num_layers))
            layers.update((i, graph.layer(i)) for i in graph.topological_order)
            members.add(number, {(i,): [layer.vertex_ids] for i, layer in graph.layers_by_id.items()})
            links.add(number, _edges_by_pair(graph))
            trainable.update(link.key[:2] for link in weighted(graph.links))
            frozen = frozen or any(bool(link.frozen.any()) for link in graph.links)
            if collector is not None:
                collector.add(number, graph, len(layers))
            yield graph

    places = layout(graphs(), level="vertices" if vertices else "layers", pixels=pixels)
    n = len(captions)
    shown = _shown_layers(layers, members, links, n) if collector is None else list(layers)
    place = {i: at for at, i in enumerate(shown)}
    texts = [note for note in notes if note]
    if len(shown) < len(layers):
        texts.append(f"{len(layers) - len(shown):,} of {len(layers):,} layers, those that change least, are left out.")
    return Film(
        title,
        tuple(captions),
        tuple(texts),
        tuple(layers[i] for i in shown),
        tuple(members.tracks(n, place)),
        tuple(links.tracks(n, place, trainable)),
        places,
        frozen,
        pixels,
        *(collector.finish(place) if collector is not None else ()),
    )


def _edges_by_pair(graph: Graph) -> dict[tuple[int, ...], list[Array]]:
    """Edge ids by source and target layer. The ports of a pair are taken together."""
    pairs: dict[tuple[int, ...], list[Array]] = {}
    for (source, target, _port), link in graph.links_by_key.items():
        pairs.setdefault((source, target), []).append(link.id)
    return pairs


def _shown_layers(layers: dict[int, Layer], members: _Members, links: _Members, steps: int) -> list[int]:
    """Ids of at most 60 layers: inputs, outputs, and the layers with the most changes, then those linked by changes."""
    order = list(layers)
    if len(order) <= MOST_LAYERS:
        return order
    changes, linked = dict.fromkeys(order, 0), dict.fromkeys(order, 0)
    for groups, found in ((members, changes), (links, linked)):
        for key, counts in groups.counts(steps).items():
            for i in key:
                found[i] += int(np.count_nonzero(counts[:, 1:]))
    rank = sorted(order, key=lambda i: (layers[i].role == "hidden", -changes[i], -linked[i]))
    chosen = set(rank[:MOST_LAYERS])
    return [i for i in order if i in chosen]


class _Members:
    """Counter of the members of groups over the steps: of all, of new and of removed ids."""

    def __init__(self) -> None:
        self._counts: dict[tuple[int, ...], dict[int, list[int]]] = {}
        self._before: dict[tuple[int, ...], list[Array]] = {}

    def add(self, step: int, groups: dict[tuple[int, ...], list[Array]]) -> None:
        for key, ids in groups.items():
            old = self._before.get(key, [])
            same = len(ids) == len(old) and all(a is b for a, b in zip(ids, old, strict=True))
            new, gone = (0, 0) if same else _differences(ids, old)
            self._counts.setdefault(key, {})[step] = [sum(map(len, ids)), new if step else 0, 0]
            if gone:
                self._counts[key][step - 1][2] = gone
        for key in self._before.keys() - groups.keys():
            self._counts[key][step - 1][2] = self._counts[key][step - 1][0]
        self._before = groups

    def counts(self, steps: int) -> dict[tuple[int, ...], Array]:
        result = {}
        for key, own in self._counts.items():
            result[key] = np.zeros((steps, 3), np.int64)
            result[key][list(own)] = list(own.values())
        return result

    def tracks(self, steps: int, place: dict[int, int], trainable: set[tuple[int, ...]] | None = None) -> list[Track]:
        """Tracks of all groups whose layers are in `place`, in the order of `place`.

        Args:
            steps: number of steps.
            place: index of each layer in the film, by layer id.
            trainable: pairs of layers with trainable links; None for groups of vertices.
        """
        kept = [
            Track(tuple(place[i] for i in key), counts, trainable is not None and key not in trainable)
            for key, counts in self.counts(steps).items()
            if all(i in place for i in key)
        ]
        return sorted(kept, key=lambda track: track.ends)


def _differences(ids: list[Array], old: list[Array]) -> tuple[int, int]:
    """Number of ids that are not in `old`, and number of ids in `old` that are missing now."""
    now, then = (np.concatenate([*parts, np.empty(0, np.int64)]) for parts in (ids, old))
    kept = int(np.count_nonzero(np.isin(now, then)))
    return len(now) - kept, len(then) - kept


class _Lifetimes:
    """First and last step of every id, collected step by step."""

    def __init__(self) -> None:
        self.ids, self.first, self.last = (np.empty(0, np.int64) for _ in range(3))
        self._index, self._rows = IdIndex(self.ids), np.full(1, -1)

    def add(self, step: int, ids: Array) -> tuple[Array, Array]:
        """Record the ids of a step. Return the row of every id, and the mask of the new ones."""
        rows = self._rows[self._index.find(ids)]  # an id without a row has the index -1, whose value is -1
        new = rows < 0
        fresh = np.arange(np.count_nonzero(new)) + len(self.ids)
        rows[new] = fresh
        self.ids = np.concatenate([self.ids, ids[new]])
        self.first = np.concatenate([self.first, np.full(len(fresh), step)])
        self.last = np.concatenate([self.last, fresh])
        self.last[rows] = step
        self._index, self._rows = IdIndex(ids), np.append(rows, -1)
        return rows, new


class _LifeCollector:
    """Collector of the lifetimes of all vertices and edges, step by step."""

    def __init__(self) -> None:
        self._vertices, self._edges = _Lifetimes(), _Lifetimes()
        self._layer: list[Array] = []
        self._ends: list[Array] = []
        self._weights: list[tuple[Array, Array]] = []

    def add(self, step: int, graph: Graph, layers: int) -> None:
        edges = graph.edges
        rows, new = self._vertices.add(step, graph.vertices.id)
        self._layer.append(graph.vertices.layer[new])
        own, fresh = self._edges.add(step, edges.id)
        wire = edges.frozen[fresh].astype(np.int64)
        self._ends.append(np.stack([rows[edges.source_row[fresh]], rows[edges.target_row[fresh]], wire]))
        self._weights.append((own, edges.weight.astype(np.float32)))
        sizes = (
            ("vertices", len(self._vertices.ids), MOST_VERTICES),
            ("edges", len(self._edges.ids), MOST_EDGES),
            ("layers", layers, MOST_LAYERS),
        )
        for what, n, limit in sizes:
            if n > limit:
                raise TooManyThingsError(
                    f"detail='vertices' shows at most {limit:,} {what} over all steps, and up to step {step} there "
                    f"were {n:,}. Use detail='layers'."
                )

    def finish(self, place: dict[int, int]) -> tuple[VertexLives, EdgeLives]:
        lives, v = self._edges, self._vertices
        layer = np.array([place[i] for i in np.concatenate(self._layer).tolist()], np.int64)
        source, target, wire = np.concatenate(self._ends, axis=1)
        length = lives.last - lives.first + 1
        stride = max(1, -(-int(length.sum()) // _MOST_WEIGHTS))
        kept = (length - 1) // stride + 1
        offset = np.cumsum(kept) - kept
        largest = self._largest(wire.astype(bool))
        levels = np.zeros(int(kept.sum()), np.int8)
        for step, (rows, weights) in enumerate(self._weights):
            at, rest = np.divmod(step - lives.first[rows], stride)
            due = rest == 0
            levels[offset[rows[due]] + at[due]] = _level(weights[due], largest)
        edges = EdgeLives(
            lives.ids,
            lives.first,
            lives.last,
            source,
            target,
            wire.astype(bool),
            levels,
            offset,
            stride,
            np.zeros(len(self._weights), np.int64),
            largest,
        )
        for step in range(len(self._weights)):
            edges.threshold[step] = _threshold(edges, step, len(self._weights) - 1)
        return VertexLives(v.ids, v.first, v.last, layer), edges

    def _largest(self, wire: Array) -> float:
        """Weight with the highest level: a quantile, since a few outliers would make all other weights look like 0."""
        parts = [np.abs(weights[~wire[rows]]) for rows, weights in self._weights]
        values = np.concatenate(parts)
        values = values[values > 0]
        return float(np.quantile(values, 0.99)) if len(values) else 1.0


def _level(weights: Array, largest: float) -> Array:
    """Levels of weights. Only the weight 0 has the level 0."""
    size = np.clip(np.ceil(np.abs(weights.astype(np.float64)) / largest * _LEVELS), 0, _LEVELS)
    return np.asarray(np.sign(weights) * size, dtype=np.int8)


def _threshold(edges: EdgeLives, step: int, final: int) -> int:
    rows = edges.alive(step)
    new, going = edges.states(rows, step, final)
    sizes = np.abs(edges.levels(rows[~new & ~going], step).astype(np.int64))
    reached = np.cumsum(np.bincount(sizes, minlength=_LEVELS + 1)[::-1])[::-1]
    return min(int(np.count_nonzero(reached > MOST_KEPT)), _LEVELS)
