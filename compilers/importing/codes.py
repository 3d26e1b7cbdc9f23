"""Values of an imported program: every number is a sum of codes times factors, and a code names where it comes from."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from netgraph.columns import Array

ONE = 0
"""Code of the constant 1."""


class CodeSpace:
    """Ranges of codes, one per owner: a draft, an input tensor or a parameter.

    Code 0 is the constant 1. A range holds `samples` equal parts, one after the other; parameters have a single part.
    """

    def __init__(self) -> None:
        self._owners: list[Any] = [None]
        self._table = np.zeros((2, 16), np.int64)  # first codes and strides, with room for further owners
        self._table[0, 0] = ONE
        self._next = ONE + 1

    def add(self, owner: Any, size: int, samples: int = 1) -> int:
        """Reserve `size` codes for each of `samples` samples; return the first code."""
        start, count = self._next, len(self._owners)
        if count == self._table.shape[1]:
            self._table = np.concatenate([self._table, np.zeros_like(self._table)], axis=1)
        self._table[:, count] = start, size if samples > 1 else 0
        self._owners.append(owner)
        self._next += size * samples
        return start

    @property
    def _columns(self) -> Array:
        return self._table[:, : len(self._owners)]

    def owner(self, index: int) -> Any:
        """Owner with this number."""
        return self._owners[index]

    def locate(self, codes: Array) -> tuple[Array, Array, Array]:
        """Number of the owner, sample (-1 where there are none) and offset in the sample of each code.

        Cost: O(codes log owners).
        """
        starts, strides = self._columns
        owner = np.searchsorted(starts, codes, side="right") - 1
        offset, stride = codes - starts[owner], strides[owner]
        sampled = stride > 0
        sample = np.where(sampled, offset // np.where(sampled, stride, 1), -1)
        return owner, sample, np.where(sampled, offset - sample * stride, offset)

    def strides(self, codes: Array) -> Array:
        """Distance of the codes of one number in neighbouring samples, 0 for parameters and constants."""
        starts, strides = self._columns
        found: Array = strides[np.searchsorted(starts, codes, side="right") - 1]
        return found


def distinct(numbers: Array) -> list[int]:
    """Numbers that occur, in increasing order, for small numbers of at least 0. Costs O(numbers + largest number)."""
    found: list[int] = np.flatnonzero(np.bincount(numbers.reshape(-1))).tolist()
    return found


@dataclass(frozen=True, eq=False)
class CodedTerm:
    """Codes times factors, two tensors of one shape; a factor of 0 stands for nothing.

    Attributes:
        codes: int64 codes.
        factor: float64 factors.
    """

    codes: Tensor
    factor: Tensor

    def map(self, move: Callable[[Tensor], Any]) -> Any:
        """Apply a function that moves numbers; a function with several results gives a list of terms."""
        codes, factor = move(self.codes), move(self.factor)
        if isinstance(codes, Tensor):
            return CodedTerm(codes, factor)
        return [CodedTerm(c, f) for c, f in zip(codes, factor, strict=True)]

    def scaled(self, factor: Any) -> CodedTerm:
        """Multiply by a number or a tensor that broadcasts."""
        product = self.factor * factor
        return CodedTerm(self.codes.expand(product.shape), product)

    @property
    def exists(self) -> Tensor:
        """Mask of the numbers that are not nothing."""
        return self.factor != 0


class Coded:
    """A tensor that depends on inputs or parameters: the sum of its terms.

    `terms` is replaced when a layer is made for the sum, so that every later reader reads that layer; values that were
    moved from this one before follow.

    Attributes:
        terms: the terms.
        node: the operation that made the value, if any.
    """

    def __init__(self, terms: Iterable[CodedTerm]) -> None:
        self._terms = tuple(terms)
        self._moved_from: tuple[Coded, tuple[CodedTerm, ...], Callable[[CodedTerm], CodedTerm]] | None = None
        self.node: Any = None

    @property
    def terms(self) -> tuple[CodedTerm, ...]:
        """Return the terms."""
        if self._moved_from is not None:
            base, seen, move = self._moved_from
            if base.terms is not seen:
                self._terms = tuple(move(term) for term in base.terms)
                self._moved_from = (base, base.terms, move)
        return self._terms

    @terms.setter
    def terms(self, terms: tuple[CodedTerm, ...]) -> None:
        self._terms, self._moved_from = terms, None

    @classmethod
    def of(cls, codes: Tensor) -> Coded:
        """Build a value of codes with the factor 1."""
        return cls([CodedTerm(codes, torch.ones((), dtype=torch.float64).expand(codes.shape))])

    @classmethod
    def constant(cls, values: Tensor) -> Coded:
        """Build a value of constants."""
        return cls([CodedTerm(torch.full((), ONE, dtype=torch.int64).expand(values.shape), values.to(torch.float64))])

    @property
    def shape(self) -> torch.Size:
        """Shape of the tensor."""
        return self.terms[0].codes.shape

    def map(self, move: Callable[[Tensor], Any]) -> Any:
        """Apply a function that moves numbers to all terms; one with several results gives a list of values."""
        moved = [term.map(move) for term in self.terms]
        if isinstance(moved[0], CodedTerm):
            return self._moved(moved, lambda term: term.map(move))
        return [
            self._moved(parts, lambda term, i=i: term.map(move)[i])  # type: ignore[misc]
            for i, parts in enumerate(zip(*moved, strict=True))
        ]

    def _moved(self, terms: Iterable[CodedTerm], move: Callable[[CodedTerm], CodedTerm]) -> Coded:
        moved = Coded(terms)
        moved.node, moved._moved_from = self.node, (self, self.terms, move)
        return moved

    def scaled(self, factor: Any) -> Coded:
        """Multiply by a number or a tensor that broadcasts."""
        return Coded(term.scaled(factor) for term in self.terms)

    def plus(self, other: Coded) -> Coded:
        """Add a value of a shape that broadcasts."""
        shape = torch.broadcast_shapes(self.shape, other.shape)  # type: ignore[no-untyped-call]
        return Coded(
            CodedTerm(term.codes.expand(shape), term.factor.expand(shape)) for term in (*self.terms, *other.terms)
        )

    @property
    def only(self) -> CodedTerm | None:
        """The term of a value that is codes with factors 1; None for any other value."""
        term = self.terms[0]
        return term if len(self.terms) == 1 and bool((term.factor == 1).all()) else None

    def equals(self, other: Coded) -> bool:
        """Whether both values have the same terms."""
        return self is other or (
            len(self.terms) == len(other.terms)
            and all(
                torch.equal(one.codes, two.codes) and torch.equal(one.factor, two.factor)
                for one, two in zip(self.terms, other.terms, strict=True)
            )
        )

    def ratio_to(self, other: Coded) -> float | None:
        """Number by which this value is a multiple of another, None where it is none."""
        if len(self.terms) != len(other.terms) or self.shape != other.shape:
            return None
        ratios = []
        for one, two in zip(self.terms, other.terms, strict=True):
            exists = one.exists
            if not torch.equal(exists, two.exists) or not torch.equal(one.codes[exists], two.codes[exists]):
                return None
            ratios.append(one.factor[exists] / two.factor[exists])
        every = torch.cat(ratios)
        return float(every[0]) if len(every) and bool((every == every[0]).all()) else None

    @property
    def uniform(self) -> float | None:
        """The factor of a value that is one term with the same factor everywhere, None for any other value."""
        factor = self.terms[0].factor
        if len(self.terms) > 1 or not factor.numel():
            return None
        first = factor.reshape(-1)[0]
        return float(first) if bool((factor == first).all()) and first != 0 else None
