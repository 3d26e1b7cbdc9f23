"""Errors that netgraph raises on purpose.

Each message names the wrong value, its place, and a remedy. Errors about arguments are `ValueError`s as well, so that
generic callers can catch them.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import Self

MAX_NAMES = 50
"""Largest number of known names that a message lists."""
DISTRIBUTION = "netgraph-growth"
"""Name of netgraph's distribution for pip; on PyPI, `netgraph` is the name of a package that plots networks."""


class NetgraphError(Exception):
    """Base of all errors that netgraph and its compilers raise on purpose.

    Attributes:
        concerns: ids of the edges, vertices and layers to which the error refers, as far as they are known, by the
            words "edges", "vertices" and "layers".
    """

    concerns: Mapping[str, tuple[int, ...]] = {}

    def concerning(self, **ids: Iterable[int]) -> Self:
        """Set `concerns` from `edges=`, `vertices=` and `layers=`, and return the error."""
        self.concerns = {kind: tuple(int(i) for i in some) for kind, some in ids.items()}
        return self


class GraphError(NetgraphError, ValueError):
    """A graph, or an object in it, is not valid (a cycle, a layer without vertices, shapes that disagree)."""


class ImportRefused(GraphError):
    """A module of another package has no equal graph, or none that this version can make.

    Attributes:
        op: operation that was refused, such as `aten.lstm.input`; '' where the module as a whole was.
        path: path of the submodule, such as `layers.0.mlp`; '' for the module itself.
        line: line of its source code, with the file; '' where it is not known.
        part: path of a submodule nearby that has an equal graph; '' where none is known.
    """

    def __init__(self, message: str, *, op: str = "", path: str = "", line: str = "", part: str = "") -> None:
        super().__init__(message)
        self.op, self.path, self.line, self.part = op, path, line, part


class InputError(NetgraphError, ValueError):
    """A value given to a network does not fit it (shape, domain, NaN)."""


class RewriteError(NetgraphError, ValueError):
    """A rewrite was refused; the graph is unchanged."""


class DriverError(RewriteError):
    """A driver breaks a law of drivers: it uses a draft or matches of an earlier graph, or goes on after a refusal."""


class StatisticsError(NetgraphError, ValueError):
    """Statistics are missing, or belong to another topology."""


class FileFormatError(NetgraphError, ValueError):
    """A file is damaged, truncated, too new, or not of the expected kind."""


class JournalError(NetgraphError):
    """A journal cannot be read, replayed or undone."""


class DataError(NetgraphError, ValueError):
    """A data set cannot be read or is not usable for learning."""


class OptionError(NetgraphError, ValueError):
    """An unknown name, or an option whose value is not allowed."""


class BusyError(OptionError):
    """Another process is writing to the directory."""


class CompileError(NetgraphError, ValueError):
    """The compiler cannot lower a graph, or a network does not fit a graph."""


class TrainingError(NetgraphError, RuntimeError):
    """Training cannot start or go on (a checkpoint is damaged, for example)."""


class DivergenceError(TrainingError):
    """Loss, weights or statistics are no longer finite. The checkpoint of an earlier epoch, if any, is good."""


def nearest(name: object, known: Iterable[str]) -> str:
    """Format a question for the known name nearest to `name`, after a space; '' when none is near."""
    near = difflib.get_close_matches(str(name), list(known), n=1, cutoff=0.4)
    return f" Did you mean {near[0]!r}?" if near else ""


def unknown_name(kind: str, name: object, known: Iterable[str]) -> str:
    """Format the message for an unknown name of a kind: the nearest known name first, then all of them."""
    names = sorted(known)
    shown = ", ".join(names[:MAX_NAMES]) + (f" and {len(names) - MAX_NAMES:,} more" if len(names) > MAX_NAMES else "")
    return f"Unknown {kind} {name!r}.{nearest(name, names)} Known: {shown}."


def not_installed(need: str, package: str, extra: str) -> str:
    """Format the message for a missing package, with the command that installs the extra it belongs to.

    Args:
        need: beginning of the message, such as "Pictures need".
        package: name of the package.
        extra: name of the extra.
    """
    return f"{need} {package}, which is not installed: pip install '{DISTRIBUTION}[{extra}]'."
