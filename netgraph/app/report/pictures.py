"""Pictures of graphs in a report."""

from __future__ import annotations

import math
from dataclasses import dataclass

from netgraph.app.report.data import RunFacts
from netgraph.app.report.svg import inline_svg, view_box
from netgraph.errors import DataError, FileFormatError, JournalError
from netgraph.graph import Graph
from netgraph.viz import Timeline, draw, timeline

_HALF = 500
"""Widest picture, in pixels, that may stand beside another."""


@dataclass(frozen=True)
class Picture:
    """A picture of a graph: an SVG element, and whether it takes the whole width of the page."""

    svg: str
    wide: bool


def topology_picture(facts: RunFacts, graph: Graph, key: str) -> Picture:
    """A graph of the run. Large ones are drawn layer by layer."""
    label = f"The topology {key} growth: {graph.num_layers:,} layers, {graph.num_edges:,} trainable edges"
    svg = draw(graph, pixels=_pixels(facts)).svg
    width = view_box(svg)[2]
    # Letters of 11 units stay 10 pixels high; where the page is narrower, the picture scrolls in its box.
    style = f"width:100%;min-width:{0.9 * width:.0f}px;max-width:{1.34 * width:.0f}px"
    # The paper is that of the page.
    svg = svg.replace('fill="white" stroke="none"', 'fill="none" stroke="none"', 1)
    return Picture(inline_svg(svg, f"topology-{key}", label, style=style), width > _HALF)


def growth_timeline(facts: RunFacts, title: str) -> Timeline:
    """All topologies of the run, one after another.

    Raises:
        DataError: for a damaged file of the journal.
    """
    try:
        return timeline(facts.run.journal, title=title, pixels=_pixels(facts))
    except (JournalError, FileFormatError) as error:
        raise DataError(f"{error} Make the run again by `netgraph grow`.") from error


def _pixels(facts: RunFacts) -> tuple[int, int] | tuple[int, int, int] | None:
    """Size of the images that an input layer takes flat, in the order in which it takes them; None of others."""
    layout = facts.images
    if layout is None or (layout.channels_last and layout.channels > 1):
        return None
    if all(len(layer) != math.prod(layout.shape) for layer in facts.first.inputs):
        return None
    return layout.shape if layout.channels > 1 else (layout.height, layout.width)
