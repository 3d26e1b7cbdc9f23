"""Pictures of a rewrite."""

from netgraph.viz.delta.draw import draw_delta

__all__ = [
    "draw_delta",
]
