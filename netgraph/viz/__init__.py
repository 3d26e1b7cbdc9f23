"""Pictures of graphs, for notebooks and files."""

from netgraph.viz.delta import draw_delta
from netgraph.viz.draw import Drawing, draw

__all__ = ["Drawing", "draw", "draw_delta"]
