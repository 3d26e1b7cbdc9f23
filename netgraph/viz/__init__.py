"""Pictures of graphs, of their structure and of their growth, for notebooks and files."""

from netgraph.viz.drawing import Drawing, draw, draw_delta
from netgraph.viz.explorer import ExplorerPage, explore
from netgraph.viz.film import Timeline, timeline
from netgraph.viz.notebook import put_pictures_on
from netgraph.viz.plots import (
    plot_adjacency,
    plot_degrees,
    plot_density,
    plot_expressiveness,
    plot_growth,
    plot_paths,
    plot_receptive_fields,
    plot_tau_core,
    plot_weights,
)
from netgraph.viz.render import render_svg
from netgraph.viz.text import format_count
from netgraph.viz.words import operation_names

__all__ = [
    "Drawing",
    "ExplorerPage",
    "Timeline",
    "format_count",
    "draw",
    "draw_delta",
    "explore",
    "operation_names",
    "plot_adjacency",
    "plot_degrees",
    "plot_density",
    "plot_expressiveness",
    "plot_growth",
    "plot_paths",
    "plot_receptive_fields",
    "plot_tau_core",
    "plot_weights",
    "render_svg",
    "timeline",
]

put_pictures_on()
