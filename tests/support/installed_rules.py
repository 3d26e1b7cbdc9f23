"""Entry points of a package `my-rules 1.2` that is not installed."""

from importlib.metadata import EntryPoint
from types import SimpleNamespace

from netgraph.rules.installed import GROUP


class Entry(SimpleNamespace):
    """An entry point that counts how often it is loaded."""

    def load(self):
        self.loaded += 1
        return EntryPoint(self.name, self.value, GROUP).load()


def enter(monkeypatch, **values):
    """Enter entry points by name, with hyphens for underscores, in place of all others."""
    dist = SimpleNamespace(name="my-rules", version="1.2")
    entries = [Entry(name=name.replace("_", "-"), value=value, dist=dist, loaded=0) for name, value in values.items()]
    monkeypatch.setattr("importlib.metadata.entry_points", lambda group: entries if group == GROUP else [])
    return entries
