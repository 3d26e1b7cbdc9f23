"""Source text of a module under construction: attributes with their parameters, and lines of its forward."""

from __future__ import annotations

import keyword
import re
from dataclasses import dataclass, field

import numpy as np
from torch import fx

from netgraph.columns import Array


@dataclass(eq=False)
class Held:
    """A parameter or a buffer of the text.

    Attributes:
        values: its values.
        edges: id of the edge at each place, -1 for none; None where it holds no edges.
        column, vertices: vertex column, and id of the vertex at each place, -1 for none; None where it holds none.
        trained: whether it is a parameter that gradients train.
    """

    values: Array
    edges: Array | None = None
    column: str = ""
    vertices: Array | None = None
    trained: bool = True


@dataclass(eq=False)
class SourceText:
    """Parts of the class `Network`.

    Attributes:
        init: lines of `__init__`.
        forward: lines of `forward`.
        held: parameters and buffers by their names in the state dict.
        helpers: names of the functions of `helpers` that are used.
        notes: remarks for the user.
        missing: number of zeros for missing edges, by the name of their link.
    """

    init: list[str] = field(default_factory=list)
    forward: list[str] = field(default_factory=list)
    held: dict[str, Held] = field(default_factory=dict)
    helpers: set[str] = field(default_factory=set)
    notes: list[str] = field(default_factory=list)
    missing: dict[str, int] = field(default_factory=dict)
    _attributes: set[str] = field(default_factory=set)
    _variables: set[str] = field(default_factory=set)

    @property
    def zeros(self) -> int:
        """Number of added zeros."""
        return sum(self.missing.values())

    def name(self, wished: str) -> str:
        """Give out a name for an attribute: letters, digits and underscores, not given out before."""
        return self._free(wished, self._attributes, ATTRIBUTES)

    def variable(self, wished: str) -> str:
        """Give out a name for a variable of the forward."""
        return self._free(wished, self._variables, VARIABLES)

    @staticmethod
    def _free(wished: str, taken: set[str], reserved: frozenset[str]) -> str:
        name = re.sub(r"\W", "_", wished, flags=re.ASCII).strip("_") or "layer"
        name = f"layer_{name}" if name[0].isdigit() or keyword.iskeyword(name) or name in reserved else name
        found, number = name, 1
        while found in taken:
            number += 1
            found = f"{name}_{number}"
        taken.add(found)
        return found

    def module(self, name: str, constructor: str, **held: Held) -> None:
        """Add a module `self.name`, with its parameters and buffers."""
        self.init.append(f"self.{name} = {constructor}")
        for key, value in held.items():
            self.held[f"{name}.{key}"] = value
            if not value.trained and key in ("weight", "bias"):
                self.init.append(f"self.{name}.{key}.requires_grad_(False)")
        if "running_mean" in held:
            self.held[f"{name}.num_batches_tracked"] = Held(np.array(0), trained=False)

    def parameter(self, name: str, held: Held) -> str:
        """Add a parameter, and return the text that reads it."""
        shape = ", ".join(map(str, held.values.shape))
        trained = "" if held.trained else ", requires_grad=False"
        self.init.append(f"self.{name} = nn.Parameter(torch.zeros({shape or '()'}){trained})")
        self.held[name] = held
        return f"self.{name}"

    def buffer(self, wished: str, values: Array) -> str:
        """Add a buffer of constants, and return the text that reads it."""
        name = self.name(wished)
        kind = ", dtype=torch.int64" if np.issubdtype(values.dtype, np.integer) else ""
        shape = ", ".join(map(str, values.shape))
        self.init.append(f'self.register_buffer("{name}", torch.zeros({shape}{kind}))')
        self.held[name] = Held(values, trained=False)
        return f"self.{name}"

    def line(self, text: str) -> None:
        """Add a line to the forward."""
        self.forward.append(text)


HELPERS = {
    "rotate": '''
def rotate(x, cos, sin):
    """Turn the pairs of neighbouring features of each head by the angles of their positions."""
    a, b = x[..., ::2], x[..., 1::2]
    return torch.stack((a * cos - b * sin, a * sin + b * cos), dim=-1).flatten(-2)
''',
    "rational": '''
def rational(x, v, c, l):
    """Rational activation."""
    return ((2 * v * x + c) / (1 + x**2) + l * x) / torch.sqrt(v**2 + c**2 + l**2 + 1e-8)
''',
}
"""Functions that a text may use, by name."""

ATTRIBUTES = frozenset({"training", "graph", "code", *dir(fx.GraphModule)})
"""Names that layers do not get as attributes: those of every module."""

VARIABLES = frozenset({"self", "torch", "nn", "F", "batch", *HELPERS})
"""Names that the forward itself uses, which layers do not get as variables."""
