"""Training that is no longer finite: noticed after every epoch, with the likely causes, judged by the data."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from compilers.training.finite import not_finite
from compilers.training.settings import TrainingData, TrainSettings
from compilers.training.state import TrainState
from netgraph.errors import DivergenceError

LARGE = 1e3
"""Size of inputs and targets from which they are named as a likely cause: training suits values near 1."""

SHOWN_LOSSES = 3
"""Number of training losses before the failure that a message lists."""


def check_finite(state: TrainState, data: TrainingData, settings: TrainSettings, metrics: Mapping[str, float]) -> None:
    """Raise `DivergenceError` when a metric of the epoch, a weight or optimizer state is not finite.

    Args:
        state: before the epoch is counted.
        data: the data of the run.
        settings: the settings of the run.
        metrics: of the epoch.
    """
    bad = [name for name, value in metrics.items() if not math.isfinite(value)]
    if not bad:
        bad = not_finite(state.net, state.optimizer)
    if not bad:
        return
    epoch = state.epoch + 1
    verb = "is" if len(bad) == 1 and bad[0] in metrics else "are"
    text = f"{', '.join(bad)} {verb} not finite after epoch {epoch}. {_cause(data, settings)}"
    raise DivergenceError(f"{text} {_history(state)}")


def _cause(data: TrainingData, settings: TrainSettings) -> str:
    """The likely causes, the likeliest first, with their remedies."""
    tensors = {name: getattr(data, name) for name in ("x_train", "y_train", "x_valid", "y_valid")}
    for name, values in tensors.items():
        if (place := _first_not_finite(values)) is not None:
            return f"{name} has {values[place].item()} at {_spoken(place)}; mend or drop such samples."
    pairs = {"inputs": ("x_train", "x_valid", "scale"), "targets": ("y_train", "y_valid", "standardise")}
    causes, seen = [], []
    for kind, (*names, remedy) in pairs.items():
        real = [tensors[name] for name in names if tensors[name].is_floating_point()]
        if not real:
            continue
        low, high = min(float(v.min()) for v in real), max(float(v.max()) for v in real)
        seen.append(f"{kind} from {low:.3g} to {high:.3g}")
        large = [name for name in names if tensors[name].abs().max() > LARGE]
        if large:
            there = f"{' and '.join(large)} {'has' if len(large) == 1 else 'have'}"
            causes.append(f"{there} values up to {max(-low, high):.3g}: {remedy} {kind} to a size near 1")
    rate = f"learning_rate={settings.learning_rate:g} is too high for this network: lower it, to a tenth at first"
    if settings.optimizer == "natural":
        rate += f", or raise damping={settings.damping:g}"
    factor, decay = settings.learning_rate * settings.weight_decay, []
    if factor >= 2:
        decay.append(
            f"weight_decay={settings.weight_decay:g} times learning_rate={settings.learning_rate:g} is {factor:.3g}, "
            "and from 2 on decay makes weights larger: lower it"
        )
    causes += [rate, *decay] if settings.learning_rate > settings.weight_decay else [*decay, rate]
    if len(causes) == 1:
        listed = f"The likely cause: {causes[0]}"
    else:
        listed = f"Likely causes, in this order: {'; '.join(f'({k}) {one}' for k, one in enumerate(causes, start=1))}"
    return f"{listed}. The data are finite ({', '.join(seen)})." if seen else f"{listed}."


def _history(state: TrainState) -> str:
    """The state that stands, and the epochs before it, in sentences."""
    if not state.epoch:
        return "No epoch had ended before, so no trained state stands."
    losses = ", ".join(f"{metrics['train_loss']:.4g}" for metrics in state.history[-SHOWN_LOSSES:])
    text = f"The last state that is finite is that after epoch {state.epoch}; training losses up to it: {losses}."
    rules = sorted({action.rule for action in state.actions if action.epoch == state.epoch and action.matches})
    return f"{text} Just after it, {' and '.join(rules)} rewrote the graph." if rules else text


def _first_not_finite(values: Tensor) -> tuple[int, ...] | None:
    """Index of the first value that is NaN or infinite."""
    if not values.is_floating_point():
        return None
    bad = ~torch.isfinite(values)
    return tuple(bad.nonzero()[0].tolist()) if bad.any() else None


def _spoken(place: tuple[int, ...]) -> str:
    row, *rest = place
    return f"row {row}" + (f", position {', '.join(map(str, rest))}" if rest else "")
