"""From zero to your own rule: build a graph, train it, write a rule, prove it, test it, and grow with it."""

# region imports
import tempfile
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from sklearn.datasets import make_moons
from torch.nn import functional

import netgraph as ng
from compilers import lift, lower
from compilers.training import EpochEnded, Rewritten, TrainingData, TrainSettings, begin, train
from netgraph.methods import Method, Proposal

torch.set_num_threads(1)
# endregion imports

# region build
graph = ng.mlp([2, 2], domain=(-1, 1), seed=0)  # two inputs, two outputs, all linked
print(graph)
print(graph.edges.id, graph.edges.weight)
print(ng.interpret(graph, np.array([[0.5, 0.25]])))  # in float64, slow and obvious
# endregion build

# region draw
ng.viz.draw(graph).save("tutorial_start.svg")
# endregion draw

# region data
x, y = make_moons(600, noise=0.1, random_state=0)  # two half moons
x = 2 * (x - x.min(axis=0)) / (x.max(axis=0) - x.min(axis=0)) - 1  # into the domain [-1, 1]
data = TrainingData.from_arrays(x[:400], y[:400], x[400:], y[400:], task="classification")
settings = TrainSettings(epochs=60, batch_size=32, learning_rate=0.02, weight_decay=0.0)
# endregion data

# region train
alone = train(begin(graph, settings, data.device), data, settings)
print(f"accuracy {alone.history[-1]['val_accuracy']:.2f}")
trained = lift(alone.net)  # the same graph with trained weights; `graph` is as it was
print(graph.edges.weight, trained.edges.weight)
# endregion train

# region statistics
net = lower(trained)  # an ordinary torch.nn.Module
net.request("edge_gradients")
for rows in torch.arange(len(data.x_train)).split(32):
    functional.cross_entropy(net(data.x_train[rows]), data.y_train[rows]).backward()
stats = net.statistics()
print(stats)
print(stats.edge("mean_abs_gradient"))
# endregion statistics


# region rule
@dataclass(frozen=True, kw_only=True)
class BendEdges(ng.Rule):
    """Put two ReLU vertices on every edge: w x = w relu(x) - w relu(-x) for every x."""

    above: float = 0.0

    pattern = ng.edge("e", src=ng.vertex("p"), dst=ng.vertex("c"))
    signs: ClassVar = (1.0, -1.0)

    def where(self, m, stats):
        return {"weight is large": ng.at_least(np.abs(m.e.weight), self.above)}

    def rewrite(self, m, rw):
        for g in m.by("target layer"):  # new layers for each of them: no cycle
            for sign in self.signs:
                n = rw.add_layer(len(g), activation="relu", name="bend")
                rw.connect(g.p, n, weight=sign)  # row by row: p -> n
                rw.connect(n, g.c, weight=sign * g.e.weight)  # n -> c
                rw.connect_all(g.p.unique(), n, weight=0.0)  # no change, but gradients
            rw.remove(g.e)

    def claim(self, m):
        return "exact"


# endregion rule

# region explain
print(ng.explain(BendEdges(above=5.0), trained))
print(ng.find(BendEdges(above=2.0), trained))
# endregion explain

# region prove
result = ng.apply(BendEdges(), trained, stats, limit=2, order_by="mean_abs_gradient")
print(result)
print(result.certificate)
ng.viz.draw_delta(result).save("tutorial_bent.svg")
# endregion prove


# region slip
class Slip(BendEdges):
    """Wrong: relu(x) alone is x only where x is never negative."""

    signs: ClassVar = (1.0,)


print(ng.apply(Slip(), trained).certificate)
try:
    ng.apply(Slip(), trained, require="exact")
except ng.errors.RewriteError as error:
    print(error)
# endregion slip

# region test
from netgraph.testing import RuleCheckError, check_rule, graphs  # noqa: E402

check_rule(BendEdges(), graphs=graphs(kinds="dense"), max_examples=10)
try:
    check_rule(Slip(), graphs=graphs(kinds="dense"), max_examples=10)
except RuleCheckError as error:
    print([failure.check for failure in error.failures])
    print(error.failures[0].graph)
# endregion test
else:
    raise AssertionError("the slip was not found")


# region method
@dataclass(frozen=True, kw_only=True)
class BendStrongest:
    """Bend the edges with the largest gradients, after given epochs."""

    epochs: tuple[int, ...] = (10, 20)
    edges: int = 4

    def propose(self, context):
        epoch = len(context.history)
        if epoch in self.epochs:
            gradients = context.statistics().edge("mean_abs_gradient")
            first = np.argsort(-gradients, kind="stable")[: self.edges]
            edges = context.graph.edges.id[first]
            yield Proposal("bend", BendEdges(), on=edges, reason=f"epoch {epoch}")

    def pending(self, context):
        return len(context.history) < max(self.epochs)


method = Method("bending", (BendStrongest(),))
# endregion method

# region grow
journal = ng.Journal.create(tempfile.mkdtemp(), graph)


def report(event):
    if isinstance(event, Rewritten):
        journal.append(event.result, before=event.before, epoch=event.epoch, seed=event.seed)
        print(f"epoch {event.epoch}: {event.result}, {event.result.certificate.kind}")
    elif isinstance(event, EpochEnded) and event.epoch % 10 == 0:
        print(f"epoch {event.epoch}: accuracy {event.metrics['val_accuracy']:.2f}")


state = train(begin(graph, settings, data.device), data, settings, method, [report])
grown = lift(state.net)
print(grown)
# endregion grow

# region look
ng.viz.draw(grown, detail="vertices").save("tutorial_grown.svg")
for entry, topology in journal.replay():  # every topology, checked
    print(entry.epoch, entry.rule, entry.summary, topology.num_edges)
ng.viz.timeline(journal, title="Two half moons").save("tutorial_growth.html")
# endregion look

assert alone.history[-1]["val_accuracy"] < 0.92 < 0.97 < state.history[-1]["val_accuracy"]
assert result.certificate.kind == "exact"
