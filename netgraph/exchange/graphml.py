"""GraphML: yEd, Cytoscape, igraph, NetworkX."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from netgraph.columns import Array
from netgraph.exchange.rows import TextCell, table
from netgraph.exchange.xml import quote, type_of
from netgraph.graph import METADATA, GraphColumns

_HEAD = """<?xml version="1.0" encoding="UTF-8"?>
<graphml xmlns="http://graphml.graphdrawing.org/xmlns" \
xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" \
xsi:schemaLocation="http://graphml.graphdrawing.org/xmlns http://graphml.graphdrawing.org/xmlns/1.0/graphml.xsd">
"""


def graphml(columns: GraphColumns) -> Iterator[str]:
    """Yield the text of a GraphML file: a node per vertex under its id, an edge per edge, a key per column.

    The id of an edge is a column like the others, since igraph loses the ids that the format has for edges. The graph
    has the attribute `netgraph`, with all that belongs to no single vertex or edge.
    """
    vertices = {name: values for name, values in columns.vertices.items() if name != "id"}
    edges = {name: values for name, values in columns.edges.items() if name not in ("source", "target")}
    ids = columns.vertices["id"]
    yield _HEAD
    yield f'<key id="g" for="graph" attr.name="{METADATA}" attr.type="string"/>\n'
    yield from _keys("node", vertices)
    yield from _keys("edge", edges)
    yield f'<graph id="{METADATA}" edgedefault="directed">\n<data key="g">{quote(columns.metadata)}</data>\n'
    yield from table([TextCell('<node id="', ids, '">'), *_data("node", vertices)], quote, end="</node>\n")
    ends = [
        TextCell('<edge source="', ids[columns.edges["source"]], '"'),
        TextCell(' target="', ids[columns.edges["target"]], '">'),
    ]
    yield from table([*ends, *_data("edge", edges)], quote, end="</edge>\n")
    yield "</graph>\n</graphml>\n"


def _keys(of: str, columns: Mapping[str, Array]) -> Iterator[str]:
    for at, (name, values) in enumerate(columns.items()):
        yield f'<key id="{of}{at}" for="{of}" attr.name="{quote(name)}" attr.type="{type_of(values)}"/>\n'


def _data(of: str, columns: Mapping[str, Array]) -> list[TextCell]:
    return [TextCell(f'<data key="{of}{at}">', values, "</data>") for at, values in enumerate(columns.values())]
