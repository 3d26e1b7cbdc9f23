"""The JSON of Model Explorer: graphs that unfold layer by layer."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from netgraph.columns import Array, spans
from netgraph.exchange.labels import labels
from netgraph.exchange.rows import TextCell, row_texts, value_texts
from netgraph.graph import GraphColumns, text_column, without_value


def model_explorer(parts: Mapping[str, GraphColumns], layers: GraphColumns) -> Iterator[str]:
    """Yield the text of a collection of graphs for Model Explorer.

    Each vertex is an operation in the namespace of its layer, with its columns as attributes; each edge is an incoming
    edge of its target, and its columns are the metadata of an input. Groups have the columns of their layers.

    Args:
        parts: graphs by name.
        layers: columns of the layers, for groups.
    """
    yield '{"label":"netgraph","graphs":['
    for at, (name, columns) in enumerate(parts.items()):
        yield f'{"," if at else ""}{{"id":{json.dumps(name)},"nodes":['
        yield from _nodes(columns)
        yield "]"
        if "row" in columns.vertices:
            sizes = {
                name: str(len(part["id"])) for name, part in (("vertices", columns.vertices), ("edges", columns.edges))
            }
            yield f',"groupNodeAttributes":{json.dumps({"": sizes, **_groups(layers)})}'
        yield "}"
    yield "]}\n"


def _nodes(columns: GraphColumns) -> Iterator[str]:
    target = columns.edges["target"]
    order = np.argsort(target, kind="stable")
    sizes = np.bincount(target, minlength=len(columns.vertices["id"]))
    ends = np.cumsum(sizes).tolist()
    slots = spans(0, sizes)
    source = columns.vertices["id"][columns.edges["source"][order]]
    arcs = _list(
        [
            TextCell('{"sourceNodeId":"', source, '","sourceNodeOutputId":"0"'),
            TextCell(',"targetNodeInputId":"', slots, '"}'),
        ]
    )
    data = {name: values[order] for name, values in columns.edges.items() if name not in ("source", "target")}
    inputs = _list([TextCell('{"id":"', slots, '","attrs":['), *_attributes(data)], end="]}")
    heads = _list(
        [
            TextCell('{"id":"', columns.vertices["id"]),
            TextCell('","label":"', labels(columns)),
            TextCell('","namespace":"', _namespaces(columns), '","attrs":[', kept=True),
            *_attributes(columns.vertices),
        ]
    )
    start = 0
    for at, (head, end) in enumerate(zip(heads, ends, strict=True)):
        yield f'{"," if at else ""}\n{head}],"incomingEdges":[{",".join(arcs[start:end])}]'
        yield f',"inputsMetadata":[{",".join(inputs[start:end])}]}}'
        start = end


def _list(cells: Sequence[TextCell], end: str = "") -> list[str]:
    return [text for part in row_texts(cells, _quote, end=end) for text in part]


def _attributes(columns: Mapping[str, Array]) -> list[TextCell]:
    """Pairs of key and value; the first column, the id, has a value in every row."""
    return [
        TextCell(f'{"," if at else ""}{{"key":{json.dumps(name)},"value":"', values, '"}')
        for at, (name, values) in enumerate(columns.items())
    ]


def _namespaces(columns: GraphColumns) -> Array:
    """Name of the layer of each vertex; of layers, the part of the name before the last slash."""
    layer = columns.vertices["layer"]
    if "row" in columns.vertices:
        return layer
    return text_column([name.rpartition("/")[0] for name in layer.tolist()])


def _groups(layers: GraphColumns) -> dict[str, dict[str, str]]:
    """Attributes of the group of each layer."""
    groups: dict[str, dict[str, str]] = {name: {} for name in layers.vertices["layer"].tolist()}
    for name, values in layers.vertices.items():
        gaps = without_value(values).tolist()
        for group, text, gap in zip(groups.values(), value_texts(values, str), gaps, strict=True):
            if not gap:
                group[name] = text
    return groups


def _quote(text: str) -> str:
    """Escape a text between quotation marks."""
    return json.dumps(text)[1:-1]
