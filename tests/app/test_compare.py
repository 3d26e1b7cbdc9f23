"""`netgraph compare RUN --static`: the final architecture of a run, trained from scratch under its conditions."""

import io
import json
import shutil

import numpy as np
import pytest
from grow_runs import EPOCHS, grow, refused, snapshot
from rich.console import Console

import compilers.training.loop as loop
import netgraph as ng
from compilers import lift
from compilers.training import TrainSettings, begin, train
from netgraph.app.cli import main
from netgraph.app.compare import compare_static, drawn_by
from netgraph.app.prepare import prepare_again
from netgraph.app.run_directory import RunDirectory
from netgraph.errors import DataError


@pytest.fixture(scope="module")
def compared(finished, tmp_path_factory):
    """A finished run that was compared: the directory, what was there before, and what was printed."""
    run = shutil.copytree(finished, tmp_path_factory.mktemp("compared") / "run")
    before, console = snapshot(run), Console(width=100, record=True, file=io.StringIO())
    comparison = compare_static(RunDirectory(run), console)
    return run, before, comparison, console.export_text()


def results(run):
    return json.loads((run / "static.json").read_text())


def test_only_two_files_are_added(compared):
    run, before, comparison, _out = compared
    after = snapshot(run)
    assert after.keys() - before.keys() == {"static.json", "static.md"}
    assert before.items() <= after.items()
    assert comparison.to_json() + "\n" == after["static.json"].decode()
    assert comparison.to_markdown() == after["static.md"].decode()


def test_the_static_network_is_the_final_one_trained_under_the_conditions_of_the_run(compared):
    run, _before, _comparison, _out = compared
    values, directory = results(run), RunDirectory(run)
    prepared = prepare_again(directory.config)
    assert prepared.settings == TrainSettings(**directory.config["training"])
    first = ng.reinitialised(directory.grown, seed=0, init="uniform")
    assert first.same_topology(directory.grown)
    state = train(begin(first, prepared.settings, prepared.data.device), prepared.data, prepared.settings)
    output = ng.interpret(lift(state.net), prepared.dataset.x_test)
    accuracy = np.mean(output.argmax(axis=1) == prepared.dataset.y_test)
    assert values["static"]["test"] == pytest.approx(accuracy, abs=1 / len(prepared.dataset.y_test))
    assert values["static"]["edges"] == values["grown"]["edges"] == directory.grown.num_edges
    assert values["static"]["flops"] == EPOCHS * 3 * 2 * len(prepared.data.x_train) * directory.grown.num_edges
    assert (values["init"], values["metric"], values["seed"]) == ("uniform", "accuracy", 0)


def test_the_grown_side_is_what_the_run_wrote(compared):
    run, _before, _comparison, _out = compared
    values, directory = results(run), RunDirectory(run)
    summary, metrics = directory.read_summary(), directory.read_metrics()
    grown = values["grown"]
    assert grown["test"] == summary["test_accuracy"]
    assert grown["seconds"] == sum(entry["seconds"] for entry in metrics) + summary["seconds_rewriting"]
    assert summary["seconds"] > grown["seconds"] > summary["seconds_rewriting"] > 0
    assert grown["flops"] == sum(entry["flops"] for entry in metrics)
    assert values["ratios"] == {
        name: grown[name] / values["static"][name] for name in ("test", "edges", "epochs", "seconds", "flops")
    }
    assert values["ratios"]["edges"] == 1


def test_it_is_printed_and_written_side_by_side(compared, finished, tmp_path, call):
    run, _before, comparison, out = compared
    assert f"epoch {EPOCHS}/{EPOCHS}" in out
    text = (run / "static.md").read_text()
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert len({line.count("|") for line in rows}) == 1
    for row in comparison.table().rows:
        assert "| " + " | ".join(row) + " |" in rows
    assert "Seconds are those of" in text
    assert "not comparable" not in text
    code, out, err = call("compare", shutil.copytree(finished, tmp_path / "run"), "--static")
    assert (code, err) == (0, "")
    for words in ("grown / static", "660", f"epoch {EPOCHS}/{EPOCHS}", "Seconds are those of", "results in"):
        assert words in out


def test_a_comparison_is_not_replaced_unless_asked(compared, run, call):
    compared_run = compared[0]
    for name in ("static.json", "static.md"):
        (run / name).write_bytes((compared_run / name).read_bytes())
    before = snapshot(run)
    assert refused(call("compare", run, "--static"), "holds a comparison already", "--overwrite")
    assert snapshot(run) == before
    assert call("compare", run, "--static", "--overwrite")[0] == 0
    again, once = (json.loads(files["static.json"]) for files in (snapshot(run), before))
    for values in (again, once):
        values["static"].pop("seconds")
        values["ratios"].pop("seconds")
    assert again == once


def test_without_a_kind_of_comparison_it_says_what_to_give(run, call):
    assert refused(call("compare", run), "--static", "from scratch")


def test_directories_that_hold_no_run_or_one_that_has_not_ended_are_refused(run, tmp_path, call):
    assert refused(call("compare", tmp_path / "nothing", "--static"), "holds no run")
    (run / "summary.json").rename(tmp_path / "summary.json")
    assert refused(call("compare", run, "--static"), "no summary.json", "--resume")
    (tmp_path / "summary.json").rename(run / "summary.json")
    (run / "graph.safetensors").unlink()
    assert refused(call("compare", run, "--static"), "has not ended")
    assert not (run / "static.json").exists()


def test_data_that_have_changed_are_refused(tmp_path, call):
    x, y = np.random.default_rng(0).random((80, 3)), np.arange(80) % 2
    np.savez(tmp_path / "data.npz", x=x, y=y)
    out = tmp_path / "run"
    assert main(grow(out, data=tmp_path / "data.npz", final_edges=8, peak_edges=60, amount=2, epochs=3)) == 0
    x[7, 1] = 0.5
    np.savez(tmp_path / "data.npz", x=x, y=y)
    before = snapshot(out)
    assert refused(call("compare", out, "--static"), "has changed since the run", "fingerprint")
    (tmp_path / "data.npz").unlink()
    assert refused(call("compare", out, "--static"), "data.npz does not exist")
    assert snapshot(out) == before


@pytest.mark.parametrize(
    ("file", "change", "word"),
    [
        ("config.json", lambda c: c["training"].update(colour=3), "colour"),
        ("config.json", lambda c: c.pop("options"), "options"),
        ("summary.json", lambda s: s.pop("flops"), "flops"),
    ],
)
def test_files_of_another_version_are_refused(file, change, word, run, call):
    values = json.loads((run / file).read_text())
    change(values)
    (run / file).write_text(json.dumps(values))
    assert refused(call("compare", run, "--static"), word, "version of netgraph")


def test_another_machine_is_told(run, call):
    config = json.loads((run / "config.json").read_text())
    config["machine"] = "Abacus 3000, 10 beads"
    (run / "config.json").write_text(json.dumps(config))
    assert "not comparable: the run was made on Abacus 3000" in call("compare", run, "--static")[1]
    assert "Abacus 3000" in (run / "static.md").read_text()


def test_a_loss_that_is_not_finite_leaves_the_run_as_it_was(run, call, monkeypatch):
    before, train_epoch = snapshot(run), loop.train_epoch
    monkeypatch.setattr(loop, "train_epoch", lambda *a: ({**train_epoch(*a)[0], "train_loss": float("nan")}, None))
    code, _out, err = call("compare", run, "--static")
    assert code == 1
    assert "train_loss is not finite after epoch 1. The likely cause: learning_rate=" in err
    assert "checkpoint" not in err
    assert snapshot(run) == before


def test_maps_are_compared_as_maps_with_the_init_of_their_start(maps, tmp_path, call):
    out = tmp_path / "run"
    arguments = ("--method", "maps", "--set=normalise=true", "--set=augment=crop+flip", "--set=crop_padding=1")
    assert call("grow", "digits", "--out", out, *arguments)[0] == 0
    assert call("compare", out, "--static")[0] == 0
    values = results(out)
    assert values["init"] == "kaiming"
    # Nothing grows, so the network from scratch is the run itself.
    assert values["static"]["test"] == values["grown"]["test"]
    assert values["ratios"]["flops"] == 1


def test_regression_is_compared_in_the_units_of_the_data(tmp_path, call):
    out = tmp_path / "run"
    assert main(grow(out, data="diabetes", final_edges=20, peak_edges=200, amount=3)) == 0
    assert call("compare", out, "--static")[0] == 0
    values = results(out)
    assert values["metric"] == "rmse"
    assert 30 < values["static"]["test"] < 150


def test_a_start_that_no_builder_drew_is_refused():
    graph = ng.mlp([4, 3], seed=2)
    assert drawn_by(graph, 2) == ("uniform", False)
    thin = ng.thinned(graph, np.arange(len(graph.edges)) % 3 > 0)
    assert drawn_by(thin, 2) == ("uniform", True)
    with pytest.raises(DataError, match="in none of the ways uniform, kaiming"):
        drawn_by(graph, 3)


def test_undo_sets_a_comparison_aside(compared, run, call):
    (run / "static.json").write_bytes((compared[0] / "static.json").read_bytes())
    assert call("undo", run)[0] == 0
    assert not (run / "static.json").exists()
    assert (run / "static.undone.json").is_file()
    assert refused(call("compare", run, "--static"), "were undone", "another --out")
