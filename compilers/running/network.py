"""`CompiledNetwork`: a lowered graph as an ordinary `torch.nn.Module`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from compilers.running.derivatives import Captured, TangentPass, batch_statistics, capture, like
from compilers.running.executor import as_it_is
from compilers.running.interface import checked_inputs, checked_tangents, listed_outputs, named_outputs
from compilers.running.measuring import measure_blocks
from compilers.running.module import FlatModule
from compilers.running.module import Options as Options  # networks that were pickled name it here
from compilers.running.tracing import outside_dynamo, refuse_tracing
from compilers.running.workspace import FlatTensors
from compilers.statistics import COLLECTORS, Request, collected_columns, make_collector, place_of
from netgraph.errors import InputError, StatisticsError, unknown_name
from netgraph.graph import Graph
from netgraph.statistics import Statistics


class CompiledNetwork(FlatModule):
    """A lowered graph as a module: it trains in any training loop, moves with `.to()`, and has a `state_dict`.

    Two forwards before a backward are both right. It is differentiable once. `torch.compile` runs it as it is; what
    records or transforms tensors (torch.jit, torch.onnx, torch.export, torch.fx, torch.func) is refused.

    Its vectors, their slots by id, state dicts and copies are those of `FlatModule`.
    """

    # -- running --------------------------------------------------------------------------------------

    @outside_dynamo
    def forward(self, x: Tensor | Mapping[str, Tensor]) -> Any:
        """Run the network.

        Args:
            x: values of the input layer, `(batch, vertices, *grid)`, or a dict of them by layer name. An input with
                encoding "index" takes whole numbers, `(batch, *grid)`.

        Returns:
            (batch, vertices, *grid) values of the output layer; a dict by layer name when there are several.

        Raises:
            InputError: when an input is missing or has another shape, dtype or device.
            CompileError: under what records or transforms tensors.
        """
        given = self._checked(x)
        with as_it_is(self.weights.device):
            return self._named(self._executor.run(self._state(), given, training=self.training))

    def _checked(self, x: Tensor | Mapping[str, Tensor]) -> list[Tensor]:
        weights = self.weights
        refuse_tracing(weights, lambda: [*self._state(), *checked_inputs(self.plan, x, weights)])
        return checked_inputs(self.plan, x, weights)

    # -- derivatives ----------------------------------------------------------------------------------

    def jvp(
        self,
        x: Tensor | Mapping[str, Tensor],
        *,
        weights: Tensor | None = None,
        vertex_parameters: Tensor | None = None,
        inputs: Tensor | Mapping[str, Tensor] | None = None,
    ) -> tuple[Any, Any]:
        """Outputs, and their derivative along tangents: the Jacobian times a vector. Nothing is changed.

        Args:
            x: inputs, as `forward` takes them.
            weights: tangent of `net.weights`, `(slots,)`; zeros when left out. Entries of pads are ignored.
            vertex_parameters: tangent of `net.vertex_parameters`; zeros when left out.
            inputs: tangent of `x`, in the same form; zeros when left out. Inputs of indices have none.

        Returns:
            (outputs, tangents), each as `forward` returns outputs.

        Raises:
            InputError, CompileError: when a shape is wrong.

        Cost: about three forwards.
        """
        given = self._checked(x)
        along = checked_tangents(self.plan, inputs, given, self.weights)
        state = self._state()
        slots = like("weights", weights, self.weights)
        if weights is not None:
            slots = slots * self._edge_mask()
        tangents = FlatTensors(slots, like("vertex_parameters", vertex_parameters, self.vertex_parameters), *state[2:])
        tangent_pass = TangentPass(self._executor, state, tangents, len(given[0]), training=self.training)
        found = tangent_pass.run([value.detach() for value in given], [value.detach() for value in along])
        return self._named([value for value, _ in found]), self._named([tangent for _, tangent in found])

    def vjp(self, x: Tensor | Mapping[str, Tensor]) -> tuple[Any, Callable[[Any], tuple[Tensor, Tensor]]]:
        """Outputs, and a function from cotangents of them to gradients: a vector times the Jacobian.

        The function may be called many times; statistics do not see it. In train mode batch norm moves its running
        statistics, as in any forward.

        Args:
            x: inputs, as `forward` takes them.

        Returns:
            (outputs, pull): `pull(cotangents)`, in the form of the outputs, gives the gradients of `weights` and of
            `vertex_parameters`. Nothing is added to `.grad`.
        """
        parameters = (self.weights, self.vertex_parameters)
        with torch.enable_grad():
            leaves = [p.detach().requires_grad_() for p in parameters]
            state = FlatTensors(leaves[0], leaves[1], self.running, self.frozen_weights)
            outputs = self._executor.run(state, self._checked(x), training=self.training)

        def pull(cotangents: Any) -> tuple[Tensor, Tensor]:
            given = self._listed(cotangents)
            with self._unseen():
                found = torch.autograd.grad(outputs, leaves, given, retain_graph=True, allow_unused=True)
            weights, vertices = (
                torch.zeros_like(leaf) if g is None else g for g, leaf in zip(found, leaves, strict=True)
            )
            return weights, vertices

        return self._named([value.detach() for value in outputs]), pull

    def capture(
        self,
        x: Tensor | Mapping[str, Tensor],
        layers: Sequence[str],
        *,
        cotangent: Any = None,
        sample_weight: Tensor | None = None,
    ) -> dict[str, Captured]:
        """Raw activations of chosen layers for a batch, and gradients of their sums, one sample at a time.

        Nothing is changed: neither gradients, nor statistics, nor running means.

        Args:
            x: inputs, as `forward` takes them.
            layers: names.
            cotangent: of the outputs, in their form; or a function that makes it of the outputs, such as the gradient
                of a loss. Without one there are no gradients.
            sample_weight: factors of the cotangents of each sample, `(batch,)`.

        Returns:
            By layer name, `activations` and `gradients` of shape (batch, vertices, *grid). Gradients are those of
            the sum over outputs of cotangent times output: of each sample's own loss, not of the mean.

        Raises:
            StatisticsError: for an unknown layer.
            InputError: when a shape is wrong.
        """
        places = [place_of(self.plan, name) for name in layers]
        given = [value.detach() for value in self._checked(x)]

        def pull(outputs: Sequence[Tensor]) -> list[Tensor]:
            made = cotangent(self._named(list(outputs))) if callable(cotangent) else cotangent
            listed = [value.detach() for value in self._listed(made)]
            if any(len(v) != len(given[0]) for v in listed):
                raise InputError(f"Cotangents have {[len(v) for v in listed]} samples, the batch has {len(given[0])}.")
            if sample_weight is None:
                return listed
            if sample_weight.shape != (len(given[0]),):
                shape = tuple(sample_weight.shape)
                raise InputError(f"sample_weight has shape {shape}, expected ({len(given[0])},), one per sample.")
            return [v * sample_weight.to(v).view(-1, *[1] * (v.dim() - 1)) for v in listed]

        pulled = None if cotangent is None else pull
        # Buffers that were made in inference mode could not be written to by a later training step.
        with torch.inference_mode(False):
            found = capture(self._executor, self._state(), given, places, pulled, training=self.training)
        return dict(zip(layers, found, strict=True))

    def batch_statistics(self, x: Tensor | Mapping[str, Tensor]) -> Tensor:
        """Means and variances that batch norm takes of a batch in train mode, whatever the mode. Nothing is changed.

        Args:
            x: inputs, as `forward` takes them.

        Returns:
            In the layout of `running`; variances are unbiased, as torch records them.

        Raises:
            InputError: when an input does not fit, or batch norm has a single value per vertex.

        Cost: one forward without gradients.
        """
        given = [value.detach() for value in self._checked(x)]
        with torch.inference_mode(False), as_it_is(self.weights.device):
            return batch_statistics(self._executor, self._state(), given)

    def measure(self, x: Tensor | Mapping[str, Tensor], *, repeats: int = 9) -> dict[tuple[str, int], float]:
        """Seconds that each block takes in a step, forward and backward: medians. Nothing is changed.

        Args:
            x: inputs of one batch, as `forward` takes them.
            repeats: how often to measure each block.

        Returns:
            By (layer name, number of the block), as `plan.summary(measured=...)` takes them.
        """
        inputs = [value.detach() for value in self._checked(x)]
        with self._unseen():
            return measure_blocks(self._executor, self._state(), inputs, repeats=repeats)

    def _named(self, outputs: Sequence[Tensor]) -> Any:
        return named_outputs(self.plan, outputs)

    def _listed(self, values: Tensor | Mapping[str, Tensor]) -> list[Tensor]:
        return listed_outputs(self.plan, values)

    def _edge_mask(self) -> Tensor:
        """Make a mask of `weights`: 1 where an edge is, 0 in pads, `(slots,)`."""
        mask = torch.zeros_like(self.weights).detach()
        slots = self.plan.edge_slots
        mask[torch.from_numpy(slots[slots >= 0]).long().to(mask.device)] = 1
        return mask

    @contextmanager
    def _unseen(self) -> Iterator[None]:
        """Collect no statistics from backward passes inside the block."""
        before, self._executor.collecting = self._executor.collecting, False
        try:
            yield
        finally:
            self._executor.collecting = before

    # -- statistics -----------------------------------------------------------------------------------

    def request(self, name: str, **options: Any) -> None:
        """Start collecting a statistic over every backward from now on; asking again starts it anew.

        Every backward counts as one mini-batch for each forward that it goes through: two forwards that are summed
        into one loss are two batches, each with its own gradient. The loss is taken to be the mean over the samples
        of the batch; what is said of samples is rescaled by their number, and does not depend on it.

        Args:
            name: "edge_gradients", "vertex_signals", "cross_moments" or "second_moments". Their collectors in
                `compilers.statistics.COLLECTORS` describe them, columns and options included.
            options: of the statistic; layers by name.

        Raises:
            StatisticsError: for an unknown name, layer or option, and for what is larger than memory, with the size.
        """
        request = Request(name, options)
        collector = make_collector(self.plan, self.weights.device, request)
        self._executor.collectors[collector.key] = collector
        self._requests[collector.key] = request

    def release(self, name: str) -> None:
        """Stop collecting a statistic and forget it. Raises `StatisticsError` for an unknown name."""
        if name not in COLLECTORS:
            raise StatisticsError(unknown_name("statistic", name, COLLECTORS))
        for key in [key for key, request in self._requests.items() if request.name == name]:
            del self._requests[key], self._executor.collectors[key]

    @property
    def requested(self) -> tuple[Request, ...]:
        """The statistics that are being collected."""
        return tuple(self._requests.values())

    def statistics(self, graph: Graph | None = None) -> Statistics:
        """Columns and moments collected since the requests, in the rows of `graph.edges` and `graph.vertices`.

        Columns of edges are 0 for frozen ones, and come with the present `magnitude`; columns of vertices are NaN
        where a layer has none.

        Args:
            graph: a graph with the same topology to check against.

        Raises:
            StatisticsError: when nothing was requested, no batch was seen, or `graph` has another topology.
        """
        collectors = self._executor.collectors
        if not collectors:
            raise StatisticsError("No statistics are collected; call request('edge_gradients') before training.")
        edges, vertices, moments = collected_columns(collectors, self.plan, self.graph)
        if edges:
            edges["magnitude"] = self.edge_column(self.weights.detach().abs())
        batches = max(collector.batches for collector in collectors.values())
        samples = max(collector.samples for collector in collectors.values())
        result = Statistics(self.graph_topology_hash, edges, vertices, batches, moments, samples)
        if graph is not None:
            result.check(graph)
        return result
