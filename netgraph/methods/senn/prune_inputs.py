"""Remove the vertices that the natural expansion score does without: a part."""

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
from netgraph.methods.senn.reads import FedLayer, inputs_of, rows_of
from netgraph.statistics import BatchSignals

RIDGE = 1e-9
"""What part of their mean diagonal is added to the diagonal of second moments before they are inverted."""


def losses_of_groups(fed: FedLayer, weights: Array, groups: Sequence[Array]) -> tuple[Array, Array]:
    """What a layer loses of its score without groups of its inputs, such as the taps of one map.

    Args:
        fed: the layer.
        weights: (n, m) its weights; those of a bias are 0.
        groups: for each group the columns of the inputs.

    Returns:
        (groups,) freeze: how much of eta_c goes exactly with the inputs. (groups,) prune: the same when their weights
        go as well, and the others move to make up for it.
    """
    factors = fed.factors
    values, axes = np.linalg.eigh(factors.gradients)
    kept = values > 1e-10 * values.max(initial=0.0)
    root = axes[:, kept] * np.sqrt(values[kept])
    n = len(factors.inputs)
    # With a ridge instead of a pseudo-inverse inputs that depend on each other cost nothing one by one, as is right.
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
    """Prune hidden vertices that none of their readers gains from (SENN, for convolutional networks).

    A vertex goes when for every layer that reads it both the score that the layer would lose, and what is lost when
    the weights go too and the others make up for them, are below a share of the score of the layer. Then what the
    vertex did is folded into the others (see `FoldVertex`). One goes at a time, the least missed first, and all are
    judged anew.

    Attributes:
        threshold: that share.
        cooldown: epochs from one look to the next.
        fewest: vertices that a layer keeps at least.
        at_once: most vertices that go after one epoch; None is no limit.
        samples: training samples over which scores are taken.
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
        """One vertex after the other, each judged in the network without those before it."""
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
        """What is superfluous may go at any time, but nothing waits for it."""
        return False

    def _least_missed(self, context: Context) -> tuple[Layer, int, float, Array] | None:
        """Layer, row, and the largest share that any reader loses, of the vertex that is missed least."""
        graph = context.graph
        names = [layer.name for layer in graph.layers_by_id.values()]
        signals = context.capture(names, samples=self.samples)
        best: tuple[Layer, int, float, Array] | None = None
        for layer in graph.layers_by_id.values():
            if not self._may_lose(graph, layer):
                continue
            missed = np.max([_missed(graph, signals, link) for link in graph.outgoing[layer.id]], axis=0)
            row = int(missed.argmin())
            if missed[row] < (self.threshold if best is None else best[2]):
                best = layer, row, float(missed[row]), rows_of(signals.activations[layer.name])
        return best

    def _may_lose(self, graph: Graph, layer: Layer) -> bool:
        links = graph.outgoing[layer.id]
        free = bool(links) and not any(k.kind.wires or k.frozen.any() for k in links)
        alone = not get_norm(layer.norm).couples_vertices
        return layer.role == "hidden" and alone and len(layer) > self.fewest and free


def _missed(graph: Graph, signals: BatchSignals, link: Link) -> Array:
    """(vertices of the source,) what share of its score the target of a link loses by each."""
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
    """What the other vertices of a layer, and a constant, make of one of them."""
    others = np.delete(np.arange(activations.shape[1]), row)
    read = np.column_stack([activations[:, others], np.ones(len(activations))])
    fitted, *_ = np.linalg.lstsq(read, activations[:, row], rcond=1e-8)
    shares = np.zeros(activations.shape[1])
    shares[others] = fitted[:-1]
    return FoldVertex(shares=shares, constant=float(fitted[-1]))
