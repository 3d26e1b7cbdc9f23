"""RigL and SET: which edges go, which come, and when."""

import numpy as np
import pytest
from fake_context import FakeContext

import netgraph as ng
from netgraph.criteria import exchange_by_gradient, removable_edges, weakest, weakest_by_sign
from netgraph.errors import OptionError, StatisticsError
from netgraph.methods import ExchangeEdges


def sparse(seed=0):
    return ng.mlp([12, 9, 6, 3], density=0.3, domain=(0, 1), seed=seed)


def frozen(graph, rows):
    links = []
    for link in graph.links:
        fixed = np.array(link.frozen)
        fixed[rows] = True
        links.append(ng.Link(link.source, link.target, link.kind, port=link.port, **{**link.columns, "frozen": fixed}))
    return ng.Graph(graph.layers_by_id.values(), links)


def gradients(graph, seed=1):
    rng = np.random.default_rng(seed)
    names = [(graph.layer(link.source), graph.layer(link.target)) for link in graph.links]
    moments = {("cross", a.name, b.name): rng.normal(size=(len(a), len(b))) for a, b in names}
    return ng.Statistics(graph.topology_hash, moments=moments, batches=1)


def test_rigl_keeps_the_largest_weights_and_takes_the_largest_gradients_of_the_rest():
    graph = sparse()
    stats = gradients(graph)
    gone, pairs = exchange_by_gradient(graph, graph.links_by_key, stats, 0.4, np.random.default_rng(0))
    after = ng.apply(ng.rules.PruneEdges(below=None), graph, on=gone, probe=None).graph
    after = ng.apply(ng.rules.AddEdges(), after, on=pairs, probe=None).graph
    stayed = 0
    for old, new in zip(graph.links, after.links, strict=True):
        count = int(0.4 * len(old))
        assert len(new) == len(old)
        order = np.argsort(np.abs(old.weight))
        kept = order[count:]
        assert np.isin(old.id[kept], new.id).all()
        score = np.abs(stats.cross(graph.layer(old.source).name, graph.layer(old.target).name)).copy()
        score[old.src[kept], old.dst[kept]] = -1
        best = np.sort(score.ravel())[-count:]
        now = score[new.src, new.dst]
        assert np.array_equal(np.sort(now[now >= 0]), best)
        back = np.isin(new.id, old.id[order[:count]])
        stayed += back.sum()
        assert np.array_equal(new.weight[back], old.weight[np.isin(old.id, new.id[back])])  # taken back as they were
    assert 0 < stayed < 0.4 * len(graph.edges)


def test_rigl_refuses_gradients_of_another_topology():
    graph = sparse()
    with pytest.raises(StatisticsError):
        exchange_by_gradient(graph, graph.links_by_key, gradients(sparse(5)), 0.5, np.random.default_rng(0))


@pytest.mark.parametrize(("shape", "value", "message"), [((9, 12), 1.0, "shape"), ((12, 9), np.nan, "not all finite")])
def test_rigl_refuses_gradients_that_do_not_fit(shape, value, message):
    graph = sparse()
    moments = {("cross", "input", "hidden1"): np.full(shape, value)}
    stats = ng.Statistics(graph.topology_hash, moments=moments, batches=1)
    with pytest.raises(StatisticsError, match=message):
        exchange_by_gradient(graph, list(graph.links_by_key)[:1], stats, 0.5, np.random.default_rng(0))


def test_rigl_breaks_ties_at_random():
    graph = sparse()
    even = graph.with_weights(np.ones(len(graph.edges)))
    found = [
        exchange_by_gradient(even, graph.links_by_key, gradients(graph), 0.3, np.random.default_rng(k))[0]
        for k in (0, 0, 1)
    ]
    assert np.array_equal(found[0], found[1])
    assert not np.array_equal(found[0], found[2])


def test_set_gives_up_the_weakest_of_each_sign_and_zeros():
    graph = sparse()
    weights = np.array(graph.edges.weight)
    weights[:3] = 0
    graph = graph.with_weights(weights)
    gone = weakest_by_sign(graph, graph.links_by_key, 0.3)
    for link in graph.links:
        lost = np.isin(link.id, gone)
        assert lost[link.weight == 0].all()
        for sign in (1, -1):
            mine = sign * link.weight > 0
            assert lost[mine].sum() == int(0.3 * mine.sum())
            if lost[mine].any() and not lost[mine].all():
                assert np.abs(link.weight[mine & lost]).max() <= np.abs(link.weight[mine & ~lost]).min()


def test_the_weakest_over_all_links():
    graph = sparse()
    size = np.abs(graph.edges.weight)
    chosen = graph.edges.find(weakest(graph, graph.links_by_key, 9))
    assert size[chosen].max() <= np.delete(size, chosen).min()
    assert len(weakest(graph, [], 4)) == 0


def test_every_link_has_one_edge_that_stays():
    graph = sparse()
    links = list(graph.links_by_key)
    assert removable_edges(graph, links) == len(graph.edges) - len(links)
    gone = weakest(graph, links, len(graph.edges))
    assert len(gone) == removable_edges(graph, links)
    for link in graph.links:
        assert link.id[~np.isin(link.id, gone)] == link.id[np.argmax(np.abs(link.weight))]


@pytest.mark.parametrize("take", ["gradient", "random"])
def test_every_link_keeps_its_number_of_edges(take):
    context = FakeContext(sparse(), epochs=10)
    graph, exchanged = context.graph, 0
    for _ in range(4):
        context.epoch()
        (_, gone), (_, come) = context.carry_out(ExchangeEdges(take=take, curve="constant"))
        exchanged += len(gone.matches) if gone else 0
        assert (len(come.matches) if come else 0) == (len(gone.matches) if gone else 0)
        assert come is None or come.certificate.kind == "exact"
    assert exchanged
    assert [len(link) for link in context.graph.links] == [len(link) for link in graph.links]
    assert len(context.graph.links["hidden2", "output"]) == len(graph.links["hidden2", "output"])
    assert np.array_equal(context.graph.links["hidden2", "output"].id, graph.links["hidden2", "output"].id)


@pytest.mark.parametrize("take", ["gradient", "random"])
def test_a_link_may_change_all_its_edges_but_one(take):
    context = FakeContext(sparse(), epochs=10)
    graph = context.graph
    context.epoch()
    context.carry_out(ExchangeEdges(take=take, curve="constant", share=1.0))
    assert [len(link) for link in context.graph.links] == [len(link) for link in graph.links]
    zeros = FakeContext(graph.with_weights(np.zeros(len(graph.edges))), epochs=10)
    zeros.epoch()
    zeros.carry_out(ExchangeEdges(take=take))
    assert [len(link) for link in zeros.graph.links] == [len(link) for link in graph.links]


@pytest.mark.parametrize("take", ["gradient", "random"])
def test_frozen_edges_stay_and_nothing_comes_for_them(take):
    graph = frozen(sparse(), slice(0, None, 2))
    context = FakeContext(graph, epochs=10)
    context.epoch()
    (_, gone), (_, come) = context.carry_out(ExchangeEdges(take=take, curve="constant", share=0.8))
    assert len(come.matches) == len(gone.matches) > 0
    assert np.isin(graph.edges.id[graph.edges.frozen], context.graph.edges.id).all()
    assert [len(link) for link in context.graph.links] == [len(link) for link in graph.links]


def test_exchanges_come_every_so_many_epochs_until_their_share():
    context = FakeContext(sparse(), epochs=12)
    part = ExchangeEdges(every=2, until=0.75, share=1.0)
    asked = []
    for _ in range(11):
        context.epoch()
        asked += [len(context.history)] * bool(context.carry_out(part))
        assert part.pending(context) == (len(context.history) < 8)  # also right before the last one
    assert asked == [2, 4, 6, 8]


@pytest.mark.parametrize(
    ("options", "message"),
    [({"take": "x"}, "take='x'"), ({"share": 0.0}, "share=0"), ({"until": 2.0}, "until=2"), ({"every": 0}, "every=0")],
)
def test_refused(options, message):
    with pytest.raises(OptionError, match=message):
        ExchangeEdges(**options)
