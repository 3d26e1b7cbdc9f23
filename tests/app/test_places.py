"""Whose a directory is, what --overwrite removes, one writer at a time, and starts that are killed."""

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from grow_runs import grow, refused, snapshot

import netgraph as ng
from netgraph.app.cli import main
from netgraph.app.inspect import undo
from netgraph.app.lock import LOCK, sole_writer
from netgraph.app.places import RUN_FILES, check_place, own_files
from netgraph.app.run_directory import RunDirectory
from netgraph.errors import BusyError, OptionError

SCRIPT = Path(__file__).parents[1] / "support" / "forked_runs.py"


def forked(*arguments):
    command = [sys.executable, SCRIPT, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=SCRIPT.parents[2])


@pytest.fixture
def first():
    return ng.mlp([3, 2], domain=(0, 1))


# -- whose a directory is ----------------------------------------------------------------------------


@pytest.mark.parametrize("config", ["{}", '{"architectures": ["Foo"]}', "[1]", "", '{"seed": 1, "method": "x"}'])
def test_directories_of_other_programs_are_refused_before_anything_is_touched(config, tmp_path, call):
    place = tmp_path / "model"
    place.mkdir()
    (place / "config.json").write_text(config)
    (place / "model.bin").write_text("weights of months")
    (place / "journal").mkdir()
    before = snapshot(place)
    for extra in ((), ("--overwrite",)):
        assert refused(call(*grow(place, *extra, epochs=1)), str(place))
        assert snapshot(place) == before


def test_neither_the_working_directory_nor_a_link_a_file_or_a_home_is_overwritten(tmp_path, first, monkeypatch):
    place = tmp_path / "a" / "run"
    RunDirectory.create(place, {"seed": 1}, first)
    (tmp_path / "link").symlink_to(place)
    (place / "sub").mkdir()
    (tmp_path / "file").write_text("x")
    (tmp_path / "gone").symlink_to(tmp_path / "nowhere")
    before = snapshot(tmp_path)
    monkeypatch.setenv("HOME", str(place))
    for out in (tmp_path / "link", place, tmp_path / "file", tmp_path / "gone", "", tmp_path / "a"):
        with pytest.raises(OptionError):
            RunDirectory.create(out, {"seed": 2}, first, overwrite=True)
    monkeypatch.setenv("HOME", str(tmp_path))
    for here, out in ((place, "."), (place, ""), (place / "sub", ".."), (place, str(place))):
        monkeypatch.chdir(here)
        with pytest.raises(OptionError):
            RunDirectory.create(out, {"seed": 2}, first, overwrite=True)
    assert snapshot(tmp_path) == before


def test_an_empty_name_is_no_directory(tmp_path, call, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert refused(call(*grow("", epochs=1)), "empty")
    assert refused(call("compare", "digits", "--methods", "erk", "--out", ""), "empty")
    assert not list(tmp_path.iterdir())


def test_overwriting_leaves_what_netgraph_did_not_write(tmp_path, first):
    place = tmp_path / "run"
    RunDirectory.create(place, {"seed": 1}, first)
    mine = {"notes.txt", ".hidden.cache", "data.csv", "journal/2024.notes.txt", "sub/summary.json", ".gitignore"}
    (place / "sub").mkdir()
    for name in (*mine, *RUN_FILES[2:], ".summary.json.0a1b2c3d", "journal/000001.delta.safetensors"):
        (place / name).write_text("x")
    RunDirectory.create(place, {"seed": 2}, first, overwrite=True)
    assert set(snapshot(place)) == mine | {"config.json", "journal.jsonl", "journal/first.safetensors"}


def test_nothing_behind_a_link_is_removed(tmp_path, first):
    place, other = tmp_path / "run", tmp_path / "other"
    RunDirectory.create(other, {}, first)
    RunDirectory.create(place, {"seed": 1}, first)
    for name in ("first.safetensors",):
        (place / "journal" / name).unlink()
    (place / "journal").rmdir()
    (place / "journal").symlink_to(other / "journal")
    (tmp_path / "big").write_text("weights")
    (place / "checkpoint.safetensors").symlink_to(tmp_path / "big")
    before = snapshot(other)
    RunDirectory.create(place, {"seed": 2}, first, overwrite=True)
    assert snapshot(other) == before
    assert (tmp_path / "big").read_text() == "weights"
    assert not (place / "journal").is_symlink()


def test_runs_without_a_mark_or_with_a_damaged_configuration_are_known(tmp_path, finished, first):
    place = tmp_path / "run"
    config = {k: v for k, v in RunDirectory(finished).config.items() if k not in ("format", "data_path")}
    RunDirectory.create(place, {}, first)
    for text in (json.dumps(config), '{"seed": 1, "met'):
        (place / "config.json").write_text(text)
        check_place(place, "run", overwrite=True)
        with pytest.raises(OptionError, match="holds a run already"):
            check_place(place, "run", overwrite=False)


def test_every_file_of_a_run_is_known_as_its_own(run, call):
    assert call("compare", run, "--static")[0] == 0
    assert call("undo", run)[0] == 0
    assert set(own_files(run, "run")) == {path for path in run.rglob("*") if path.is_file()}


def test_a_page_is_not_written_over_one_that_is_not_netgraphs(finished, tmp_path, call):
    out = tmp_path / "thesis.html"
    out.write_text("<p>mine</p>")
    assert refused(call("report", finished, "--out", out), "no page that netgraph wrote")
    assert out.read_text() == "<p>mine</p>"
    out.unlink()
    assert call("report", finished, "--out", out)[0] == 0
    assert call("report", finished, "--out", out)[0] == 0


# -- starts ------------------------------------------------------------------------------------------


def test_a_start_that_is_killed_at_any_file_operation_can_be_begun_anew(tmp_path):
    done = forked("starts", tmp_path / "starts", 0, 0)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_start_that_fails_leaves_the_old_run(tmp_path, first, monkeypatch):
    place = tmp_path / "run"
    RunDirectory.create(place, {"seed": 1}, first)
    (place / "summary.md").write_text("old")
    before = snapshot(place)
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(OSError(28, "No space left on device")))
        with pytest.raises(OSError, match="No space left"):
            RunDirectory.create(place, {"seed": 2}, first, overwrite=True)
    assert snapshot(place) == before
    assert not list(place.glob(".*"))


@pytest.mark.parametrize("left", [None, ".netgraph-start", ".netgraph-lock"])
def test_a_run_that_was_killed_before_it_began_is_begun_by_resume(left, tmp_path, finished, call):
    out = tmp_path / "run"
    out.mkdir()
    if left == ".netgraph-start":
        (out / left).mkdir()
    elif left:
        (out / left).touch()
    assert call(*grow(out, "--resume", epochs=1))[0] == 0
    assert not list(out.glob(".*"))


@pytest.mark.long
def test_sixty_runs_killed_within_a_second_can_be_resumed_or_overwritten(tmp_path):
    done = forked("kills", tmp_path / "kills", 60, 1)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.long
def test_twenty_races_of_two_writers_lose_no_run(tmp_path):
    done = forked("races", tmp_path / "races", 20, 1)
    assert done.returncode == 0, done.stdout + done.stderr


# -- one writer --------------------------------------------------------------------------------------


def test_writers_are_refused_while_one_writes_and_readers_are_not(run, call):
    before = snapshot(run)
    with sole_writer(run):
        for arguments in (grow(run, "--resume"), grow(run, "--overwrite"), ("undo", run), ("compare", run, "--static")):
            assert refused(call(*arguments), "is being written by process", str(os.getpid()))
        assert call("show", run)[0] == 0
        assert call("replay", run)[0] == 0
        assert {k: v for k, v in snapshot(run).items() if k != LOCK} == before
        assert call("report", run)[0] == 0
    assert snapshot(run).keys() == before.keys()


def test_a_lock_ends_with_its_process(tmp_path):
    code = (
        "import os, sys, pathlib, netgraph.app.lock as l\n"
        f"with l.sole_writer(pathlib.Path({str(tmp_path)!r})):\n    os._exit(0)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=SCRIPT.parents[2])
    assert (tmp_path / LOCK).exists()
    with sole_writer(tmp_path):
        pass
    assert not (tmp_path / LOCK).exists()


def test_of_many_at_once_one_at_a_time_holds_the_lock(tmp_path):
    inside, most, refusals = [0], [0], []

    def write():
        for _ in range(30):
            try:
                with sole_writer(tmp_path / "run", make=True):
                    inside[0] += 1
                    most[0] = max(most[0], inside[0])
                    inside[0] -= 1
            except BusyError as error:
                refusals.append(error)

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1]
    assert not (tmp_path / "run" / LOCK).exists()


def test_a_directory_that_is_removed_while_it_is_made_is_made_again(tmp_path, monkeypatch):
    """`mkdir` finds a directory, and when it looks whether it is one, the directory is gone."""
    made, calls = Path.mkdir, []

    def mkdir(path, *arguments, **options):
        calls.append(path)
        if len(calls) == 1:
            raise FileExistsError(17, "File exists", os.fspath(path))
        made(path, *arguments, **options)

    monkeypatch.setattr(Path, "mkdir", mkdir)
    with sole_writer(tmp_path / "run", make=True):
        assert (tmp_path / "run" / LOCK).exists()
    assert len(calls) == 2
    (tmp_path / "file").write_text("mine")
    with pytest.raises(FileExistsError), sole_writer(tmp_path / "file", make=True):
        pass


def test_a_directory_that_cannot_be_written_is_named(tmp_path, monkeypatch):
    def refuse(path, *_):
        raise PermissionError(13, "Permission denied", os.fspath(path))

    monkeypatch.setattr(os, "open", refuse)
    with (
        pytest.raises(PermissionError, match="nothing can be written into the directory") as error,
        sole_writer(tmp_path),
    ):
        pass
    assert error.value.filename == str(tmp_path)


def test_the_lock_is_not_written_through_a_link(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "notes").write_text("mine")
    (tmp_path / "run" / LOCK).symlink_to(tmp_path / "notes")
    with pytest.raises(OSError, match=LOCK), sole_writer(tmp_path / "run"):
        pass
    assert (tmp_path / "notes").read_text() == "mine"


def test_undo_that_is_stopped_before_the_journal_is_cut_takes_back_one_rewrite(run, monkeypatch, call):
    from rich.console import Console

    from netgraph.rewriting import Journal

    count = len(RunDirectory(run).journal)
    with monkeypatch.context() as patch:
        patch.setattr(Journal, "undo", lambda _: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            undo(RunDirectory(run), Console(quiet=True))
    assert main(["undo", str(run)]) == 0
    assert len(RunDirectory(run).journal) == count - 1
    assert call("replay", run)[0] == 0
