"""An interactive page for graphs, rewrites and runs."""

from netgraph.viz.explorer.explore import ExplorerPage, explore
from netgraph.viz.explorer.page import page
from netgraph.viz.explorer.payload import make_payload

__all__ = ["ExplorerPage", "explore", "make_payload", "page"]
