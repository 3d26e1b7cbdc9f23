"""`TrainerContext`: a training run as a method sees it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from compilers.lifting import lift
from compilers.training.batches import PROPOSE, stream_seed
from compilers.training.collect import collect, dense_gradients, edge_statistics
from compilers.training.settings import TrainingData, TrainSettings
from compilers.training.signals import capture_signals
from compilers.training.state import FORWARDS_PER_STEP, TrainState
from netgraph.analysis import forward_flops
from netgraph.errors import StatisticsError
from netgraph.graph import Graph, LinkKey
from netgraph.methods import Action, Requests
from netgraph.schedules import History
from netgraph.statistics import BatchSignals, Statistics


class TrainerContext:
    """The `netgraph.methods.Context` of a training run."""

    def __init__(
        self, state: TrainState, data: TrainingData, settings: TrainSettings, signals: Statistics | None
    ) -> None:
        self._state, self._data, self._settings, self._signals = state, data, settings, signals
        self._graph: Graph | None = None
        self._statistics: Statistics | None = None
        self.rng = np.random.default_rng(stream_seed(settings.seed, state.epoch, PROPOSE))

    @property
    def graph(self) -> Graph:
        """The graph with its current weights."""
        if self._graph is None:
            self._graph = lift(self._state.net)
        return self._graph

    @property
    def history(self) -> History:
        """Metrics of every finished epoch."""
        return self._state.history

    @property
    def epochs(self) -> int:
        """Number of epochs of the whole run."""
        return self._settings.epochs

    @property
    def actions(self) -> Sequence[Action]:
        """Everything that was done so far."""
        return self._state.actions

    def statistics(self) -> Statistics:
        """Collect gradient statistics of all edges, once for each topology."""
        if self._statistics is None:
            state = self._state
            self._statistics = edge_statistics(state.net, self._data, self._settings, state.epoch)
            self._spend_steps(self._statistics.samples)
        return self._statistics

    def collect(self, requests: Requests, batches: int) -> Statistics:
        """Collect the requested statistics at fixed weights."""
        state = self._state
        found = collect(state.net, self._data, self._settings, state.epoch, requests, batches)
        self._spend_steps(found.samples)
        return found

    def _spend_steps(self, samples: int) -> None:
        self.spend("statistics", FORWARDS_PER_STEP * samples * forward_flops(self._state.net.graph))

    def dense_gradients(self, links: Sequence[LinkKey]) -> Statistics:
        """Compute the mean gradients of all edges of these links, present or missing."""
        state = self._state
        found = dense_gradients(state.net, self._data, self._settings, state.epoch, links)
        # A forward and the gradients of all values go along the edges that are there; those of weights are dense.
        sparse, dense = forward_flops(state.net.graph), forward_flops(state.net.graph, dense=links)
        self.spend("dense gradients", found.samples * (2 * sparse + dense))
        return found

    def capture(self, layers: Sequence[str], *, samples: int = 1024, tangent: bool = False) -> BatchSignals:
        """Compute activations and gradients of chosen layers, one sample at a time."""
        state = self._state
        found, flops = capture_signals(
            state.net, self._data, self._settings, state.epoch, layers, samples=samples, tangent=tangent
        )
        self.spend("statistics", flops)
        return found

    def spend(self, kind: str, flops: float) -> None:
        """Add floating-point operations to the costs under a name."""
        self._state.costs[kind] = self._state.costs.get(kind, 0.0) + flops

    def signals(self) -> Statistics:
        """Return the statistics that the method watches. Raises `StatisticsError` when it watches none."""
        if self._signals is None:
            raise StatisticsError("The method watches no statistics; name them in Method(watches=...).")
        return self._signals

    def moved_on(self) -> None:
        """Forget what belonged to the topology before a rewrite."""
        self._graph = self._statistics = None
