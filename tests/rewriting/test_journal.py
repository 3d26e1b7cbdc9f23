"""The journal: record, replay, undo, and files that crashed or were damaged."""

import errno
import json
import os

import numpy as np
import pytest

import netgraph as ng
from netgraph.errors import FileFormatError, JournalError, OptionError
from netgraph.rules import AddEdges, PruneEdges, SplitEdges

LINES = "journal.jsonl"


@pytest.fixture
def start():
    return ng.mlp([3, 3, 2], domain=(0, 1), density=0.7)


def trained(graph, seed):
    return graph.with_weights(np.random.default_rng(seed).normal(size=len(graph.edges)))


@pytest.fixture
def run(tmp_path, start):
    """A journal of three rewrites with training between them, and (before, result) of each."""
    journal = ng.Journal.create(tmp_path / "run", start)
    graph, steps = start, []
    for number, rule in enumerate((SplitEdges(), AddEdges(spread=0.5), PruneEdges(below=None)), start=1):
        before = trained(graph, number)
        result = ng.apply(rule, before, limit=2, rng=number)
        journal.append(result, before=before, epoch=10 * number, metrics={"loss": 1 / number}, seed=number)
        steps.append((before, result))
        graph = result.graph
    return journal, steps


def test_entries_tell_what_was_done(run):
    journal, steps = run
    assert len(journal) == 3
    entry = journal.entries()[1]
    assert (entry.rewrite, entry.rule, entry.parameters) == (2, "AddEdges", {"spread": 0.5})
    assert (entry.epoch, entry.metrics, entry.seed, entry.matches) == (20, {"loss": 0.5}, 2, 2)
    result = steps[1][1]
    assert entry.certificate == result.certificate
    assert entry.summary == "+2 edges"
    assert (entry.edges, entry.vertices, entry.layers) == (
        result.graph.num_edges, result.graph.num_vertices, result.graph.num_layers,
    )  # fmt: skip
    assert entry.topology_hash == result.graph.topology_hash


def test_replay_rebuilds_every_topology(run, start):
    journal, steps = run
    replayed = list(ng.Journal(journal.directory).replay())
    assert [entry.rewrite for entry, _ in replayed] == [1, 2, 3]
    for (_, graph), (_, result) in zip(replayed, steps, strict=True):
        assert graph.topology_hash == result.graph.topology_hash
        assert (graph.lineage, graph.next_ids) == (result.graph.lineage, result.graph.next_ids)
        np.testing.assert_array_equal(graph.edges.id, result.graph.edges.id)
        np.testing.assert_array_equal(graph.vertices.birth, result.graph.vertices.birth)


def test_replay_backwards_leads_to_the_first_topology(run, start):
    journal, steps = run
    back = list(journal.replay_backwards(steps[-1][1].graph))
    assert [entry.rewrite for entry, _ in back] == [3, 2, 1]
    assert [graph.topology_hash for _, graph in back] == [before.topology_hash for before, _ in reversed(steps)]
    assert back[-1][1].same_topology(start)
    with pytest.raises(JournalError, match="line 3 cannot be undone"):
        next(journal.replay_backwards(start))


def test_undo_returns_to_the_trained_graph(run, start):
    journal, steps = run
    for number in (3, 2, 1):
        graph = journal.undo()
        assert graph.equals(steps[number - 1][0])
        assert len(journal) == number - 1
        assert sorted([p.name for p in (journal.directory / "journal").iterdir()]) == sorted(
            ["first.safetensors"]
            + [f"{i:06d}.{what}.safetensors" for i in range(1, number) for what in ("before", "delta")]
        )
    with pytest.raises(JournalError, match="no rewrite to undo"):
        journal.undo()
    undone = (journal.directory / "journal.undone.jsonl").read_text().splitlines()
    assert [json.loads(line)["rewrite"] for line in undone] == [3, 2, 1]


def test_after_undo_the_run_goes_on(run):
    journal, _ = run
    graph = journal.undo()
    result = ng.apply(SplitEdges(), graph, limit=1)
    journal.append(result, before=graph)
    assert [e.rule for e in journal.entries()] == ["SplitEdges", "AddEdges", "SplitEdges"]
    assert [g.topology_hash for _, g in journal.replay()][-1] == result.graph.topology_hash


def test_truncate(run):
    journal, _ = run
    with pytest.raises(JournalError, match="has 3 entries; it cannot be cut to 4"):
        journal.truncate(4)
    with pytest.raises(JournalError, match="cannot be cut to -1"):
        journal.truncate(-1)
    journal.truncate(1)
    assert len(journal) == 1
    assert len(list(journal.replay())) == 1


def test_first_before_and_delta(run, start):
    journal, steps = run
    assert journal.first().equals(start)
    assert journal.before(2).equals(steps[1][0])
    new, _ = ng.apply_delta(journal.before(2), journal.delta(2))
    assert new.equals(steps[1][1].graph)


def test_an_empty_journal(tmp_path, start):
    journal = ng.Journal.create(tmp_path, start)
    assert len(journal) == 0
    assert journal.entries() == list(journal.replay()) == []


def test_create_and_open(tmp_path, start):
    ng.Journal.create(tmp_path / "run", start)
    with pytest.raises(JournalError, match="has a journal already"):
        ng.Journal.create(tmp_path / "run", start)
    with pytest.raises(JournalError, match=r"no journal.*run directory"):
        ng.Journal(tmp_path)


# -- order ----------------------------------------------------------------------------------------


def test_rewrites_are_recorded_in_order(run, start):
    journal, steps = run
    with pytest.raises(JournalError, match="recorded already"):
        journal.append(steps[2][1], before=steps[2][0])
    last = steps[2][1].graph
    skipped = ng.apply(SplitEdges(), ng.apply(SplitEdges(), last, limit=1).graph, limit=1)
    with pytest.raises(JournalError, match="ends at"):
        journal.append(skipped, before=last)
    assert len(journal) == 3


def test_a_rewrite_of_another_branch_is_refused(run, start):
    journal, _ = run
    graph = start
    for _ in range(4):
        before, result = graph, ng.apply(SplitEdges(), graph, limit=1)
        graph = result.graph
    with pytest.raises(JournalError, match=r"Rewrite 4 starts at topology.*another branch"):
        journal.append(result, before=before)
    other = ng.Journal.create(journal.directory.parent / "other", ng.mlp([2, 2]))
    with pytest.raises(JournalError, match="Rewrite 1 starts at topology"):
        other.append(ng.apply(SplitEdges(), start), before=start)
    assert len(journal), len(other) == (3, 0)


def test_before_must_be_the_graph_that_was_rewritten(run):
    journal, steps = run
    result = ng.apply(SplitEdges(), steps[2][1].graph, limit=1)
    with pytest.raises(JournalError, match="`before`"):
        journal.append(result, before=result.graph)


# -- damage ---------------------------------------------------------------------------------------


def edit_line(journal, number, change):
    path = journal.directory / LINES
    lines = path.read_text().splitlines()
    lines[number - 1] = change(lines[number - 1])
    path.write_text("".join(f"{line}\n" for line in lines))


def without(key):
    def change(line):
        values = json.loads(line)
        del values[key]
        return json.dumps(values)

    return change


@pytest.mark.parametrize(
    "change",
    [
        lambda line: line[:-5],
        lambda line: "",
        lambda line: "[1, 2]",
        lambda line: "null",
        lambda line: line.replace('"rule"', '"role"'),
        lambda line: line.replace('"kind"', '"kinds"'),
        lambda line: json.dumps({**json.loads(line), "certificate": "exact"}),
        lambda line: json.dumps({**json.loads(line), "certificate": None}),
        without("certificate"),
        without("seed"),
    ],
)
def test_a_damaged_line_is_named(run, change):
    journal, _ = run
    edit_line(journal, 2, change)
    for use in (journal.entries, lambda: list(journal.replay())):
        with pytest.raises(JournalError, match=r"journal.jsonl line 2 is damaged"):
            use()


def test_bytes_that_are_no_text(run):
    journal, _ = run
    path = journal.directory / LINES
    path.write_bytes(path.read_bytes().replace(b'"rule"', b'"\xff\xfe"', 1))
    with pytest.raises(JournalError, match="line 1 is damaged"):
        journal.entries()


def test_a_missing_line_is_named(run):
    journal, _ = run
    path = journal.directory / LINES
    lines = path.read_text().splitlines(keepends=True)
    path.write_text(lines[0] + lines[2])
    with pytest.raises(JournalError, match="line 2 records rewrite 3; a line is missing"):
        journal.entries()


def test_a_hash_that_does_not_fit_is_named(run):
    journal, _ = run
    edit_line(journal, 2, lambda line: json.dumps({**json.loads(line), "topology_hash": "0" * 32}))
    with pytest.raises(JournalError, match=r"line 2: replay gives topology \w{8}, the line says 00000000"):
        list(journal.replay())


def test_a_torn_last_line_does_not_count(run):
    journal, steps = run
    path = journal.directory / LINES
    whole = path.read_bytes()
    path.write_bytes(whole[:-20])  # the power went while line 3 was written
    assert len(journal) == 2
    assert [e.rewrite for e, _ in journal.replay()] == [1, 2]
    assert journal.undo().equals(steps[1][0])


def test_what_follows_a_torn_line_is_not_glued_to_it(run):
    journal, steps = run
    path = journal.directory / LINES
    path.write_bytes(path.read_bytes()[:-20])
    before, result = steps[2]
    journal.append(result, before=before)
    assert [e.rewrite for e in journal.entries()] == [1, 2, 3]
    assert [g.topology_hash for _, g in journal.replay()][-1] == result.graph.topology_hash


@pytest.mark.parametrize("damage", [lambda p: p.unlink(), lambda p: p.write_bytes(p.read_bytes()[:-3])])
def test_missing_and_damaged_side_files(run, damage):
    journal, steps = run
    damage(journal.directory / "journal" / "000002.delta.safetensors")
    with pytest.raises(JournalError, match=r"line 2 cannot be replayed: .*000002.delta"):
        list(journal.replay())
    with pytest.raises(JournalError, match=r"line 2 cannot be undone: .*000002.delta"):
        list(journal.replay_backwards(steps[-1][1].graph))
    journal.undo()
    with pytest.raises(JournalError, match=r"line 2 cannot be undone: .*000002.delta"):
        journal.undo()
    assert len(journal) == 2  # the journal stays


def test_a_missing_graph_stops_undo_and_nothing_else(run):
    journal, _ = run
    (journal.directory / "journal" / "000003.before.safetensors").unlink()
    assert len(list(journal.replay())) == 3
    with pytest.raises(JournalError, match=r"line 3 cannot be undone.*no file"):
        journal.undo()
    with pytest.raises(FileFormatError, match="no file"):
        journal.before(3)
    assert len(journal) == 3


def test_files_of_another_run_are_noticed(run):
    journal, _ = run
    folder = journal.directory / "journal"
    (folder / "000003.before.safetensors").write_bytes((folder / "000001.before.safetensors").read_bytes())
    with pytest.raises(JournalError, match="line 3: the graph before it"):
        journal.undo()
    (folder / "000002.delta.safetensors").write_bytes((folder / "000001.delta.safetensors").read_bytes())
    with pytest.raises(JournalError, match="line 2 cannot be replayed: The delta starts at"):
        list(journal.replay())


def test_a_full_disk_leaves_the_journal(run, monkeypatch):
    journal, steps = run
    graph = steps[2][1].graph
    result = ng.apply(SplitEdges(), graph, limit=1)
    text = (journal.directory / LINES).read_bytes()
    fsync = os.fsync
    for allowed in range(5):  # the disk is full at one call after the other
        left = [allowed]

        def full(handle, left=left):
            if left[0] == 0:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            left[0] -= 1
            fsync(handle)

        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space left"):
            journal.append(result, before=graph)
        monkeypatch.undo()
        assert (journal.directory / LINES).read_bytes() == text
        assert not [
            name for name in [p.name for p in (journal.directory / "journal").iterdir()] if name.startswith(".")
        ]
    journal.append(result, before=graph)
    assert len(list(journal.replay())) == 4


def test_a_journal_may_start_at_a_rewritten_graph(tmp_path):
    graph = ng.apply(ng.rules.SplitEdges(), ng.mlp([3, 2], domain=(0, 1)), limit=1).graph
    journal = ng.Journal.create(tmp_path, graph)
    result = ng.apply(ng.rules.SplitEdges(), graph, limit=2)
    journal.append(result, before=graph)
    assert [g.topology_hash for _, g in journal.replay()] == [result.graph.topology_hash]
    assert journal.undo().equals(graph)


def test_parameters_that_json_has_no_word_for_are_written(tmp_path):
    graph = ng.mlp([3, 2], domain=(0, 1))
    journal = ng.Journal.create(tmp_path, graph)
    result = ng.apply(ng.rules.PruneEdges(below=np.float32(0.5)), graph)
    journal.append(result, before=graph, metrics={"loss": np.float32(0.25)})
    (entry,) = journal.entries()
    assert entry.parameters == {"below": 0.5}
    assert entry.metrics == {"loss": 0.25}


def test_nothing_is_not_recorded(tmp_path):
    graph = ng.mlp([3, 2], domain=(0, 1))
    journal = ng.Journal.create(tmp_path, graph)
    with pytest.raises(JournalError, match="matched nothing"):
        journal.append(ng.apply(ng.rules.PruneVertices(), graph), before=graph)


@pytest.mark.parametrize("metric", ["good", None, True, [1.0], 1j])
def test_a_metric_that_no_reader_takes_is_refused_and_nothing_is_written(metric, tmp_path):
    graph = ng.mlp([2, 3, 2], domain=(0, 1))
    result = ng.apply(ng.rules.SplitEdges(), graph, limit=1)
    journal = ng.Journal.create(tmp_path, graph)
    files = sorted(tmp_path.rglob("*"))
    for given in ({"metrics": {"loss": metric}}, {"epoch": 0.5}, {"seed": -1}):
        with pytest.raises(OptionError, match=r"metrics\['loss'\]|epoch=0.5|seed=-1"):
            journal.append(result, before=graph, **given)
    assert sorted(tmp_path.rglob("*")) == files
    journal.append(result, before=graph, metrics={"loss": np.float32(0.5), "edges": 3, "nan": np.nan})
    assert {"loss": 0.5, "edges": 3}.items() <= ng.Journal(tmp_path).entries()[0].metrics.items()
