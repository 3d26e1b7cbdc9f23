"""Methods by name, with their options, for the command line."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal

from netgraph.errors import OptionError, unknown_name
from netgraph.graph import Graph
from netgraph.methods.gradmax import GRADMAX_TRAINING, GradMaxOptions, gradmax, gradmax_start
from netgraph.methods.method import Method
from netgraph.methods.nagn import NAGN_TRAINING, NagnOptions, nagn, nagn_start
from netgraph.methods.senn import SENN_TRAINING, SennOptions, senn, senn_start
from netgraph.methods.sparse import (
    ImpOptions,
    PhewOptions,
    PwmprOptions,
    RiglOptions,
    SetOptions,
    fixed,
    fixed_start,
    imp,
    imp_start,
    pwmpr,
    pwmpr_start,
    rigl,
    rigl_start,
    set_start,
    sparse_evolution,
)
from netgraph.methods.ssonn import SsonnOptions, ssonn, ssonn_start
from netgraph.methods.start import Start
from netgraph.tables import Table

MethodKind = Literal["growth", "pruning", "fixed", "single"]
"""Way in which a method gives networks of several densities.

"growth": one rough run through all of them, then a training of each; "pruning": one run of levels that hits them;
"fixed": a training of its own for each; "single": one run, which finds its own density.
"""


@dataclass(frozen=True)
class MethodSpec:
    """Entry of a method in the registry, from which the command line makes its first graph and the method.

    Attributes:
        name: its name.
        options: frozen dataclass of its options.
        start: function of the options and a `Start` that builds the first graph.
        build: function of that graph and the options that composes the method.
        description: summary in one line.
        kind: way in which it gives networks of several densities, see `MethodKind`.
        resolve: function that fills in options that depend on the first graph.
        training: training settings of the method; they override the settings that follow from the size of the data.
        defaults: default values in which the method differs from the class of its options.
    """

    name: str
    options: type[Any]
    start: Callable[[Any, Start], Graph]
    build: Callable[[Graph, Any], Method]
    description: str
    kind: MethodKind = "single"
    resolve: Callable[[Any, Graph], Any] = lambda options, start: options
    training: Mapping[str, Any] = field(default_factory=dict)
    defaults: Mapping[str, Any] = field(default_factory=dict)

    def make_options(self, **given: Any) -> Any:
        """Return the options with the given values, and with the defaults of the method elsewhere."""
        return self.options(**{**self.defaults, **given})

    def _repr_html_(self) -> str:
        """Table of the options with their defaults, below the description, as HTML."""
        defaults = vars(self.make_options())
        rows = [(name, str(value)) for name, value in defaults.items()]
        return Table(f"{self.name}: {self.description}", ["option", "default"], rows).html()


_SHIPPED = (
    MethodSpec(
        "ssonn",
        SsonnOptions,
        ssonn_start,
        ssonn,
        "split the edges with important gradients, then prune",
        resolve=SsonnOptions.resolved,
    ),
    MethodSpec(
        "nagn",
        NagnOptions,
        nagn_start,
        nagn,
        "widen the layers at which larger gradients arrive than at their neighbours",
        resolve=NagnOptions.resolved,
        training=NAGN_TRAINING,
    ),
    MethodSpec(
        "gradmax",
        GradMaxOptions,
        gradmax_start,
        gradmax,
        "widen all layers by vertices whose incoming weights will have the largest gradients",
        training=GRADMAX_TRAINING,
    ),
    MethodSpec(
        "senn",
        SennOptions,
        senn_start,
        senn,
        "add vertices and layers where the natural gradient says that it pays",
        training=SENN_TRAINING,
    ),
    MethodSpec(
        "pwmpr", PwmprOptions, pwmpr_start, pwmpr, "add edges that join strong paths to a sparse network", kind="growth"
    ),
    MethodSpec(
        "pwmp",
        PwmprOptions,
        pwmpr_start,
        partial(pwmpr, name="pwmp"),
        "add the edges that join the strongest paths",
        kind="growth",
        defaults={"draw": "top"},
    ),
    MethodSpec(
        "pwmpr-prune",
        PwmprOptions,
        pwmpr_start,
        partial(pwmpr, name="pwmpr-prune"),
        "add edges that join strong paths, and give up weak ones",
        kind="growth",
        defaults={"prune": 0.1},
    ),
    MethodSpec(
        "random-growth",
        PwmprOptions,
        pwmpr_start,
        partial(pwmpr, name="random-growth"),
        "add edges to a sparse network at random",
        kind="growth",
        defaults={"where": "random"},
    ),
    MethodSpec(
        "gradient-growth",
        PwmprOptions,
        pwmpr_start,
        partial(pwmpr, name="gradient-growth"),
        "add the edges with the largest gradients to a sparse network",
        kind="growth",
        defaults={"where": "gradient", "draw": "top"},
    ),
    MethodSpec(
        "rigl", RiglOptions, rigl_start, rigl, "exchange weak edges for missing ones with large gradients", kind="fixed"
    ),
    MethodSpec(
        "set", SetOptions, set_start, sparse_evolution, "exchange weak edges for missing ones at random", kind="fixed"
    ),
    MethodSpec(
        "imp",
        ImpOptions,
        imp_start,
        imp,
        "prune by magnitude, level by level, rewinding the weights",
        kind="pruning",
        training={"epochs": 120},
    ),
    MethodSpec(
        "imp-c",
        ImpOptions,
        imp_start,
        partial(imp, name="imp-c"),
        "prune by magnitude, level by level, going on from the weights",
        kind="pruning",
        training={"epochs": 120},
        defaults={"rewind": False},
    ),
    MethodSpec(
        "phew", PhewOptions, fixed_start, fixed, "train a sparse network of walks along large weights", kind="fixed"
    ),
    MethodSpec(
        "erk",
        PhewOptions,
        fixed_start,
        partial(fixed, name="erk"),
        "train a sparse network of random edges",
        kind="fixed",
        defaults={"start": "erk"},
    ),
)

METHODS: Mapping[str, MethodSpec] = {spec.name: spec for spec in _SHIPPED}
"""The shipped methods by name."""


def get_method(name: str) -> MethodSpec:
    """Return the method called `name`, or raise `OptionError` with the nearest known name."""
    try:
        return METHODS[name]
    except KeyError:
        raise OptionError(unknown_name("method", name, METHODS)) from None
