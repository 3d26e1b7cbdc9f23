"""Functions of one number, written by hand: activations are recognised by their values."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.fx import Node

from compilers.importing.codes import ONE, Coded
from compilers.importing.movement import KEEPING, as_coded
from compilers.importing.ops.arithmetic import product
from compilers.importing.ops.moments import mean_square
from compilers.importing.ops.pointwise import activated
from compilers.importing.walk import Lazy, ModuleWalk, operation
from netgraph.columns import Array
from netgraph.errors import ImportRefused
from netgraph.graph import ACTIVATIONS

Function = Callable[[Array], Array]

GRID = np.concatenate([np.linspace(-12, 12, 193) + 0.01, [-1.0, 0.5, 1.0]])
"""Numbers at which functions are compared."""

CLOSE = 1e-10
"""Largest difference of a function from an activation on the grid, relative to its value."""

NEAR = 0.2
"""Largest difference of a function from an activation that is named as the nearest one."""

UNARY: dict[str, Function] = {
    "neg": np.negative, "negative": np.negative, "tanh": np.tanh, "exp": np.exp, "square": np.square,
    "sqrt": np.sqrt, "rsqrt": lambda z: 1 / np.sqrt(z), "reciprocal": np.reciprocal, "abs": np.abs, "log": np.log,
    "sigmoid": lambda z: 1 / (1 + np.exp(-z)), "relu": lambda z: np.maximum(z, 0),
    "log1p": np.log1p, "expm1": np.expm1, "sin": np.sin, "cos": np.cos, "sign": np.sign,
    "erf": lambda z: torch.erf(torch.from_numpy(np.asarray(z))).numpy(),
    "softplus": lambda z: np.logaddexp(0, z),
}  # fmt: skip
"""Functions of one number, by the name of the operation."""

BINARY: dict[str, Callable[[Any, Any], Any]] = {
    "add": np.add, "sub": np.subtract, "subtract": np.subtract, "mul": np.multiply, "multiply": np.multiply,
    "div": np.divide, "divide": np.divide, "true_divide": np.divide, "pow": np.power, "rsub": lambda a, b: b - a,
    "maximum": np.maximum, "minimum": np.minimum,
}  # fmt: skip
"""Functions of two numbers, by the name of the operation."""


LARGEST_POWER = 4
"""Largest exponent for which products of layers are made."""


class Pointwise(Lazy):
    """The same function of every number of a value: no layer is made before all of the function is known.

    Attributes:
        base: the value.
        terms: its terms when the function began; a layer that is made for the value replaces them.
        function: the function, on float64 numbers.
        make: makes layers for the last operation of the function, with its arguments resolved.
        node: the last operation.
    """

    def __init__(
        self, walk: ModuleWalk, base: Coded, terms: Any, function: Function, make: Callable[[], Coded]
    ) -> None:
        self.base, self.terms, self.function, self.make = base, terms, function, make
        self.node: Node | None = walk.node
        self._made: Coded | None = None

    @classmethod
    def of(cls, walk: ModuleWalk, value: Coded, function: Function, make: Callable[[], Coded]) -> Pointwise:
        """Begin a function of a value; a factor of the value becomes part of the function."""
        factor = value.uniform
        if factor in (None, 1.0):
            return cls(walk, value, value.terms, function, make)
        base = Coded.of(value.terms[0].codes)
        return cls(walk, base, base.terms, lambda z: function(factor * z), make)

    @property
    def shape(self) -> torch.Size:
        """Shape of the value."""
        return self.base.shape

    def values(self) -> Array:
        """Values of the function on the grid."""
        with np.errstate(all="ignore"):
            return np.asarray(self.function(GRID))

    def meet(self, walk: ModuleWalk, name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        """Compose with a further function of the same numbers."""
        if name in KEEPING:
            return self
        name = name.removesuffix("_")
        if self._made is not None:
            return NotImplemented
        if name in {"mean", "sum"} and (factor := self._of_square()) is not None:
            return mean_square(walk, self.base, factor, name, args[1:], kwargs)
        if name in UNARY and len(args) == 1 and not kwargs:
            return self._composed(walk, args, kwargs, lambda z: UNARY[name](self.function(z)))
        if name in BINARY and len(args) == 2 and not kwargs.keys() - {"alpha"}:
            factor = float(kwargs.get("alpha", 1))
            parts = [self._as_function(value) for value in args]
            if None not in parts:
                one, two = parts
                return self._composed(
                    walk, args, kwargs,
                    lambda z: BINARY[name](one(z), factor * two(z) if factor != 1 else two(z)),  # type: ignore[misc]
                )  # fmt: skip
        return NotImplemented

    def _composed(
        self, walk: ModuleWalk, args: Sequence[Any], kwargs: Mapping[str, Any], function: Function
    ) -> Pointwise:
        target = walk.target

        def make() -> Coded:
            resolved = [value.resolve(walk) if isinstance(value, Lazy) else value for value in args]
            result: Coded | Pointwise = walk.call(target, resolved, kwargs)
            return result.make() if isinstance(result, Pointwise) else result

        return Pointwise(walk, self.base, self.terms, function, make)

    def composed_with(self, walk: ModuleWalk, name: str, other: Any) -> Pointwise:
        """Compose by a function of two numbers with a multiple of the same numbers, or a constant."""
        function = self._as_function(other)
        if function is None:
            walk.refuse("it compares two different activations", "use an activation, such as relu(a - b) + b")

        def make() -> Coded:
            walk.refuse(f"{name} is no activation", "register it: netgraph.graph.register_activation")

        return Pointwise(walk, self.base, self.terms, lambda z: BINARY[name](self.function(z), function(z)), make)

    def _as_function(self, value: Any) -> Function | None:
        """A constant, a function of the same numbers, or a multiple of them plus a constant; None for others."""
        if isinstance(value, Tensor):
            return None if value.numel() != 1 else _constant(float(value))
        if isinstance(value, int | float):
            return _constant(float(value))
        if isinstance(value, Pointwise):
            same = value._made is None and Coded(value.terms).equals(Coded(self.terms))
            return value.function if same else None
        if isinstance(value, Coded) and value.shape == self.shape:
            for base in (Coded(self.terms), self.base):
                if (factor := value.ratio_to(base)) is not None:
                    return lambda z, factor=factor: factor * z  # type: ignore[misc]
                rest, added = _without_constant(value)
                if rest is not None and (factor := rest.ratio_to(base)) is not None:
                    return lambda z, factor=factor, added=added: factor * z + added  # type: ignore[misc]
        return None

    def _of_square(self) -> float | None:
        """Factor by which the function is a multiple of the square, None where it is none."""
        values = self.values()
        factor = float(values[-1])
        return factor if factor and np.allclose(values, factor * GRID**2, rtol=1e-12, atol=0) else None

    def resolve(self, walk: ModuleWalk) -> Coded:
        """Make the layer of an activation, or layers for the operations of the function where there is none."""
        if self._made is None:
            before, walk.node = walk.node, self.node
            self._made = self._resolved(walk)
            walk.node = before
        return self._made

    def _resolved(self, walk: ModuleWalk) -> Coded:
        values = self.values()
        found = closest(values)
        if found[2] <= CLOSE:
            return activated(walk, self.base, found[0], slope=found[1])
        try:
            return self.make()
        except ImportRefused:
            walk.refuse(
                "no activation computes this function of one number",
                f"register it with netgraph.graph.register_activation, or use ReLU, GELU or tanh{_near(*found)}",
            )


def _near(name: str, slope: float, difference: float) -> str:
    """Text for the nearest activation, where one is near."""
    if difference > NEAR:
        return ""
    shown = f"{name!r} with slope {slope:g}" if ACTIVATIONS[name].uses_slope else repr(name)
    return f"; the nearest is {shown}, which differs by up to {difference:.2g} of its value on [-12, 12]"


def closest(values: Array) -> tuple[str, float, float]:
    """Activation without parameters whose values on the grid are nearest: name, slope, and largest difference."""
    slope = float(values[len(GRID) - 3] / -1.0)
    best = ("identity", 0.01, np.inf)
    for name, activation in ACTIVATIONS.items():
        if activation.parameters:
            continue
        own = slope if activation.uses_slope and np.isfinite(slope) else 0.01
        wanted = activation.function(GRID[None].copy(), {}, own)[0]
        difference = np.max(np.abs(values - wanted) / (1 + np.abs(wanted)))
        if difference < best[2]:
            best = (name, own, float(difference))
    return best


def _constant(number: float) -> Function:
    return lambda z: np.full_like(z, number)


def _without_constant(value: Coded) -> tuple[Coded | None, float]:
    """A value without its last term, where this is the same constant everywhere, and this constant."""
    *rest, last = value.terms
    added = Coded([last]).uniform
    if not rest or added is None or (last.codes != ONE).any():
        return None, 0.0
    return Coded(rest), added


# -- operations that begin a function -----------------------------------------------------------------------


@operation("tanh", "sigmoid", "softplus")
def bounded(walk: ModuleWalk, value: Coded, *args: Any) -> Pointwise:
    """Begin a function with an activation."""
    name = walk.op_name.removesuffix("_")
    if name == "softplus" and args and args[0] != 1:
        begun: Pointwise = by_value(walk, value, *args)
        return begun
    return Pointwise.of(walk, value, UNARY[name], lambda: activated(walk, value, name))


@operation(
    "celu", "clamp", "clamp_max", "clamp_min", "elu", "hardshrink", "hardsigmoid", "hardswish", "hardtanh",
    "log_sigmoid", "mish", "relu6", "selu", "softshrink", "threshold",
)  # fmt: skip
def by_value(walk: ModuleWalk, value: Coded, *args: Any, **kwargs: Any) -> Pointwise:
    """Begin a function with an operation that only values show to be a registered activation.

    Limits and functions of limits are sums and products of ReLU layers, where no activation computes them.
    """
    assert walk.node is not None
    target: Any = walk.node.target
    name = walk.op_name.removesuffix("_")

    def function(z: Array) -> Array:
        found: Array = target(torch.tensor(z), *args, **kwargs).numpy()
        return found

    def make() -> Coded:
        if name == "mish":
            return product(walk, value, activated(walk, activated(walk, value, "softplus"), "tanh"))
        if name == "log_sigmoid":
            return activated(walk, value.scaled(-1.0), "softplus").scaled(-1.0)
        if name in {"hardsigmoid", "hardswish"}:
            gate = _limited(walk, value.plus(as_coded(3.0)), 0.0, 6.0).scaled(1 / 6)
            return gate if name == "hardsigmoid" else product(walk, value, gate)
        if name in LIMITS:
            return _limited(walk, value, *LIMITS[name](*args, **kwargs))
        walk.refuse(f"{name} is no activation", "register it: netgraph.graph.register_activation")

    return Pointwise.of(walk, value, function, make)


LIMITS: dict[str, Callable[..., tuple[Any, Any]]] = {
    "clamp": lambda min=None, max=None: (min, max),
    "clamp_min": lambda min: (min, None),
    "clamp_max": lambda max: (None, max),
    "hardtanh": lambda min_val=-1.0, max_val=1.0: (min_val, max_val),
    "relu6": lambda: (0.0, 6.0),
}
"""Limits of the values of an operation, by its name."""


def _limited(walk: ModuleWalk, value: Coded, low: float | None, high: float | None) -> Coded:
    """Values within limits: `low + relu(z - low) - relu(z - high)`, without a limit as the sum that remains."""
    if low is None and high is None:
        return value
    if low is None:
        return value.plus(_over(walk, value, high).scaled(-1.0))
    parts = _over(walk, value, low)
    if high is not None:
        parts = parts.plus(_over(walk, value, high).scaled(-1.0))
    return parts if low == 0 else parts.plus(as_coded(float(low)))


def _over(walk: ModuleWalk, value: Coded, limit: Any) -> Coded:
    """Excess of values over a limit."""
    return activated(walk, value if limit == 0 else value.plus(as_coded(-float(limit))), "relu")


@operation("maximum", "minimum")
def extreme(walk: ModuleWalk, one: Any, two: Any) -> Pointwise:
    """Begin a function with the larger or smaller of a value and its multiple or a constant."""
    name = walk.op_name.removesuffix("_")
    value, other = (one, two) if isinstance(one, Coded) else (two, one)
    begun = Pointwise.of(walk, value, lambda z: z, lambda: value)
    return begun.composed_with(walk, name, other)


@operation("glu")
def glu(walk: ModuleWalk, value: Coded, dim: int = -1) -> Coded:
    """Half of the features, times the sigmoid of the other half."""
    one, two = value.map(lambda part: part.chunk(2, dim))
    return product(walk, one, activated(walk, two, "sigmoid"))


@operation("exp", "erf", "sqrt", "rsqrt", "reciprocal", "abs", "log", "log1p", "expm1", "sin", "cos", "sign")
def other(walk: ModuleWalk, value: Coded) -> Pointwise:
    """Begin a function with an operation that is no activation itself."""
    name = walk.op_name.removesuffix("_")

    def refuse() -> Coded:
        walk.refuse(f"{name} is no activation", "register it: netgraph.graph.register_activation")

    return Pointwise.of(walk, value, UNARY[name], refuse)


@operation("pow", "square")
def power(walk: ModuleWalk, value: Any, exponent: Any = 2) -> Pointwise:
    """Begin a function with a power; whole ones are products of layers."""
    if not isinstance(value, Coded) or isinstance(exponent, Coded):
        walk.refuse("its exponent depends on the input", "use a constant exponent")
    number = float(exponent)

    def products() -> Coded:
        if not number.is_integer() or not 2 <= number <= LARGEST_POWER:
            walk.refuse(f"the power {number:g} is no activation", "register it: netgraph.graph.register_activation")
        found = value
        for _ in range(int(number) - 1):
            found = product(walk, found, value)
        return found

    return Pointwise.of(walk, value, lambda z: np.power(z, number), products)
