"""Images: the shape of one, read from the shape in which a sample was stored."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from netgraph.columns import Array

_CHANNELS = (1, 3, 4)
"""Numbers of channels that an axis of channels can have: grey, RGB, and RGB with transparency."""


@dataclass(frozen=True)
class ImageLayout:
    """Order of the pixels of an image in its flattened row.

    Attributes:
        channels, height, width: the size of an image.
        channels_last: whether the channels of a pixel lie side by side in a row, `(height, width, channels)`.
    """

    channels: int
    height: int
    width: int
    channels_last: bool = False

    @property
    def shape(self) -> tuple[int, int, int]:
        """Shape of an image, `(channels, height, width)`."""
        return self.channels, self.height, self.width

    def by_channel(self, rows: Array) -> Array:
        """Reshape rows, `(N, features)`, to `(N, channels, height * width)`: a view where that is possible."""
        pixels = self.height * self.width
        if self.channels_last:
            return rows.reshape(len(rows), pixels, self.channels).swapaxes(1, 2)
        return rows.reshape(len(rows), self.channels, pixels)

    def as_maps(self, rows: Array) -> Array:
        """Reshape rows, `(N, features)`, to contiguous maps, `(N, channels, height, width)`."""
        return np.ascontiguousarray(self.by_channel(rows)).reshape(len(rows), *self.shape)


def image_layout(shape: tuple[int, ...]) -> ImageLayout | None:
    """Find the layout of images from the shape of a sample; None for other samples, such as rows of a table.

    Two axes are (height, width) of one channel. Three axes are (height, width, channels), the usual layout of
    stored pictures, when the last is 1, 3 or 4 and the first is none of these, and (channels, height, width) else.
    """
    if len(shape) == 2:
        return ImageLayout(1, *shape)
    if len(shape) != 3:
        return None
    if shape[-1] in _CHANNELS and shape[0] not in _CHANNELS:
        return ImageLayout(shape[2], shape[0], shape[1], channels_last=True)
    return ImageLayout(*shape)
