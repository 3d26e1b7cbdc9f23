import numpy as np
import pytest
from fake_context import FakeContext
from hypothesis import assume, given
from hypothesis import strategies as st
from random_graphs import dense_graphs, graphs, seeds

import netgraph as ng
from netgraph.criteria import AbsoluteThreshold, MinMaxThreshold, TopK
from netgraph.errors import OptionError
from netgraph.methods import Split
from netgraph.rules import SplitEdges
from netgraph.schedules import EveryEpochs, Plateau


def at_epoch(graph, epoch=1, **options):
    context = FakeContext(graph, **options)
    for _ in range(epoch):
        context.epoch()
    return context


def linear(inputs=6, outputs=3, domain=(0, 1)):
    return ng.mlp([inputs, outputs], domain=domain)


def always(**options):
    return Split(**{"trigger": EveryEpochs(1), "selection": TopK(2), **options})


# -- how much -------------------------------------------------------------------------------------

rules = st.builds(SplitEdges, cross=st.sampled_from(["selected", "none"]))


def edges_after(rule, graph, rows):
    on = graph.edges.id[rows]
    if rule.count_crossing(ng.find(rule, graph, on=on)) > rule.max_crossing:
        return np.inf
    return ng.apply(rule, graph, on=on, probe=None).graph.num_edges if len(rows) else graph.num_edges


@given(graphs(), rules, st.integers(0, 40), seeds)
def test_split_never_grows_beyond_max_edges(graph, rule, room, seed):
    scores = np.random.default_rng(seed).random(len(graph.edges))
    context = at_epoch(graph, score=lambda g: scores)
    part = always(selection=AbsoluteThreshold(0.2), rule=rule, max_edges=graph.num_edges + room)
    context.carry_out(part)
    assert context.graph.num_edges <= graph.num_edges + room


@given(dense_graphs(), rules, st.integers(0, 40), seeds)
def test_the_kept_edges_are_the_longest_prefix_that_fits(graph, rule, room, seed):
    scores = np.random.default_rng(seed).integers(0, 8, len(graph.edges)) / 8
    part = always(selection=AbsoluteThreshold(0.2), rule=rule, max_edges=graph.num_edges + room)
    (proposal,) = part.propose(at_epoch(graph, score=lambda g: scores))
    rows = np.flatnonzero(~graph.edges.frozen & (scores > 0.2))
    order = rows[np.argsort(-scores[rows], kind="stable")]
    kept = len(proposal.on)
    np.testing.assert_array_equal(proposal.on, graph.edges.id[order[:kept]])
    assert edges_after(rule, graph, order[:kept]) <= graph.num_edges + room
    if kept < len(order):
        assert edges_after(rule, graph, order[: kept + 1]) > graph.num_edges + room


def test_a_rewrite_is_cut_to_the_crossing_edges_that_the_rule_allows():
    graph = linear()
    # Two edges of one target, each a new vertex: 2 x 2 parents - 2 + 2 x 1 child - 2 = 2 crossing edges.
    rule = SplitEdges(max_crossing=2)
    context = at_epoch(graph, score=lambda g: (g.edges.target_row == g.edges.target_row[0]).astype(float))
    ((proposal, result),) = context.carry_out(always(selection=AbsoluteThreshold(0.5), rule=rule))
    assert len(proposal.on) == 2
    assert len(result.delta.edges_added) == 4 + 2


def test_the_reason_says_how_many_were_selected_and_how_many_fit():
    graph = linear()
    (proposal,) = always(selection=TopK(5), max_edges=graph.num_edges + 1).propose(at_epoch(graph))
    assert "5 of 18 edges selected by g_abs" in proposal.reason
    assert "1 fit into 19 edges" in proposal.reason


def test_selections_scale_every_link_by_itself():
    graph = ng.mlp([3, 4, 2], domain=(0, 1))
    # The second link has scores a thousand times larger: its best and that of the first are chosen alike.
    context = at_epoch(graph, score=lambda g: np.arange(20.0) * np.where(g.edges.link == 0, 1, 1000))
    (proposal,) = always(selection=MinMaxThreshold(0.99)).propose(context)
    links = graph.edges.link[graph.edges.find(proposal.on)]
    assert sorted(links.tolist()) == [0, 1]


@given(dense_graphs(), st.sampled_from(["none", "link", "target"]), st.booleans(), st.integers(0, 12), seeds)
def test_edges_are_ordered_by_scaled_scores_and_may_be_spread_over_sources(graph, scale, spread, k, seed):
    edges = graph.edges
    scores = np.random.default_rng(seed).integers(0, 9, len(edges)) / 8
    part = always(scale=scale, spread=spread, selection=TopK(k))
    (proposal,) = part.propose(at_epoch(graph, score=lambda g: scores))
    rows = np.flatnonzero(~edges.frozen).tolist()
    group = {"none": np.zeros(len(edges)), "link": edges.link, "target": edges.target_row}[scale]

    def scaled(row):
        mine = [scores[r] for r in rows if group[r] == group[row]]
        span = max(mine) - min(mine)
        return scores[row] if scale == "none" else (scores[row] - min(mine)) / span if span else 0.0

    best, seen, turn = sorted(rows, key=lambda r: (-scaled(r), r))[:k], {}, {}
    for row in best:
        pair = (edges.source_row[row], graph.vertices.layer[edges.target_row[row]])
        turn[row] = seen[pair] = seen.get(pair, 0) + 1
    expected = sorted(best, key=turn.get) if spread else best
    assert proposal.on.tolist() == edges.id[expected].tolist()


def test_expansions_that_are_not_the_last_fill_a_share_of_the_room():
    graph = linear(12, 6)
    part = always(selection=TopK(10_000), max_edges=graph.num_edges + 200, share=0.5, expansions=3, spread=True)
    context = FakeContext(graph)
    sizes = [graph.num_edges]
    for _ in range(3):
        context.epoch()
        context.carry_out(part)
        sizes.append(context.graph.num_edges)
    limits = [sizes[0] + 100, sizes[1] + (272 - sizes[1]) // 2, 272]
    assert all(before < after <= limit for before, after, limit in zip(sizes[:-1], sizes[1:], limits, strict=True))


# -- when -----------------------------------------------------------------------------------------


def test_at_most_so_many_expansions():
    context = FakeContext(linear())
    grown = []
    for _ in range(6):
        context.epoch()
        grown.append(bool(context.carry_out(always(expansions=2))))
    assert grown == [True, True, False, False, False, False]


def test_an_expansion_that_selects_nothing_does_not_count():
    context = FakeContext(linear(), score=lambda g: np.zeros(len(g.edges)))
    part = always(selection=AbsoluteThreshold(0.5), expansions=1)
    for _ in range(3):
        context.epoch()
        ((proposal, result),) = context.carry_out(part)
        assert result is None
        assert proposal.on.shape == (0,)
    context.score = None
    context.epoch()
    assert len(context.carry_out(part)[0][0].on) > 0
    context.epoch()
    assert context.carry_out(part) == []


def test_no_expansion_after_its_share_of_the_epochs():
    context = FakeContext(linear(), epochs=10)
    grown = []
    for _ in range(10):
        context.epoch()
        grown.append(bool(context.carry_out(always(until=0.4))))
    assert grown == [True] * 4 + [False] * 6


def test_the_first_expansion_comes_at_the_latest_when_it_is_due():
    never = Plateau(0.0, window=1)
    context = FakeContext(linear(), epochs=10)
    grown = []
    for _ in range(9):
        context.epoch()
        grown.append(bool(context.carry_out(always(trigger=never, start_by=0.4))))
    assert grown == [False] * 3 + [True] + [False] * 5


def test_the_trigger_looks_at_the_epochs_since_the_last_expansion():
    context = FakeContext(linear())
    part = always(trigger=Plateau(0.1, window=2))
    grown = []
    for _ in range(9):
        context.epoch(1.0)
        grown.append(bool(context.carry_out(part)))
    assert grown == [False, False, True] * 3


def test_an_empty_proposal_restarts_the_trigger():
    context = FakeContext(linear(), score=lambda g: np.zeros(len(g.edges)))
    part = always(trigger=EveryEpochs(2), selection=AbsoluteThreshold(0.5))
    asked = []
    for _ in range(6):
        context.epoch()
        asked.append(bool(context.carry_out(part)))
    assert asked == [False, True] * 3


def test_actions_of_other_parts_do_not_restart_the_trigger():
    context = at_epoch(linear(), epoch=2)
    context.actions.append(ng.methods.Action("prune", "PruneEdges", 2, 3, 18))
    assert context.carry_out(always(trigger=EveryEpochs(2)))


def test_statistics_are_collected_only_when_it_is_time_and_only_for_criteria_that_read_them():
    context = at_epoch(linear())
    list(always(trigger=EveryEpochs(9)).propose(context))
    list(always(criterion="l1").propose(context))
    assert context.collected == 0
    list(always().propose(context))
    assert context.collected == 1


# -- where ----------------------------------------------------------------------------------------


def prefer_new(graph):
    """Edges made by rewrites score above those of the start."""
    return graph.edges.birth + graph.edges.weight.astype(float) * 1e-3


def test_a_second_expansion_may_split_edges_inside_a_sublayer():
    context = FakeContext(linear(), score=prefer_new)
    for _ in range(2):
        context.epoch()
        ((proposal, result),) = context.carry_out(always(selection=TopK(3)))
    edges = result.matches.graph.edges
    assert (edges.birth[edges.find(proposal.on)] == 1).all()
    assert context.graph.num_layers == 4
    # Edges inside the first sublayer come to lie between it and something else than the output, or before it.
    names = [(context.graph.layer(k.source).role, context.graph.layer(k.target).role) for k in context.graph.links]
    assert ("hidden", "hidden") in names or names.count(("input", "hidden")) == 2


def test_scope_output_never_leaves_the_output_layer():
    everything, output = (FakeContext(linear(), score=lambda g: g.edges.link == 0) for _ in range(2))
    for context, scope in ((everything, "all"), (output, "output")):
        context.graph = ng.mlp([4, 3, 2], domain=(0, 1))
        context.epoch()
        ((proposal, result),) = context.carry_out(always(scope=scope, selection=TopK(4)))
        edges = result.matches.graph.edges
        targets = {result.matches.graph.layer(int(i)).role for i in result.matches.c.layer}
        assert targets == ({"hidden"} if scope == "all" else {"output"})
        assert len(edges.find(proposal.on)) == 4


@given(dense_graphs(), st.sampled_from(["all", "output"]))
def test_frozen_edges_are_never_split(graph, scope):
    frozen = np.arange(len(graph.edges)) % 2 == 0

    class Freeze(ng.Rule):
        pattern = ng.edge("e")

        def rewrite(self, m, rw):
            rw.freeze(m.e)

    graph = ng.apply(Freeze(), graph, on=graph.edges.id[frozen], probe=None).graph
    assume(len(graph.edges))
    (proposal,) = always(scope=scope, selection=TopK(10_000)).propose(at_epoch(graph))
    assert not graph.edges.frozen[graph.edges.find(proposal.on)].any()


def test_sources_that_may_be_negative_are_counted_as_pairs():
    graph = linear(2, 1, domain=(-1, 1))
    # One pair: -1 edge, +2 in, +2 out; two pairs share nothing but add crossing edges.
    for room, kept in ((2, 0), (3, 1), (12, 2)):
        (proposal,) = always(selection=TopK(2), max_edges=2 + room).propose(at_epoch(graph))
        assert len(proposal.on) == kept, room


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"criterion": "g_asb"}, "g_abs"),
        ({"scope": "outputs"}, "outputs"),
        ({"scale": "links"}, "links"),
        ({"start_by": -0.1}, "start_by=-0.1"),
        ({"until": 1.5}, "until=1.5"),
        ({"share": 0.0}, "share=0.0"),
    ],
)
def test_bad_options_are_refused_at_once(options, message):
    with pytest.raises(OptionError, match=message):
        Split(**options)
