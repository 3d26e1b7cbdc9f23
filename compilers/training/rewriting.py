"""Rewrites between two epochs: carry out the proposals of the method, one after another."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from torch import Tensor

from compilers.lifting import migrate, settle_running
from compilers.running import lower_with
from compilers.training.batches import REWRITE, SCORE, mini_batches, stream_seed
from compilers.training.context import TrainerContext
from compilers.training.events import Callback, NothingSelected, PhaseBegan, Proposed, Rewritten, notify
from compilers.training.settings import TrainingData, TrainSettings
from compilers.training.state import TrainState, make_optimizer
from netgraph.analysis import forward_flops
from netgraph.columns import Array
from netgraph.graph import Graph, rewound
from netgraph.methods import NEW_PHASE, Action, Method, NewPhase, Proposal
from netgraph.rewriting import Rewrite, apply
from netgraph.statistics import Statistics

PROBE_SAMPLES = 256
"""Validation samples at most on which the change of the outputs by a rewrite is measured."""

PROBE_PRODUCTS = 100_000_000
"""Products of weight and value in one such measurement, some tenths of a second; eight samples are always taken."""


def carry_out(
    state: TrainState,
    data: TrainingData,
    settings: TrainSettings,
    method: Method,
    signals: Statistics | None,
    callbacks: Sequence[Callback],
) -> None:
    """Carry out the proposals of a method after an epoch.

    Args:
        state: between two epochs; network, optimizer, phase and actions follow the proposals.
        data: that statistics are collected over.
        settings: how to train.
        method: what proposes.
        signals: the statistics that the method watches.
        callbacks: called with every proposal, rewrite and new phase.
    """
    context = TrainerContext(state, data, settings, signals)
    unsettled: list[Array] = []
    for proposal in method.propose(context):
        before = context.graph
        if isinstance(proposal, NewPhase):
            _begin_phase(state, settings, proposal)
            # Going back to earlier weights changes the graph, too.
            context.moved_on()
            notify(callbacks, PhaseBegan(state.epoch, proposal))
            continue
        if proposal.on is not None and not len(proposal.on):
            # Recorded all the same: a part counts the times that it acted, whatever came of it.
            state.actions.append(Action(proposal.part, proposal.rule.name, state.epoch, 0, before.num_edges))
            notify(callbacks, NothingSelected(state.epoch, proposal))
            continue
        # Before the work, since a rewrite of a large graph takes a while.
        notify(callbacks, Proposed(state.epoch, proposal))
        event = _rewrite(state, data, settings, proposal, before)
        context.moved_on()
        if proposal.settle:
            unsettled.append(event.result.delta.vertices_added.id)
        notify(callbacks, event)
    if unsettled:
        # After all rewrites of the epoch, since a later one changes what arrives at vertices of an earlier one, or
        # removes them; one forward then does for all.
        rows = mini_batches(data, settings, state.epoch, SCORE, state.net.graph)[0]
        ids = np.concatenate(unsettled)
        settle_running(state.net, ids[np.isin(ids, state.net.graph.vertices.id)], data.x_train[rows])


def _begin_phase(state: TrainState, settings: TrainSettings, step: NewPhase) -> None:
    state.actions.append(Action(step.part, NEW_PHASE, state.epoch, 0, state.net.graph.num_edges))
    state.phase, state.phase_start = step.phase, state.epoch
    if step.origin is not None:
        # Earlier weights on the present topology: the plan stays, and the optimizer begins anew as they do.
        net = state.net
        graph = rewound(net.graph, step.origin)
        state.net = lower_with(graph, net.options, net.weights.device, net.weights.dtype, settled=net.plan.choices)
        state.optimizer = make_optimizer(state.net, settings)


def _rewrite(
    state: TrainState, data: TrainingData, settings: TrainSettings, proposal: Proposal, before: Graph
) -> Rewritten:
    # By the number of rewrites and not the epoch, which may have several.
    seed = stream_seed(settings.seed, before.rewrites, REWRITE)
    probe = _probe(before, data.x_valid)
    result: Rewrite = apply(proposal.rule, before, proposal.stats, on=proposal.on, rng=seed, probe=probe)
    state.actions.append(Action(proposal.part, proposal.rule.name, state.epoch, result.count, before.num_edges))
    if result.changed:
        state.net, state.optimizer = migrate(state.net, state.optimizer, result, newcomers=settings.newcomers)
    return Rewritten(state.epoch, proposal, result, before, {**state.history[-1], **proposal.numbers}, seed)


def _probe(graph: Graph, x: Tensor) -> Array:
    """Some samples for `apply`, in the domain: float32 may round a value on its boundary to one beside it."""
    samples = min(PROBE_SAMPLES, max(8, 2 * PROBE_PRODUCTS // max(1, forward_flops(graph))))
    layer = graph.inputs[0]
    if layer.encoding == "index":
        return x[:samples].cpu().numpy()
    low, high = (layer.values[key].reshape(-1, *(1,) * len(layer.grid)) for key in ("low", "high"))
    return np.clip(x[:samples].cpu().numpy().astype(np.float64), low, high)
