"""`Start`: the facts about the data from which a method makes its first graph."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from netgraph.checks import Checked, Seed
from netgraph.errors import OptionError
from netgraph.graph import Domain


@dataclass(frozen=True, kw_only=True, eq=False)
class Start(Checked):
    """The data that a first graph is made for, and the seed of its weights.

    The graph decides whether its inputs are flat vectors or maps: maps when its input layer has a grid.

    Attributes:
        shape: shape of a sample: `(features,)`, or `(channels, height, width)` of an image.
        outputs: number of classes, or of regression targets.
        domain: `(low, high)` of the inputs; numbers, or arrays of one per channel of an image, else per feature.
        seed: seed of the initial weights.
        channels_last: whether an image as a flat vector has the order `(height, width, channels)`.
        task: kind of learning problem.
    """

    shape: tuple[int, ...]
    outputs: int
    domain: Domain
    seed: Seed
    channels_last: bool = False
    task: Literal["classification", "regression"] = "classification"

    @property
    def features(self) -> int:
        """Number of features of a sample when it is one flat vector."""
        return math.prod(self.shape)

    @property
    def flat_domain(self) -> Domain:
        """Domain `(low, high)` of samples as flat vectors; numbers, or arrays of one per feature."""
        if len(self.shape) == 1 or np.ndim(self.domain[0]) == 0:
            return self.domain
        positions = self.features // self.shape[0]
        spread = np.tile if self.channels_last else np.repeat
        low, high = self.domain
        return spread(low, positions), spread(high, positions)

    @property
    def maps(self) -> tuple[int, int, int]:
        """`(channels, height, width)` of an image.

        Raises:
            OptionError: for data that are no images.
        """
        if len(self.shape) != 3:
            raise OptionError(
                f"The start asks for maps, but a sample is a row of {self.features} features without the shape of an "
                "image; give images as an IDX file, or as a .npz file with x of shape (samples, height, width) or "
                "(samples, height, width, channels), or a start without maps."
            )
        channels, height, width = self.shape
        return channels, height, width
