"""GEXF, the format of Gephi."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from netgraph.columns import Array, by_value
from netgraph.exchange.labels import labels
from netgraph.exchange.rows import TextCell, table
from netgraph.exchange.xml import quote, type_of
from netgraph.graph import METADATA, GraphColumns, longest_paths, text_column

_HEAD = """<?xml version="1.0" encoding="UTF-8"?>
<gexf xmlns="http://www.gexf.net/1.2draft" xmlns:viz="http://www.gexf.net/1.2draft/viz" version="1.2">
<graph mode="static" defaultedgetype="directed">
"""
_ACROSS, _DOWN = 400.0, 20.0


def gexf(columns: GraphColumns) -> Iterator[str]:
    """Yield the text of a GEXF file: a node per vertex and an edge per edge under their ids, an attribute per column.

    Nodes have a label and a position: layers beside each other by depth, vertices one below the other. The first node
    has the attribute `netgraph`, with what belongs to no single vertex or edge, since the format has no attributes of a
    graph. `weight` is an attribute like the others, and not the weight of the format, which Gephi draws: Gephi removes
    edges whose weight is 0.
    """
    count = len(columns.vertices["id"])
    whole = text_column([columns.metadata, *[""] * (count - 1)])
    vertices = {name: values for name, values in columns.vertices.items() if name != "id"} | {METADATA: whole}
    edges = {name: values for name, values in columns.edges.items() if name not in ("id", "source", "target")}
    ids = columns.vertices["id"]
    across, down = _places(columns)
    yield _HEAD
    yield from _attributes("node", vertices)
    yield from _attributes("edge", edges)
    yield f'<nodes count="{count}">\n'
    yield from table(
        [
            TextCell('<node id="', ids),
            TextCell('" label="', labels(columns)),
            TextCell('"><viz:position x="', across),
            TextCell('" y="', down, '" z="0"/><attvalues>'),
            *_values("node", vertices),
        ],
        quote,
        end="</attvalues></node>\n",
    )
    yield f'</nodes>\n<edges count="{len(columns.edges["id"])}">\n'
    ends = [
        TextCell('<edge id="', columns.edges["id"]),
        TextCell('" source="', ids[columns.edges["source"]]),
        TextCell('" target="', ids[columns.edges["target"]], '"><attvalues>'),
    ]
    yield from table([*ends, *_values("edge", edges)], quote, end="</attvalues></edge>\n")
    yield "</edges>\n</graph>\n</gexf>\n"


def _attributes(of: str, columns: Mapping[str, Array]) -> Iterator[str]:
    yield f'<attributes class="{of}" mode="static">\n'
    for at, (name, values) in enumerate(columns.items()):
        yield f'<attribute id="{of}{at}" title="{quote(name)}" type="{type_of(values)}"/>\n'
    yield "</attributes>\n"


def _values(of: str, columns: Mapping[str, Array]) -> list[TextCell]:
    return [TextCell(f'<attvalue for="{of}{at}" value="', values, '"/>') for at, values in enumerate(columns.values())]


def _places(columns: GraphColumns) -> tuple[Array, Array]:
    """Position of each vertex: by depth across, by order within its depth down; the middle of each depth is at 0."""
    count = len(columns.vertices["id"])
    depth = longest_paths(columns.edges["source"], columns.edges["target"], count)[0]
    down = np.empty(count)
    for rows in by_value(depth).values():
        down[rows] = _DOWN * ((len(rows) - 1) / 2 - np.arange(len(rows)))
    return _ACROSS * depth, down
