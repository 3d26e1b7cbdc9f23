"""Films of the growth of a network, step by step."""

from netgraph.viz.film.timelines import Timeline, timeline

__all__ = [
    "Timeline",
    "timeline",
]
