"""Drawings of a graph (`draw`) and of the changes between two graphs (`draw_delta`)."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from netgraph.checks import choice
from netgraph.errors import OptionError
from netgraph.graph import Graph
from netgraph.rewriting import Draft, Result, Rewrite
from netgraph.statistics import Statistics
from netgraph.storage import write_text
from netgraph.viz.checks import check_graph, check_history, check_title
from netgraph.viz.delta import Difference, layer_delta_dot, vertex_delta_dot
from netgraph.viz.layers import layer_dot
from netgraph.viz.layout import Pixels
from netgraph.viz.render import render_svg
from netgraph.viz.scales import Choice, edge_scale, vertex_scale
from netgraph.viz.text import format_count
from netgraph.viz.vertices import Style, vertex_dot

Detail = Literal["auto", "vertices", "layers"]

_DETAILS = ("auto", "vertices", "layers")
# Largest numbers of vertices, edges and layers for which `auto` draws vertices.
_AUTO_LIMITS = (400, 5000, 20)
_MOST_VERTICES = 4000
# Largest number of added, removed and changed edges for which `auto` draws vertices.
_MOST_CHANGES = 600


@dataclass(frozen=True)
class Drawing:
    """A picture of a graph. Notebooks display it without a further call."""

    dot: str
    """The picture in Graphviz's DOT language."""
    graph: Graph | None = field(default=None, repr=False, compare=False)
    """The graph, or the later graph of a change; None for a picture that was made without a graph."""
    options: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)
    """Options of the drawing that `diff` uses again: `detail`, `title` and `pixels`."""

    @cached_property
    def svg(self) -> str:
        """The picture as a self-contained SVG element. The same graph and renderer give the same text."""
        return render_svg(self.dot)

    def _repr_svg_(self) -> str:
        return self.svg

    def __repr__(self) -> str:
        return f"Drawing({len(self.dot):,} characters of DOT; .svg, .save('graph.svg'))"

    def diff(self, other: Graph | Drawing) -> Drawing:
        """Draw the changes that lead to another graph of the same history, see `draw_delta`.

        Args:
            other: the later graph, or a picture of it.

        Raises:
            OptionError: when one of the pictures was made without a graph, or the graphs are not of one history.
        """
        after = other.graph if isinstance(other, Drawing) else other
        if self.graph is None or after is None:
            raise OptionError(
                "A picture that was made without a graph cannot be compared; use draw(graph).diff(other)."
            )
        options = {name: self.options[name] for name in ("detail", "title", "pixels") if name in self.options}
        return draw_delta(self.graph, after, **options)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the picture to a file whose name ends in .svg or .dot.

        Raises:
            OptionError: for any other suffix, or when Graphviz, which renders the SVG, is not installed.
            OSError: when the file cannot be written; a file that existed before stays unchanged.
        """
        suffix = Path(path).suffix.lower()
        if suffix not in (".svg", ".dot"):
            raise OptionError(
                f"{os.fspath(path)!r} ends in neither .svg nor .dot, the kinds that can be written. For slides or "
                "print, save the .svg and open it in a browser or in Inkscape, which write PNG and PDF."
            )
        write_text(path, self.svg if suffix == ".svg" else self.dot)


def draw(
    graph: Graph,
    *,
    detail: Detail = "auto",
    title: str | None = None,
    edge_color: Choice = "weight",
    edge_width: Choice = "weight",
    vertex_color: Choice = "layer",
    stats: Statistics | None = None,
    pixels: Pixels | None = None,
) -> Drawing:
    """Draw a graph.

    With `detail="vertices"` every vertex is a circle and every edge an arrow. Only the edges with the largest absolute
    values of `edge_width` are drawn, at most 200 to 600 of them by the height of the picture, since a reader cannot
    follow more. With `detail="layers"` every layer is a box and every link an arrow, whose width grows with its number
    of edges. In a picture of many layers some boxes stand for several layers. The caption states what was left out.

    Args:
        graph: the graph.
        detail: "vertices", "layers", or "auto", which draws vertices of a graph with at most 400 vertices, 5,000 edges
            and 20 layers, and layers of a larger one.
        title: heading of the picture, or None.
        edge_color, edge_width: "weight", "birth" (number of the rewrite that made the edge), a column of
            `stats.edges`, an array with a value for each row of `graph.edges`, or None. With `detail="layers"` the
            colour of an arrow shows the mean over its link, except for "weight", and `edge_width` has no effect.
        vertex_color: "layer" (input, hidden or output), "birth", a vertex column such as "bias", a column of
            `stats.vertices`, an array with a value for each row of `graph.vertices`, or None. Boxes show the mean.
        stats: statistics of this topology.
        pixels: shape of the input, `(height, width)` or `(channels, height, width)`. Its vertices are laid out as an
            image. With `detail="layers"` it has no effect.

    Returns:
        The picture, with its texts in `.svg` and `.dot`.

    Raises:
        OptionError: an argument is of the wrong kind, unknown or does not fit, the graph is too large to draw its
            vertices, or the package graphviz is not installed.
        StatisticsError: `stats` belong to another topology.

    Example:
        >>> draw(mlp([4, 3, 2])).save("graph.svg")  # doctest: +SKIP
    """
    check_graph(graph, "draw")
    check_title(title)
    check_detail(detail)
    if stats is not None:
        stats.check(graph)
    colors = edge_scale(graph, edge_color, stats, "edge_color")
    widths = edge_scale(graph, edge_width, stats, "edge_width")
    fills = vertex_scale(graph, vertex_color, stats)
    if as_vertices(detail, graph.num_vertices, len(graph.edges), graph.num_layers):
        dot = vertex_dot(graph, Style(colors, widths, fills), title, pixels)
    else:
        plain = isinstance(edge_color, str) and edge_color == "weight"
        dot = layer_dot(graph, None if plain else colors, fills, title)
    return Drawing(dot, graph, {"detail": detail, "title": title, "pixels": pixels})


def draw_delta(
    result: Rewrite | Graph,
    after: Graph | None = None,
    *,
    detail: Detail = "auto",
    title: str | None = None,
    pixels: Pixels | None = None,
) -> Drawing:
    """Draw the changes of a rewrite: added (green, thick), removed (red, dashed), changed (amber) and kept (grey).

    Items that both graphs have are drawn once. The caption states the counts, and for a `Result` the rule and the
    certificate as well.

    Args:
        result: the outcome of `apply` or `draft`, or the earlier of two graphs of one history.
        after: the later graph, only when `result` is a graph.
        detail: "vertices", "layers", or "auto", which draws vertices when at most 600 edges were added, removed or
            changed and `draw` would draw vertices.
        title: heading of the picture, or None. The rule of a `Result` stands below it.
        pixels: shape of the input, see `draw`.

    Raises:
        OptionError: an option is unknown or does not fit, the second graph is missing or not needed, the graphs are
            not of one history, or they are too large to draw their vertices.

    Example:
        >>> result = apply(SplitEdges(), mlp([3, 2]))  # doctest: +SKIP
        >>> draw_delta(result).save("split.svg")  # doctest: +SKIP
    """
    check_detail(detail)
    check_title(title)
    old, new = _graphs(result, after)
    check_history(old, new)
    difference = Difference.between(old, new)
    facts = [] if isinstance(result, Graph) else [_rule_line(result)]
    summary = difference.summary()
    facts.append(f"{summary[0].upper()}{summary[1:]}.")
    if isinstance(result, Rewrite):
        facts.append(f"Certificate: {result.certificate.brief()}.")
    vertices = new.num_vertices + int(difference.vertices_removed.sum())
    if detail == "auto" and difference.size > _MOST_CHANGES:
        small = False
    else:
        layers = new.num_layers + len(difference.layers_removed)
        small = as_vertices(detail, vertices, max(len(old.edges), len(new.edges)), layers)
    dot = vertex_delta_dot(difference, title, facts, pixels) if small else layer_delta_dot(difference, title, facts)
    return Drawing(dot, new, {"detail": detail, "title": title, "pixels": pixels})


def _graphs(result: Rewrite | Graph, after: Graph | None) -> tuple[Graph, Graph]:
    if isinstance(result, Graph):
        if after is None:
            raise OptionError("draw_delta(graph) lacks the later graph: draw_delta(before, after), or a Result.")
        check_graph(after, "draw_delta(before, after)")
        return result, after
    if not isinstance(result, Rewrite):
        check_graph(result, "draw_delta, without a Result,")
    if after is not None:
        raise OptionError("A Result has both of its graphs; leave out the second argument of draw_delta.")
    if result.delta.graphs is None:
        raise OptionError("The delta of this Result was read from a file; call draw_delta(before, after) instead.")
    return result.delta.graphs


def _rule_line(result: Rewrite) -> str:
    name = result.rule.name
    if not result.changed:
        return f"{name} changed nothing." if result.count else f"{name} matched nothing."
    skipped = f", {len(result.skipped):,} skipped" if isinstance(result, Draft | Result) and len(result.skipped) else ""
    return f"{name}: {format_count(result.count, 'match', 'matches')}{skipped}."


def check_detail(detail: str) -> None:
    """Raise `OptionError` for an unknown level of detail."""
    choice("detail", detail, _DETAILS)


def as_vertices(detail: Detail, vertices: int, edges: int, layers: int) -> bool:
    """Decide whether vertices are drawn, not layers.

    Raises:
        OptionError: `detail` is "vertices" for more than 4,000 vertices.
    """
    if detail == "vertices" and vertices > _MOST_VERTICES:
        raise OptionError(
            f"detail='vertices' cannot draw {vertices:,} vertices; the limit is {_MOST_VERTICES:,}. "
            "Use detail='layers'."
        )
    small = all(n <= limit for n, limit in zip((vertices, edges, layers), _AUTO_LIMITS, strict=True))
    return detail == "vertices" or (detail == "auto" and small)
