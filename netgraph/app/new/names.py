"""Names of a new rule: of its class, its module, its entry point and its distribution."""

from __future__ import annotations

import builtins
import importlib.util
import keyword
import re
from dataclasses import dataclass
from pathlib import Path

import netgraph
from netgraph.errors import OptionError
from netgraph.rules import RULES, installed_rules

LONGEST = 30
"""Largest number of characters of a name, so that lines with it stay short."""

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9]*([-_][A-Za-z0-9]+)*")


@dataclass(frozen=True)
class RuleNames:
    """Names of a rule in each place.

    Attributes:
        name: on the command line, such as "bend-edges".
    """

    name: str

    @classmethod
    def of(cls, text: str) -> RuleNames:
        """Read a name as it was typed: "bend-edges", "bend_edges" and "BendEdges" are the same.

        Raises:
            OptionError: when it is no name, or means something already.
        """
        if not _NAME.fullmatch(text) or len(text) > LONGEST:
            raise OptionError(
                f"{text!r} is no name for a rule; give letters and digits in words joined by hyphens, at most "
                f"{LONGEST} characters, beginning with a letter, such as bend-edges."
            )
        words = [word.lower() for part in re.split("[-_]", text) for word in _WORD.findall(part)]
        names = cls("-".join(words))
        if (taken := names._taken()) is not None:
            raise OptionError(f"The name {text!r} is taken: {taken}. Give another one, such as my-{names.name}.")
        return names

    @property
    def cls(self) -> str:
        """Name of the class, such as "BendEdges"."""
        return "".join(word.capitalize() for word in self.name.split("-"))

    @property
    def module(self) -> str:
        """Name of the module, such as "bend_edges"."""
        return self.name.replace("-", "_")

    @property
    def distribution(self) -> str:
        """Name of the package for pip, such as "netgraph-bend-edges"."""
        return f"netgraph-{self.name}"

    @property
    def package(self) -> str:
        """Name of the package for imports, such as "netgraph_bend_edges"."""
        return self.distribution.replace("-", "_")

    def _taken(self) -> str | None:
        """Use of one of the names that there is already; None when all are free."""
        if self.name in RULES:
            return f"netgraph has a rule {self.name!r}"
        if self.name in (installed := installed_rules()):
            return f"the installed package {installed[self.name].home} has a rule {self.name!r}"
        if keyword.iskeyword(self.module):
            return f"{self.module!r} is a word of Python"
        if self.cls in netgraph.__all__ or hasattr(netgraph.rules, self.cls) or hasattr(builtins, self.cls):
            return f"{self.cls} is a class of netgraph or of Python"
        if _imports(self.module):
            return f"there is a module {self.module!r}, which a file of this name would hide"
        return None


def _imports(name: str) -> bool:
    """Whether a module of this name can be imported from elsewhere than the working directory."""
    spec = importlib.util.find_spec(name)
    return spec is not None and not (spec.origin and Path(spec.origin).is_relative_to(Path.cwd()))
