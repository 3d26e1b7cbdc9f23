"""Part of a method that removes hidden vertices with little effect on the natural expansion scores of their readers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from netgraph.checks import Checked
from netgraph.columns import Array
from netgraph.errors import OptionError
from netgraph.graph import Graph, Layer, Link, get_norm, weighted
from netgraph.methods.method import Context, Proposal, epochs_done
from netgraph.methods.senn.fold_vertex import FoldVertex
from netgraph.methods.senn.reads import FedLayer, inputs_of, reads_table, rows_of
from netgraph.statistics import BatchSignals

RIDGE = 1e-9
"""Multiple of the mean diagonal of second moments that is added to their diagonal before the inversion."""


def losses_of_groups(fed: FedLayer, weights: Array, groups: Sequence[Array]) -> tuple[Array, Array]:
    """Compute the decrease of a layer's score without each of several groups of its inputs.

    A group is, for example, the taps of one map.

    Args:
        fed: inputs and gradients of the layer.
        weights: weights of the layer, `(n, m)`; 0 in the row of the bias.
        groups: columns of the inputs of each group.

    Returns:
        Two arrays, `(groups,)`. First the decrease of `eta_c` when the weights of the group are frozen at their values.
        Second the decrease when these weights become 0 and the remaining weights compensate for them.
    """
    factors = fed.factors
    values, axes = np.linalg.eigh(factors.gradients)
    kept = values > 1e-10 * values.max(initial=0.0)
    root = axes[:, kept] * np.sqrt(values[kept])
    n = len(factors.inputs)
    # With a ridge each single one of linearly dependent inputs has loss 0, as it should; a pseudo-inverse fails here.
    inverse = np.linalg.inv(factors.inputs + RIDGE * np.trace(factors.inputs) / n * np.eye(n))
    natural = inverse @ factors.gradient @ (axes[:, kept] / np.sqrt(values[kept]))
    excess = natural - weights @ root
    found = np.zeros((2, len(groups)))
    for which, group in enumerate(groups):
        own = inverse[np.ix_(group, group)]
        for row, wanted in enumerate((natural[group], excess[group])):
            found[row, which] = fed.positions * float(np.sum(wanted * np.linalg.solve(own, wanted)))
    return found[0], found[1]


@dataclass(frozen=True, kw_only=True)
class PruneInputs(Checked):
    """Remove hidden vertices whose removal lowers the score of none of their readers by much (SENN, for convolutions).

    A vertex is removed when every layer that reads it loses less than the fraction `threshold` of its score, both with
    the weights of the vertex frozen and with these weights removed and compensated for by the others, see
    `losses_of_groups`. `FoldVertex` then approximates the vertex by the others of its layer. Vertices are removed one
    at a time, the one with the smallest loss first, and all losses are computed again after each removal. Vertices stay
    whose readers also read a table of positions or ids.

    Attributes:
        threshold: largest fraction of its score that a reader may lose.
        cooldown: number of epochs between two checks.
        fewest: smallest number of vertices that remain in a layer.
        at_once: largest number of vertices that are removed after one epoch; None is no limit.
        samples: number of training samples for the scores.
    """

    threshold: float
    cooldown: int = 30
    fewest: int = 1
    at_once: int | None = None
    samples: int = 1024

    name = "prune inputs"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.threshold <= 0:
            raise OptionError(f"threshold={self.threshold} is not a positive number.")
        for name in ("cooldown", "fewest"):
            if getattr(self, name) < 1:
                raise OptionError(f"{name}={getattr(self, name)} is below 1.")

    def propose(self, context: Context) -> Iterator[Proposal]:
        """Propose removals one after the other, each judged in the network after the earlier removals."""
        if epochs_done(context) % self.cooldown:
            return
        done = 0
        while self.at_once is None or done < self.at_once:
            found = self._least_missed(context)
            if found is None:
                if not done:
                    reason = f"no vertex costs less than {self.threshold:g} of the score of its readers"
                    yield Proposal(self.name, FoldVertex(), np.empty(0, np.int64), reason)
                return
            layer, row, missed, activations = found
            rule = _fold(activations, row)
            reason = (
                f"a vertex of {layer.name}: its readers lose {missed:.3g} of their score (threshold {self.threshold:g})"
            )
            numbers = {"missed": missed, "threshold": self.threshold}
            yield Proposal(self.name, rule, layer.vertex_ids[row : row + 1], reason, numbers=numbers)
            done += 1

    def pending(self, context: Context) -> bool:
        """False: a run need not wait for removals before it ends."""
        return False

    def _least_missed(self, context: Context) -> tuple[Layer, int, float, Array] | None:
        """Find the vertex with the smallest loss below the threshold, or None.

        Returns:
            Its layer, its row in the layer, its loss (the largest fraction of the score that any reader loses), and the
            activations of its layer, `(rows, vertices)`.
        """
        graph = context.graph
        names = [layer.name for layer in graph.layers_by_id.values() if not layer.is_table]
        signals = context.capture(names, samples=self.samples)
        best: tuple[Layer, int, float, Array] | None = None
        for layer in graph.layers_by_id.values():
            if not self._may_lose(graph, layer):
                continue
            missed = np.max([_losses(graph, signals, link) for link in graph.outgoing[layer.id]], axis=0)
            row = int(missed.argmin())
            if missed[row] < (self.threshold if best is None else best[2]):
                best = layer, row, float(missed[row]), rows_of(signals.activations[layer.name])
        return best

    def _may_lose(self, graph: Graph, layer: Layer) -> bool:
        links = graph.outgoing[layer.id]
        free = bool(links) and not any(k.kind.wires or k.frozen.any() or reads_table(graph, k.target) for k in links)
        alone = not get_norm(layer.norm).couples_vertices
        return layer.role == "hidden" and alone and len(layer) > self.fewest and free


def _losses(graph: Graph, signals: BatchSignals, link: Link) -> Array:
    """Fraction of its score that the target of a link loses without each source vertex, `(source vertices,)`."""
    target, taps = graph.layer(link.target), link.kind.taps
    read = inputs_of(graph, link.target, signals.activations, used=False)
    fed = FedLayer(read, rows_of(signals.gradients[target.name]), signals.output_norms)
    weights, starts, start = np.zeros((read.shape[1], len(target))), {}, 0
    for other in weighted(graph.incoming[link.target]):
        starts[other.key] = start
        weights[start + other.src * other.kind.taps + other.tap, other.dst] = other.weight
        start += len(graph.layer(other.source)) * other.kind.taps
    sources = len(graph.layer(link.source))
    groups = [starts[link.key] + taps * i + np.arange(taps) for i in range(sources)]
    lost = np.max(losses_of_groups(fed, weights, groups), axis=0)
    return np.asarray(lost / fed.score if fed.score > 0 else np.full(sources, np.inf))


def _fold(activations: Array, row: int) -> FoldVertex:
    """Rule that replaces a vertex by its least-squares fit on the other vertices of its layer and a constant."""
    others = np.delete(np.arange(activations.shape[1]), row)
    read = np.column_stack([activations[:, others], np.ones(len(activations))])
    fitted, *_ = np.linalg.lstsq(read, activations[:, row], rcond=1e-8)
    shares = np.zeros(activations.shape[1])
    shares[others] = fitted[:-1]
    return FoldVertex(shares=shares, constant=float(fitted[-1]))
