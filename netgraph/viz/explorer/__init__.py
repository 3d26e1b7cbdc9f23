"""An interactive page for graphs, rewrites and runs."""

from netgraph.viz.explorer.page import page
from netgraph.viz.explorer.payload import make_payload

__all__ = ["make_payload", "page"]
