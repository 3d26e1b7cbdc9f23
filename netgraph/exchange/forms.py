"""Files for other programs by form, written and read."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from netgraph.checks import choice
from netgraph.errors import FileFormatError, GraphError, OptionError
from netgraph.exchange.dot import dot
from netgraph.exchange.edge_list import edge_list, vertex_list
from netgraph.exchange.gexf import gexf
from netgraph.exchange.graphml import graphml
from netgraph.exchange.model_explorer import model_explorer
from netgraph.exchange.tables import read_edges, vertices_beside
from netgraph.graph import Graph, GraphColumns, columns_of, folded_columns
from netgraph.statistics import Statistics
from netgraph.storage import read_file, to_utf8, write_atomically

FormName = Literal["graphml", "gexf", "dot", "edges", "model-explorer"]
Fold = Literal["layers"]

MOST_BYTES = 1 << 31
"""Largest size, in bytes, of a file that is read."""


@dataclass(frozen=True, kw_only=True)
class FileForm:
    """A form of files for other programs.

    Attributes:
        suffixes: ends of the names of such files; the first is the usual one.
        read: whether a graph can be read from it.
    """

    suffixes: tuple[str, ...]
    read: bool


FORMS: Mapping[FormName, FileForm] = {
    "graphml": FileForm(suffixes=(".graphml",), read=True),
    "gexf": FileForm(suffixes=(".gexf",), read=True),
    "dot": FileForm(suffixes=(".dot", ".gv"), read=False),
    "edges": FileForm(suffixes=(".csv", ".tsv"), read=True),
    "model-explorer": FileForm(suffixes=(".json",), read=False),
}
"""Forms by name."""


def write(
    graph: Graph,
    path: str | os.PathLike[str],
    *,
    stats: Statistics | None = None,
    fold: Fold | None = None,
) -> tuple[Path, ...]:
    """Write a graph to a file for another program, with all columns of vertices and edges as attributes.

    The end of the name decides: `.graphml` (yEd, Cytoscape, igraph), `.gexf` (Gephi), `.dot` (Graphviz), `.csv` or
    `.tsv` (a table of edges, and beside it `NAME.vertices.csv` with a table of vertices), `.json` (Model Explorer).

    Args:
        graph: the graph.
        path: the file; one that exists is replaced.
        stats: statistics of this graph, whose columns become attributes too; NaN gives none.
        fold: "layers" for one vertex per layer and one edge per link, with sizes and means in place of columns.

    Returns:
        The written files.

    Raises:
        OptionError: for another end of the name.
        StatisticsError: for statistics of another topology.
        GraphError: for names of layers that the form cannot hold.
        OSError: when the file cannot be written; a file that existed before stays unchanged.

    Cost: O(vertices + edges), a text per edge and column; all texts are in memory before they are written. 100,000
    edges take 0.2 s and from 4 MB (a table) to 31 MB (Model Explorer).
    """
    target = Path(path)
    form = _form(target)
    choice("fold", fold, (None, "layers"))
    if stats is not None:
        stats.check(graph)
    more = (stats.edges, stats.vertices) if stats is not None else (None, None)
    columns = folded_columns(graph, *more) if fold else columns_of(graph, *more)
    if form == "edges":
        separator = "\t" if target.suffix == ".tsv" else ","
        beside = vertices_beside(target)
        _write(beside, vertex_list(columns, separator))
        _write(target, edge_list(columns, separator))
        return target, beside
    if form == "model-explorer":
        layers = folded_columns(graph, *more)
        parts = {"layers": layers} if fold else {"layers": layers, "edges": columns}
        _write(target, model_explorer(parts, layers))
    else:
        _write(target, _TEXTS[form](columns))
    return (target,)


_TEXTS: Mapping[str, Callable[[GraphColumns], Iterator[str]]] = {"graphml": graphml, "gexf": gexf, "dot": dot}


def read(path: str | os.PathLike[str], *, domain: tuple[float, float] | None = None, dtype: Any = np.float32) -> Graph:
    """Read a graph from a file of GraphML, GEXF, or edges (`.csv`, `.tsv`).

    GraphML and GEXF that `write` made give the same graph back, ids and history included. Any other directed graph
    there, and a table of edges, is a plain DAG, which becomes layers as in `from_edges`: a table needs a heading with
    `source` and `target`, or has two or three columns, the third of which is the weight. `NAME.vertices.csv` beside a
    table `NAME.csv` gives columns of vertices.

    Args:
        path: the file.
        domain: interval of the inputs of a table of edges, as in `from_edges`.
        dtype: float32 or float64, for the weights of a table of edges.

    Raises:
        OptionError: for another end of the name.
        FileFormatError: for a file that is damaged.
        GraphError: for edges that make no graph; the message names the vertices of a cycle.
        OSError: when the file cannot be read.

    Cost: O(vertices + edges); GraphML and GEXF pass through NetworkX, 2.5 s for 100,000 edges.
    """
    source = Path(path)
    form = _form(source)
    if form == "edges":
        return read_edges(source, MOST_BYTES, domain=domain, dtype=dtype)
    if not FORMS[form].read:
        raise OptionError(f"{os.fspath(path)!r} is a picture for {form}; read GraphML, GEXF or a table of edges.")
    import networkx as nx

    data = read_file(source, MOST_BYTES)
    if b"<!DOCTYPE" in data or b"<!ENTITY" in data:
        raise FileFormatError(f"{os.fspath(path)!r} has a DOCTYPE, which can name other files; remove it.")
    try:
        if form == "graphml":
            found = nx.read_graphml(io.BytesIO(data), force_multigraph=True)
        else:
            found = nx.read_gexf(io.BytesIO(data))
    except MemoryError:
        raise
    except Exception as error:  # the readers of NetworkX check nothing, and fail in any way on damaged files
        raise FileFormatError(f"{os.fspath(path)!r} is no {form} that can be read: {error}.") from error
    try:
        return Graph.from_networkx(found)
    except GraphError as error:
        raise GraphError(f"{os.fspath(path)!r}: {error}") from None


def _form(path: Path) -> FormName:
    for name, form in FORMS.items():
        if path.suffix.lower() in form.suffixes:
            return name
    known = ", ".join(suffix for form in FORMS.values() for suffix in form.suffixes)
    raise OptionError(f"The name {path.name!r} ends in none of {known}; the end says in which form the file is.")


def _write(path: Path, parts: Iterator[str]) -> None:
    write_atomically(path, to_utf8("".join(parts)))
