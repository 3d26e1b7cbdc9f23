"""Rewrites of attention by plain code: growth and removal of heads, keys and values, journals, deltas and files."""

import numpy as np
import pytest
from growing_heads import AddHead, GrowKeys, GrowValues
from tiny_transformer import batch, tiny

import netgraph as ng
from netgraph.errors import RewriteError
from netgraph.rewriting import load_delta, save_delta
from netgraph.rules import PruneVertices, SplitEdges, WidenLayer

GROWTH = [AddHead(slots=4, channels=3), GrowKeys(), GrowValues(), GrowKeys(frequency=0.5), AddHead(slots=2, channels=1)]


@pytest.fixture
def start():
    return tiny(slots=4, channels=2, frequencies=(1.0, 0.5), gated=True, head="tokens", dtype=np.float32)


def grown(graph, rule, **options):
    return ng.draft(rule, graph, on="heads", **options)


@pytest.mark.parametrize("frequencies", [(), (1.0, 0.5)])
@pytest.mark.parametrize("rule", [AddHead(slots=2, channels=3), GrowKeys(), GrowValues()])
def test_growth_of_heads_keys_and_values_keeps_the_function(rule, frequencies):
    graph = tiny(slots=4, frequencies=frequencies, causal=True, head="tokens")
    new = grown(graph, rule).graph
    assert new.num_edges > graph.num_edges
    x = batch(graph)
    np.testing.assert_allclose(ng.interpret(new, x), ng.interpret(graph, x), rtol=0, atol=1e-14)


def test_growth_can_be_pruned_again(start):
    graph = start
    for rule in GROWTH:
        graph = grown(graph, rule, rng=1).graph
    for name in ("heads", "q", "k", "v", "mix"):
        layer = graph.layers[name]
        graph = ng.draft(PruneVertices(only_dead=False), graph, on=layer.vertex_ids[layer.birth > 0]).graph
    x = batch(graph)
    assert {n: len(x) for n, x in graph.layers.items()} == {n: len(x) for n, x in start.layers.items()}
    np.testing.assert_allclose(ng.interpret(graph, x), ng.interpret(start, x), rtol=0, atol=1e-12)


def test_a_journal_of_growing_attention_replays_and_undoes(start, tmp_path):
    journal, graph, steps = ng.Journal.create(tmp_path / "run", start), start, []
    rules = [*GROWTH, WidenLayer(count=2), SplitEdges(), PruneVertices(only_dead=False)]
    for number, rule in enumerate(rules, start=1):
        rng = np.random.default_rng(number)
        before = graph.with_weights(np.where(graph.edges.wired, 1.0, rng.normal(size=len(graph.edges))))
        on = {"WidenLayer": "up", "SplitEdges": None, "PruneVertices": graph.layers["v"].vertex_ids[:2]}
        result = ng.apply(rule, before, on=on.get(rule.name, "heads"), limit=3, rng=number, probe=None)
        journal.append(result, before=before)
        steps.append((before, result))
        graph = result.graph
    replayed = [made for _entry, made in ng.Journal(journal.directory).replay()]
    assert [made.topology_hash for made in replayed] == [result.graph.topology_hash for _, result in steps]
    assert [made.layers["heads"].merge for made in replayed] == [r.graph.layers["heads"].merge for _, r in steps]
    assert len(graph.layers["heads"].merge.frequencies) == 4
    back = [made.topology_hash for _entry, made in journal.replay_backwards(graph)]
    assert back == [before.topology_hash for before, _ in reversed(steps)]
    for before, _ in reversed(steps):
        assert journal.undo().equals(before)


def test_deltas_of_growth_are_inverted_composed_and_kept_in_files(start, tmp_path):
    first, second = grown(start, GrowKeys()), None
    second = grown(first.graph, AddHead(slots=2))
    for number, (before, result) in enumerate(((start, first), (first.graph, second))):
        save_delta(result.delta, tmp_path / f"{number}")
        loaded = load_delta(tmp_path / f"{number}")
        assert ng.apply_delta(before, loaded)[0].equals(result.graph)
        assert ng.apply_delta(result.graph, loaded.inverse())[0].equals(before)
    both = first.delta.then(second.delta)
    assert ng.apply_delta(start, both)[0].equals(second.graph)
    assert ng.apply_delta(second.graph, both.inverse())[0].equals(start)


@pytest.mark.parametrize("merge", [ng.Attend(0.25), ng.Attend(1.0, True), ng.Attend(1.0, False, (0.5, 0.5)), None])
def test_a_merge_that_is_set_is_kept_in_deltas_journals_and_files(merge, start, tmp_path):
    class SetMerge(ng.Rule):
        """Set the merge of heads, or make of a product a layer that sums."""

        pattern = ng.layer("l")

        def rewrite(self, m, rw):
            for layer in m.l:
                rw.set_merge(layer, merge)
                if merge is None:
                    rw.remove(m.graph.link((m.graph.layers["up"].id, layer.id, 1)))

    result = ng.draft(SetMerge(), start, on="heads" if merge else "mlp")
    assert result.graph.layers["heads" if merge else "mlp"].merge == merge
    assert result.graph.topology_hash != start.topology_hash
    save_delta(result.delta, tmp_path / "delta")
    assert ng.apply_delta(start, load_delta(tmp_path / "delta"))[0].equals(result.graph)
    ng.save(result.graph, tmp_path / "graph")
    assert ng.load(tmp_path / "graph").equals(result.graph)
    assert ng.apply_delta(result.graph, result.delta.inverse())[0].equals(start)


def test_half_a_head_is_refused(start):
    class Half(ng.Rule):
        """Remove a query, or add a head without wires."""

        pattern = ng.layer("l")

        def rewrite(self, m, rw):
            for layer in m.l:
                if layer.name == "heads":
                    rw.add_vertices(layer, 1)
                else:
                    rw.remove(rw.vertices(ids=layer.vertex_ids[:1]))

    for name, match in (("heads", "wires at port 0"), ("q", "slot"), ("k", "slot"), ("v", "wires at port 1"), ("up", "wires at port 1")):  # fmt: skip  # noqa: E501
        with pytest.raises(RewriteError, match=match):
            ng.draft(Half(), start, on=name)


def test_a_merge_of_a_removed_layer_is_refused(start):
    class Both(ng.Rule):
        """Set the merge of a layer and remove it."""

        pattern = ng.layer("l")

        def rewrite(self, m, rw):
            for layer in m.l:
                rw.set_merge(layer, ng.Attend(2.0, False, layer.merge.frequencies))
                rw.remove(layer)

    with pytest.raises(RewriteError, match="'heads'"):
        ng.draft(Both(), start, on="heads")


def test_positions_are_removed_as_a_whole():
    class Forget(ng.Rule):
        """Remove a layer, or its first vertex."""

        pattern = ng.layer("l")

        def __init__(self, whole):
            self.whole = whole

        def rewrite(self, m, rw):
            for layer in m.l:
                rw.remove(layer if self.whole else rw.vertices(ids=layer.vertex_ids[:1]))

    graph = tiny()
    new = ng.apply(Forget(True), graph, on="positions", probe=None).graph
    assert "positions" not in new.layers
    assert np.isfinite(ng.interpret(new, batch(new))).all()
    with pytest.raises(RewriteError, match="position layer 'positions'"):
        ng.apply(Forget(False), graph, on="positions", probe=None)
