"""Choice of the network that a run keeps: the grown one, or the start alone when growth did harm."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch

from compilers import CompiledNetwork
from compilers.training import predicted_classes, squared_errors
from netgraph.app.data import Dataset
from netgraph.app.places import GROWN
from netgraph.columns import Array


@dataclass(frozen=True, kw_only=True)
class Harm:
    """Finding that a grown network is worse than its start alone, by more than chance explains.

    Attributes:
        kept: whether the run keeps the start instead, which it does when growth made the network larger.
        sentence: a text for the user that says both.
    """

    kept: bool
    sentence: str


def harm_of_growth(
    grown: CompiledNetwork, start: CompiledNetwork, samples: tuple[torch.Tensor, torch.Tensor], dataset: Dataset
) -> Harm | None:
    """Compare a grown network with its start, trained alone as long, sample by sample; None when it did no harm.

    The grown network is worse when its mean error exceeds that of the start by more than one standard error of the
    difference, over the same samples. A single sample has no standard error and decides nothing.

    Args:
        grown, start: the networks.
        samples: inputs of the validation samples, as both take them, and targets.
        dataset: the data set, for its task and the units of its targets.
    """
    mine, theirs = (_errors(net, samples, dataset) for net in (grown, start))
    difference = mine - theirs
    if len(difference) < 2:
        return None
    worse, error = float(difference.mean()), float(difference.std(ddof=1)) / math.sqrt(len(difference))
    if not worse > error:
        return None
    kept = grown.graph.num_edges > start.graph.num_edges
    what = "wrong answers" if dataset.task == "classification" else "squared errors, in the units of the targets,"
    by = (
        f"Growth did harm: on the validation samples the grown network has {mine.mean():.4g} {what} per sample, the "
        f"start alone {theirs.mean():.4g}; the difference is {_times(worse, error)}."
    )
    then = (
        f"So graph.safetensors is the start, and {GROWN} the grown network."
        if kept
        else "The grown network is kept all the same, since it is no larger than the start."
    )
    return Harm(kept=kept, sentence=f"{by} {then}")


def _times(worse: float, error: float) -> str:
    return f"{worse / error:.1f} standard errors" if error > 0 else "the same for every sample"


def _errors(net: CompiledNetwork, samples: tuple[torch.Tensor, torch.Tensor], dataset: Dataset) -> Array:
    """Compute the error of each sample: 1 for a wrong class, or the mean squared error of the raw targets, `(N,)`."""
    x, y = samples
    if dataset.target_std is None:
        wrong: Array = predicted_classes(net, x, y)[0].numpy() != y.cpu().numpy()
        return wrong.astype(np.float64)
    errors: Array = squared_errors(net, x, y).numpy() * dataset.target_std**2
    return np.asarray(errors.mean(axis=1))
