"""Reports of runs: HTML pages with curves and pictures, as files or served live."""

from netgraph.app.report.command import grow_command
from netgraph.app.report.data import RunFacts, current_graph
from netgraph.app.report.page import REPORT, Reporter, write_pictures, write_report
from netgraph.app.report.server import watch

__all__ = [
    "REPORT",
    "Reporter",
    "RunFacts",
    "current_graph",
    "grow_command",
    "watch",
    "write_pictures",
    "write_report",
]
