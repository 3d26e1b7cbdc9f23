"""Random crops and flips of training maps, for a whole mini-batch at once."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from compilers.training.settings import TrainSettings
from netgraph.errors import OptionError
from netgraph.graph import Graph


class Augment:
    """Changes of the training maps of one epoch, drawn once for every sample.

    A crop moves an image by up to `crop_padding` positions along each axis, as cutting its size out of a padded image
    does; a flip mirrors left and right, every second time. A crop comes before a flip. What a crop uncovers is 0, or
    where a channel cannot be 0 the nearest value of its domain: black where inputs lie in [0, 1], and the mean of the
    training images where they were normalised. So values stay in the domain.

    Args:
        settings: with `augment` and `crop_padding`.
        graph: its input layer has the grid and the domain.
        samples: number of training samples.
        seed: of this epoch; the draws depend on it alone.
        device: where the maps lie.

    Raises:
        OptionError: as `check_augment`.
    """

    def __init__(self, settings: TrainSettings, graph: Graph, samples: int, seed: int, device: torch.device) -> None:
        check_augment(settings, graph)
        generator = torch.Generator().manual_seed(seed)
        padding = settings.crop_padding if "crop" in settings.augment else 0
        self._crops = padding > 0
        # Drawn for both at any rate, so that the crops of "crop" are those of "crop+flip".
        moves = torch.randint(-padding, padding + 1, (samples, 2), generator=generator)
        flips = torch.randint(2, (samples,), generator=generator, dtype=torch.bool)
        if "flip" not in settings.augment:
            flips = torch.zeros_like(flips)
        self._moves, self._flips = moves.to(device), flips.to(device)
        layer = graph.inputs[0]
        fill = np.clip(0.0, layer.values["low"], layer.values["high"])
        self._fill = torch.from_numpy(fill).to(device)[:, None, None]

    def __call__(self, x: Tensor, rows: Tensor) -> Tensor:
        """Augment a mini-batch.

        Args:
            x: training maps, `(batch, maps, height, width)`.
            rows: indices of the samples, which select their random draws, `(batch,)`.

        Returns:
            A tensor of the same shape, dtype and device.
        """
        flipped = self._flips[rows, None]
        if not self._crops:
            return torch.where(flipped[:, :, None, None], x.flip(3), x)
        height, width = x.shape[2:]
        down, right = self._moves[rows].unsqueeze(2).unbind(1)
        columns = torch.arange(width, device=x.device)
        columns = torch.where(flipped, width - 1 - columns, columns) + right
        lines = torch.arange(height, device=x.device) + down
        moved = x.gather(2, lines.clamp(0, height - 1)[:, None, :, None].expand_as(x))
        moved = moved.gather(3, columns.clamp(0, width - 1)[:, None, None, :].expand_as(x))
        inside = ((lines >= 0) & (lines < height))[:, :, None] & ((columns >= 0) & (columns < width))[:, None, :]
        return torch.where(inside[:, None], moved, self._fill.to(x.dtype))


def check_augment(settings: TrainSettings, graph: Graph) -> None:
    """Refuse settings that make no sense for the inputs of the graph.

    Raises:
        OptionError: for augmentation of inputs that are no maps, and for crops that may leave nothing of an image.
    """
    if settings.augment == "none":
        return
    layer = graph.inputs[0]
    if layer.encoding == "index":
        raise OptionError(
            f"augment={settings.augment!r} fills what it uncovers with a colour, but input {layer.name!r} takes "
            "indices; use augment=none."
        )
    if len(layer.grid) != 2:
        raise OptionError(
            f"augment={settings.augment!r} needs maps, but input {layer.name!r} takes {len(layer)} features without a "
            "grid; use augment=none, or a method that starts at a graph of maps."
        )
    if graph.outputs[0].output_grid:
        raise OptionError(
            f"augment={settings.augment!r} moves the inputs and not the targets, but output {graph.outputs[0].name!r} "
            f"gives maps of {graph.outputs[0].output_grid}, which would have to move along; use augment=none."
        )
    if "crop" in settings.augment and settings.crop_padding >= min(layer.grid):
        raise OptionError(
            f"crop_padding={settings.crop_padding} may move all of an image of {layer.grid} out of sight; "
            f"use at most {min(layer.grid) - 1}."
        )
