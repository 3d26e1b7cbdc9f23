"""Pictures of graphs and the timeline of growth, for a report."""

from __future__ import annotations

import math
from dataclasses import dataclass

from netgraph.app.report.data import RunFacts
from netgraph.app.report.svg import inline_svg, view_box
from netgraph.errors import DataError, FileFormatError, JournalError
from netgraph.graph import Graph
from netgraph.viz import Timeline, draw, timeline

_HALF = 500
"""Largest width of a picture that may stand beside another, in pixels."""


@dataclass(frozen=True)
class Picture:
    """A picture of a graph.

    Attributes:
        svg: the picture as an SVG element.
        wide: whether it takes the whole width of the page.
    """

    svg: str
    wide: bool


def topology_picture(facts: RunFacts, graph: Graph, key: str) -> Picture:
    """Draw a graph of the run; large graphs are drawn layer by layer.

    Args:
        facts: the run.
        graph: graph to draw.
        key: "before" or "after" growth.
    """
    label = f"The topology {key} growth: {graph.num_layers:,} layers, {graph.num_edges:,} trainable edges"
    svg = draw(graph, pixels=_pixels(facts)).svg
    width = view_box(svg)[2]
    # Letters of 11 units are at least 10 pixels high; on a narrower page the picture scrolls in its box.
    style = f"width:100%;min-width:{0.9 * width:.0f}px;max-width:{1.34 * width:.0f}px"
    # The background of the page shows through.
    svg = svg.replace('fill="white" stroke="none"', 'fill="none" stroke="none"', 1)
    return Picture(inline_svg(svg, f"topology-{key}", label, style=style), width > _HALF)


def growth_timeline(facts: RunFacts, title: str) -> Timeline:
    """Timeline of all topologies of the run.

    Raises:
        DataError: for a damaged file of the journal.
    """
    try:
        return timeline(facts.run.journal, title=title, pixels=_pixels(facts))
    except (JournalError, FileFormatError) as error:
        raise DataError(f"{error} Make the run again by `netgraph grow`.") from error


def _pixels(facts: RunFacts) -> tuple[int, int] | tuple[int, int, int] | None:
    """Shape of the images that an input layer takes as flat rows, in the order of its vertices, or None."""
    layout = facts.images
    if layout is None or (layout.channels_last and layout.channels > 1):
        return None
    if all(len(layer) != math.prod(layout.shape) for layer in facts.first.inputs):
        return None
    return layout.shape if layout.channels > 1 else (layout.height, layout.width)
