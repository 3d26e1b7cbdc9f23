"""Files of every format that an earlier version wrote are read, and mean what they meant.

`tests/support/write_golden.py` made them, and says how.
"""

import json
import re
import shutil
from pathlib import Path

import golden_graphs
import numpy as np
import pytest
import torch
import write_golden

import netgraph as ng
from compilers.training import TrainSettings, checkpoint_graph, load_checkpoint, train
from netgraph.app.cli import main
from netgraph.rewriting import load_delta

WRITTEN = Path(__file__).parent / "golden" / "written"
HASHES = json.loads((WRITTEN / "hashes.json").read_text())


@pytest.fixture(autouse=True)
def _one_thread():
    torch.set_num_threads(1)


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A copy of the files, in which commands run."""
    shutil.copytree(WRITTEN, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def load(name):
    return ng.load(WRITTEN / f"{name}.safetensors")


def built_anew(graph):
    """The same graph of new layers and links, of which nothing is known but their columns: its hash is computed."""
    return ng.Graph.from_networkx(graph.to_networkx())


@pytest.mark.parametrize("call", HASHES["architectures"])
def test_architectures_have_the_hashes_that_they_had(call):
    name, _, arguments = call.partition(" ")
    assert getattr(ng, name)(**json.loads(arguments)).topology_hash == HASHES["architectures"][call]


def test_graphs_are_read_with_the_hashes_that_they_had():
    for name, known in HASHES["graphs"].items():
        graph = load(f"graphs/{name}")
        assert graph.topology_hash == built_anew(graph).topology_hash == known, name


@pytest.mark.parametrize("name", {**golden_graphs.FEATURES, **golden_graphs.STARTS})
def test_graphs_that_are_built_again_are_those_that_were_written(name):
    graph = {**golden_graphs.FEATURES, **golden_graphs.STARTS}[name]()
    assert load(f"graphs/{name}").equals(graph)


def test_graphs_that_are_written_again_have_the_same_bytes(tmp_path):
    for name in HASHES["graphs"]:
        ng.save(load(f"graphs/{name}"), tmp_path / "again")
        assert (tmp_path / "again").read_bytes() == (WRITTEN / "graphs" / f"{name}.safetensors").read_bytes(), name


def test_every_shipped_rule_was_written():
    assert {name.rpartition("-dense")[0] for name in HASHES["rules"]} >= {*ng.rules.RULES}


@pytest.mark.parametrize("name", HASHES["rules"])
def test_deltas_lead_to_the_hashes_that_they_led_to_and_back(name):
    known = HASHES["rules"][name]
    before, delta = load(known["before"]), load_delta(WRITTEN / "rules" / f"{name}.delta.safetensors")
    after, _ = ng.apply_delta(before, delta)
    assert (after.topology_hash, after.lineage) == (known["hash"], known["lineage"])
    assert built_anew(after).topology_hash == known["hash"]
    back, _ = ng.apply_delta(after, delta.inverse())
    assert back.equals(before)
    if name.endswith("-dense"):
        assert load(f"rules/{name}.after").equals(after)


@pytest.mark.parametrize("name", HASHES["rules"])
def test_rules_do_what_they_did(name):
    known, rule = HASHES["rules"][name], re.sub("-(dense|small-maps|transformer)$", "", name)
    result = write_golden.rewritten(rule, load(known["before"]))
    assert (result.graph.topology_hash, result.graph.lineage) == (known["hash"], known["lineage"])
    assert result.certificate.kind == known["certificate"]


@pytest.mark.parametrize("name", ["journal", "heads"])
def test_a_journal_replays_and_undoes_to_the_hashes_that_it_had(name, here):
    journal, known = ng.Journal(here / name), HASHES[name]
    steps = list(journal.replay())
    assert [journal.first().topology_hash, *(graph.topology_hash for _entry, graph in steps)] == known
    backwards = [graph.topology_hash for _entry, graph in journal.replay_backwards(steps[-1][1])]
    assert backwards == known[-2::-1]
    assert [journal.before(number).topology_hash for number in range(1, len(known))] == known[:-1]
    assert [journal.undo().topology_hash for _ in range(len(journal))] == known[-2::-1]


def test_a_journal_goes_on_with_another_rewrite(here):
    journal = ng.Journal(here / "journal")
    before = [graph for _entry, graph in journal.replay()][-1]
    result = ng.apply(ng.rules.SplitVertices(), before, rng=0, limit=1)
    journal.append(result, before=before)
    assert [graph for _entry, graph in journal.replay()][-1].same_topology(result.graph)


@pytest.mark.parametrize("name", HASHES["checkpoints"])
def test_training_goes_on_from_a_checkpoint(name):
    path, (_graph, data) = WRITTEN / "checkpoints" / f"{name}.safetensors", write_golden.first(name)
    settings = TrainSettings(**write_golden.SETTINGS[name])
    assert checkpoint_graph(path).topology_hash == HASHES["checkpoints"][name]
    state = load_checkpoint(path, settings, torch.device("cpu"))
    assert (state.epoch, state.net.graph.topology_hash) == (4, HASHES["checkpoints"][name])
    assert bool(state.actions) == (name != "convolution")
    ended = train(state, data, settings, None if name == "convolution" else write_golden.method())
    assert ended.epoch == 6
    assert np.isfinite([entry["val_loss"] for entry in ended.history]).all()


@pytest.mark.parametrize("place", ["ended", "cut"])
def test_a_run_is_shown_replayed_and_reported(place, here, capsys):
    for command, *rule in (["show"], ["replay"], ["explain", "split-edges"], ["report"]):
        assert main([command, place, *rule]) == 0
    assert "5 rewrites" in " ".join(capsys.readouterr().out.split())
    assert "SplitEdges" in (here / place / "report.html").read_text()
    journal = ng.Journal(here / place)
    assert [journal.first().topology_hash, *(e.topology_hash for e in journal.entries())] == HASHES["runs"][place]


def test_a_rewrite_of_a_run_is_undone(here):
    known = HASHES["runs"]["ended"]
    assert main(["undo", "ended"]) == 0
    assert ng.Journal(here / "ended").entries()[-1].topology_hash == known[-2]


def test_a_run_that_was_cut_off_is_resumed(here):
    assert main([*write_golden.GROW, "--out", "cut", "--resume"]) == 0
    lines = [json.loads(line) for line in (here / "cut" / "metrics.jsonl").read_text().splitlines()]
    assert [line["epoch"] for line in lines] == [1, 2, 3, 4, 5, 6]
    entries = ng.Journal(here / "cut").entries()
    assert [entry.topology_hash for entry in entries] == HASHES["runs"]["ended"][1:]
    assert json.loads((here / "cut" / "summary.json").read_text())["epochs"] == 6


def test_the_final_network_of_a_run_is_compared_with_one_from_scratch(here):
    assert main(["compare", "ended", "--static"]) == 0
    assert (here / "ended" / "static.json").is_file()


def test_a_study_is_gone_on_with(here):
    runs = here / "study" / "runs.jsonl"
    first, second = runs.read_text().splitlines(keepends=True)
    runs.write_text(first)
    assert main([*write_golden.COMPARE, "--out", "study"]) == 0
    again = runs.read_text().splitlines(keepends=True)
    assert again[0] == first
    assert [json.loads(line)["settings"] for line in again] == [
        json.loads(line)["settings"] for line in (first, second)
    ]
