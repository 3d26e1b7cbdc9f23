"""Proofs that two networks compute the same function, for tests of any transform."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from netgraph.checks import choice, number
from netgraph.columns import Array
from netgraph.graph import Graph
from netgraph.graph.bounds import Domains, Mode
from netgraph.interpret import interpret
from netgraph.proof import LEVELS, Certificate, Level, aligned, certify, rounding_allowance
from netgraph.testing.compare import OutputDifference, default_inputs
from netgraph.testing.readers import read

SAMPLES = 64
"""Largest number of random inputs on which a counterexample is searched."""

EFFORT = 200_000_000
"""Products that the search for a counterexample may compute."""


def assert_same_function(
    old: Any,
    new: Any,
    example: Any = None,
    *,
    domain: Domains | None = None,
    require: Level | float = "exact up to rounding",
    mode: Mode = "eval",
) -> Certificate:
    """Assert that two networks compute the same function, by a proof for every input in the domain.

    Layers and vertices are matched by structure and value (`netgraph.proof.aligned`), so it does not matter by what
    code, or by whose, `new` was made from `old`: rows may be permuted, copied, merged, removed, rescaled; layers
    inserted, removed, renamed; norms folded.

    Args:
        old, new: graphs, or networks that a reader takes: with `compilers` and torch installed any `nn.Module` that
            `compilers.importing.from_module` reads. Inputs and outputs correspond by their order.
        example: arguments of one call, which readers need. For two graphs a batch of inputs, as `interpret` takes it,
            on which a counterexample is searched first.
        domain: interval `(low, high)` of the inputs, or a dict of them by input layer; by default the declared one.
            Bounds need limited inputs; exactness does not.
        require: level of the certificate, as for `apply`, or a number that no output may change by more. "exact" is
            equality in real arithmetic of the weights as stored. "exact up to rounding" also accepts differences by
            the rounding of stored weights, as when a norm is folded into weights of float32.
        mode: "eval", in which batch norm may be folded; or "train" for a proof that holds in train mode too.

    Returns:
        The certificate.

    Raises:
        AssertionError: less is proved. The message has the verdict, the layers and vertices at which a change enters,
            and an input with both outputs, where one was found for which they differ; else it says that none was.
        OptionError: when no reader takes a network, or for an unknown level or mode.
    """
    if isinstance(require, str):
        choice("require", require, LEVELS)
    else:
        require = number("require", require, least=0)
    choice("mode", mode, ("eval", "train"))
    (before, order), (after, other) = (read(value, example, domain) for value in (old, new))
    limits = domain if isinstance(old, Graph) else None  # a reader declares the domain in the graph
    if None not in (order, other) and order != other:
        raise AssertionError("The inputs or outputs differ in shape or in the order of their numbers.")
    certificate = certify(before, aligned(before, after), limits, mode=mode)
    if certificate.satisfies(require):
        return certificate
    batch = example if isinstance(old, Graph) and isinstance(new, Graph) else None
    search = _Search(before, after, limits, mode == "train", 0.0 if isinstance(require, str) else require)
    raise AssertionError(_message(certificate, require, search.text(batch)))


def _message(certificate: Certificate, require: Level | float, found: str) -> str:
    needed = repr(require) if isinstance(require, str) else f"a bound of {require:g}"
    lines = [f"{needed} is required of the second network, but the certificate is {certificate}."]
    if certificate.stopped:
        lines.append(f"Place: {'; '.join(certificate.stopped)}.")
    if certificate.level == "exact up to rounding":
        lines.append("Only stored weights were rounded: give require='exact up to rounding' to accept this.")
    return "\n".join([*lines, found])


@dataclass(frozen=True)
class _Search:
    """Search for an input on which the outputs of two graphs differ by more than a number; see `_Search.text`.

    Attributes:
        old, new: graphs whose inputs and outputs correspond by order.
        domain: domain of the inputs of `old`, None for the declared one.
        train: whether batch norm uses the statistics of the batch.
        allowed: difference that is allowed.
    """

    old: Graph
    new: Graph
    domain: Domains | None
    train: bool
    allowed: float

    def text(self, batch: Any) -> str:
        """Text with the largest difference among some inputs; `batch` has inputs that are tried first, or is None."""
        ends = [[(len(x), x.output_grid, x.encoding) for x in (*g.inputs, *g.outputs)] for g in (self.old, self.new)]
        if ends[0] != ends[1]:
            return "Inputs or outputs have different shapes, so no input was tried."
        tried, best = 0, None
        for x in self._batches(batch):
            tried += len(next(iter(x.values())))
            found = self._largest(x)
            if found is not None and (best is None or _gap(found) > _gap(best)):
                best = found
        beyond = f" beyond {self.allowed:g}" if self.allowed else ""
        if best is not None:
            return f"Counterexample: {best}."
        return (
            f"No difference{beyond} was found on {tried} inputs, apart from the rounding of their evaluation: the "
            "networks may be equal, but the proof does not reach so far."
        )

    def _batches(self, batch: Any) -> list[dict[str, Array]]:
        products = sum(len(k) * math.prod(self.old.layer(k.target).grid) for k in self.old.links)
        samples = int(np.clip(EFFORT // max(products, 1), 2, SAMPLES))
        batches = [default_inputs(self.old, samples, domain=self.domain)]
        if batch is not None:
            named = batch if isinstance(batch, Mapping) else {self.old.inputs[0].name: batch}
            batches.insert(0, {name: np.asarray(values) for name, values in named.items()})
        return batches

    def _largest(self, x: dict[str, Array]) -> OutputDifference | None:
        names = {layer.name: other.name for layer, other in zip(self.old.inputs, self.new.inputs, strict=True)}
        there = {names[name]: values for name, values in x.items()}
        worst: OutputDifference | None = None
        one, two = _outputs(self.old, x, self.train), _outputs(self.new, there, self.train)
        room = [rounding_allowance(g, v, train=self.train) for g, v in ((self.old, x), (self.new, there))]
        for layer, other, a, b in zip(self.old.outputs, self.new.outputs, one, two, strict=True):
            slack = (room[0][layer.name] + room[1][other.name]).reshape(1, -1, *(1,) * (a.ndim - 2))
            slack = np.where(np.isfinite(slack), slack, 1e-9 * (1 + np.abs(a).max(initial=0.0)))
            gap = np.abs(a - b)
            gap = np.where(gap > self.allowed + slack, gap, 0.0)
            at = tuple(int(i) for i in np.unravel_index(int(gap.argmax()), gap.shape))
            if gap[at] > 0 and (worst is None or gap[at] > _gap(worst)):
                sample = {name: values[at[0]] for name, values in x.items()}
                worst = OutputDifference(layer.name, at, float(a[at]), float(b[at]), sample)
        return worst


def _gap(found: OutputDifference) -> float:
    return abs(found.new - found.old)


def _outputs(graph: Graph, x: dict[str, Array], train: bool) -> list[Array]:
    """Outputs of a graph in the order of its output layers."""
    values = interpret(graph, x, train=train, check_domain=False)
    return [values[layer.name] for layer in graph.outputs] if isinstance(values, dict) else [values]
