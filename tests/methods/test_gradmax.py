"""GradMax: which layers grow, when, by how much, and what reads what is new."""

import numpy as np
import pytest
from fake_context import FakeContext

import netgraph as ng
from netgraph.criteria import outgoing_norm
from netgraph.errors import OptionError
from netgraph.methods import GradMaxOptions, GradMaxWiden, Start, get_method, gradmax
from netgraph.methods.gradmax import gradmax_start, slope_at_0
from netgraph.schedules import EveryEpochs


class Collecting(FakeContext):
    """With random cross moments, and the requests for them."""

    asked: list

    def collect(self, requests, batches):
        ((name, options),) = requests.items()
        assert name == "cross_moments"
        self.asked.append((options, batches))
        moments = {}
        for o in options:
            source, target = (self.graph.layers[o[end]] for end in ("source", "target"))
            taps = (o["kind"].taps,) if source.output_grid else ()
            rng = np.random.default_rng(len(moments))
            moments["cross", o["source"], o["target"]] = rng.normal(size=(len(source), len(target), *taps))
        return ng.Statistics(self.graph.topology_hash, moments=moments, batches=batches)


def context(graph, epochs=40, done=0):
    made = Collecting(graph, epochs=epochs)
    made.asked = []
    for _ in range(done):
        made.epoch()
    return made


def part(graph, **options):
    hidden = [la.name for la in graph.layers_by_id.values() if la.role == "hidden"]
    given = {"counts": dict.fromkeys(hidden, 2), "trigger": EveryEpochs(2), "steps": 3}
    return GradMaxWiden(**{**given, **options})


def chain(*widths, activation="tanh"):
    return ng.mlp([4, *widths, 3], domain=(0, 1), activation=activation, dtype=np.float64, seed=1)


def test_all_hidden_layers_grow_exactly_along_the_growth_matrix():
    graph = chain(6, 5)
    here = context(graph, done=2)
    done = here.carry_out(part(graph, scale=0.5, batches=7))
    assert [len(la) for la in here.graph.layers.values()] == [4, 8, 7, 3]
    assert [result.certificate.kind for _, result in done] == ["exact", "exact"]
    ((options, batches),) = here.asked  # one pass for both layers
    assert batches == 7
    assert [(o["source"], o["target"]) for o in options] == [("input", "hidden2"), ("hidden1", "output")]
    assert done[0][0].reason.startswith("hidden1 from 6 to 8, 2 of them along the largest gradients, singular")
    link = here.graph.links["hidden2", "output"]
    new = link.weight[link.src >= 5].reshape(3, 2).T
    np.testing.assert_allclose(np.linalg.norm(new, axis=1), 0.5 * outgoing_norm(graph, graph.layers["hidden2"].id))
    assert abs(new[0] @ new[1]) < 1e-12
    into = here.graph.links["hidden1", "hidden2"]
    assert not into.weight[into.dst >= 5].any()
    assert not any(proposal.settle for proposal, _ in done)


def test_it_grows_every_so_many_epochs_so_many_times():
    graph = chain(4)
    here = context(graph)
    grow, widths = part(graph), []
    for _ in range(9):
        here.epoch()
        here.carry_out(grow)
        widths.append(len(here.graph.layers["hidden1"]))
    assert widths == [4, 6, 6, 8, 8, 10, 10, 10, 10]
    assert not grow.pending(here)


def test_only_layers_that_are_named_and_can_learn():
    b = ng.GraphBuilder(seed=0)
    b.input("x", 3)
    for i, activation in enumerate(("tanh", "relu", "gelu", "sigmoid", "silu"), start=1):
        b.layer(f"h{i}", 4, activation=activation, norm="layer" if i == 5 else "none")
    b.output("y", 2)
    for a, c in (("x", "h1"), ("h1", "h2"), ("h2", "h3"), ("h3", "h4"), ("h4", "h5"), ("h5", "y")):
        b.dense(a, c)
    graph = b.build()
    here = context(graph, done=2)
    here.carry_out(part(graph))
    assert [len(la) for la in here.graph.layers.values()] == [3, 6, 4, 6, 4, 4, 2]
    other = context(graph, done=2)
    other.carry_out(part(graph, counts={"h3": 1}))
    assert [len(la) for la in other.graph.layers.values()] == [3, 4, 4, 5, 4, 4, 2]
    relu = chain(4, activation="relu")
    ((proposal, result),) = context(relu, done=2).carry_out(part(relu))
    assert (proposal.reason, result) == ("no layer can grow", None)


def test_where_a_norm_or_a_pool_lies_between_outgoing_weights_are_random():
    graph = ng.convnet([[3, 4], [4]], input_size=(1, 8, 8), activation="gelu", batch_norm=False, domain=(0, 1))
    here = context(graph, done=2)
    reasons = [proposal.reason for proposal, _ in here.carry_out(part(graph))]
    assert "2 of them along" in reasons[0]
    assert all(reason.endswith("random outgoing weights: a pool lies between") for reason in reasons[1:])
    normed = ng.convnet([[3]], input_size=(1, 8, 8), activation="gelu", domain=(0, 1))
    again = context(normed, done=2)
    ((proposal, result),) = again.carry_out(part(normed))
    assert "random outgoing weights: batch norm lies between" in proposal.reason
    assert result.certificate.kind == "exact"
    assert again.asked == []


def residual():
    b = ng.GraphBuilder(seed=0, init="kaiming")
    b.input("x", 2, grid=(4, 4), domain=(0, 1))
    b.layer("conv", 3, grid=(4, 4), activation="gelu")
    b.layer("inner", 4, grid=(4, 4), activation="gelu")
    b.layer("branch", 3, grid=(4, 4), activation="identity")
    b.layer("sum", 3, grid=(4, 4), activation="gelu", bias=False)
    b.output("y", 2)
    b.conv2d("x", "conv", kernel=3, padding=1)
    b.conv2d("conv", "inner", kernel=3, padding=1)
    b.conv2d("inner", "branch", kernel=3, padding=1)
    b.identity("branch", "sum")
    b.identity("conv", "sum")
    b.conv2d("sum", "y", kernel=4)
    return b.build()


def test_residual_groups_grow_together_and_their_branches_along_the_growth_matrix():
    graph = residual()
    here = context(graph, done=2)
    done = here.carry_out(part(graph))
    assert [len(la) for la in here.graph.layers.values()] == [2, 5, 6, 5, 5, 2]
    assert [result.certificate.kind for _, result in done] == ["exact", "exact"]
    assert "wires lead into or out of it" in done[0][0].reason
    assert "inner from 4 to 6, 2 of them along" in done[1][0].reason
    link = here.graph.links["inner", "branch"]
    both = (link.src >= 4) & (link.dst >= 3)
    assert both.any()
    assert not link.weight[both].any()


def test_random_outgoing_weights_on_request():
    graph = chain(4, 5)
    here = context(graph, done=2)
    done = here.carry_out(part(graph, random=True))
    assert here.asked == []
    assert all("random outgoing weights: as asked" in proposal.reason for proposal, _ in done)


def test_layers_between_the_same_two_that_read_otherwise_take_another_pass():
    b = ng.GraphBuilder(seed=0)
    b.input("x", 2, grid=(6, 6))
    for name, kernel in (("one", 1), ("three", 3), ("three more", 3)):
        b.layer(name, 3, grid=(6, 6), activation="tanh")
        b.conv2d("x", name, kernel=kernel, padding=kernel // 2)
    b.output("y", 2)
    for name in ("one", "three", "three more"):
        b.conv2d(name, "y", kernel=6)
    graph = b.build()
    here = context(graph, done=2)
    here.carry_out(part(graph))
    assert [len(options) for options, _ in here.asked] == [1, 1]


@pytest.mark.parametrize(
    ("name", "slope"),
    [("relu", False), ("sigmoid", False), ("softplus", False), ("tanh", True), ("gelu", True), ("silu", True),
     ("prelu", True), ("leaky_relu", True), ("identity", True), ("rational", True)],
)  # fmt: skip
def test_slopes_at_0(name, slope):
    assert slope_at_0(name) is slope


# -- the method -----------------------------------------------------------------------------------


def start(shape, **options):
    return gradmax_start(GradMaxOptions(**options), Start(shape=shape, outputs=10, domain=(0, 1), seed=3))


def test_starts():
    images = start((1, 8, 8), widths="4,3/5")
    assert [len(layer) for layer in images.layers_by_id.values()] == [1, 4, 3, 5, 10]
    assert {la.norm for la in images.layers.values()} == {"none"}
    assert images.layers["conv1_1"].activation == "prelu"
    assert start((1, 8, 8), widths="4", batch_norm=True).layers["conv1_1"].norm == "batch"
    table = start((7,), widths="4,3/5", activation="gelu")
    assert [(len(layer), layer.activation) for layer in table.layers.values()] == [
        (7, "identity"), (4, "gelu"), (3, "gelu"), (5, "gelu"), (10, "identity"),
    ]  # fmt: skip


def test_the_constants_of_the_paper_are_the_defaults():
    spec = get_method("gradmax")
    assert dict(spec.training) == {"batch_size": 128}
    graph = start((7,), widths="16,2")
    (widen,) = gradmax(graph).parts
    assert dict(widen.counts) == {"hidden1": 4, "hidden2": 1}
    assert (widen.steps, widen.scale) == (12, 0.5)
    assert 16 + widen.steps * widen.counts["hidden1"] == 4 * 16
    assert spec.build(graph, spec.resolve(GradMaxOptions(), graph)).name == "gradmax"


@pytest.mark.parametrize(
    ("options", "word"),
    [({"widths": "8;8"}, "of the form"), ({"activation": "relu"}, "new vertices would never learn"),
     ({"activation": "sigmoid"}, "does not map 0 to 0"), ({"share": 0.0}, r"share=0\.0")],
)  # fmt: skip
def test_options_are_checked(options, word):
    with pytest.raises(OptionError, match=word):
        GradMaxOptions(**options)


@pytest.mark.parametrize(
    ("options", "word"), [({"steps": 0}, "steps=0"), ({"batches": 0}, "batches=0"), ({"scale": 0.0}, "scale=0")]
)
def test_parts_are_checked(options, word):
    with pytest.raises(OptionError, match=word):
        part(chain(4), **options)
