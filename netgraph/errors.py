"""Every error that netgraph raises on purpose.

Each message names the value that is wrong, the place where it stands, and what to do about it.
Errors about arguments also derive from `ValueError`, so that generic callers can catch them.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import Self

MOST_NAMES = 50
"""How many known names a message lists."""
DISTRIBUTION = "netgraph-growth"
"""Name by which pip knows netgraph; on PyPI the name `netgraph` belongs to a package that plots networks."""


class NetgraphError(Exception):
    """Base of every error raised on purpose by netgraph and its compilers.

    Attributes:
        concerns: ids of the edges, vertices and layers that it is about, by these words, as far as they are known.
    """

    concerns: Mapping[str, tuple[int, ...]] = {}

    def concerning(self, **ids: Iterable[int]) -> Self:
        """The same error, with `concerns` set: `edges=`, `vertices=`, `layers=`."""
        self.concerns = {kind: tuple(int(i) for i in some) for kind, some in ids.items()}
        return self


class GraphError(NetgraphError, ValueError):
    """A graph, or a part of one, is not valid (a cycle, a zero-width layer, shapes that disagree)."""


class InputError(NetgraphError, ValueError):
    """A value handed to a network does not fit it (shape, domain, NaN)."""


class RewriteError(NetgraphError, ValueError):
    """A rewrite was refused; the graph that it was applied to is unchanged."""


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
    """Another process is writing the directory."""


class CompileError(NetgraphError, ValueError):
    """A graph uses something that the compiler cannot lower, or a network does not fit a graph."""


class TrainingError(NetgraphError, RuntimeError):
    """Training cannot start or go on (a checkpoint is damaged)."""


class DivergenceError(TrainingError):
    """Loss, weights or statistics are no longer finite; the checkpoint of an earlier epoch, if any, is good."""


def nearest(name: object, known: Iterable[str]) -> str:
    """A question for the known name that is nearest to another one, after a space; empty when none is near."""
    near = difflib.get_close_matches(str(name), list(known), n=1, cutoff=0.4)
    return f" Did you mean {near[0]!r}?" if near else ""


def unknown_name(kind: str, name: object, known: Iterable[str]) -> str:
    """Say that `name` is no `kind`, with the nearest known name first and all of them after it."""
    names = sorted(known)
    shown = ", ".join(names[:MOST_NAMES]) + (
        f" and {len(names) - MOST_NAMES:,} more" if len(names) > MOST_NAMES else ""
    )
    return f"Unknown {kind} {name!r}.{nearest(name, names)} Known: {shown}."


def not_installed(need: str, package: str, extra: str) -> str:
    """The message for a missing package of an extra, with the command that installs it.

    The command adds what the extra needs to the netgraph that is there, be it from a clone or a wheel.
    """
    return f"{need} {package}, which is not installed: pip install '{DISTRIBUTION}[{extra}]'."
