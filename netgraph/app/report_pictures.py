"""Pictures of graphs in a report."""

from __future__ import annotations

from netgraph.app.report_data import RunFacts
from netgraph.app.report_svg import inline_svg
from netgraph.graph import Graph
from netgraph.viz import draw


def topology_picture(facts: RunFacts, graph: Graph, key: str) -> str:
    """A graph of the run as an SVG element. Large ones are drawn layer by layer."""
    label = f"The topology {key} growth: {graph.num_layers:,} layers, {graph.num_edges:,} trainable edges"
    return inline_svg(draw(graph).svg, f"topology-{key}", label)
