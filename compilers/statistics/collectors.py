"""Statistics of training: running sums over mini-batches, kept on the device while they are requested."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

import torch
from torch import Tensor

from compilers.statistics.moments import CrossMoments, SecondMoments
from compilers.statistics.observation import Collected, Observation, Request
from netgraph.errors import StatisticsError, unknown_name

if TYPE_CHECKING:
    from compilers.plan import Plan


class Collector(Protocol):
    """One statistic of a network.

    Attributes:
        key: of its statistic; another collector with this key takes its place.
        batches: number of backward passes that it has seen.
        samples: number of samples in them.
    """

    key: tuple[str, ...]
    batches: int
    samples: int

    @property
    def reads_weights(self) -> bool:
        """Whether it needs the gradient of the weights."""

    def update(self, seen: Observation) -> None:
        """Take one backward pass."""

    def collected(self) -> Collected:
        """Return the statistic over all backward passes so far."""


class EdgeGradients:
    """First and second moments of every edge's gradient g over mini-batches, as columns of edges.

    `mean_gradient` is `E[g]`, `mean_abs_gradient` is `E[|g|]`, and `variance_abs_gradient` is the population variance
    `E[|g|^2] - E[|g|]^2`.

    Absolute values are taken relative to those of the first batch, `f`, which are similar: `d = |g| - f`. Then
    `E[|g|] = f + E[d]`, and the variance `E[d^2] - E[d]^2` is no difference of two large numbers. The means over a
    window of batches fit the precision of the network; windows are added up in float64.

    Both means of a window come from one fused pass of Adam, at half the cost of the plain operations. With parameter
    `p`, gradient `a`, weight decay `w` and `beta1 = beta2 = b` it computes

        d = a + w * p
        m = b * m + (1 - b) * d
        v = b * v + (1 - b) * d^2
        p = p - lr * (a ratio of m and v)

    For `p = f`, `a = |g|` and `w = -1`, `d` is the difference above. For `b = 1 - 1/n` at the n-th batch of the
    window, `m` and `v` are the means of `d` and `d^2` over its n batches: `m_n = ((n - 1) * m_(n-1) + d_n) / n`, and
    the first batch, with `b = 0`, overwrites those of the window before. For `lr = 0`, `f` stays; `eps = 1` keeps
    the ratio, which is multiplied by 0, finite.

    Args:
        plan: of the network.
        device: where it runs.
    """

    key = ("edge_gradients",)
    reads_weights = True
    _WINDOW = 64
    """Number of batches in a window; its means are added up in float64."""

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

    def collected(self) -> Collected:
        """Compute the three columns from the sums over all windows."""
        assert self._first is not None
        self._flush()
        mean, shifted, squared = self._total / self.batches
        return Collected(
            edges={
                "mean_gradient": mean,
                "mean_abs_gradient": self._first.double() + shifted,
                "variance_abs_gradient": (squared - shifted**2).clamp_(min=0.0),
            }
        )


class VertexSignals:
    """Size of the gradients that arrive at every vertex, and moments of its values, as columns of vertices.

    `rms_gradient` is the root mean square of the gradient of every sum over samples and positions,
    `mean_activation` and `variance_activation` are those of every value.

    Variances of batches are merged in float64 (Chan, Golub and LeVeque 1983, equation 2.1), so that a mean that is
    large beside them does not hide them.

    Args:
        plan: of the network.
        device: where it runs.
        activations: whether moments of the values are collected as well.
    """

    key = ("vertex_signals",)
    reads_weights = False

    def __init__(self, plan: Plan, device: torch.device, *, activations: bool = True) -> None:
        self.batches = self.samples = 0
        self._plan, self._activations = plan, activations
        self._squares: dict[int, Tensor] = {}
        self._moments: dict[int, tuple[Tensor, Tensor]] = {}

    def update(self, seen: Observation) -> None:
        """Add one mini-batch."""
        plan = self._plan
        self._add_gradient(_ROWS, _norms(seen.gradients[plan.input_rows :]), seen.batch)
        if self._activations and seen.batch and plan.rows:
            self._add_values(_ROWS, seen.values, 1, seen.batch)
        for place in seen.maps:
            layer = plan.layers[place]
            if not layer.is_source:
                self._add_gradient(place, _norms(seen.sum_gradients(place)), seen.batch)
            if self._activations and seen.batch and layer.picks:
                share = seen.picked_counts(place).double() / (seen.batch * layer.positions)
                self._add_moments(place, share, share - share**2, seen.batch)
            elif self._activations and seen.batch and layer.output_grid:
                self._add_values(place, seen.map_values(place), (0, 2, 3), seen.batch)
        self.batches += 1
        self.samples += seen.batch

    def _add_gradient(self, place: int, norms: Tensor, batch: int) -> None:
        # The gradient of one sample's own loss is `batch` times its part of the gradient of the mean.
        squares = self._squares.get(place)
        if squares is None or squares.device != norms.device:
            zeros = torch.zeros_like(norms, dtype=torch.float64)
            squares = self._squares[place] = zeros if squares is None else squares.to(norms.device)
        squares.add_(norms.square_(), alpha=batch * batch)

    def _add_values(self, place: int, values: Tensor, axes: int | tuple[int, ...], batch: int) -> None:
        # Not var_mean, which takes ten times as long over rows.
        center = values.mean(axes, keepdim=True)
        spread = _norms(values - center).double()
        mean = center.view(-1).double()
        self._add_moments(place, mean, spread.square_() * (len(mean) / values.numel()), batch)

    def _add_moments(self, place: int, mean: Tensor, var: Tensor, batch: int) -> None:
        if place in self._moments:
            # Batches of a layer all have as many positions, so that samples stand for them.
            all_var, all_mean = (moment.to(mean.device) for moment in self._moments[place])
            share = batch / (self.samples + batch)
            step = mean - all_mean
            mean = all_mean + share * step
            var = (1 - share) * all_var + share * (var + (1 - share) * step**2)
        self._moments[place] = var, mean

    def collected(self) -> Collected:
        """Compute the columns, in parts by layer."""
        columns: dict[str, dict[int, Tensor]] = {"rms_gradient": {}, "mean_activation": {}, "variance_activation": {}}
        for place, layer in enumerate(self._plan.layers):
            rows = slice(layer.start, layer.stop)
            if not layer.is_source:
                after_inputs = slice(layer.start - self._plan.input_rows, layer.stop - self._plan.input_rows)
                squares = self._squares[place] if layer.grid else self._squares[_ROWS][after_inputs]
                columns["rms_gradient"][place] = (squares / (self.samples * layer.sum_positions)).sqrt()
            if self._activations:
                var, mean = self._moments[place if layer.gives_maps else _ROWS]
                if not layer.gives_maps:
                    var, mean = var[rows], mean[rows]
                columns["mean_activation"][place], columns["variance_activation"][place] = mean, var
        return Collected(vertices={name: column for name, column in columns.items() if column})


def _norms(values: Tensor) -> Tensor:
    """Compute the norm of every row of a buffer over samples, or of every map over samples and positions."""
    if values.dim() == 2:
        over_rows: Tensor = torch.linalg.vector_norm(values, dim=1)
        return over_rows
    # Over positions, then over samples: several times as fast as over all three axes at once.
    norms: Tensor = torch.linalg.vector_norm(torch.linalg.vector_norm(values.flatten(2), dim=2), dim=0)
    return norms


_ROWS = -1
"""Key of the sums over all rows of the buffer; sums over maps have the place of their layer as key."""


COLLECTORS: Mapping[str, Any] = {
    "edge_gradients": EdgeGradients,
    "vertex_signals": VertexSignals,
    "cross_moments": CrossMoments,
    "second_moments": SecondMoments,
}
"""Statistics that can be requested, by name: called with the plan, the device, and the options of the request."""


def make_collector(plan: Plan, device: torch.device, request: Request) -> Collector:
    """Make the collector of a request. Raises `StatisticsError` for an unknown name, layer or option."""
    if request.name not in COLLECTORS:
        raise StatisticsError(unknown_name("statistic", request.name, COLLECTORS))
    try:
        collector: Collector = COLLECTORS[request.name](plan, device, **request.options)
    except TypeError as error:
        raise StatisticsError(f"{request.name!r} does not take these options: {error}") from None
    return collector
