"""Networks of neat-python as graphs."""

from netgraph.storage.neat.build import from_neat

__all__ = ["from_neat"]
