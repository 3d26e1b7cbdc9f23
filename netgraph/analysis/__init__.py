"""What can be said of a graph without running it: density, paths, and what a forward costs."""

from netgraph.analysis.density import admissible_edges, density, sparse_links
from netgraph.analysis.flops import forward_flops

__all__ = ["admissible_edges", "density", "forward_flops", "sparse_links"]
