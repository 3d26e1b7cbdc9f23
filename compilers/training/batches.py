"""Mini-batches, and the seeds of everything that is drawn during training."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from compilers.training.settings import TrainingData, TrainSettings
from netgraph.graph import Graph, get_norm

SHUFFLE, SCORE, PROPOSE, REWRITE, AUGMENT = range(5)
"""Uses of random numbers; each has its own stream for each epoch or rewrite, so nothing needs to be stored."""


def mini_batches(data: TrainingData, settings: TrainSettings, epoch: int, use: int, graph: Graph) -> tuple[Tensor, ...]:
    """Row numbers of the mini-batches of one shuffled pass over the training data.

    A single sample at the end joins the batch before it where a norm that couples samples could not normalise it.
    """
    generator = torch.Generator().manual_seed(stream_seed(settings.seed, epoch, use))
    order = torch.randperm(len(data.x_train), generator=generator).to(data.device)
    batches = torch.split(order, settings.batch_size)
    if len(batches) > 1 and len(batches[-1]) == 1 and _couples_samples(graph):
        return (*batches[:-2], torch.cat(batches[-2:]))
    return batches


def _couples_samples(graph: Graph) -> bool:
    return any(get_norm(layer.norm).couples_samples for layer in graph.layers_by_id.values())


def stream_seed(seed: int, epoch: int, use: int) -> int:
    """Seed of one stream of random numbers."""
    return int(np.random.SeedSequence([seed, epoch, use]).generate_state(1, np.uint64)[0] >> np.uint64(1))
