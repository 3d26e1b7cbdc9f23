"""A trainer without training: a `netgraph.methods.Context` whose graph, history and statistics a test sets by hand."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

import netgraph as ng
from netgraph.methods import NEW_PHASE, Action, NewPhase, Step
from netgraph.rewriting import Result


@dataclass
class FakeContext:
    """Attributes: those of `Context`; `score` gives the gradient statistic of every edge of a graph."""

    graph: ng.Graph
    epochs: int = 20
    history: list[dict[str, float]] = field(default_factory=list)
    actions: list[Action] = field(default_factory=list)
    score: Callable[[ng.Graph], np.ndarray] | None = None
    rng: np.random.Generator = field(default_factory=lambda: np.random.default_rng(0))
    collected: int = 0
    costs: dict[str, float] = field(default_factory=dict)

    def statistics(self) -> ng.Statistics:
        self.collected += 1
        score = np.arange(len(self.graph.edges), dtype=float) if self.score is None else self.score(self.graph)
        columns = {"mean_abs_gradient": score, "variance_abs_gradient": score}
        return ng.Statistics(self.graph.topology_hash, edges=columns, batches=1)

    def dense_gradients(self, links) -> ng.Statistics:
        """As gradient of the k-th pair of a link, by source, target and tap, k + 1."""
        self.collected += 1
        moments = {}
        for key in links:
            link, source, target = self.graph.links_by_key[key], self.graph.layer(key[0]), self.graph.layer(key[1])
            shape = (len(source), len(target), link.kind.taps)
            moments["cross", source.name, target.name] = np.arange(1.0, 1 + np.prod(shape)).reshape(shape)
        return ng.Statistics(self.graph.topology_hash, moments=moments, batches=1)

    def spend(self, kind: str, flops: float) -> None:
        self.costs[kind] = self.costs.get(kind, 0.0) + flops

    def epoch(self, val_loss: float = 1.0, **metrics: float) -> None:
        self.history.append({"val_loss": val_loss, "edges": self.graph.num_edges, **metrics})

    def carry_out(self, part) -> list[tuple[Step, Result | None]]:
        """Do what the trainer does after an epoch. The result is None where nothing was selected, and for a phase."""
        done = []
        for proposal in part.propose(self):
            if isinstance(proposal, NewPhase):
                edges = self.graph.num_edges
                self.actions.append(Action(proposal.part, NEW_PHASE, len(self.history), 0, edges))
                done.append((proposal, None))
                continue
            result = ng.apply(proposal.rule, self.graph, on=proposal.on, probe=None) if len(proposal.on) else None
            matches = len(result.matches) if result else 0
            before = self.graph.num_edges
            self.actions.append(Action(proposal.part, proposal.rule.name, len(self.history), matches, before))
            self.graph = result.graph if result else self.graph
            done.append((proposal, result))
        return done
