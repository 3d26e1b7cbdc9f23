"""Owners of codes besides drafts: the inputs and the parameters of a module."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from compilers.importing.drafts import DraftLayer
from netgraph.columns import Array


@dataclass(eq=False)
class InputTensor:
    """An input of a module. Which of its axes are features is decided by the first operation that computes with it.

    Attributes:
        name: name of the argument of `forward`.
        shape: shape of one sample.
        domain: interval of the values, None for no limits.
        draft: its input layer, None until it is decided.
        guessed: whether no operation showed its features, so that they were taken from its shape.
        row, position: row and position in the layer of each number of a sample, in reading order, `(numbers,)`.
    """

    name: str
    shape: tuple[int, ...]
    domain: tuple[float, float] | None = None
    draft: DraftLayer | None = None
    guessed: bool = False
    row: Array = field(default_factory=lambda: np.zeros(0, np.int64))
    position: Array = field(default_factory=lambda: np.zeros(0, np.int64))

    @property
    def size(self) -> int:
        """Number of numbers of a sample."""
        return math.prod(self.shape)

    def decide(self, draft: DraftLayer, row: Array, position: Array) -> None:
        """Take a layer, with the row and the position of each number."""
        self.draft, self.row, self.position = draft, row, position

    def decide_by_shape(self, *, unusual: bool = False) -> None:
        """Take the usual axes: `(features,)`, `(tokens, features)`, `(channels, height, width)`; or the other way."""
        self.guessed = True
        axes = {1: (0,), 2: (0,), 3: (2,)} if unusual else {1: (0,), 2: (1,), 3: (0,)}
        self.decide_by_axes(axes.get(len(self.shape), tuple(range(len(self.shape)))))

    def decide_by_axes(self, features: Sequence[int]) -> None:
        """Take some axes of a sample as features, and the others as positions."""
        places = [axis for axis in range(len(self.shape)) if axis not in features]
        numbers = np.arange(self.size).reshape(self.shape).transpose(*features, *places)
        width = math.prod(self.shape[axis] for axis in features)
        flat = numbers.reshape(width, -1)
        row, position = np.empty(self.size, np.int64), np.empty(self.size, np.int64)
        row[flat], position[flat] = np.arange(width)[:, None], np.arange(flat.shape[1])
        grid = tuple(self.shape[axis] for axis in places)
        self.decide(DraftLayer(self.name, width, grid, role="input", domain=self.domain), row, position)


@dataclass(eq=False)
class IndexTensor:
    """An input of whole numbers, each the row of a table that is read.

    Attributes:
        name: name of the argument of `forward`.
        shape: shape of one sample, which is the grid of the layer.
        draft: its input layer, None until a table is read.
    """

    name: str
    shape: tuple[int, ...]
    draft: DraftLayer | None = None

    @property
    def size(self) -> int:
        """Number of numbers of a sample."""
        return math.prod(self.shape)


@dataclass(eq=False)
class ParameterTensor:
    """A parameter of a module.

    Attributes:
        name: name in the state dict.
        values: its numbers in reading order, float64.
        trained: whether it requires gradients.
        start: its first code.
        used: mask of the numbers that an edge or a vertex has already.
    """

    name: str
    values: Array
    trained: bool
    start: int
    used: Array
