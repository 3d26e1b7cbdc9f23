"""RMS norm: as one operation, and by hand as `x * rsqrt(mean(x^2) + epsilon) * weight`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor
from torch.fx import Node

from compilers.importing.codes import Coded
from compilers.importing.movement import KEEPING
from compilers.importing.ops.arithmetic import is_parameter
from compilers.importing.ops.norms import normalised
from compilers.importing.walk import Lazy, Walk, operation

WRITTEN = "write it as x * rsqrt(mean(x^2, -1, keepdim=True) + epsilon) * weight, or use torch.nn.RMSNorm"


@operation("rms_norm")
def rms_norm(walk: Walk, value: Coded, shape: Sequence[int], weight: Any = None, eps: float | None = None) -> Coded:
    """RMS norm over the last axis."""
    if len(shape) != 1:
        walk.refuse(f"it normalises over {len(shape)} axes, {tuple(shape)}", "normalise over the features alone")
    assert eps is not None, "the export writes the epsilon of the precision into the operation"
    return normalised(walk, value, "rms", eps, {"scale": weight})


@dataclass(eq=False)
class MeanSquare(Lazy):
    """`outer * (factor * mean(x^2) + epsilon) ^ power` over one axis of a value, on the way to an RMS norm.

    Attributes:
        base: the value `x`.
        dim: the axis, counted from the end.
        kept: whether the axis is kept, with size 1.
        factor, epsilon, power, outer: numbers of the formula.
    """

    base: Coded
    dim: int
    kept: bool
    factor: float
    epsilon: float = 0.0
    power: float = 1.0
    outer: float = 1.0

    def meet(self, walk: Walk, name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        """Add epsilon, take the root, and multiply or divide the value."""
        name = name.removesuffix("_")
        if name in KEEPING:
            return self
        if name == "unsqueeze" and not self.kept and args[1] in (-1, len(self.base.shape) - 1) and self.dim == -1:
            return replace(self, kept=True)
        other = next((value for value in args if value is not self), None)
        number = _number(other)
        if number is not None and name in {"mul", "div"} and (name == "mul" or args[0] is self):
            return self._scaled(number if name == "mul" else 1 / number)
        if number is not None and name == "add" and self.power == 1 and not kwargs:
            return replace(self, epsilon=self.epsilon + number)
        powers = {"sqrt": 0.5, "rsqrt": -0.5, "reciprocal": -1.0}
        power = number if name == "pow" and args[0] is self else powers.get(name)
        if power is not None:
            return replace(self, power=self.power * power, outer=self.outer**power)
        if name == "div" and number is not None:  # a number divided by the root
            return replace(self, power=-self.power, outer=number / self.outer)
        if name in {"mul", "div"} and isinstance(other, Coded) and self.kept and (name == "mul" or args[1] is self):
            ratio = other.ratio_to(self.base)
            if ratio is not None and self.power == (-0.5 if name == "mul" else 0.5):
                outer = ratio * (self.outer if name == "mul" else 1 / self.outer)
                return Normed(self.base, self.dim, self.factor, self.epsilon, outer, walk.node)
        return NotImplemented

    def _scaled(self, number: float) -> MeanSquare:
        if self.power == 1:
            return replace(self, factor=self.factor * number, epsilon=self.epsilon * number)
        return replace(self, outer=self.outer * number)

    def resolve(self, walk: Walk) -> Coded:
        """Refuse: there is no layer for a mean of squares alone."""
        walk.refuse("a mean of squares is used otherwise than in an RMS norm", WRITTEN)


@dataclass(eq=False)
class Normed(Lazy):
    """A value under an RMS norm, whose scale perhaps follows.

    Attributes:
        base: the value.
        dim: axis of the features, counted from the end.
        factor, epsilon, outer: the norm is `outer * x / sqrt(factor * mean(x^2) + epsilon)`.
        node: the operation that ends the norm.
    """

    base: Coded
    dim: int
    factor: float
    epsilon: float
    outer: float
    node: Node | None
    made: Coded | None = None

    def meet(self, walk: Walk, name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        """Multiply by one parameter or constant per feature: the scale of the norm."""
        if name in KEEPING:
            return self
        if name.removesuffix("_") != "mul" or self.dim != -1:
            return NotImplemented
        other = next((value for value in args if value is not self), None)
        if not isinstance(other, Coded | Tensor) or tuple(other.shape) != tuple(self.base.shape[-1:]):
            return NotImplemented
        if isinstance(other, Coded) and not is_parameter(walk, other):
            return NotImplemented
        return self._made(walk, other)

    def resolve(self, walk: Walk) -> Coded:
        """Make the layer without a scale of its own."""
        if self.made is None:
            before, walk.node = walk.node, self.node
            self.made = self._made(walk, None)
            walk.node = before
        return self.made

    def _made(self, walk: Walk, scale: Any) -> Coded:
        if self.dim != -1:
            walk.refuse(
                "it normalises over another axis than the last one", "normalise over the features, the last axis"
            )
        if self.factor <= 0 or self.epsilon <= 0:
            walk.refuse(f"its RMS norm adds {self.epsilon:g} to the mean square", "add a number above 0, such as 1e-6")
        size = self.outer * self.factor**-0.5
        made = normalised(walk, self.base, "rms", self.epsilon / self.factor, {"scale": scale})
        return made if size == 1 else made.scaled(size)


def mean_square(
    walk: Walk, base: Coded, factor: float, name: str, args: Sequence[Any], kwargs: Mapping[str, Any]
) -> MeanSquare:
    """Mean or sum of `factor` times the squares of a value, over one axis."""
    dim = args[0] if args else kwargs.get("dim")
    kept = args[1] if len(args) > 1 else kwargs.get("keepdim", False)
    dims = [dim] if isinstance(dim, int) else list(dim or [])
    if len(dims) != 1:
        walk.refuse("it averages squares over several axes", WRITTEN)
    size = base.shape[dims[0]]
    at = dims[0] - len(base.shape) if dims[0] >= 0 else dims[0]
    return MeanSquare(base, at, bool(kept), factor * (size if name == "sum" else 1))


def _number(value: Any) -> float | None:
    if isinstance(value, Tensor) and value.numel() == 1:
        return float(value)
    return float(value) if isinstance(value, int | float) else None
