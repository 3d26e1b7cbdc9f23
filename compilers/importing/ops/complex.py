"""Complex numbers on the way through a rotation: pairs of channels that are multiplied by constants."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils import _pytree as pytree

from compilers.importing.codes import Coded
from compilers.importing.movement import KEEPING, MOVEMENTS, stacked
from compilers.importing.walk import Lazy, ModuleWalk, operation


class Complex(Lazy):
    """A tensor of complex numbers, as its real and imaginary parts."""

    def __init__(self, real: Coded, imaginary: Coded) -> None:
        self.parts = (real, imaginary)

    @property
    def shape(self) -> torch.Size:
        """Shape of the tensor."""
        return self.parts[0].shape

    def meet(self, walk: ModuleWalk, name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        """Move the numbers, multiply them by constants, or give their parts back."""
        if name == "view_as_real":
            return stacked(self.parts, -1)
        if name in {"real", "imag"}:
            return self.parts[name == "imag"]
        if name in KEEPING:
            return self
        if name in MOVEMENTS:
            given, target = (list(args), dict(kwargs)), walk.target
            real, imaginary = (walk.call(target, *_with(given, self, part)) for part in self.parts)
            if isinstance(real, Coded):
                return Complex(real, imaginary)
            return [Complex(*pair) for pair in zip(real, imaginary, strict=True)]
        other = next((value for value in args if value is not self), None)
        if name == "mul" and isinstance(other, Tensor):
            number = other.to(torch.complex128)
            a, b = self.parts
            return Complex(
                a.scaled(number.real).plus(b.scaled(-number.imag)), a.scaled(number.imag).plus(b.scaled(number.real))
            )
        return NotImplemented

    def resolve(self, walk: ModuleWalk) -> Coded:
        """Refuse: layers have real values."""
        walk.refuse(
            "it computes with complex numbers", "use real numbers; a rotation is a pair of sums with cos and sin"
        )


def _with(given: Any, old: Complex, new: Coded) -> Any:
    """Arguments with another value in the place of one."""
    return pytree.tree_map(lambda leaf: new if leaf is old else leaf, given)


@operation("view_as_complex")
def view_as_complex(walk: ModuleWalk, value: Coded) -> Complex:
    """Pairs along the last axis as complex numbers."""
    real, imaginary = value.map(lambda part: part.unbind(-1))
    return Complex(real, imaginary)
