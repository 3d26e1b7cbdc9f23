"""Statistics of training: running sums over mini-batches, kept on the device while they are requested."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

import torch
from torch import Tensor

from compilers.lifting.moments import CrossMoments, SecondMoments
from compilers.lifting.observation import Found, Observation, Request
from netgraph.errors import StatisticsError, unknown_name

if TYPE_CHECKING:
    from compilers.lowering.plan import Plan


class Collector(Protocol):
    """One statistic of a network.

    Attributes:
        batches: number of backward passes that it has seen.
        samples: number of samples in them.
    """

    batches: int
    samples: int

    @property
    def reads_weights(self) -> bool:
        """Whether it needs the gradient of the weights."""

    def update(self, seen: Observation) -> None:
        """Take one backward pass."""

    def found(self) -> Found:
        """The statistic of what was seen so far."""


class EdgeGradients:
    """First and second moments of every edge's gradient over mini-batches.

    Absolute values are counted from those of the first batch on, which they resemble: then their variance does not
    suffer from taking the difference of two large numbers, and means over some batches fit the precision of the
    network. They are added up in float64.

    One fused pass of Adam, at a learning rate of 0, keeps both means: what it takes for a gradient is |g|, less what
    it takes for a parameter, |g| of the first batch, by a weight decay of -1; its averages are running means when
    they forget at the rate 1 / n. That is half of what the plain operations cost.

    Args:
        plan: of the network.
        device: where it runs.
    """

    reads_weights = True
    _WINDOW = 64
    """Batches between two additions in float64."""

    def __init__(self, plan: Plan, device: torch.device) -> None:
        self.batches = self.samples = 0
        self._first: Tensor | None = None
        self._total = self._signed = self._mean = self._square = self._scratch = self._step = torch.empty(0)
        self._recent = 0

    def update(self, seen: Observation) -> None:
        """Add one mini-batch."""
        g = seen.weights
        assert g is not None
        first = self._first
        if first is None or first.device != g.device or first.dtype != g.dtype:
            first = self._start(g)
        self._recent += 1
        kept = 1 - 1 / self._recent
        self._signed.add_(g)
        torch._fused_adam_(
            [first], [torch.abs(g, out=self._scratch)], [self._mean], [self._square], [], [self._step],
            lr=0.0, beta1=kept, beta2=kept, weight_decay=-1.0, eps=1.0, amsgrad=False, maximize=False,
        )  # fmt: skip
        self.batches += 1
        self.samples += seen.batch
        if self._recent == self._WINDOW:
            self._flush()

    def _start(self, g: Tensor) -> Tensor:
        if self._first is None:
            first = g.abs()
            self._total = torch.zeros((3, len(g)), dtype=torch.float64, device=g.device)
        else:  # the network has moved
            self._flush()
            first, self._total = self._first.to(g), self._total.to(g.device)
        self._first = first
        self._signed, self._mean, self._square = g.new_zeros((3, len(g)))
        self._scratch = torch.empty_like(g)
        self._step = torch.ones((), dtype=torch.float32, device=g.device)
        return first

    def _flush(self) -> None:
        self._total[0] += self._signed
        self._total[1].add_(self._mean, alpha=self._recent)
        self._total[2].add_(self._square, alpha=self._recent)
        self._signed.zero_()
        self._recent = 0

    def found(self) -> Found:
        """Mean of the gradient, and mean and population variance of its absolute value."""
        assert self._first is not None
        self._flush()
        mean, shifted, squared = self._total / self.batches
        return Found(
            edges={
                "mean_gradient": mean,
                "mean_abs_gradient": self._first.double() + shifted,
                "variance_abs_gradient": (squared - shifted**2).clamp_(min=0.0),
            }
        )


class VertexSignals:
    """Size of the gradients that arrive at every vertex, and moments of its values.

    Args:
        plan: of the network.
        device: where it runs.
        activations: whether moments of the values are collected as well.
    """

    reads_weights = False

    def __init__(self, plan: Plan, device: torch.device, *, activations: bool = True) -> None:
        self.batches = self.samples = 0
        self._plan, self._activations = plan, activations
        self._gradients: Tensor | None = None
        self._summed = torch.empty(0)
        self._maps: dict[tuple[str, int], Tensor] = {}

    def update(self, seen: Observation) -> None:
        """Add one mini-batch."""
        plan, batch = self._plan, seen.batch
        if self._gradients is None:
            self._gradients, self._sums, self._squares = seen.gradients.new_zeros((3, plan.rows)).double()
            self._summed = self._gradients[plan.input_rows :]
        # The gradient of one sample's own loss is `batch` times what it adds to that of the mean.
        norms = torch.linalg.vector_norm(seen.gradients[plan.input_rows :], dim=1)
        self._summed.add_(norms.square_(), alpha=batch * batch)
        if self._activations:
            values = seen.values
            self._sums.add_(values.sum(1))
            self._squares.add_(torch.linalg.vector_norm(values, dim=1).square_())
        for place in seen.maps:
            self._update_maps(seen, place)
        self.batches += 1
        self.samples += batch

    def _update_maps(self, seen: Observation, place: int) -> None:
        axes, layer = (0, 2, 3), self._plan.layers[place]
        if layer.role != "input":
            norms = torch.linalg.vector_norm(seen.sum_gradients(place), dim=axes)
            self._add("gradient", place, (seen.batch * norms).square_())
        if self._activations and layer.output_grid:
            values = seen.map_values(place)
            self._add("sum", place, values.sum(axes))
            self._add("square", place, torch.linalg.vector_norm(values, dim=axes).square())

    def _add(self, what: str, place: int, values: Tensor) -> None:
        if (what, place) not in self._maps:
            self._maps[what, place] = torch.zeros_like(values, dtype=torch.float64)
        self._maps[what, place] += values

    def found(self) -> Found:
        """RMS of the gradients of sums, and mean and variance of the values, over samples and positions."""
        columns: dict[str, dict[int, Tensor]] = {"rms_gradient": {}, "mean_activation": {}, "variance_activation": {}}
        for place, layer in enumerate(self._plan.layers):
            rows = slice(layer.start, layer.stop)
            assert self._gradients is not None
            if layer.role != "input":
                of_maps = self._maps.get(("gradient", place))
                squares = self._gradients[rows] if of_maps is None else of_maps
                columns["rms_gradient"][place] = (squares / (self.samples * layer.sum_positions)).sqrt()
            if self._activations:
                of_maps = self._maps.get(("sum", place))
                count = self.samples * layer.positions
                mean = (self._sums[rows] if of_maps is None else of_maps) / count
                squares = self._squares[rows] if of_maps is None else self._maps["square", place]
                columns["mean_activation"][place] = mean
                columns["variance_activation"][place] = (squares / count - mean**2).clamp_(min=0.0)
        return Found(vertices={name: column for name, column in columns.items() if column})


COLLECTORS: Mapping[str, Any] = {
    "edge_gradients": EdgeGradients,
    "vertex_signals": VertexSignals,
    "cross_moments": CrossMoments,
    "second_moments": SecondMoments,
}
"""Statistics that can be requested, by name: called with the plan, the device, and the options of the request."""


def make_collector(plan: Plan, device: torch.device, request: Request) -> Collector:
    """A collector for a request. Raises `StatisticsError` for an unknown name, layer or option."""
    if request.name not in COLLECTORS:
        raise StatisticsError(unknown_name("statistic", request.name, COLLECTORS))
    try:
        collector: Collector = COLLECTORS[request.name](plan, device, **request.options)
    except TypeError as error:
        raise StatisticsError(f"{request.name!r} does not take these options: {error}") from None
    return collector
