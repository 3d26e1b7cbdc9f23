"""The training loop: epochs, and between them the proposals of the method."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor

from compilers.running import CompiledNetwork
from compilers.training.augment import Augment
from compilers.training.batches import AUGMENT, SHUFFLE, mini_batches, stream_seed
from compilers.training.context import TrainerContext
from compilers.training.divergence import check_finite
from compilers.training.evaluate import Loss, evaluate, training_loss
from compilers.training.events import Callback, EpochEnded, Settled, Stopped, notify
from compilers.training.fit import check_fit
from compilers.training.natural import NaturalGradient
from compilers.training.rewriting import carry_out
from compilers.training.settings import TrainingData, TrainSettings
from compilers.training.state import FORWARDS_PER_STEP, TrainState
from netgraph.analysis import forward_flops
from netgraph.graph import Graph
from netgraph.methods import Method
from netgraph.schedules import Stalled, StopReason, get_curve
from netgraph.statistics import Statistics

Watches = Mapping[str, Mapping[str, Any]]
"""Statistics to collect on the way, by name, with their options."""


def train(
    state: TrainState,
    data: TrainingData,
    settings: TrainSettings,
    method: Method | None = None,
    callbacks: Sequence[Callback] = (),
) -> TrainState:
    """Train a state to its last epoch, growing it as the method says. The state is updated in place and returned.

    The metrics of an epoch have its wall `seconds`, evaluation included and rewrites not, and the `flops` of its
    training steps: three forwards of every sample, as `netgraph.analysis.forward_flops` counts them, and what finding
    natural gradients takes. Evaluation, statistics and updates by other optimizers are not in `flops`.

    Args:
        state: a fresh state from `begin`, or one from `load_checkpoint`.
        data: training and validation data on the device of the network.
        settings: how to train.
        method: proposes rewrites after each epoch; None trains the graph as it is.
        callbacks: called with every event, in order.

    Raises:
        OptionError: when the settings augment inputs that are no maps.
        InputError: when training or validation data do not fit the input layer, or leave its declared domain.
        DataError: when targets do not fit the output layer, or there are several input or output layers.
        DivergenceError: when the loss, a weight or optimizer state is no longer finite; the state then is that of the
            failed epoch.
    """
    # Certificates hold inside the domain only, and a run may take hours: data are refused before it.
    check_fit(state.net.graph, data, settings)
    if method is not None and not state.epoch:  # a resumed run is in a phase already
        state.phase = method.opening
    while state.epoch < settings.epochs and state.stopped is None:
        metrics, signals = _measured_epoch(state, data, settings, method.watches if method is not None else None)
        # Before the epoch counts: its numbers are neither rewritten nor saved when they are not finite.
        check_finite(state, data, settings, metrics)
        state.history.append(metrics)
        notify(callbacks, EpochEnded(state.epoch, settings.epochs, metrics, signals))
        # Not after the last epoch: new vertices and edges would stay untrained.
        if method is not None and state.epoch < settings.epochs:
            with _timed_rewriting(state):
                carry_out(state, data, settings, method, signals, callbacks)
        reason = _reason_to_stop(state, data, settings, method)
        if reason is not None:
            state.stopped = reason
            notify(callbacks, Stopped(state.epoch, reason))
        # Last, and after every epoch: checkpoints are written on it, which hold all that the epoch led to.
        notify(callbacks, Settled(state.epoch, settings.epochs))
    return state


def train_epoch(
    state: TrainState, data: TrainingData, settings: TrainSettings, watches: Watches | None = None
) -> tuple[dict[str, float], Statistics | None]:
    """One pass over the training data, in an order and augmented as seed and epoch alone say.

    Args:
        state: what to train.
        data: training data.
        settings: how to train.
        watches: statistics to collect over the last `settings.watch_batches` mini-batches, with their options.

    Returns:
        The metrics of the epoch, and the statistics, None when there are none to collect.
    """
    net, optimizer = state.net, state.optimizer
    gradients = _gradients_of(net, optimizer, training_loss(data.task, settings.label_smoothing))
    # Order and augmentation are drawn anew from seed and epoch, so that a resumed run needs no state of a generator.
    batches = mini_batches(data, settings, state.epoch, SHUFFLE, net.graph)
    augment = _augment(data, settings, state.epoch, net.graph)
    # Statistics are read after the epoch, at its last weights: those of the last batches are nearest to them, and the
    # steps before cost nothing extra.
    first_watched = max(0, len(batches) - settings.watch_batches)
    # On the device: reading it in every step would wait for the step.
    total = torch.zeros((), device=data.device)
    net.train()
    for step, rows in enumerate(batches):
        if step == first_watched:
            for name, options in (watches or {}).items():
                net.request(name, **options)
        x, y = data.x_train[rows], data.y_train[rows]
        if augment is not None:
            x = augment(x, rows)
        # In every step: rates fall within an epoch as well, of which a short run has few.
        _set_rate(optimizer, _learning_rate(state, settings, step / len(batches)))
        optimizer.zero_grad(set_to_none=True)
        loss = gradients(x, y)
        optimizer.step()
        # By samples, since the last batch may be short.
        total += loss.detach() * len(x)
    signals = net.statistics() if watches else None
    # At once: the next epoch is to cost nothing extra up to its last batches either.
    for name in watches or ():
        net.release(name)
    metrics = {"train_loss": float(total) / len(data.x_train), "learning_rate": optimizer.param_groups[0]["lr"]}
    return metrics, signals


# -- steps --------------------------------------------------------------------------------------------


def _gradients_of(
    net: CompiledNetwork, optimizer: torch.optim.Optimizer, loss_of: Loss
) -> Callable[[Tensor, Tensor], Tensor]:
    """A function from a batch to its loss that leaves the gradients where the optimizer finds them."""
    if isinstance(optimizer, NaturalGradient):
        return partial(optimizer.observe, net, loss=loss_of)

    def backward(x: Tensor, y: Tensor) -> Tensor:
        loss = loss_of(net(x), y)
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    return backward


def _learning_rate(state: TrainState, settings: TrainSettings, share: float) -> float:
    """Compute the learning rate after a share of the present epoch."""
    progress = state.phase.progress(state.epoch - state.phase_start + share, settings.epochs - state.phase_start)
    return settings.learning_rate * get_curve(state.phase.curve or settings.curve)(progress)


def _set_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    for group in optimizer.param_groups:
        group["lr"] = rate


def _augment(data: TrainingData, settings: TrainSettings, epoch: int, graph: Graph) -> Augment | None:
    """Draw the random crops and flips of the training maps for an epoch; None without augmentation."""
    if settings.augment == "none":
        return None
    seed = stream_seed(settings.seed, epoch, AUGMENT)
    return Augment(settings, graph, len(data.x_train), seed, data.device)


# -- the end ------------------------------------------------------------------------------------------


def _reason_to_stop(
    state: TrainState, data: TrainingData, settings: TrainSettings, method: Method | None
) -> StopReason | None:
    """Return the reason to stop before the last epoch, or None to go on."""
    if state.epoch == settings.epochs or not _no_longer_improves(state, settings):
        return None
    # A rewrite or phase that is still to come moves the loss again: standing still before it is no end.
    if method is not None and method.pending(TrainerContext(state, data, settings, None)):
        return None
    return StopReason.no_improvement(settings.patience)


def _no_longer_improves(state: TrainState, settings: TrainSettings) -> bool:
    """Whether the validation loss has not improved for `patience` epochs since the last rewrite or new phase."""
    since = max([state.phase_start, *(action.epoch for action in state.actions if action.matches > 0)])
    return settings.patience > 0 and Stalled(settings.patience).fires(state.history, since)


# -- book-keeping -------------------------------------------------------------------------------------


def _measured_epoch(
    state: TrainState, data: TrainingData, settings: TrainSettings, watches: Watches | None
) -> tuple[dict[str, float], Statistics | None]:
    """An epoch and its validation: their metrics with wall seconds and operations, and the statistics."""
    started = time.perf_counter()
    metrics, signals = train_epoch(state, data, settings, watches)
    metrics |= {f"val_{k}": v for k, v in evaluate(state.net, data.x_valid, data.y_valid, data.task).items()}
    metrics["edges"] = state.net.graph.num_edges
    metrics["flops"] = _training_flops(state, data)
    state.costs["training"] = state.costs.get("training", 0.0) + metrics["flops"]
    metrics["seconds"] = time.perf_counter() - started
    return metrics, signals


def _training_flops(state: TrainState, data: TrainingData) -> float:
    """Floating-point operations of the steps of an epoch."""
    forwards = float(FORWARDS_PER_STEP * len(data.x_train) * forward_flops(state.net.graph))
    optimizer = state.optimizer
    return forwards + (optimizer.take_flops() if isinstance(optimizer, NaturalGradient) else 0.0)


@contextmanager
def _timed_rewriting(state: TrainState) -> Iterator[None]:
    """Add the wall seconds of the block to those between epochs."""
    started = time.perf_counter()
    yield
    state.rewriting += time.perf_counter() - started
