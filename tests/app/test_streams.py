"""Output that nobody reads, that is full, or that cannot encode a name ends no command."""

import io
import json
import os
import sys

import numpy as np
import pytest
from grow_runs import grow

from netgraph.app.cli import main
from netgraph.app.streams import patient_streams
from netgraph.app.study import pool
from netgraph.app.study.runs import run_job

UNDECODABLE = os.fsdecode(b"caf\xe9.npz")


class Closed(io.StringIO):
    """A stream of which the reader goes away after some letters."""

    def __init__(self, room, error):
        super().__init__()
        self.room, self.error = room, error

    def write(self, text):
        self.room -= len(text)
        if self.room < 0:
            raise self.error
        return super().write(text)


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (BrokenPipeError(32, "Broken pipe"), 0, "was closed before the end"),
        (OSError(28, "No space left on device"), 1, "could not be written (No space left on device)"),
    ],
)
@pytest.mark.parametrize("room", [0, 100])
def test_a_run_ends_whole_without_its_output(error, code, words, room, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "stdout", Closed(room, error))
    assert main(grow(tmp_path / "run", epochs=1)) == code
    assert words in capsys.readouterr().err
    assert (tmp_path / "run" / "summary.json").is_file()
    assert isinstance(sys.stdout, Closed)


def test_a_reader_that_has_enough_is_told_nothing(finished, monkeypatch, capsys):
    monkeypatch.setattr(sys, "stdout", Closed(10, BrokenPipeError(32, "Broken pipe")))
    assert main(["show", str(finished)]) == 0
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("encoding", "written"), [("utf-8", "é\ufffd".encode()), ("ascii", b"??"), ("latin-1", b"\xe9?")]
)
def test_what_a_stream_cannot_encode_is_replaced(encoding, written, monkeypatch):
    data = io.BytesIO()
    stream = io.TextIOWrapper(data, encoding=encoding)
    monkeypatch.setattr(sys, "stdout", stream)
    with patient_streams():
        print("é\udce9", end="")
    assert data.getvalue() == written
    assert stream.errors == "strict"


@pytest.fixture
def undecodable(tmp_path, monkeypatch):
    """A folder with a data file of which the name is not UTF-8."""
    rng = np.random.default_rng(0)
    try:
        np.savez(tmp_path / "s.npz", x=rng.random((60, 3)), y=np.arange(60) % 2)
        (tmp_path / "s.npz").rename(tmp_path / UNDECODABLE)
    except OSError:
        pytest.skip("names of files are Unicode here")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_data_and_runs_with_names_that_are_not_unicode(undecodable, call, monkeypatch):
    monkeypatch.setattr(pool, "finished", lambda study, jobs, _: (run_job(study, job) for job in jobs))
    out = os.fsdecode(b"r\xe9")
    arguments = ("grow", UNDECODABLE, "--epochs", "1", "--out", out)
    code, printed, err = call(*arguments, "--json")
    assert code == 0
    assert "is not Unicode" in err
    summary = json.loads("{" + printed.split("{", 1)[1])
    assert summary["data"] == json.loads((undecodable / out / "summary.json").read_text())["data"] == "caf\ufffd"
    assert json.loads((undecodable / out / "config.json").read_text())["data"] == UNDECODABLE
    for name in ("summary.md", "report.html", "timeline.html", "explore.html", "topology.svg"):
        (undecodable / out / name).read_bytes().decode("utf-8")
    for command in (("show", out), ("replay", out), ("report", out), (*arguments, "--resume"),
                    ("compare", out, "--static"), (*arguments, "--overwrite")):  # fmt: skip
        code, printed, err = call(*command)
        assert code == 0, (command, err)
    study = ("compare", UNDECODABLE, "--methods", "erk", "--seeds", "1", "--budget", "1", "--densities", ".5")
    assert call(*study, "--out", os.fsdecode(b"s\xe9"), "--set=widths=4")[0] == 0


def test_data_of_a_run_are_found_from_another_folder_and_after_a_move(undecodable, call, monkeypatch):
    (undecodable / "far").mkdir()
    (undecodable / "far" / "d.npz").write_bytes((undecodable / UNDECODABLE).read_bytes())
    monkeypatch.chdir(undecodable / "far")
    assert call("grow", "d.npz", "--epochs", "1", "--out", "r")[0] == 0
    monkeypatch.chdir("/")
    assert call("compare", undecodable / "far" / "r", "--static")[0] == 0
    (undecodable / "far").rename(undecodable / "moved")
    monkeypatch.chdir(undecodable / "moved")
    assert call("compare", "r", "--static", "--overwrite")[0] == 0
