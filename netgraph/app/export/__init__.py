"""Exports: a network in a form for other programs, with a model card."""

from netgraph.app.export.write import Exported, export

__all__ = ["Exported", "export"]
