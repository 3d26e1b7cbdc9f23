"""Plots of the structure and the growth of graphs, by matplotlib.

Every plot draws into the given axes or figure, or into a new figure that pyplot does not manage, and returns them.
"""

from netgraph.viz.plots.adjacency import plot_adjacency
from netgraph.viz.plots.expressiveness import plot_expressiveness
from netgraph.viz.plots.figures import axes_or_new, import_matplotlib, literal, new_figure
from netgraph.viz.plots.growth import plot_density, plot_growth
from netgraph.viz.plots.histograms import plot_degrees, plot_weights
from netgraph.viz.plots.paths import plot_paths, plot_tau_core
from netgraph.viz.plots.receptive import plot_receptive_fields

__all__ = [
    "axes_or_new",
    "import_matplotlib",
    "literal",
    "new_figure",
    "plot_adjacency",
    "plot_degrees",
    "plot_density",
    "plot_expressiveness",
    "plot_growth",
    "plot_paths",
    "plot_receptive_fields",
    "plot_tau_core",
    "plot_weights",
]
