"""Pictures of graphs, for notebooks and files."""

from netgraph.viz.render import Drawing, draw

__all__ = ["Drawing", "draw"]
