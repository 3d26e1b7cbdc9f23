"""Films: how a network grew, step by step."""

from netgraph.viz.film.timelines import Timeline, timeline

__all__ = [
    "Timeline",
    "timeline",
]
