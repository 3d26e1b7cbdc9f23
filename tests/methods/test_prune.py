import numpy as np
import pytest
from fake_context import FakeContext
from hypothesis import given
from hypothesis import strategies as st

import netgraph as ng
from netgraph.criteria import Criterion
from netgraph.errors import OptionError
from netgraph.methods import Action, Method, PruneBelow, PruneToBudget
from netgraph.rules import PruneEdges, PruneVertices, SplitEdges
from netgraph.schedules import cubic_target


def grown(inputs=8, outputs=4, splits=6, seed=0):
    """A linear start, some of whose edges were split: the new edges have random weights, birth 1."""
    graph = ng.mlp([inputs, outputs], domain=(0, 1), seed=seed)
    graph = ng.apply(SplitEdges(), graph, limit=splits, order_by=np.random.default_rng(seed).random(len(graph.edges)))
    return graph.graph.with_weights(np.random.default_rng(seed).normal(size=len(graph.graph.edges)))


def run(part, context, epochs=None):
    """Ask a part after every epoch but the last, as the trainer does. Returns edges after each of them."""
    sizes = []
    for _ in range((epochs or context.epochs) - 1):
        context.epoch()
        context.carry_out(part)
        sizes.append(context.graph.num_edges)
    return sizes


def old_edges(graph):
    return set(graph.edges.id[graph.edges.birth == 0].tolist())


def test_a_criterion_of_ones_own_decides_as_well():
    oldest = Criterion("oldest", lambda g, s, r: -g.edges.id.astype(float), False, "edges that came first")
    graph = grown()
    context = FakeContext(graph)
    run(PruneToBudget(edges=graph.num_edges - 5, criterion=oldest, start=0, end=1, scope="all"), context)
    left, first = set(context.graph.edges.id.tolist()), set(graph.edges.id.tolist())
    assert len(first - left) == 5
    assert max(left) < min(first - left)
    assert PruneBelow(threshold=0.5, criterion=oldest).criterion is oldest


# -- to a budget ----------------------------------------------------------------------------------


@given(st.integers(2, 30), st.integers(0, 20), st.integers(0, 20), st.integers(0, 120), st.integers(0, 5))
def test_the_budget_is_reached_for_every_length_of_a_run(epochs, a, b, room, seed):
    graph = grown(seed=seed)
    budget = len(old_edges(graph)) + room
    start, end = sorted((a / 20, b / 20))
    context = FakeContext(graph, epochs=epochs)
    run(PruneToBudget(edges=budget, start=start, end=end), context)
    assert context.graph.num_edges <= max(budget, 0)
    assert old_edges(context.graph) == old_edges(graph)


def read_last(graph):
    """Scores by which vertices lose the edges into them before those out of them: none dies early."""
    return (graph.edges.source_row >= len(graph.inputs[0])) + graph.edges.id * 37 % 101 / 101


def test_pruning_follows_the_cubic_schedule_and_ends_exactly_at_the_budget():
    graph = grown()
    context = FakeContext(graph, epochs=20, score=read_last)
    budget = graph.num_edges - 20
    sizes = run(PruneToBudget(edges=budget, criterion="g_abs", start=0.5, end=0.8), context)
    assert sizes[:9] == [graph.num_edges] * 9
    assert sizes[9:16] == [cubic_target(graph.num_edges, budget, step, 7) for step in range(1, 8)]
    assert sizes[15:] == [budget] * 4


@given(st.integers(0, 60), st.integers(0, 5))
def test_every_step_comes_down_to_its_target_with_no_edge_pruned_in_vain(less, seed):
    graph = grown(seed=seed)
    context = FakeContext(graph, epochs=8)
    budget = max(graph.num_edges - less, len(old_edges(graph)))
    part = PruneToBudget(edges=budget, start=0.25, end=0.75)
    for epoch in range(1, 8):
        context.epoch()
        target = cubic_target(graph.num_edges, budget, epoch - 1, 5)
        before = context.graph
        done = context.carry_out(part)
        assert [p.rule.name for p, _ in done] in ([], ["PruneEdges"], ["PruneEdges", "PruneVertices"])
        if done:
            assert context.graph.num_edges <= target < before.num_edges
            assert context.graph.num_edges == target or len(done) == 2
            # One edge fewer would not do, with the vertices that then die.
            spared = ng.apply(PruneEdges(below=None), before, on=done[0][0].on[:-1], probe=None).graph
            dead = ng.apply(PruneVertices(), spared, probe=None).graph
            assert dead.num_edges > target
        else:
            assert before.num_edges <= target or not 2 <= epoch <= 6


def test_the_edges_with_the_smallest_scores_go():
    graph = grown()
    context = FakeContext(graph, epochs=2)
    run(PruneToBudget(edges=graph.num_edges - 10, start=0, end=0), context)
    gone = ~np.isin(graph.edges.id, context.graph.edges.id)
    young = graph.edges.birth > 0
    size = np.abs(graph.edges.weight)
    assert gone.sum() == 10
    assert size[gone].max() <= size[young & ~gone].min()


def test_a_gradient_criterion_reads_statistics_of_the_graph_at_hand():
    graph = grown()
    context = FakeContext(graph, epochs=4, score=lambda g: -g.edges.id.astype(float))
    run(PruneToBudget(edges=graph.num_edges - 5, criterion="g_abs", start=0, end=1), context)
    gone = np.setdiff1d(graph.edges.id, context.graph.edges.id)
    assert gone.tolist() == sorted(graph.edges.id)[-5:]
    assert context.collected > 0


def test_scope_all_may_take_edges_of_the_start():
    graph = grown()
    context = FakeContext(graph, epochs=2)
    run(PruneToBudget(edges=3, start=0, end=0, scope="all"), context)
    assert context.graph.num_edges <= 3
    context = FakeContext(graph, epochs=2)
    run(PruneToBudget(edges=3, start=0, end=0, scope="added"), context)
    assert old_edges(context.graph) == old_edges(graph)
    assert context.graph.num_edges == len(old_edges(graph))


def test_vertices_that_pruning_leaves_unread_go_as_well():
    graph = grown()
    context = FakeContext(graph, epochs=2)
    run(PruneToBudget(edges=0, start=0, end=0), context)
    assert context.graph.num_layers == 2
    assert context.graph.num_vertices == 12
    assert [a.rule for a in context.actions] == ["PruneEdges"] + ["PruneVertices"] * (len(context.actions) - 1)


def test_below_its_budget_a_graph_is_left_alone():
    graph = grown()
    context = FakeContext(graph, epochs=6)
    run(PruneToBudget(edges=graph.num_edges, start=0, end=1), context)
    assert context.graph is graph
    assert context.actions == []


def test_a_graph_that_still_grows_comes_back_all_the_same():
    context = FakeContext(ng.mlp([8, 4], domain=(0, 1)), epochs=12)
    grow = ng.methods.Split(selection=ng.criteria.TopK(4), trigger=ng.schedules.EveryEpochs(2), until=0.7)
    sizes = run(Method("both", (grow, PruneToBudget(edges=40, start=0.3, end=0.9))), context)
    assert max(sizes) > 50
    assert sizes[-1] <= 40
    assert [a.rule for a in context.actions].count("SplitEdges") == 4


@pytest.mark.parametrize(
    "options",
    [
        {"edges": -1},
        {"edges": 1, "start": 0.9, "end": 0.5},
        {"edges": 1, "start": -0.1},
        {"edges": 1, "end": 1.1},
        {"edges": 1, "criterion": "L1"},
        {"edges": 1, "scope": "new"},
    ],
)
def test_budgets_that_make_no_sense_are_refused(options):
    with pytest.raises(OptionError):
        PruneToBudget(**options)


# -- below a score --------------------------------------------------------------------------------


def expanded(graph, epochs=20, at=2, **options):
    """A context whose last expansion was after epoch `at`."""
    context = FakeContext(graph, epochs=epochs, **options)
    for _ in range(at):
        context.epoch()
    context.actions.append(Action("split", "SplitEdges", at, 6, 32))
    return context


def absolute(graph):
    """Scores 0..1 by id, the same for an edge whatever else is removed."""
    return (graph.edges.id * 37 % 101) / 101


def test_low_scores_go_in_equal_shares_after_the_delay():
    graph = grown()
    context = expanded(graph, score=absolute)
    sizes = run(PruneBelow(threshold=0.5, delay=3, duration=4, scaled=False), context, epochs=12)
    young = graph.edges.birth > 0
    low = int((young & (absolute(graph) <= 0.5)).sum())
    gone = np.diff([graph.num_edges, *sizes]) * -1
    # Epochs 3 to 13: the expansion was after epoch 2, so the first step comes after epoch 5.
    assert gone[:2].tolist() == [0, 0]
    assert gone[2:6].sum() >= low
    assert gone[6:].tolist() == [0] * 5
    per_step = [a.matches for a in context.actions if a.rule == "PruneEdges"]
    assert len(per_step) == 4
    assert max(per_step) <= -(-low // 4)
    left = context.graph.edges
    assert not ((left.birth > 0) & (absolute(context.graph) <= 0.5)).any()


def test_the_lowest_go_first():
    graph = grown()
    context = expanded(graph, score=absolute)
    for _ in range(3):
        context.epoch()
    (proposal, _result), *_rest = context.carry_out(PruneBelow(threshold=0.5, delay=3, duration=2, scaled=False))
    rows = np.flatnonzero(graph.edges.birth > 0)
    low = rows[absolute(graph)[rows] <= 0.5]
    expected = low[np.argsort(absolute(graph)[low], kind="stable")][: -(-len(low) // 2)]
    np.testing.assert_array_equal(proposal.on, graph.edges.id[expected])


def test_scores_are_scaled_within_each_link_unless_told_otherwise():
    graph = grown()
    # In one link all scores are tiny: absolute pruning empties it, scaled pruning takes the low end of every link.
    tiny = graph.edges.link == graph.edges.link.max()
    context = expanded(graph, score=lambda g: absolute(g) * np.where(tiny, 1e-6, 1.0))
    for _ in range(3):
        context.epoch()
    links = {}
    for scaled in (True, False):
        proposal = next(PruneBelow(threshold=0.1, delay=3, duration=1, scaled=scaled).propose(context))
        links[scaled] = graph.edges.link[graph.edges.find(proposal.on)]
    young = graph.edges.birth > 0
    assert set(links[True].tolist()) == set(graph.edges.link[young].tolist())
    assert np.count_nonzero(links[False] == graph.edges.link.max()) == (young & tiny).sum()


def test_edges_of_the_start_are_spared_unless_scope_is_all():
    graph = grown()
    for scope in ("added", "all"):
        context = expanded(graph, score=lambda g: np.zeros(len(g.edges)))
        run(PruneBelow(threshold=0.5, delay=1, duration=1, scope=scope), context, epochs=4)
        assert (old_edges(context.graph) == old_edges(graph)) == (scope == "added")


def test_without_an_expansion_nothing_is_pruned():
    context = FakeContext(grown(), epochs=9)
    context.actions.append(Action("split", "SplitEdges", 0, 0, 32))
    run(PruneBelow(delay=1, duration=9, threshold=1.0), context)
    assert [a.part for a in context.actions] == ["split"]


def test_every_expansion_has_a_delay_of_its_own():
    context = expanded(grown(), at=1, score=absolute)
    part = PruneBelow(threshold=0.9, delay=2, duration=2, scaled=False)
    context.epoch()
    context.actions.append(Action("split", "SplitEdges", 2, 3, 32))
    asked = []
    for _ in range(5):
        context.epoch()
        asked.append(bool(context.carry_out(part)))
    assert asked == [True, True, True, False, False]


@pytest.mark.parametrize(
    "options",
    [
        {"delay": 0},
        {"duration": 0},
        {"criterion": "gabs"},
        {"threshold": 1.5},
        {"threshold": float("nan"), "scaled": False},
        {"scope": "new"},
    ],
)
def test_pruning_below_a_score_that_makes_no_sense_is_refused(options):
    with pytest.raises(OptionError):
        PruneBelow(**options)
