"""Pictures of graphs, of their structure and of how they grew, for notebooks and files."""

from netgraph.viz.delta import draw_delta
from netgraph.viz.draw import Drawing, draw
from netgraph.viz.plots import plot_adjacency
from netgraph.viz.render import Drawing, draw

__all__ = [
    "Drawing",
    "draw",
    "draw_delta",
    "plot_adjacency",
]
