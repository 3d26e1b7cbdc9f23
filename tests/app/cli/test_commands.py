import dataclasses
import json
import subprocess
import sys

import numpy as np
import pytest
from grow_runs import EPOCHS, FILES, assert_same_run, entries, grow, lines, refused, snapshot

import netgraph as ng
from netgraph.app.cli import main
from netgraph.schedules import StopReason


def table(path, y, x=None):
    """A CSV file of three columns and a target."""
    x = np.random.default_rng(0).random((len(y), 3)) if x is None else x
    rows = [",".join([*(str(v) for v in row), str(label)]) for row, label in zip(x, y, strict=True)]
    path.write_text("\n".join(["a,b,c,y", *rows]) + "\n")
    return path


# -- grow --------------------------------------------------------------------------------------------


def test_grow_writes_every_file_of_a_run(finished):
    for name in FILES:
        assert (finished / name).stat().st_size > 0, name
    config = json.loads((finished / "config.json").read_text())
    assert config["method"] == "ssonn"
    assert config["training"]["epochs"] == EPOCHS
    assert config["options"]["final_edges"] == 660
    assert [entry["epoch"] for entry in lines(finished / "metrics.jsonl")] == [1, 2, 3, 4, 5, 6]


def test_grow_really_grows_and_prunes(finished):
    rules = [entry["rule"] for entry in entries(finished)]
    assert rules.count("SplitEdges") == 2
    assert "PruneEdges" in rules
    start, final = (ng.load(finished / f"{name}.safetensors") for name in ("start", "graph"))
    assert (start.num_layers, start.num_edges) == (2, 640)
    assert final.num_layers > 2
    assert final.num_edges == 660 < max(entry["edges"] for entry in entries(finished))
    assert (finished / "topology.svg").read_text().startswith("<svg")


def test_grow_only_looks_at_what_it_says_is_exact(finished):
    splits = [entry for entry in entries(finished) if entry["rule"] == "SplitEdges"]
    for entry in splits:
        assert entry["certificate"]["kind"] == "exact"
        assert entry["certificate"]["measured"]["relative"] < 1e-9


def test_json_is_the_last_line_of_standard_output_and_all_of_it(tmp_path, capsys):
    assert main(grow(tmp_path / "run", "--json", "--seed", 3)) == 0
    captured = capsys.readouterr()
    (line,) = captured.out.splitlines()
    values = json.loads(line)
    assert {
        "test_accuracy", "test_accuracy_start", "val_accuracy", "edges", "edges_peak", "vertices", "layers",
        "rewrites", "seconds", "seed",
    } <= values.keys()  # fmt: skip
    assert values == json.loads((tmp_path / "run" / "summary.json").read_text())
    assert values["seed"] == 3
    assert values["edges"] == 660 < values["edges_peak"] <= 900
    assert values["rewrites"] == len(entries(tmp_path / "run"))
    assert 0.5 < values["test_accuracy"] <= 1
    assert values["seconds"] > 0
    assert "epoch 6/6" in captured.err


def test_the_accuracy_reported_is_that_of_the_graph_on_the_test_set(finished):
    from netgraph.app.data import load_dataset

    data = load_dataset("digits", seed=0)
    summary = json.loads((finished / "summary.json").read_text())
    for name, key in (("graph", "test_accuracy"), ("start", "test_accuracy_start")):
        output = ng.interpret(ng.load(finished / f"{name}.safetensors"), data.x_test)
        assert summary[key] == pytest.approx(np.mean(output.argmax(axis=1) == data.y_test), abs=1 / len(data.y_test))


def test_without_json_the_results_are_printed_for_people(call, tmp_path):
    code, out, err = call(*grow(tmp_path / "run"))
    assert code == 0
    assert err == ""
    for words in (
        "640 edges",
        "epoch 1/6",
        "epoch 6/6",
        "SplitEdges x 6",
        "PruneEdges",
        "start alone",
        "grown",
    ):
        assert words in out
    assert f"results in {tmp_path}" in out.replace("- ", "-")


def test_regression_reports_the_error_in_the_units_of_the_data(tmp_path, capsys):
    assert main(grow(tmp_path / "run", "--json", data="diabetes", final_edges=20, peak_edges=200, amount=3)) == 0
    values = json.loads(capsys.readouterr().out)
    assert {"test_rmse", "test_rmse_start", "val_rmse"} <= values.keys()
    assert "test_accuracy" not in values
    # Disease progression has a standard deviation of 77: errors are near it, not near 1.
    assert 30 < values["test_rmse"] < 150
    assert values["layers"] > 2


def test_a_table_with_a_named_target(tmp_path, capsys):
    x = np.random.default_rng(1).random((80, 3))
    file = table(tmp_path / "data.csv", np.where(x[:, 0] > x[:, 1], "yes", "no"), x)
    arguments = grow(tmp_path / "run", "--json", "--target", "y", data=file, final_edges=8, peak_edges=60, amount=2)
    assert main([*arguments, "--set=batch_size=8", "--epochs=20"]) == 0
    values = json.loads(capsys.readouterr().out)
    assert values["test_accuracy"] > 0.7
    assert values["data"] == "data"


@pytest.mark.parametrize("prune", ["below", "none"])
def test_every_kind_of_pruning(prune, tmp_path, capsys):
    out = tmp_path / "run"
    options = {"prune": prune, "prune_delay": 1, "prune_duration": 1, "prune_threshold": 0.3, "expansions": 1}
    assert main(grow(out, "--json", **options)) == 0
    rules = [entry["rule"] for entry in entries(out)]
    assert rules[0] == "SplitEdges"
    assert ("PruneEdges" in rules) == (prune == "below")
    assert json.loads(capsys.readouterr().out)["rewrites"] == len(rules)


def test_the_same_command_gives_the_same_run_and_another_seed_another(finished, tmp_path):
    assert main(grow(tmp_path / "again")) == 0
    assert_same_run(finished, tmp_path / "again")
    assert main(grow(tmp_path / "other", "--seed", 1)) == 0
    assert (tmp_path / "other" / "graph.safetensors").read_bytes() != (finished / "graph.safetensors").read_bytes()


def test_a_run_stops_early_with_patience(tmp_path, capsys):
    assert main(grow(tmp_path / "run", "--json", epochs=30, patience=1, learning_rate=3.0)) == 0
    values = json.loads(capsys.readouterr().out)
    assert values["epochs"] < 30
    assert values["stopped"] == dataclasses.asdict(StopReason.no_improvement(1))
    text = (tmp_path / "run" / "summary.md").read_text()
    assert "Ended early: the validation loss has not improved for 1 epochs; a larger patience trains longer" in text


# -- directories -------------------------------------------------------------------------------------


def test_a_run_is_not_overwritten_unless_asked(run, call):
    before = snapshot(run)
    assert refused(call(*grow(run)), "holds a run already", "--resume", "--overwrite")
    assert snapshot(run) == before
    assert call(*grow(run, "--overwrite", "--seed", 5))[0] == 0
    assert json.loads((run / "summary.json").read_text())["seed"] == 5


def test_bad_input_leaves_the_run_that_would_be_overwritten(run, call):
    before = snapshot(run)
    assert refused(call(*grow(run, "--overwrite", plateu=3)), "plateau")
    assert refused(call(*grow(run, "--overwrite", data="nothing.csv")), "nothing.csv")
    assert snapshot(run) == before


def test_other_directories_and_files_are_never_touched(tmp_path, call):
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.tex").write_text("text")
    for extra in ((), ("--overwrite",)):
        assert refused(call(*grow(tmp_path / "thesis", *extra)), "holds no run")
        assert refused(call(*grow(tmp_path / "thesis" / "chapter.tex", *extra)), "holds no run")
    assert snapshot(tmp_path) == {"thesis/chapter.tex": b"text"}


def test_without_out_the_directory_is_named_after_the_run(tmp_path, call, monkeypatch):
    monkeypatch.chdir(tmp_path)
    arguments = grow("x", "--seed", 2, data="wine", final_edges=50, peak_edges=90)
    del arguments[2:4]
    assert call(*arguments)[0] == 0
    assert (tmp_path / "runs" / "wine-ssonn-seed2" / "summary.json").is_file()


# -- bad input ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["grwo"], ["Did you mean 'grow'"]),
        (["grow", "digits", "--method", "sson"], ["method 'sson'", "Did you mean 'ssonn'"]),
        (["grow", "digit"], ["Did you mean 'digits'"]),
        (["grow", "digits", "--set", "epoch=3"], ["option 'epoch'", "Did you mean 'epochs'"]),
        (["grow", "digits", "--set", "epochs"], ["KEY=VALUE"]),
        (["grow", "digits", "--set", "epochs=many"], ["epochs='many'", "whole number"]),
        (["grow", "digits", "--set", "learning_rate=nan"], ["learning_rate"]),
        (["grow", "digits", "--set", "plateau=nan"], ["plateau"]),
        (["grow", "digits", "--set", "select=top-k", "--set", "amount=nan"], ["amount"]),
        (["grow", "digits", "--set", "select=top-k", "--set", "amount=1e400"], ["amount"]),
        (["grow", "digits", "--set", "optimizer=adma"], ["Did you mean 'adam'"]),
        (["grow", "digits", "--set", "criterion=g_avs"], ["Did you mean 'g_a"]),
        (["grow", "digits", "--set", "prune_start=0.9", "--set", "prune_end=0.1"], ["start=0.9"]),
        (["grow", "digits", "--set", "validation=1.5"], ["1.5"]),
        (["grow", "digits", "--set", "samples=3"], ["number of classes"]),
        (["grow", "digits", "--set", "seed=3"], ["--seed"]),
        (["grow", "digits", "--seed", "-1"], ["seed=-1"]),
        (["grow", "digits", "--epochs", "0"], ["epochs=0"]),
        (["grow", "digits", "--epochs", "x"], ["--epochs"]),
        (["grow", "digits", "--device", "tpu9"], ["tpu9"]),
        (["grow", "digits", "--target", "y"], ["target"]),
        (["grow", "missing.npz"], ["missing.npz"]),
        (["grow"], ["DATA"]),
        ([], ["COMMAND"]),
    ],
)
def test_what_cannot_be_meant_is_refused_before_anything_is_written(arguments, words, tmp_path, call, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert refused(call(*arguments), *words)
    assert list(tmp_path.iterdir()) == []


def bad_tables():
    rng = np.random.default_rng(0)
    x, y = rng.random((40, 3)), rng.integers(0, 2, 40)
    hole = x.copy()
    hole[7, 1] = np.nan
    return {
        "one class": (x, np.array(["a"] * 40), "class"),
        "a hole": (hole, np.array(["a", "b"])[y], ""),
        "too few": (x[:2], np.array(["a", "b"]), ""),
    }


@pytest.mark.parametrize("name", bad_tables())
def test_tables_that_cannot_be_learned_from_are_refused(name, tmp_path, call):
    x, y, word = bad_tables()[name]
    file = table(tmp_path / "data.csv", y, x)
    assert refused(call(*grow(tmp_path / "run", "--target", "y", data=file)), word)
    assert not (tmp_path / "run").exists()


def test_nan_in_arrays_is_refused(tmp_path, call):
    x = np.random.default_rng(0).random((40, 3))
    x[3, 2] = np.nan
    np.savez(tmp_path / "data.npz", x=x, y=np.arange(40) % 2)
    assert refused(call(*grow(tmp_path / "run", data=tmp_path / "data.npz")), "data.npz")
    assert not (tmp_path / "run").exists()


def test_an_empty_file_and_a_directory_are_refused(tmp_path, call):
    (tmp_path / "empty.csv").write_text("")
    (tmp_path / "folder").mkdir()
    for data in ("empty.csv", "folder", "nothing/there.csv"):
        assert refused(call(*grow(tmp_path / "run", data=tmp_path / data)))
        assert not (tmp_path / "run").exists()


def test_a_loss_that_is_not_finite_fails_with_its_remedy(tmp_path, call):
    code, _out, err = call(*grow(tmp_path / "run", learning_rate=1e38, optimizer="sgd"))
    assert code != 0
    assert "learning_rate=1e+38 is too high for this network: lower it" in err
    assert "There is no checkpoint yet" in err
    assert "epoch 0" not in err
    assert not (tmp_path / "run" / "checkpoint.safetensors").exists()
    assert "Traceback" not in err
    assert call(*grow(tmp_path / "run", "--overwrite"))[0] == 0


def test_a_place_that_cannot_be_written_fails_without_a_traceback(tmp_path, call):
    (tmp_path / "file").write_text("")
    code, out, err = call(*grow(tmp_path / "file" / "run"))
    assert code in (1, 2)
    assert "Traceback" not in out + err
    assert "--resume" not in err


# -- as a process ------------------------------------------------------------------------------------


def test_the_module_runs_and_its_errors_are_exit_codes():
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "netgraph.app.cli", "data"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "digits" in done.stdout
    done = subprocess.run(
        [sys.executable, "-m", "netgraph.app.cli", "dta"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "Did you mean 'data'" in done.stderr


@pytest.mark.parametrize(
    ("package", "arguments", "works"),
    [("rich", ["data"], False), ("torch", ["report", "."], False), ("torch", ["data"], True)],
)
def test_without_the_extra_it_says_what_to_install(package, arguments, works):
    code = (
        f"import sys; sys.modules[{package!r}] = None; from netgraph.app.cli import main; sys.exit(main({arguments}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (done.returncode == 0) == works
    if not works:
        assert f"{package}, which is not installed: pip install 'netgraph-growth[app]'." in done.stderr
        assert "Traceback" not in done.stderr
