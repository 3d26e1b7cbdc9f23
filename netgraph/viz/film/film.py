"""The film: everything that is ever shown, each thing once, with the steps in which it is there."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from netgraph.columns import Array, IdIndex
from netgraph.errors import OptionError
from netgraph.graph import Graph, Layer, weighted
from netgraph.markup import shortened
from netgraph.viz.film.steps import Step
from netgraph.viz.layout import Layout, Pixels, layout

MOST_VERTICES = 1500
MOST_EDGES = 40_000
"""More vertices or edges than this, over the whole film, are not shown one by one."""
MOST_LAYERS = 60
CALM = 1500
"""Of the edges that stay, about as many as this are drawn in a step: those with the largest weights."""
_LEVELS = 127
_MOST_WEIGHTS = 300_000


@dataclass(frozen=True)
class Said:
    """What stands beside a step."""

    heading: str
    facts: tuple[tuple[str, str], ...]
    edges: int
    vertices: int
    layers: int


@dataclass(frozen=True, eq=False)
class Track:
    """Members of one layer or link over the steps.

    Attributes:
        ends: the layer itself, or the two layers of a link, as places in `Film.layers`.
        counts: (steps, 3) how many there are, how many of them are new, how many will go; 0: it is not there.
        wires: whether all that a link has are wires, which are not trained.
    """

    ends: tuple[int, ...]
    counts: Array
    wires: bool = False


@dataclass(frozen=True, eq=False)
class Lives:
    """Things with a first and a last step. One that went and came back is two of them."""

    ids: Array
    first: Array
    last: Array

    def alive(self, step: int) -> Array:
        """Rows of those that are there in a step."""
        return np.flatnonzero((self.first <= step) & (step <= self.last))

    def states(self, rows: Array, step: int, final: int) -> tuple[Array, Array]:
        """Which of the rows are new in a step, and which are gone in the next; what is new is not going yet."""
        new = (self.first[rows] == step) & (step > 0)
        return new, (self.last[rows] == step) & (step < final) & ~new


@dataclass(frozen=True, eq=False)
class VertexLives(Lives):
    """Vertices by life; `layer` is a place in `Film.layers`."""

    layer: Array


@dataclass(frozen=True, eq=False)
class EdgeLives(Lives):
    """Edges by life. `source` and `target` are rows of `VertexLives`, `wire` marks those that are not trained.

    `weights` has levels from -127 to 127 for every `stride`-th step of each life, from `offset` on; `threshold` has for
    each step the smallest level, without its sign, at which an edge that stays is drawn. `largest` is the weight of the
    highest level: heavier ones look the same.
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
        """Level of the weight of some edges that are there in a step."""
        return np.asarray(self.weights[self.offset[rows] + (step - self.first[rows]) // self.stride])


@dataclass(frozen=True, eq=False)
class Film:
    """A growth in steps; `vertices` and `edges` are None where only layers are shown.

    `frozen` says whether some edges are not trained; they are drawn and counted among what is drawn.
    """

    title: str
    said: tuple[Said, ...]
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
        return len(self.said) - 1

    def is_image(self, place: int) -> bool:
        """Whether the vertices of a layer stand as the pixels of an image."""
        if self.pixels is None or self.layers[place].role != "input":
            return False
        return int(self.widths[place].counts[:, 0].max()) == math.prod(self.pixels)

    def label(self, place: int) -> str:
        """Name of a layer, shortened when it is long."""
        return shortened(self.layers[place].name) or "(no name)"


class TooManyThingsError(OptionError):
    """There is more than can be shown one by one."""


def make_film(
    title: str, steps: Iterable[Step], notes: Iterable[str | None], *, vertices: bool, pixels: Pixels | None
) -> Film:
    """Run through the steps once and keep what the film needs of them.

    Raises:
        TooManyThingsError: `vertices` is asked for, and there are too many vertices, edges or layers.
        OptionError: no input layer has as many vertices as `pixels`.
    """
    crowd = _Crowd() if vertices else None
    members, links = _Members(), _Members()
    layers: dict[int, Layer] = {}
    trainable: set[tuple[int, ...]] = set()
    frozen = False
    said: list[Said] = []

    def graphs() -> Iterator[Graph]:
        nonlocal frozen
        for number, step in enumerate(steps):
            graph = step.graph
            said.append(Said(step.heading, step.facts, graph.num_edges, graph.num_vertices, graph.num_layers))
            layers.update((i, graph.layer(i)) for i in graph.topological_order)
            members.add(number, {(i,): [layer.vertex_ids] for i, layer in graph.layers_by_id.items()})
            links.add(number, _edges_by_pair(graph))
            trainable.update(link.key[:2] for link in weighted(graph.links))
            frozen = frozen or any(bool(link.frozen.any()) for link in graph.links)
            if crowd is not None:
                crowd.add(number, graph, len(layers))
            yield graph

    places = layout(graphs(), level="vertices" if vertices else "layers", pixels=pixels)
    n = len(said)
    shown = _shown_layers(layers, members, n) if crowd is None else list(layers)
    place = {i: at for at, i in enumerate(shown)}
    told = [note for note in notes if note]
    if len(shown) < len(layers):
        told.append(f"{len(layers) - len(shown):,} of {len(layers):,} layers, those that change least, are left out.")
    return Film(
        title,
        tuple(said),
        tuple(told),
        tuple(layers[i] for i in shown),
        tuple(members.tracks(n, place)),
        tuple(links.tracks(n, place, trainable)),
        places,
        frozen,
        pixels,
        *(crowd.finish(place) if crowd is not None else ()),
    )


def _edges_by_pair(graph: Graph) -> dict[tuple[int, ...], list[Array]]:
    """Edge ids by source and target layer, all ports of a pair together."""
    pairs: dict[tuple[int, ...], list[Array]] = {}
    for (source, target, _port), link in graph.links_by_key.items():
        pairs.setdefault((source, target), []).append(link.id)
    return pairs


def _shown_layers(layers: dict[int, Layer], members: _Members, steps: int) -> list[int]:
    """Inputs, outputs and the layers with most changes, at most 60."""
    order = list(layers)
    if len(order) <= MOST_LAYERS:
        return order
    changes = {key[0]: int(np.count_nonzero(counts[:, 1:])) for key, counts in members.counts(steps).items()}
    rank = sorted(order, key=lambda i: (layers[i].role == "hidden", -changes[i]))
    chosen = set(rank[:MOST_LAYERS])
    return [i for i in order if i in chosen]


class _Members:
    """Counts the members of groups, by their ids, from step to step."""

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
        """A track for every group whose layers all have a place; layers in the order of their places."""
        kept = [Track(tuple(place[i] for i in key), counts, trainable is not None and key not in trainable)
                for key, counts in self.counts(steps).items() if all(i in place for i in key)]  # fmt: skip
        return sorted(kept, key=lambda track: track.ends)


def _differences(ids: list[Array], old: list[Array]) -> tuple[int, int]:
    """How many ids are new, and how many are gone."""
    now, then = (np.concatenate([*parts, np.empty(0, np.int64)]) for parts in (ids, old))
    kept = int(np.count_nonzero(np.isin(now, then)))
    return len(now) - kept, len(then) - kept


class _Lifetimes:
    """First and last steps of ids, from step to step."""

    def __init__(self) -> None:
        self.ids, self.first, self.last = (np.empty(0, np.int64) for _ in range(3))
        self._index, self._rows = IdIndex(self.ids), np.full(1, -1)

    def add(self, step: int, ids: Array) -> tuple[Array, Array]:
        """Note who is there. Returns the row of every id, and which of them are new."""
        rows = self._rows[self._index.find(ids)]  # the last row, -1, where an id was not there before
        new = rows < 0
        fresh = np.arange(np.count_nonzero(new)) + len(self.ids)
        rows[new] = fresh
        self.ids = np.concatenate([self.ids, ids[new]])
        self.first = np.concatenate([self.first, np.full(len(fresh), step)])
        self.last = np.concatenate([self.last, fresh])
        self.last[rows] = step
        self._index, self._rows = IdIndex(ids), np.append(rows, -1)
        return rows, new


class _Crowd:
    """Vertices and edges one by one."""

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
        sizes = (("vertices", len(self._vertices.ids), MOST_VERTICES), ("edges", len(self._edges.ids), MOST_EDGES),
                 ("layers", layers, MOST_LAYERS))  # fmt: skip
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
        edges = EdgeLives(lives.ids, lives.first, lives.last, source, target, wire.astype(bool), levels, offset, stride,
                      np.zeros(len(self._weights), np.int64), largest)  # fmt: skip
        for step in range(len(self._weights)):
            edges.threshold[step] = _threshold(edges, step, len(self._weights) - 1)
        return VertexLives(v.ids, v.first, v.last, layer), edges

    def _largest(self, wire: Array) -> float:
        """The weight that counts as large: some outliers must not make all others look like nothing."""
        parts = [np.abs(weights[~wire[rows]]) for rows, weights in self._weights]
        values = np.concatenate(parts)
        values = values[values > 0]
        return float(np.quantile(values, 0.99)) if len(values) else 1.0


def _level(weights: Array, largest: float) -> Array:
    """Weights as levels; only 0 has level 0."""
    size = np.clip(np.ceil(np.abs(weights.astype(np.float64)) / largest * _LEVELS), 0, _LEVELS)
    return np.asarray(np.sign(weights) * size, dtype=np.int8)


def _threshold(edges: EdgeLives, step: int, final: int) -> int:
    rows = edges.alive(step)
    new, going = edges.states(rows, step, final)
    sizes = np.abs(edges.levels(rows[~new & ~going], step).astype(np.int64))
    reached = np.cumsum(np.bincount(sizes, minlength=_LEVELS + 1)[::-1])[::-1]
    return min(int(np.count_nonzero(reached > CALM)), _LEVELS)


def changes(counts: Array) -> list[list[int]]:
    """The rows of a track that differ from the one before, each with its step in front."""
    rows = counts.tolist()
    first = [[0, *rows[0]]] if rows and any(rows[0]) else []
    return first + [[k, *row] for k, (before, row) in enumerate(pairwise(rows), start=1) if row != before]
