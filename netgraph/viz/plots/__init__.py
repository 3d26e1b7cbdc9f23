"""Plots of the structure of graphs and of how it grew, by matplotlib.

Every function draws into the axes or the figure that it is given, or makes a new figure that pyplot does not know of,
and returns what it drew into.
"""

from netgraph.viz.plots.adjacency import plot_adjacency

__all__ = ["plot_adjacency"]
