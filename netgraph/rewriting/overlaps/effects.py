"""The effect of a rewrite as one value, which two rewrites share when they make the same edits."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from netgraph.columns import Array
from netgraph.rewriting.delta import Delta

NEW = 2**40
"""Offset of the numbers of new parts, which are counted from 0, so that they do not depend on the ids in use."""

Effect = tuple[object, ...]


def effect_of(delta: Delta) -> Effect:
    """Edits of a delta by id, without the values before them: equal for two graphs whose other ids differ."""
    return tuple(_parts(delta))


def _parts(delta: Delta) -> Iterator[object]:
    first = delta.before.next_ids
    new, gone = delta.edges_added, delta.edges_removed
    links = np.array([(*_counted(np.array(k[:2]), first.layer), k[2]) for k in delta.link_keys]).reshape(-1, 3)
    yield _rows(
        _counted(new.source, first.vertex), _counted(new.target, first.vertex), new.tap, links[new.link, 2], new.weight,
        new.frozen,
    )  # fmt: skip
    yield _rows(gone.id)
    vertices = delta.vertices_added
    values = [vertices.values[name] for name in sorted(vertices.values)]
    yield sorted(vertices.values), _rows(_counted(vertices.layer, first.layer), *values)
    yield _rows(delta.vertices_removed.id)
    for changes in (delta.edges_changed, delta.vertices_changed):
        yield {name: _rows(change.id, change.new) for name, change in changes.items()}
    yield [(int(_counted(np.array([r.id]), first.layer)[0]), _plain(r.attributes)) for r in delta.layers_added]
    yield sorted(record.id for record in delta.layers_removed)
    yield sorted((now.id, _plain(now.attributes)) for _, now in delta.layers_changed)
    yield sorted(record.key for record in delta.links_removed)


def _counted(ids: Array, first: int) -> Array:
    """Ids of known parts, and numbers from `NEW` on of new ones."""
    return np.where(ids >= first, ids - first + NEW, ids)


def _rows(*columns: Array) -> bytes:
    """All rows of columns as bytes, whatever their order."""
    table = np.column_stack([np.asarray(c, dtype=np.float64) + 0.0 for c in columns])
    return bytes(table[np.lexsort(table.T)].tobytes())


def _plain(attributes: object) -> str:
    return repr(sorted((k, repr(v)) for k, v in dict(attributes).items() if k != "name"))  # type: ignore[call-overload]
