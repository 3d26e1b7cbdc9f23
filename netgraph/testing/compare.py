"""Comparison of the functions of two graphs on a batch."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from netgraph.columns import Array
from netgraph.graph import Graph, check_domain
from netgraph.graph.bounds import Domains
from netgraph.interpret import interpret
from netgraph.proof import certify, sample_inputs
from netgraph.testing.values import LARGEST_FINITE

RELATIVE = 1e-9
"""Usual relative tolerance for the rounding of two float64 evaluations."""


@dataclass(frozen=True)
class OutputDifference:
    """The largest difference between the outputs of two graphs on a batch.

    Attributes:
        output: name of the output layer.
        at: index of the value, `(sample, vertex row, *position)`.
        old, new: the values of both graphs.
        inputs: inputs of this sample, by name of the input layer.
    """

    output: str
    at: tuple[int, ...]
    old: float
    new: float
    inputs: Mapping[str, Array]

    def __str__(self) -> str:
        place = f"sample {self.at[0]}, vertex row {self.at[1]}"
        if len(self.at) > 2:
            place += f", position {self.at[2:]}"
        shown = ", ".join(f"{name}={np.array2string(x, precision=6, threshold=40)}" for name, x in self.inputs.items())
        return (
            f"output {self.output!r}, {place}: {self.old!r} before and {self.new!r} after, "
            f"a difference of {abs(self.new - self.old):.6g}, for {shown}"
        )


def outputs(graph: Graph, x: Any, *, train: bool = False) -> dict[str, Array]:
    """Return the outputs of a graph by name, also when it has only one."""
    values = interpret(graph, x, train=train)
    return values if isinstance(values, dict) else {graph.outputs[0].name: values}


def difference(
    old: Graph,
    new: Graph,
    x: Mapping[str, Array],
    *,
    train: bool = False,
    relative: float = 0.0,
    allowed: Mapping[str, Array] | None = None,
) -> OutputDifference | None:
    """Find the largest difference between the outputs of two graphs beyond a tolerance, or None.

    The tolerance of a value is `relative * (1 + largest absolute value of the output) + allowed`.

    Args:
        old, new: graphs with the same inputs and outputs.
        x: a batch, by name of the input layer.
        train: normalise by the statistics of the batch.
        relative: relative tolerance.
        allowed: absolute tolerance of each vertex, `(vertices,)`, by output layer; None for 0.
    """
    one, two = outputs(old, x, train=train), outputs(new, x, train=train)
    if one.keys() != two.keys():
        raise AssertionError(f"The outputs were {sorted(one)} and are {sorted(two)}.")
    worst: tuple[float, OutputDifference] | None = None
    for name, a in one.items():
        b = two[name]
        if a.shape != b.shape:
            raise AssertionError(f"Output {name!r} had the shape {a.shape} and has {b.shape}.")
        gap = np.abs(a - b) - relative * (1 + np.abs(a).max(initial=0.0))
        if allowed is not None:
            gap = gap - np.asarray(allowed[name]).reshape(-1, *(1,) * (a.ndim - 2))
        gap = np.where(np.isnan(gap), np.where((a == b) | (np.isnan(a) & np.isnan(b)), 0.0, np.inf), gap)
        if gap.max(initial=0.0) > 0 and (worst is None or gap.max() > worst[0]):
            at = tuple(int(i) for i in np.unravel_index(int(gap.argmax()), gap.shape))
            sample = {key: values[at[0]] for key, values in x.items()}
            worst = (float(gap.max()), OutputDifference(name, at, float(a[at]), float(b[at]), sample))
    return worst[1] if worst else None


def assert_same_outputs(
    old: Graph, new: Graph, x: Any = None, *, exact: bool, train: bool = False, relative: float = RELATIVE
) -> None:
    """Assert that two graphs give the same outputs on a batch.

    Args:
        old, new: graphs whose inputs and outputs have the same names and shapes.
        x: a batch for `interpret`; by default the corners of the domain, zero, and random multiples of 1/8.
        exact: compare bit for bit, not with the tolerance `relative * (1 + largest absolute value of the output)`.
        train: normalise batch-norm layers by the statistics of the batch.
        relative: relative tolerance unless `exact`.

    Raises:
        AssertionError: an output differs. The message has the output, the sample, the difference and the certificate of
            the pair.
    """
    given = default_inputs(old) if x is None else x
    named = given if isinstance(given, Mapping) else {old.inputs[0].name: given}
    batch = {name: np.asarray(values) for name, values in named.items()}  # `interpret` converts them
    found = difference(old, new, batch, train=train, relative=0.0 if exact else relative)
    if found is not None:
        mode = " in train mode" if train else ""
        allowed = "no difference" if exact else f"{relative:g} of 1 plus the largest value"
        raise AssertionError(
            f"The function changed{mode} at {found}.\nAllowed: {allowed}. Certificate: {certify(old, new)}"
        )


def default_inputs(graph: Graph, samples: int = 16, *, domain: Domains | None = None) -> dict[str, Array]:
    """Return a batch: both corners of the domain, its point nearest to zero, and random samples.

    Random samples are multiples of 1/8 where the domain has such values. Of ids the first and the last come first.
    """
    result, given = {}, check_domain(graph, domain)
    for name, random in sample_inputs(graph, samples, np.random.default_rng(0), domain=domain).items():
        layer = graph.layer(name)
        if layer.encoding == "index":
            rows = [np.full((1, *layer.grid), i) for i in (0, len(layer) - 1)]
            result[name] = np.concatenate(
                [*rows, np.arange(math.prod(layer.grid)).reshape(rows[0].shape) % len(layer), random]
            )
            continue
        shape = (1, len(layer)) + (1,) * len(layer.grid)
        low, high = (bound.reshape(shape) for bound in given[name])
        eighths = np.round(random * 8) / 8
        random = np.where((eighths >= low) & (eighths <= high), eighths, random)
        lowest = np.where(np.isfinite(low), low, np.minimum(high, -LARGEST_FINITE))
        highest = np.where(np.isfinite(high), high, np.maximum(low, LARGEST_FINITE))
        rows = [np.broadcast_to(v, (1, *random.shape[1:])) for v in (lowest, highest, np.clip(0.0, low, high))]
        result[name] = np.concatenate([*rows, random])
    return result
