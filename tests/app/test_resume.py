"""Runs that are cut off, by a full disk, a signal or a failure, go on as if nothing had happened."""

import errno
import json
import os
import random
import signal
import time

import pytest
from grow_runs import EPOCHS, assert_same_run, entries, grow, refused, snapshot, start_process

import compilers.training.loop as loop
from compilers.training import checkpoint_graph
from netgraph.app.cli import main

# -- a full disk -------------------------------------------------------------------------------------


class Disk:
    """A disk that is full from the `writes`-th fsync on; counts them."""

    def __init__(self, monkeypatch, writes=10**9):
        self.left, self.used = writes, 0
        self._fsync = os.fsync
        self._patch = monkeypatch
        monkeypatch.setattr(os, "fsync", self)

    def __call__(self, handle):
        self.used += 1
        if self.used > self.left:
            raise OSError(errno.ENOSPC, "No space left on device")
        self._fsync(handle)


@pytest.fixture(scope="module")
def writes(tmp_path_factory):
    """How many fsyncs the small run makes, and how many before its first epoch."""
    with pytest.MonkeyPatch.context() as patch:
        disk, epochs = Disk(patch), []
        patch.setattr(loop, "train_epoch", lambda *a, f=loop.train_epoch: epochs.append(disk.used) or f(*a))
        assert main(grow(tmp_path_factory.mktemp("count") / "run")) == 0
        return disk.used, epochs[0]


@pytest.mark.parametrize("share", [0.0, 0.15, 0.3, 0.42, 0.5, 0.58, 0.66, 0.75, 0.85, 0.95, 1.0])
def test_after_a_full_disk_a_resumed_run_is_the_uninterrupted_one(share, writes, finished, tmp_path, call, monkeypatch):
    total, before = writes
    out = tmp_path / "run"
    with monkeypatch.context() as patch:
        Disk(patch, before + int(share * (total - 1 - before)))
        code, _out, err = call(*grow(out))
    assert code == 1
    assert "No space left" in err
    assert "--resume" in err
    assert "Traceback" not in err
    assert not list(out.rglob(".*"))
    assert call(*grow(out, "--resume"))[0] == 0
    assert_same_run(finished, out)


def test_a_disk_that_is_full_from_the_start_leaves_nothing_that_is_in_the_way(writes, tmp_path, call):
    out, whole = tmp_path / "run", tmp_path / "whole"
    assert call(*grow(whole, epochs=1))[0] == 0
    for room in range(writes[1]):
        with pytest.MonkeyPatch.context() as patch:
            Disk(patch, room)
            code, _out, err = call(*grow(out, epochs=1))
        assert code == 1
        assert "No space left" in err
        if (out / "config.json").is_file():  # only the rename was not confirmed
            assert call(*grow(out, "--resume", epochs=1))[0] == 0
        else:
            assert "--resume" not in err
            assert call(*grow(out, epochs=1))[0] == 0
        assert_same_run(whole, out)
        if room == writes[1] - 1:
            assert call(*grow(out, "--overwrite", epochs=1))[0] == 0
        for path in sorted(out.rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() else path.unlink()


# -- signals -----------------------------------------------------------------------------------------

LONG = 48


def wait_for_epochs(process, out, count, patience=60.0):
    """Wait until so many epochs are in the metrics of a run."""
    file, end = out / "metrics.jsonl", time.monotonic() + patience
    while time.monotonic() < end:
        if file.is_file() and file.read_text().count("\n") >= count:
            return
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.002)
    raise AssertionError(f"no {count} epochs within {patience} s")


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    out = tmp_path_factory.mktemp("uninterrupted") / "run"
    assert main(grow(out, epochs=LONG, spacing=8)) == 0
    return out


def test_a_run_killed_three_times_is_the_uninterrupted_one(uninterrupted, tmp_path):
    out, rng = tmp_path / "run", random.Random(5)
    arguments = grow(out, epochs=LONG, spacing=8)
    seen = 0
    for kill in range(3):
        process = start_process([*arguments, *(["--resume"] if kill else [])], tmp_path)
        wait_for_epochs(process, out, seen + rng.randint(4, 10))
        time.sleep(rng.random() * 0.02)
        process.kill()
        process.communicate()
        assert process.returncode == -signal.SIGKILL, "the run ended before it was killed; make it longer"
        seen = (out / "metrics.jsonl").read_text().count("\n")
    assert 0 < seen < LONG
    assert not (out / "summary.json").exists()
    litter = list(out.rglob(".*"))
    assert main([*arguments, "--resume"]) == 0
    for file in litter:  # half-written temporary files of the kill itself
        file.unlink(missing_ok=True)
    assert_same_run(uninterrupted, out)


def test_an_interrupted_run_says_how_to_go_on_and_does(uninterrupted, tmp_path, call):
    out = tmp_path / "run"
    arguments = grow(out, epochs=LONG, spacing=8)
    process = start_process(arguments, tmp_path)
    wait_for_epochs(process, out, 8)
    process.send_signal(signal.SIGINT)
    output = process.communicate(timeout=30)[0]
    assert process.returncode == 130
    assert "interrupted" in output
    assert "--resume" in output
    assert str(out) in output
    assert "Traceback" not in output
    assert not list(out.rglob(".*"))
    assert call("show", out)[0] == 0
    assert call("replay", out)[0] == 0
    assert call(*arguments, "--resume")[0] == 0
    assert_same_run(uninterrupted, out)


# -- resuming ----------------------------------------------------------------------------------------


def cut_off(out, epoch, monkeypatch, *, data="digits", **options):
    """A run that fails in the middle of an epoch, after rewrites and checkpoint of the one before."""
    train_epoch = loop.train_epoch

    def failing(state, *rest):
        if state.epoch == epoch:
            raise KeyboardInterrupt
        return train_epoch(state, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(loop, "train_epoch", failing)
        assert main(grow(out, data=data, **options)) == 130


@pytest.mark.parametrize("epoch", range(EPOCHS))
def test_a_run_cut_off_in_any_epoch_resumes_to_the_same_result(epoch, finished, tmp_path, monkeypatch):
    out = tmp_path / "run"
    cut_off(out, epoch, monkeypatch)
    assert main(grow(out, "--resume")) == 0
    assert_same_run(finished, out)


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_other_optimizers_resume_to_the_same_result(optimizer, tmp_path, monkeypatch):
    assert main(grow(tmp_path / "whole", optimizer=optimizer)) == 0
    cut_off(tmp_path / "cut", 4, monkeypatch, optimizer=optimizer)
    assert main(grow(tmp_path / "cut", "--resume", optimizer=optimizer)) == 0
    assert_same_run(tmp_path / "whole", tmp_path / "cut")


def test_a_rewrite_that_the_checkpoint_has_not_seen_is_done_again(finished, tmp_path, monkeypatch):
    out = tmp_path / "run"

    def fails(*_):
        raise KeyboardInterrupt

    train_epoch, real = loop.train_epoch, {}
    import netgraph.app.grow as app

    with monkeypatch.context() as patch:
        real["save"] = app.save_checkpoint
        patch.setattr(
            app, "save_checkpoint", lambda state, path: fails() if state.epoch == 2 else real["save"](state, path)
        )
        assert main(grow(out)) == 130
    assert loop.train_epoch is train_epoch
    assert [entry["rewrite"] for entry in entries(out)] == [1]
    assert main(grow(out, "--resume")) == 0
    (out / "journal.undone.jsonl").unlink()
    assert_same_run(finished, out)


def test_a_line_of_the_journal_that_was_cut_off_does_not_count(finished, tmp_path, monkeypatch):
    out = tmp_path / "run"
    cut_off(out, 3, monkeypatch)
    for name in ("journal.jsonl", "metrics.jsonl"):
        with (out / name).open("a") as file:
            file.write('{"epoch": 4, "rewr')
    assert main(grow(out, "--resume")) == 0
    assert_same_run(finished, out)


def test_resuming_a_finished_run_writes_its_results_again(finished, run, call):
    for name in ("summary.json", "summary.md", "graph.safetensors", "start.safetensors", "topology.svg"):
        (run / name).unlink()
    assert call(*grow(run, "--resume"))[0] == 0
    assert_same_run(finished, run)


def test_a_run_that_stopped_early_is_over(tmp_path, call):
    options = {"epochs": 30, "patience": 1, "learning_rate": 3.0}
    assert call(*grow(tmp_path / "whole", **options))[0] == 0
    assert call(*grow(tmp_path / "again", **options))[0] == 0
    for name in ("summary.json", "graph.safetensors"):
        (tmp_path / "again" / name).unlink()
    assert call(*grow(tmp_path / "again", "--resume", **options))[0] == 0
    assert_same_run(tmp_path / "whole", tmp_path / "again")


def test_wall_time_adds_up_over_the_parts_of_a_run(tmp_path, monkeypatch):
    out = tmp_path / "run"
    cut_off(out, 4, monkeypatch)
    train_epoch = loop.train_epoch

    def slow(*arguments):
        time.sleep(0.05)
        return train_epoch(*arguments)

    monkeypatch.setattr(loop, "train_epoch", slow)
    assert main(grow(out, "--resume")) == 0
    summary = json.loads((out / "summary.json").read_text())
    epochs = [json.loads(line)["seconds"] for line in (out / "metrics.jsonl").read_text().splitlines()]
    assert summary["seconds"] > sum(epochs) > 0.1


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"extra": ["--seed", "1"]}, "seed: recorded 0, asked for 1)"),
        ({"epochs": 7}, "training"),
        ({"learning_rate": 0.02}, "training"),
        ({"amount": 5}, "options"),
        ({"amount": 5}, "resume it with the same command and --set amount=6, or start a new one"),
        ({"normalise": "true"}, "and --set normalise=false, or"),
        ({"samples": 500}, "(run.samples: recorded 0, asked for 500)"),
        ({"validation": 0.2}, "recorded"),
        ({"data": "wine", "final_edges": 50}, "wine"),
    ],
)
def test_other_settings_are_not_resumed(change, word, run, call):
    before = snapshot(run)
    change = dict(change)
    code, _out, err = call(*grow(run, "--resume", *change.pop("extra", ()), **change))
    assert code == 2
    assert "made with other settings" in err
    assert word in err
    assert snapshot(run) == before


def test_without_a_run_there_is_nothing_to_resume(tmp_path, call):
    code, _out, err = call(*grow(tmp_path / "run", "--resume"))
    assert code == 2
    assert "holds no run" in err
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_checkpoint_names_the_one_before_it_which_works(finished, tmp_path, call, monkeypatch):
    out = tmp_path / "run"
    cut_off(out, 5, monkeypatch)
    file, previous = out / "checkpoint.safetensors", out / "checkpoint.previous"
    file.write_bytes(file.read_bytes()[:-100])
    code, _out, err = call(*grow(out, "--resume"))
    assert code == 2
    assert str(previous) in err.replace(" ", "")
    file.write_bytes(previous.read_bytes())
    assert call(*grow(out, "--resume"))[0] == 0
    (out / "journal.undone.jsonl").unlink(missing_ok=True)
    assert_same_run(finished, out)


def test_a_loss_that_is_not_finite_leaves_a_run_that_can_be_looked_at(tmp_path, call, monkeypatch):
    train_epoch = loop.train_epoch

    def spoiled(state, *rest):
        metrics, signals = train_epoch(state, *rest)
        return ({**metrics, "train_loss": float("nan")} if state.epoch == 4 else metrics), signals

    with monkeypatch.context() as patch:
        patch.setattr(loop, "train_epoch", spoiled)
        code, _out, err = call(*grow(tmp_path / "run"))
    assert code != 0
    assert "The checkpoint of epoch 4 stands" in err
    assert checkpoint_graph(tmp_path / "run" / "checkpoint.safetensors").num_edges > 0
    assert call("show", tmp_path / "run")[0] == 0
    assert call("replay", tmp_path / "run")[0] == 0
    assert call(*grow(tmp_path / "run", "--resume"))[0] == 0


# -- other defaults ----------------------------------------------------------------------------------


@pytest.fixture
def cut(tmp_path, monkeypatch):
    """The small run, cut off in the middle of its fourth epoch."""
    cut_off(tmp_path / "run", 4, monkeypatch)
    return tmp_path / "run"


def test_options_that_a_resumed_run_is_not_given_are_the_recorded_ones(finished, cut, call):
    bare = ("grow", "digits", "--out", cut, "--resume")
    before = snapshot(cut)
    for wrong, words in (
        (["--set=final_edges=650"], "final_edges: recorded 660, asked for 650"),
        (["--set=normalise=true"], "normalise: recorded False, asked for True"),
        (["--epochs=7"], "epochs: recorded 6, asked for 7"),
        (["--method=nagn"], "method: recorded 'ssonn', asked for 'nagn'"),
        (["--seed=1"], "seed: recorded 0, asked for 1"),
    ):
        assert refused(call(*bare, *wrong), words)
    assert snapshot(cut) == before
    # What stands for a value that is filled in, by another rule now, stands for the recorded one.
    assert call(*bare, "--set=final_edges=0", "--set=peak_edges=0")[0] == 0
    assert_same_run(finished, cut)


def test_a_run_of_data_that_are_read_otherwise_by_now_is_refused_as_such(cut, call):
    config = json.loads((cut / "config.json").read_text())
    (cut / "config.json").write_text(json.dumps({**config, "fingerprint": "0123"}))
    result = call("grow", "digits", "--out", cut, "--resume")
    assert refused(result, "another version", "fingerprint: recorded '0123'", "start a new run")
