"""Rules of other packages, found by entry points, and imported only when their names are asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from netgraph.errors import OptionError

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

GROUP = "netgraph.rules"
"""Group of entry points. Each has the name of a rule, and names its class: `bend-edges = "bend_edges:BendEdges"`."""


@dataclass(frozen=True)
class InstalledRule:
    """A rule of another package, not imported yet.

    Attributes:
        name: its name on the command line.
        home: name and version of the distribution that brings it.
        entry: its entry point.
    """

    name: str
    home: str
    entry: EntryPoint

    def load(self) -> Any:
        """Import the class.

        Raises:
            OptionError: when its module cannot be imported, or has no such name.
        """
        try:
            return self.entry.load()
        except Exception as error:
            raise OptionError(
                f"The rule {self.name!r} of the installed package {self.home} cannot be imported from "
                f"{self.entry.value!r}: {type(error).__name__}: {error}. Install a version of the package that works, "
                f"or remove it: pip uninstall {self.home.partition(' ')[0]}."
            ) from error


def installed_rules() -> Mapping[str, InstalledRule]:
    """Find the rules of installed packages by name, and import none of them; of one name the first is taken."""
    from importlib.metadata import entry_points

    found: dict[str, InstalledRule] = {}
    for entry in entry_points(group=GROUP):
        home = "" if entry.dist is None else f"{entry.dist.name} {entry.dist.version}"
        found.setdefault(entry.name, InstalledRule(entry.name, home, entry))
    return found
