"""Histories of edges on a page, against the journal of the run."""

import json

import numpy as np
import pytest

from netgraph.rewriting import Journal
from netgraph.storage import EpochValues, load_epochs, save_epoch
from netgraph.viz.explorer import make_payload
from netgraph.viz.explorer.packing import unpack


@pytest.fixture(scope="module")
def page(journal):
    return json.loads(json.dumps(make_payload(journal)))


def columns(page, graph):
    return {name: unpack(values) for name, values in page["graphs"][graph]["edges"]["columns"].items()}


def births_and_deaths(journal):
    """Number of the rewrite that made and that removed each edge, from the deltas of the journal."""
    born, gone = {}, {}
    for edge in journal.first().edges.id.tolist():
        born[edge] = 0
    for entry in journal.entries():
        delta = journal.delta(entry.rewrite)
        born |= dict.fromkeys(delta.edges_added.id.tolist(), entry.rewrite)
        gone |= dict.fromkeys(delta.edges_removed.id.tolist(), entry.rewrite)
    return born, gone


def test_every_edge_names_the_rewrites_that_made_and_removed_it(page, journal):
    born, gone = births_and_deaths(journal)
    start, end = columns(page, 0), columns(page, 1)
    assert len(end["id"]) >= 20
    assert dict(zip(end["id"].tolist(), end["birth"].tolist(), strict=True)) == {
        edge: number for edge, number in born.items() if edge not in gone
    }
    assert dict(zip(start["id"].tolist(), start["removed"].tolist(), strict=True)) == {
        edge: gone.get(edge, 0) for edge, number in born.items() if number == 0
    }


def test_rewrites_are_the_entries_of_the_journal(page, journal):
    for shown, entry in zip(page["rewrites"][1], journal.entries(), strict=True):
        assert (shown["number"], shown["rule"], shown["epoch"]) == (entry.rewrite, entry.rule, entry.epoch)
        assert shown["certificate"] == str(entry.certificate)
        assert shown["level"] == entry.certificate.level
        assert shown["matches"] == entry.matches
        assert shown["reason"] == entry.reason


def test_weights_over_epochs_are_those_before_the_rewrites(page, journal):
    """Twenty edges, at each epoch at which the journal has a graph."""
    history = {name: unpack(value) for name, value in page["history"][1].items() if value is not None}
    at = {epoch: row for row, epoch in enumerate(history["epochs"].tolist())}
    born, _ = births_and_deaths(journal)
    known = {}  # (epoch, edge) -> weight; of two rewrites in an epoch the later one counts
    for entry in journal.entries():
        before, delta = journal.before(entry.rewrite), journal.delta(entry.rewrite)
        for table in (before.edges, delta.edges_added):
            known |= {(entry.epoch, edge): w for edge, w in zip(table.id.tolist(), table.weight.tolist(), strict=True)}
    chosen = history["edge_ids"][:: max(1, len(history["edge_ids"]) // 20)][:20].tolist()
    assert len(chosen) == 20
    assert len({born[edge] for edge in chosen}) > 2, "edges of the start and of rewrites"
    for edge in chosen:
        curve = history["weight"][:, history["edge_ids"].tolist().index(edge)]
        for epoch, row in at.items():
            if epoch > 0 and (epoch, edge) in known:
                assert curve[row] == np.float32(known[epoch, edge])
        first = next(entry.epoch for entry in journal.entries() if entry.rewrite >= born[edge])
        if born[edge]:
            assert np.isnan(curve[[row for epoch, row in at.items() if epoch < first]]).all(), "before its birth"


def test_kept_epochs_are_part_of_the_history(tmp_path, journal):
    """Weights and gradients that a run keeps after its epochs, of the topology that it then had."""
    copy = Journal.create(tmp_path / "run", journal.first())
    for entry in journal.entries():
        before = journal.before(entry.rewrite)
        weight = np.arange(len(before.edges)) / 8
        values = EpochValues(
            entry.epoch + 10 * entry.rewrite, before.rewrites, before.topology_hash, weight, weight + 1
        )
        save_epoch(tmp_path / "run", values)
    assert len(list(load_epochs(tmp_path / "run"))) == len(journal)
    page = make_payload(copy)  # a journal without entries: only epochs of its first graph belong to it
    history = {name: unpack(value) for name, value in page["history"][0].items()}
    first = journal.entries()[0].epoch + 10
    assert history["epochs"].tolist() == [0, first]
    rows = np.searchsorted(copy.first().edges.id, history["edge_ids"])
    np.testing.assert_array_equal(history["weight"][1], rows / 8)
    np.testing.assert_array_equal(history["gradient"][1], rows / 8 + 1)
    assert np.isnan(history["gradient"][0]).all()
