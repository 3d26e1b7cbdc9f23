"""Derivations: one rewrite, in history and journal, and the explanation of all its steps."""

import numpy as np
import pytest
from small_rules import Flip, Halve

import netgraph as ng
from netgraph.errors import JournalError
from netgraph.rewriting import step
from netgraph.rules import AddEdges, MergeVertices, PruneEdges, SplitEdges, WidenLayer

GROW = ng.sequence(ng.repeat(step(SplitEdges(), limit=1), most=3), WidenLayer(), step(PruneEdges(below=None), limit=2))


def test_a_derivation_counts_as_one_rewrite(graph):
    done = ng.apply(GROW, ng.apply(Flip(), graph).graph)
    new = done.graph
    assert (done.before.rewrites, new.rewrites, len(done.steps)) == (1, 2, 5)
    assert set(new.edges.birth) == {0, 2}
    assert set(new.vertices.birth) == {0, 2}
    last = done.steps[-1].graph
    assert new.same_topology(last)
    np.testing.assert_array_equal(new.edges.weight, last.edges.weight)
    assert new.next_ids == last.next_ids


def test_its_delta_leads_there_and_back(graph):
    done = ng.apply(GROW, graph)
    again, _ = ng.apply_delta(graph, done.delta)
    assert again.equals(done.graph)
    back, _ = ng.apply_delta(done.graph, done.delta.inverse())
    assert back.equals(graph)
    stats = ng.Statistics(graph.topology_hash, {"x": np.arange(14.0)}).carry(done.delta)
    kept = np.flatnonzero(np.isin(done.graph.edges.id, graph.edges.id))
    np.testing.assert_array_equal(stats.edge("x")[kept], done.graph.edges.id[kept])


def test_a_journal_has_one_entry_per_derivation(graph, tmp_path):
    journal = ng.Journal.create(tmp_path, graph)
    first = ng.apply(GROW, graph, rng=3)
    entry = journal.append(first, before=graph, seed=3)
    trained = first.graph.with_weights(np.arange(float(len(first.graph.edges))))
    journal.append(ng.draft(AddEdges(), trained), before=trained)
    third = ng.apply(ng.repeat(Halve()), trained_next := list(journal.replay())[-1][1])
    journal.append(third, before=trained_next)
    assert (entry.rule, entry.matches) == ("sequence", first.count)
    read = journal.entries()[0]
    assert read.parameters["rewrites"] == [
        "SplitEdges x 3: 3 matches",
        "WidenLayer: 5 matches",
        "PruneEdges: 2 matches",
    ]
    assert read.parameters["reason"] == first.reason
    assert read.parameters["parts"][0] == "repeat(step(SplitEdges(), limit=1), most=3)"
    assert [e.certificate.kind for e in journal.entries()] == [
        first.certificate.kind,
        "unknown",
        third.certificate.kind,
    ]
    graphs = [g for _, g in journal.replay()]
    assert [g.topology_hash for g in graphs] == [e.topology_hash for e in journal.entries()]
    assert [g.rewrites for g in graphs] == [1, 2, 3]
    assert list(journal.replay_backwards(graphs[-1]))[-1][1].equals(graph)
    assert journal.undo().same_topology(graphs[1])
    journal.undo()
    assert journal.undo().equals(graph)


def test_a_derivation_that_changed_nothing_is_not_recorded(graph, tmp_path):
    journal = ng.Journal.create(tmp_path, graph)
    with pytest.raises(JournalError, match="sequence changed nothing"):
        journal.append(ng.apply(ng.sequence(Flip(), Flip()), graph), before=graph)


def test_the_explanation_has_every_step_that_was_tried(graph):
    driver = ng.first_of(Halve(above=9), ng.sequence(MergeVertices(), step(Flip(), limit=1)))
    explanation = ng.explain(driver, graph)
    assert explanation == ng.apply(driver, graph).explanation
    lines = str(explanation).splitlines()
    assert lines[:7] == [
        "first_of:",
        "  step 1: Halve:",
        "    edges                     14",
        "    e is trainable            14",
        "    where                      0",
        "    nearest miss: edge 0 (0 -> 3) fails 'where'",
        "  step 2: sequence:",
    ]
    assert lines[-7:] == [
        "    step 2: Flip:",
        "      edges                     14",
        "      e is trainable            14",
        "      where                     14",
        "      14 of 14 pass",
        "    stopped: end of the sequence; 1 of 2 steps changed the graph",
        "  stopped: step 2, sequence(MergeVertices(), step(Flip(), limit=1)), changed the graph",
    ]


def test_a_long_explanation_shows_its_ends(graph):
    text = str(ng.explain(ng.repeat(step(Flip(), limit=1, order_by="random"), most=50), graph))
    assert "  ... 30 more steps" in text.splitlines()
    assert text.count("step 41") == 1
    assert "step 11:" not in text


def test_pictures_of_drafts_and_derivations(graph):
    done = ng.apply(GROW, graph)
    assert "sequence: 10 matches" in ng.viz.draw_delta(done).dot
    assert "Certificate: unknown" in ng.viz.draw_delta(ng.draft(SplitEdges(), graph)).dot
