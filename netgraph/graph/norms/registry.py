"""All norms by name, and the registration of further ones."""

from __future__ import annotations

import math

from netgraph.errors import GraphError, OptionError, unknown_name
from netgraph.graph.activations import ACTIVATIONS, reserve_columns
from netgraph.graph.norms.batch import BATCH
from netgraph.graph.norms.contradictions import contradiction
from netgraph.graph.norms.layer import LAYER
from netgraph.graph.norms.none import NONE
from netgraph.graph.norms.record import Norm
from netgraph.graph.norms.rms import RMS
from netgraph.registry import Registry

RESERVED = frozenset({"bias", "low", "high"})
"""Names of vertex columns that belong to every layer, or to inputs."""

REMEDY = "One of your own is registered first, with netgraph.graph.register_norm."

NORMS: Registry[Norm] = Registry("norm", {norm.name: norm for norm in (NONE, BATCH, LAYER, RMS)})
"""All norms by name. `register_norm` adds to them, `NORMS.remove(name)` takes one back."""

reserve_columns(lambda: (column for norm in NORMS.values() for column in norm.columns))


def get_norm(name: str) -> Norm:
    """Return the norm called `name`, or raise `GraphError` with the nearest known name."""
    try:
        return NORMS[name]
    except KeyError:
        raise GraphError(f"{unknown_name('norm', name, NORMS)} {REMEDY}") from None


def register_norm(norm: Norm, *, replace: bool = False) -> None:
    """Add a norm, so that layers can use its name. Files and hashes contain only the name.

    A program that reads a file with such a layer must register the norm first. To train such a layer, give the compiler
    its formula on tensors: `compilers.register_norm`.

    Args:
        norm: record of the norm.
        replace: whether it takes the place of one that was registered under the name before, as when a cell of a
            notebook runs again. Graphs that were made before then mean the new one; make them again.

    Raises:
        OptionError: when the name is taken, a column has another meaning already, or the record contradicts its own
            function, which is evaluated on a few numbers.
    """
    if not isinstance(norm, Norm):
        raise OptionError(f"register_norm takes a Norm, not {norm!r}.")
    if not isinstance(norm.name, str) or not norm.name.isidentifier():
        raise OptionError(f"A norm cannot be called {norm.name!r}; its name is letters, digits and underscores.")
    NORMS.check(norm.name, replace=replace)
    if reason := _refused_columns(norm) or _contradiction(norm):
        raise OptionError(f"Norm {norm.name!r}: {reason}")
    NORMS.add(norm.name, norm, replace=replace)


def variance_columns() -> frozenset[str]:
    """Names of all vertex columns that are never negative."""
    return frozenset().union(*(norm.variances for norm in NORMS.values()))


def _contradiction(norm: Norm) -> str:
    try:
        return contradiction(norm)
    except Exception as error:
        raise OptionError(f"Norm {norm.name!r} fails on a few numbers: {error!r}") from error


def _refused_columns(norm: Norm) -> str:
    """Reason why the columns of a norm are refused, or ''."""
    if stray := sorted((norm.buffers | norm.variances) - norm.columns.keys()):
        return f"{stray} are no columns of it, which are {sorted(norm.columns)}; name them in columns as well."
    if trained := sorted(norm.variances - norm.buffers):
        return f"{trained} are variances that gradients train, and could make negative; name them in buffers as well."
    for name, start in norm.columns.items():
        if name in RESERVED:
            return f"column {name!r} has a meaning of its own in every layer; give it another name."
        if user := next((a.name for a in ACTIVATIONS.values() if name in a.parameters), None):
            return f"column {name!r} is a parameter of the activation {user!r}; give it another name."
        # All of netgraph decides by the name of a column whether it is trained, and whether it is a variance.
        for other in (other for other in NORMS.values() if other.name != norm.name):
            same = all((name in getattr(other, kind)) == (name in getattr(norm, kind)) for kind in KINDS)
            if name in other.columns and not same:
                return (
                    f"column {name!r} is one of the norm {other.name!r} too, but not in the same of {KINDS}; "
                    "give it another name."
                )
        if not name.isidentifier() or not math.isfinite(start) or (name in norm.variances and start < 0):
            return (
                f"column {name!r} starts at {start}; its name is letters, digits and underscores, its start finite, "
                "and at least 0 for a variance."
            )
    return ""


KINDS = ("buffers", "variances")
