import numpy as np
import pytest

import netgraph as ng
from netgraph.app.option_texts import explained
from netgraph.criteria import CRITERIA, Criterion, get_criterion
from netgraph.errors import OptionError, StatisticsError
from netgraph.methods import SsonnOptions

GRADIENT = [name for name, criterion in CRITERIA.items() if criterion.needs_statistics]


@pytest.fixture
def graph():
    graph = ng.mlp([3, 2], domain=(0, 1))
    return graph.with_weights(np.array([0.5, -2.0, 0.0, 1.0, -0.25, 3.0]))


@pytest.fixture
def stats(graph):
    columns = {"mean_abs_gradient": np.arange(6) / 8, "variance_abs_gradient": np.arange(6)[::-1] / 4}
    return ng.Statistics(graph.topology_hash, edges=columns, batches=4)


def score(name, graph, stats=None, seed=0):
    return get_criterion(name).score(graph, stats, np.random.default_rng(seed))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("g_abs", [0, 0.125, 0.25, 0.375, 0.5, 0.625]),
        ("g_var", [1.25, 1, 0.75, 0.5, 0.25, 0]),
        ("reversed", [0, -0.125, -0.25, -0.375, -0.5, -0.625]),
        ("l1", [0.5, 2, 0, 1, 0.25, 3]),
        ("l2", [0.25, 4, 0, 1, 0.0625, 9]),
    ],
)
def test_scores_are_those_of_the_definition(name, expected, graph, stats):
    scores = score(name, graph, stats)
    assert scores.dtype == np.float64
    np.testing.assert_array_equal(scores, expected)


def test_options_name_every_criterion_as_the_table_of_criteria_does():
    text = explained(SsonnOptions)["criterion"]
    assert all(f'"{name}"' in text for name in CRITERIA)
    assert "variance of |gradient|" in text
    assert "variance of |gradient|" in CRITERIA["g_var"].description


def test_reversed_orders_edges_the_other_way_round(graph, stats):
    np.testing.assert_array_equal(
        np.argsort(score("g_abs", graph, stats)), np.argsort(score("reversed", graph, stats))[::-1]
    )


def test_random_scores_depend_on_the_generator_alone(graph, stats):
    one, again, other = score("random", graph), score("random", graph, stats), score("random", graph, seed=1)
    np.testing.assert_array_equal(one, again)
    assert not np.array_equal(one, other)
    assert len(np.unique(one)) == len(graph.edges)


@pytest.mark.parametrize("name", CRITERIA)
def test_a_criterion_says_whether_it_needs_statistics(name, graph):
    criterion = get_criterion(name)
    assert criterion.name == name
    if criterion.needs_statistics:
        with pytest.raises(StatisticsError, match="no statistics were given"):
            score(name, graph)
    else:
        assert score(name, graph).shape == (6,)


@pytest.mark.parametrize("name", CRITERIA)
def test_scores_come_in_the_order_of_the_edges_of_every_link(name):
    graph = ng.mlp([3, 4, 2])
    columns = {k: np.arange(20.0) for k in ("mean_abs_gradient", "variance_abs_gradient")}
    scores = score(name, graph, ng.Statistics(graph.topology_hash, edges=columns))
    assert scores.shape == (len(graph.edges),)
    if name in GRADIENT:
        np.testing.assert_array_equal(np.abs(scores), np.arange(20.0))
    elif name == "l1":
        np.testing.assert_array_equal(scores, np.abs(graph.edges.weight).astype(np.float64))


@pytest.mark.parametrize("name", GRADIENT)
def test_statistics_of_another_topology_are_refused(name, graph, stats):
    rewritten = ng.apply(ng.rules.SplitEdges(), graph, limit=1).graph
    with pytest.raises(StatisticsError, match="belong to topology"):
        score(name, rewritten, stats)


def test_statistics_survive_training_of_the_same_topology(graph, stats):
    np.testing.assert_array_equal(score("g_abs", graph.with_weights(np.ones(6)), stats), np.arange(6) / 8)


@pytest.mark.parametrize("name", GRADIENT)
def test_a_missing_column_is_named(name, graph):
    column = "variance_abs_gradient" if name == "g_var" else "mean_abs_gradient"
    with pytest.raises(StatisticsError, match=column):
        score(name, graph, ng.Statistics(graph.topology_hash, edges={f"{column}s": np.zeros(6)}))


def test_columns_of_the_wrong_length_are_refused(graph):
    wrong = ng.Statistics(graph.topology_hash, edges={"mean_abs_gradient": np.zeros(5)})
    with pytest.raises(StatisticsError, match=r"expected \(6,\)"):
        score("g_abs", graph, wrong)


@pytest.mark.parametrize(("wrong", "near"), [("gabs", "g_abs"), ("randum", "random"), ("reverse", "reversed")])
def test_an_unknown_criterion_is_refused_with_the_nearest_name(wrong, near):
    with pytest.raises(OptionError, match=f"Did you mean '{near}'"):
        get_criterion(wrong)


# -- criteria of one's own ---------------------------------------------------------------------------

OLDEST = Criterion("oldest", lambda g, s, r: -g.edges.id.astype(float), False, "edges that came first")


def test_a_criterion_does_wherever_its_name_does():
    for name, criterion in CRITERIA.items():
        assert get_criterion(name) is get_criterion(criterion) is criterion
        assert str(criterion) == name
    assert get_criterion(OLDEST) is OLDEST


def test_the_shipped_ones_cannot_be_exchanged():
    with pytest.raises(TypeError, match="never changes"):
        CRITERIA["l1"] = OLDEST


@pytest.mark.parametrize(
    ("score", "words"),
    [
        (lambda g, s, r: np.zeros(3), r"criterion 'mine' has shape \(3,\)"),
        (lambda g, s, r: np.full(len(g.edges), np.nan), r"criterion 'mine'\[0\]=nan"),
        (lambda g, s, r: None, "criterion 'mine'"),
        (lambda g, s, r: ["a"] * len(g.edges), "criterion 'mine'"),
    ],
)
def test_scores_that_order_nothing_are_refused_by_name(graph, score, words):
    with pytest.raises(OptionError, match=words):
        Criterion("mine", score, False, "").scores(graph, None, np.random.default_rng(0))


@pytest.mark.parametrize("other", [None, 3, np.abs, Criterion])
def test_what_is_neither_a_name_nor_a_criterion_is_refused(other):
    with pytest.raises(OptionError, match=r"Unknown criterion.*Or give a Criterion\."):
        get_criterion(other)
