"""Patterns of layers and of the links between them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, get_args

import numpy as np

from netgraph.checks import whole
from netgraph.columns import Array
from netgraph.errors import OptionError, RewriteError, unknown_name
from netgraph.graph import Link, LinkKey, Role
from netgraph.rewriting.match import LayerPairRows, LayerRows, LinkRows, Matches, Rows

if TYPE_CHECKING:
    from netgraph.graph import Graph

MAX_ENUMERATED_PAIRS = 50_000_000
"""Missing pairs are listed up to this number; beyond it the caller says which ones with `on`."""


TAKEN = ("bound", "by", "graph", "root", "take")
"""What `Matches` has under these names is no binding."""


def check_bound(name: Any, role: Any) -> None:
    """Raise `OptionError` unless `name` can be bound and `role` is one or None."""
    if not isinstance(name, str) or not name.isidentifier() or name in TAKEN or name.startswith("_"):
        raise OptionError(
            f"A pattern cannot bind the name {name!r}; rules read it as m.{name if isinstance(name, str) else 'name'}, "
            f"so it is an identifier without _ in front, and none of {', '.join(TAKEN)}."
        )
    if role is not None and role not in get_args(Role):
        raise OptionError(unknown_name("role", role, get_args(Role)))


def check_ends(name: str, src: Any, dst: Any, kind: type, maker: str) -> None:
    """Raise `OptionError` unless both ends are patterns of one kind, and the three names differ."""
    check_bound(name, None)
    for which, end in (("src", src), ("dst", dst)):
        if not isinstance(end, kind):
            raise OptionError(f"{which}={end!r} of {name!r} is no pattern that fits; give {which}={maker}('name').")
    if len({name, src.name, dst.name}) < 3:
        raise OptionError(
            f"The names {name!r}, {src.name!r} and {dst.name!r} of a pattern and its ends are not all different."
        )


@dataclass(frozen=True)
class LayerPattern:
    """A layer bound to `name`, of a given role or any."""

    name: str
    role: Role | None = None

    def __post_init__(self) -> None:
        check_bound(self.name, self.role)

    def describe(self) -> str:
        """Readable name of the condition."""
        return f"{self.name} is {self.role}"


@dataclass(frozen=True)
class LinkPattern:
    """A link bound to `name`, with the two layers that it joins bound as `src` and `dst` say."""

    name: str
    src: LayerPattern = field(default_factory=lambda: LayerPattern("src"))
    dst: LayerPattern = field(default_factory=lambda: LayerPattern("dst"))

    def __post_init__(self) -> None:
        check_ends(self.name, self.src, self.dst, LayerPattern, "layer")


@dataclass(frozen=True)
class MissingLinkPattern:
    """A layer and a later one that no link joins, the pair bound to `name`, the layers as `src` and `dst` say."""

    name: str
    src: LayerPattern = field(default_factory=lambda: LayerPattern("src"))
    dst: LayerPattern = field(default_factory=lambda: LayerPattern("dst"))

    def __post_init__(self) -> None:
        check_ends(self.name, self.src, self.dst, LayerPattern, "layer")


def match_layers(pattern: LayerPattern, graph: Graph, on: Any) -> tuple[Matches, list[tuple[str, int]]]:
    """All matches of a layer pattern, in the order of ids, and a funnel of counts."""
    if on is None:
        layers = list(graph.layers_by_id.values())
        funnel = [("layers", len(layers))]
    else:
        asked = [on] if isinstance(on, str) or np.ndim(on) == 0 else list(on)
        layers = [graph.layer(key) for key in asked]
        funnel = [("layers asked for", len(layers))]
    if pattern.role is not None:
        layers = [x for x in layers if x.role == pattern.role]
        funnel.append((pattern.describe(), len(layers)))
    ids = np.unique(np.array([x.id for x in layers], dtype=np.int64))
    return Matches(graph, {pattern.name: LayerRows(graph, ids)}), funnel


def match_links(pattern: LinkPattern, graph: Graph, on: Any) -> tuple[Matches, list[tuple[str, int]]]:
    """All matches of a link pattern, in the order of `graph.links_by_key`, and a funnel of counts."""
    keys = list(graph.links_by_key)
    if on is not None:
        keys = sorted({key for asked in _layer_tuples(on) for key in _links_asked_for(graph, asked)})
    funnel = [("links" if on is None else "links asked for", len(keys))]
    for which, end in enumerate((pattern.src, pattern.dst)):
        if end.role is not None:
            keys = [key for key in keys if graph.layer(key[which]).role == end.role]
            funnel.append((end.describe(), len(keys)))
    place = {key: row for row, key in enumerate(graph.links_by_key)}
    source, target, _port = np.array(keys, dtype=np.int64).reshape(-1, 3).T
    bound: dict[str, Rows] = {
        pattern.name: LinkRows(graph, np.array([place[key] for key in keys], dtype=np.int64)),
        pattern.src.name: LayerRows(graph, source),
        pattern.dst.name: LayerRows(graph, target),
    }
    return Matches(graph, bound), funnel


def _layer_tuples(on: Any) -> list[tuple[Any, ...]]:
    """`on` as tuples of layer names or ids; one link, or one pair, may be given without a list around it."""
    if isinstance(on, Link):
        return [on.key]
    rows = [row.key if isinstance(row, Link) else row for row in on]
    if rows and all(isinstance(row, str | int | np.integer) for row in rows):
        rows = [rows]
    if bad := [row for row in rows if isinstance(row, str) or np.ndim(row) != 1 or len(row) not in (2, 3)]:
        raise RewriteError(f"`on` has {bad[0]!r}; links are given by (source, target), names or ids of their layers.")
    return [tuple(row if isinstance(row, tuple | list) else np.asarray(row).tolist()) for row in rows]


def _links_asked_for(graph: Graph, asked: tuple[Any, ...]) -> list[LinkKey]:
    """Keys of the links from one layer to another, at all ports unless one is named."""
    source, target = (graph.layer(x) for x in asked[:2])
    ports = [whole("port", port, error=RewriteError) for port in asked[2:]]
    keys = [k.key for k in graph.outgoing[source.id] if k.target == target.id and k.port in (ports or [k.port])]
    if not keys:
        port = f" at port {ports[0]}" if ports else ""
        raise RewriteError(f"There is no link from {source.name!r} to {target.name!r}{port} in this graph.")
    return keys


def match_missing_links(pattern: MissingLinkPattern, graph: Graph, on: Any) -> tuple[Matches, list[tuple[str, int]]]:
    """All matches of a pattern of missing links, by source and target id, and a funnel of counts."""
    order = np.array(graph.topological_order, dtype=np.int64)
    place = np.zeros(graph.next_ids.layer, dtype=np.int64)
    place[order] = np.arange(len(order))
    if on is None:
        if (total := len(order) * (len(order) - 1) // 2) > MAX_ENUMERATED_PAIRS:
            raise RewriteError(
                f"{total:,} pairs of layers may lack a link, more than the {MAX_ENUMERATED_PAIRS:,} that are listed; "
                "say which ones to look at with on=pairs."
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

    keep(f"{pattern.src.name} comes before {pattern.dst.name}", place[source] < place[target])
    keep(f"{pattern.dst.name} is no input", ~np.isin(target, [x.id for x in graph.inputs]))
    linked = np.array([key[:2] for key in graph.links_by_key], dtype=np.int64).reshape(-1, 2)
    keep("no link joins them", ~np.isin(source * len(place) + target, linked[:, 0] * len(place) + linked[:, 1]))
    for which, end in enumerate((pattern.src, pattern.dst)):
        if end.role is not None:
            of_role = [x.id for x in graph.layers_by_id.values() if x.role == end.role]
            keep(end.describe(), np.isin((source, target)[which], of_role))
    by_id = np.lexsort((target, source))
    source, target = source[by_id], target[by_id]
    bound: dict[str, Rows] = {
        pattern.name: LayerPairRows(graph, source, target),
        pattern.src.name: LayerRows(graph, source),
        pattern.dst.name: LayerRows(graph, target),
    }
    return Matches(graph, bound), funnel
