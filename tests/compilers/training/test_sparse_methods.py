"""Methods of sparse training, through the trainer."""

import numpy as np
import pytest
from fake_context import FakeContext
from tiny_training import CPU, assert_same_state, diabetes, digits, killed_and_resumed, settings

from compilers import lift, migrate
from compilers.training import Rewritten, begin, train
from netgraph.analysis import admissible_edges, density, isolated_vertices, sparse_links
from netgraph.errors import OptionError
from netgraph.methods import METHODS, Start, get_method
from netgraph.rewriting import Journal, apply

START = Start(shape=(64,), outputs=10, domain=(0.0, 1.0), seed=0)
SMALL = {"widths": "24,16"}
GROWING = ("pwmpr", "pwmp", "pwmpr-prune", "random-growth", "gradient-growth")
KEEPING = ("rigl", "set", "phew", "erk")
OPTIONS = {
    **{name: {"every": 1, "density": 0.2, "start_density": 0.1, "rough": 0.8, "stop": "none"} for name in GROWING},
    **{name: {"density": 0.2} for name in KEEPING},
    **{name: {"density": 0.5, "level_epochs": 2} for name in ("imp", "imp-c")},
}


def parts(name, **options):
    spec = get_method(name)
    chosen = spec.make_options(**{**SMALL, **OPTIONS[name], **options})
    first = spec.start(chosen, START)
    return first, spec.build(first, chosen)


def of(graph):
    return density(graph, sparse_links(graph))


def run(name, epochs=9, callbacks=(), **options):
    first, method = parts(name, **options)
    wanted = settings(epochs=epochs, curve="cosine")
    return train(begin(first, wanted, CPU), digits(), wanted, method, callbacks), first


@pytest.mark.parametrize("name", GROWING)
def test_growth_ends_at_its_density_and_every_addition_is_exact(name):
    events = []
    state, first = run(name, callbacks=[events.append])
    added = [e.result for e in events if isinstance(e, Rewritten) and e.result.rule.name == "AddEdges"]
    assert len(added) > 2
    assert all(result.certificate.kind == "exact" for result in added)
    cells = admissible_edges(first, sparse_links(first))
    assert of(state.net.graph) == round(0.2 * cells) / cells > of(first)
    rates = [entry["learning_rate"] for entry in state.history]
    turn = state.phase_start
    assert set(rates[:turn]) == {0.01}
    assert rates[-1] < rates[turn]
    assert ("paths" in state.costs) == (name in ("pwmpr", "pwmp", "pwmpr-prune"))
    assert ("dense gradients" in state.costs) == (name == "gradient-growth")


@pytest.mark.parametrize("name", GROWING)
def test_growth_with_its_plateau_takes_regression_too(name):
    spec, data = get_method(name), diabetes()
    kind = Start(shape=data.x_train.shape[1:], outputs=1, domain=(0.0, 1.0), seed=0, task="regression")
    chosen = spec.make_options(widths="24,16", every=1)
    first = spec.start(chosen, kind)
    wanted = settings(epochs=4)
    state = train(begin(first, wanted, CPU), data, wanted, spec.build(first, chosen))
    assert state.net.graph.num_edges > first.num_edges
    with pytest.raises(OptionError, match=r"stop='literal'.*gain"):
        spec.start(spec.make_options(stop="literal"), kind)


@pytest.mark.parametrize("name", KEEPING)
def test_the_density_stays(name):
    state, first = run(name, epochs=6)
    assert not len(isolated_vertices(first))
    assert [len(link) for link in state.net.graph.links] == [len(link) for link in first.links]
    assert state.net.graph.same_topology(first) == (name in ("phew", "erk"))
    assert ("dense gradients" in state.costs) == (name == "rigl")


@pytest.mark.parametrize("name", ["imp", "imp-c"])
def test_levels_are_pruned_and_only_imp_goes_back(name):
    begun = []

    def watch(event):
        if type(event).__name__ == "PhaseBegan":
            begun.append(lift(state.net))

    first, method = parts(name)
    wanted = settings(epochs=8, curve="cosine")
    state = begin(first, wanted, CPU)
    train(state, digits(), wanted, method, [watch])
    cells = admissible_edges(first, sparse_links(first))
    assert [round(of(graph) * cells) for graph in begun][-1] == round(0.5 * cells)
    assert len(begun) == 3  # 0.8, 0.64, 0.5
    for graph in begun:
        same = np.array_equal(graph.edges.weight, first.edges.weight[first.edges.find(graph.edges.id)])
        assert same == (name == "imp")
    rates = [entry["learning_rate"] for entry in state.history]
    assert rates == pytest.approx(rates[:2] * 4)


@pytest.mark.parametrize("name", ["pwmpr", "pwmpr-prune", "gradient-growth", "rigl", "set", "imp", "imp-c"])
def test_a_resumed_run_is_the_same_to_the_last_bit(name, tmp_path):
    whole, first = run(name, epochs=7)
    _, method = parts(name)
    wanted = settings(epochs=7, curve="cosine")
    resumed = killed_and_resumed(tmp_path / "c", first, digits(), wanted, method, until=4)
    assert_same_state(resumed, whole)
    assert resumed.costs == whole.costs


@pytest.mark.parametrize("name", ["pwmpr-prune", "rigl"])
def test_the_journal_replays(name, tmp_path):
    first, method = parts(name)
    journal = Journal.create(tmp_path, first)

    def record(event):
        if isinstance(event, Rewritten):
            journal.append(event.result, before=event.before, epoch=event.epoch, metrics=event.metrics, seed=event.seed)

    wanted = settings(epochs=6)
    state = train(begin(first, wanted, CPU), digits(), wanted, method, [record])
    graphs = [graph for _entry, graph in journal.replay()]
    assert len(graphs) > 4
    assert graphs[-1].same_topology(state.net.graph)


def test_moments_of_edges_that_stay_survive_growth_by_id():
    first, method = parts("pwmpr", every=2)
    wanted = settings(epochs=2)
    state = train(begin(first, wanted, CPU), digits(), wanted)
    before = state.net.edge_column(state.optimizer.state[state.net.weights]["exp_avg"]).copy()
    trained = lift(state.net)
    proposal = next(method.propose(FakeContext(trained, history=list(state.history), epochs=10)))
    result = apply(proposal.rule, trained, on=proposal.on)
    net, optimizer = migrate(state.net, state.optimizer, result)
    after = net.edge_column(optimizer.state[net.weights]["exp_avg"])
    rows = net.graph.edges.find(trained.edges.id)
    assert np.array_equal(after[rows], before)
    assert before.any()
    assert not np.delete(after, rows).any()


@pytest.mark.parametrize("name", sorted(OPTIONS))
def test_options_of_other_models_are_refused(name):
    spec = METHODS[name]
    with pytest.raises(OptionError, match="resnet20 needs images"):
        spec.start(spec.make_options(**OPTIONS[name], model="resnet20"), START)
    with pytest.raises(OptionError, match="density"):
        spec.make_options(density=0.0)
    with pytest.raises(OptionError, match="vgg"):
        spec.make_options(model="vgg16")


def test_a_residual_network_takes_one_width():
    with pytest.raises(OptionError, match="resnet20 takes that of its first stage"):
        get_method("rigl").make_options(model="resnet20", widths="8,16")
