"""The training loop: epochs, and between them whatever the method proposes."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from compilers.lifting import migrate, settle_running
from compilers.running import lower_with
from compilers.training.augment import Augment, check_augment
from compilers.training.batches import AUGMENT, REWRITE, SCORE, SHUFFLE, mini_batches, stream_seed
from compilers.training.context import TrainerContext
from compilers.training.divergence import check_finite
from compilers.training.evaluate import evaluate, training_loss
from compilers.training.events import (
    Callback,
    EpochEnded,
    Event,
    NothingSelected,
    PhaseBegan,
    Proposed,
    Rewritten,
    Settled,
    Stopped,
)
from compilers.training.natural import NaturalGradient
from compilers.training.settings import TrainingData, TrainSettings
from compilers.training.state import FORWARDS_PER_STEP, TrainState, make_optimizer
from netgraph.analysis import forward_flops
from netgraph.columns import Array
from netgraph.errors import DataError, InputError
from netgraph.graph import Graph, rewound
from netgraph.methods import NEW_PHASE, Action, Method, NewPhase, Proposal
from netgraph.rewriting import apply
from netgraph.schedules import Stalled, get_curve
from netgraph.statistics import Statistics

PROBE_SAMPLES = 256
"""Validation samples at most on which the change of the outputs by a rewrite is measured."""

PROBE_PRODUCTS = 100_000_000
"""Products of weight and value in one such measurement, some tenths of a second; eight samples are always taken."""


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
        method: what to propose after each epoch; None trains the graph as it is.
        callbacks: called with every event, in order.

    Raises:
        OptionError: when the settings augment inputs that are no maps.
        InputError: when training or validation data do not fit the input layer, or leave its declared domain.
        DataError: when targets do not fit the output layer, or there are several input or output layers.
        DivergenceError: when the loss, a weight or optimizer state is no longer finite; the state then is that of the
            failed epoch.
    """
    _check_single(state.net.graph)
    check_augment(settings, state.net.graph)
    for name in ("x_train", "x_valid"):
        _check_domain(state.net.graph, name, getattr(data, name))
    for name in ("y_train", "y_valid"):
        _check_targets(state.net.graph, name, getattr(data, name), data.task)
    if method is not None and not state.epoch:
        state.phase = method.opening
    while state.epoch < settings.epochs and state.stopped is None:
        started = time.perf_counter()
        metrics, signals = train_epoch(state, data, settings, method.watches if method is not None else None)
        metrics |= {f"val_{k}": v for k, v in evaluate(state.net, data.x_valid, data.y_valid, data.task).items()}
        metrics["edges"] = state.net.graph.num_edges
        metrics["flops"] = _training_flops(state, data)
        state.costs["training"] = state.costs.get("training", 0.0) + metrics["flops"]
        metrics["seconds"] = time.perf_counter() - started
        check_finite(state, data, settings, metrics)
        state.history.append(metrics)
        _tell(callbacks, EpochEnded(state.epoch, settings.epochs, metrics))
        if method is not None and state.epoch < settings.epochs:
            ended = time.perf_counter()
            _rewrite(state, data, settings, method, signals, callbacks)
            state.rewriting += time.perf_counter() - ended
        if (
            state.epoch < settings.epochs
            and _no_longer_improves(state, settings)
            and not (method is not None and method.pending(TrainerContext(state, data, settings, None)))
        ):
            state.stopped = f"the validation loss has not improved for {settings.patience} epochs"
            _tell(callbacks, Stopped(state.epoch, state.stopped))
        _tell(callbacks, Settled(state.epoch, settings.epochs))
    return state


def train_epoch(
    state: TrainState,
    data: TrainingData,
    settings: TrainSettings,
    watches: Mapping[str, Mapping[str, Any]] | None = None,
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
    loss_of = training_loss(data.task, settings.label_smoothing)
    total = torch.zeros((), device=data.device)
    net.train()
    batches = mini_batches(data, settings, state.epoch, SHUFFLE, net.graph)
    augment = _augment(data, settings, state.epoch, net.graph)
    for step, rows in enumerate(batches):
        if step == max(0, len(batches) - settings.watch_batches):
            for name, options in (watches or {}).items():
                net.request(name, **options)
        x, y = data.x_train[rows], data.y_train[rows]
        if augment is not None:
            x = augment(x, rows)
        rate = _learning_rate(state, settings, step / len(batches))
        for group in optimizer.param_groups:
            group["lr"] = rate
        optimizer.zero_grad(set_to_none=True)
        if isinstance(optimizer, NaturalGradient):
            loss = optimizer.observe(net, x, y, loss_of)
        else:
            loss = loss_of(net(x), y)
            loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        total += loss.detach() * len(x)
    signals = net.statistics() if watches else None
    for name in watches or ():
        net.release(name)
    metrics = {"train_loss": float(total) / len(data.x_train), "learning_rate": optimizer.param_groups[0]["lr"]}
    return metrics, signals


def _training_flops(state: TrainState, data: TrainingData) -> float:
    """Floating-point operations of the steps of an epoch."""
    forwards = float(FORWARDS_PER_STEP * len(data.x_train) * forward_flops(state.net.graph))
    optimizer = state.optimizer
    return forwards + (optimizer.take_flops() if isinstance(optimizer, NaturalGradient) else 0.0)


def _learning_rate(state: TrainState, settings: TrainSettings, share: float) -> float:
    """The learning rate after a share of the present epoch."""
    progress = state.phase.progress(state.epoch - state.phase_start + share, settings.epochs - state.phase_start)
    return settings.learning_rate * get_curve(state.phase.curve or settings.curve)(progress)


def _augment(data: TrainingData, settings: TrainSettings, epoch: int, graph: Graph) -> Augment | None:
    """What happens to the training maps of an epoch, or None."""
    if settings.augment == "none":
        return None
    seed = stream_seed(settings.seed, epoch, AUGMENT)
    return Augment(settings, graph, len(data.x_train), seed, data.device)


def _rewrite(
    state: TrainState,
    data: TrainingData,
    settings: TrainSettings,
    method: Method,
    signals: Statistics | None,
    callbacks: Sequence[Callback],
) -> None:
    context = TrainerContext(state, data, settings, signals)
    unread: list[Array] = []
    for proposal in method.propose(context):
        before = context.graph
        if isinstance(proposal, NewPhase):
            _begin_phase(state, settings, proposal)
            context.moved_on()
            _tell(callbacks, PhaseBegan(state.epoch, proposal))
            continue
        if proposal.on is not None and not len(proposal.on):
            state.actions.append(Action(proposal.part, proposal.rule.name, state.epoch, 0, before.num_edges))
            _tell(callbacks, NothingSelected(state.epoch, proposal))
            continue
        _tell(callbacks, Proposed(state.epoch, proposal))
        event = _carry_out(state, data, settings, proposal, before)
        context.moved_on()
        if proposal.settle:
            unread.append(event.result.delta.vertices_added.id)
        _tell(callbacks, event)
    if unread:
        rows = mini_batches(data, settings, state.epoch, SCORE, state.net.graph)[0]
        ids = np.concatenate(unread)
        settle_running(state.net, ids[np.isin(ids, state.net.graph.vertices.id)], data.x_train[rows])


def _begin_phase(state: TrainState, settings: TrainSettings, step: NewPhase) -> None:
    state.actions.append(Action(step.part, NEW_PHASE, state.epoch, 0, state.net.graph.num_edges))
    state.phase, state.phase_start = step.phase, state.epoch
    if step.origin is not None:
        net = state.net
        graph = rewound(net.graph, step.origin)
        state.net = lower_with(graph, net.options, net.weights.device, net.weights.dtype, settled=net.plan.choices)
        state.optimizer = make_optimizer(state.net, settings)


def _carry_out(
    state: TrainState, data: TrainingData, settings: TrainSettings, proposal: Proposal, before: Graph
) -> Rewritten:
    seed = stream_seed(settings.seed, before.rewrites, REWRITE)
    result = apply(proposal.rule, before, on=proposal.on, rng=seed, probe=_probe(before, data.x_valid))
    state.actions.append(Action(proposal.part, proposal.rule.name, state.epoch, len(result.matches), before.num_edges))
    if result.changed:
        state.net, state.optimizer = migrate(state.net, state.optimizer, result, newcomers=settings.newcomers)
    return Rewritten(state.epoch, proposal, result, before, {**state.history[-1], **proposal.numbers}, seed)


def _probe(graph: Graph, x: Tensor) -> Array:
    """Some samples for `apply`, in the domain: float32 may round a value on its boundary to one beside it."""
    samples = min(PROBE_SAMPLES, max(8, 2 * PROBE_PRODUCTS // max(1, forward_flops(graph))))
    layer = graph.inputs[0]
    low, high = (layer.values[key].reshape(-1, *(1,) * len(layer.grid)) for key in ("low", "high"))
    return np.clip(x[:samples].cpu().numpy().astype(np.float64), low, high)


def _check_single(graph: Graph) -> None:
    for what, layers in (("input", graph.inputs), ("output", graph.outputs)):
        if len(layers) > 1:
            raise DataError(
                f"train feeds one tensor to one {what} layer, but the graph has {[layer.name for layer in layers]}; "
                "train it in a loop of your own."
            )


def _check_domain(graph: Graph, name: str, x: Tensor) -> None:
    """Refuse data outside the declared domain before any time is spent: certificates hold inside it only."""
    layer = graph.inputs[0]
    if x.shape[1:] != (len(layer), *layer.grid):
        wanted = ", ".join(map(str, (len(layer), *layer.grid)))
        raise InputError(f"{name} has shape {tuple(x.shape)}, but input {layer.name!r} takes (samples, {wanted}).")
    # In the dtype of the data, to which a value on the boundary was rounded as well.
    dtype = np.float64 if x.dtype == torch.float64 else np.float32
    low, high = (torch.from_numpy(layer.values[key].astype(dtype)).to(x.device) for key in ("low", "high"))
    by_vertex = x.flatten(2) if layer.grid else x.unsqueeze(2)
    least, most = by_vertex.amin(dim=(0, 2)), by_vertex.amax(dim=(0, 2))
    inside = (least >= low) & (most <= high)
    if not bool(inside.all()):
        k = int((~inside).nonzero()[0])
        where = "map" if layer.grid else "feature"
        raise InputError(
            f"{name} has values from {float(least[k]):g} to {float(most[k]):g} in {where} {k}, outside the "
            f"domain [{float(low[k]):g}, {float(high[k]):g}] of input {layer.name!r}; scale or clip the data, or "
            "declare a wider domain."
        )


def _check_targets(graph: Graph, name: str, y: Tensor, task: str) -> None:
    layer = graph.outputs[0]
    outputs, shape = len(layer), (len(layer), *layer.output_grid)
    if task == "regression" and y.shape[1:] != shape:
        if not layer.output_grid and y.ndim == 2:
            raise DataError(f"{name} has {y.shape[1]} targets per sample, but the graph has {outputs} outputs.")
        wanted = ", ".join(map(str, shape))
        raise DataError(f"{name} has shape {tuple(y.shape)}, but output {layer.name!r} gives (samples, {wanted}).")
    if task == "classification" and layer.output_grid:
        raise DataError(
            f"Output {layer.name!r} gives a map of {layer.output_grid} for every class, but {name} has one class per "
            "sample; end the graph in a layer that reads or pools the whole grid."
        )
    if task == "classification" and not (int(y.min()) >= 0 and int(y.max()) < outputs):
        raise DataError(
            f"{name} has class numbers from {int(y.min())} to {int(y.max())}, but the graph has {outputs} outputs; "
            f"number the classes 0..{outputs - 1}."
        )


def _tell(callbacks: Sequence[Callback], event: Event) -> None:
    for callback in callbacks:
        callback(event)


def _no_longer_improves(state: TrainState, settings: TrainSettings) -> bool:
    """Whether the validation loss has not improved for `patience` epochs since the last rewrite or new phase."""
    since = max([state.phase_start, *(action.epoch for action in state.actions if action.matches > 0)])
    return settings.patience > 0 and Stalled(settings.patience).fires(state.history, since)
