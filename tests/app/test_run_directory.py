import json

import pytest

import netgraph as ng
from netgraph.app.run_directory import RunDirectory
from netgraph.errors import DataError, OptionError


@pytest.fixture
def first():
    return ng.mlp([3, 2], domain=(0, 1))


def test_a_new_run_has_its_configuration_and_an_empty_journal(tmp_path, first):
    run = RunDirectory.create(tmp_path / "a" / "b", {"seed": 3}, first)
    assert run.config == {"format": "netgraph.run", "seed": 3}
    assert len(run.journal) == 0
    assert run.journal.first().equals(first)
    assert RunDirectory(tmp_path / "a" / "b").config == run.config


def test_an_empty_directory_is_used(tmp_path, first):
    assert RunDirectory.create(tmp_path, {}, first).path == tmp_path


def test_a_run_is_replaced_only_when_asked(tmp_path, first):
    RunDirectory.create(tmp_path, {"seed": 3}, first)
    (tmp_path / "summary.md").write_text("old")
    with pytest.raises(OptionError, match="holds a run already"):
        RunDirectory.create(tmp_path, {"seed": 4}, first)
    assert RunDirectory(tmp_path).config["seed"] == 3
    assert RunDirectory.create(tmp_path, {"seed": 4}, first, overwrite=True).config["seed"] == 4
    assert not (tmp_path / "summary.md").exists()


@pytest.mark.parametrize("overwrite", [False, True])
def test_what_is_no_run_is_never_replaced(tmp_path, first, overwrite):
    (tmp_path / "notes.txt").write_text("notes")
    for place in (tmp_path, tmp_path / "notes.txt"):
        with pytest.raises(OptionError, match="holds no run"):
            RunDirectory.create(place, {}, first, overwrite=overwrite)
    assert [p.name for p in tmp_path.iterdir()] == ["notes.txt"]


def test_a_start_that_fails_leaves_nothing(tmp_path, first):
    with pytest.raises(TypeError):
        RunDirectory.create(tmp_path / "run", {"seed": object()}, first)
    assert not (tmp_path / "run").exists()
    RunDirectory.create(tmp_path / "run", {}, first)


def test_opening_what_is_no_run_is_refused(tmp_path):
    with pytest.raises(OptionError, match=r"config\.json is missing"):
        RunDirectory(tmp_path)


@pytest.mark.parametrize("text", ["", "{", "[]", "3"])
def test_a_damaged_configuration_or_summary_is_named(tmp_path, first, text):
    run = RunDirectory.create(tmp_path, {}, first)
    assert run.read_summary() is None
    run.write_text("summary.json", text)
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(DataError, match=r"config\.json"):
        _ = run.config
    with pytest.raises(DataError, match=r"summary\.json"):
        run.read_summary()


def test_metrics_are_appended_reset_and_read_without_a_torn_line(tmp_path, first):
    run = RunDirectory.create(tmp_path, {}, first)
    assert run.read_metrics() == []
    for epoch in (1, 2, 3):
        run.append_metrics({"epoch": epoch, "val_loss": 1 / epoch})
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write('{"epoch": 4, "val')
    assert [entry["epoch"] for entry in run.read_metrics()] == [1, 2, 3]
    run.reset_metrics([{"val_loss": 1.0}, {"val_loss": 0.5}])
    assert run.read_metrics() == [{"epoch": 1, "val_loss": 1.0}, {"epoch": 2, "val_loss": 0.5}]
    run.append_metrics({"epoch": 3, "val_loss": 1 / 3})
    assert run.read_metrics()[-1] == {"epoch": 3, "val_loss": 1 / 3}


def test_the_graph_of_a_run_that_has_not_ended_is_asked_for_in_vain(tmp_path, first):
    run = RunDirectory.create(tmp_path, {}, first)
    with pytest.raises(OptionError, match="has not ended"):
        _ = run.grown
    ng.save(first, run.graph_file)
    assert run.grown.equals(first)


def test_the_files_of_a_finished_run(finished):
    run = RunDirectory(finished)
    assert run.grown.num_edges == run.read_summary()["edges"]
    assert len(run.read_metrics()) == run.config["training"]["epochs"]
    assert run.checkpoint.is_file()
    assert ng.load(run.start_file).rewrites == 0
    assert json.loads((finished / "config.json").read_text()) == run.config
