"""Writing completely or not at all."""

import errno
import os
import stat

import pytest

from netgraph.files import append_line, write_atomically


def full(*_args):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_write_and_replace(tmp_path):
    path = tmp_path / "f"
    write_atomically(path, b"one")
    write_atomically(path, b"two")
    assert path.read_bytes() == b"two"
    assert [p.name for p in tmp_path.iterdir()] == ["f"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o644


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"folder does not exist; make it first.*missing"):
        write_atomically(tmp_path / "missing" / "f.svg", b"x")


@pytest.mark.parametrize("call", ["fsync", "fdopen"])
def test_a_write_that_fails_leaves_what_was_there(tmp_path, monkeypatch, call):
    path = tmp_path / "f"
    write_atomically(path, b"old")
    monkeypatch.setattr(os, call, full)
    with pytest.raises(OSError, match="No space left"):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["f"]


def test_a_rename_that_fails_leaves_no_temporary_file(tmp_path):
    (tmp_path / "f").mkdir()
    with pytest.raises(OSError, match="f"):
        write_atomically(tmp_path / "f", b"new")
    assert [p.name for p in tmp_path.iterdir()] == ["f"]


def test_a_missing_folder_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        write_atomically(tmp_path / "no" / "f", b"")


def test_append(tmp_path):
    path = tmp_path / "f"
    append_line(path, "one")
    append_line(path, "zwei ü")
    assert path.read_text(encoding="utf-8") == "one\nzwei ü\n"


def test_an_append_that_fails_cuts_the_file_back(tmp_path, monkeypatch):
    path = tmp_path / "f"
    append_line(path, "one")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        append_line(path, "two")
    assert path.read_text() == "one\n"


def test_an_append_that_is_half_written_is_cut_back(tmp_path, monkeypatch):
    path = tmp_path / "f"
    append_line(path, "one")
    write, calls = os.write, []

    def half(handle, data):
        calls.append(len(data))
        return write(handle, bytes(data[:2])) if len(calls) < 3 else full()

    monkeypatch.setattr(os, "write", half)
    with pytest.raises(OSError, match="No space left"):
        append_line(path, "a longer line")
    monkeypatch.undo()
    assert path.read_text() == "one\n"
    append_line(path, "two")
    assert path.read_text() == "one\ntwo\n"


def test_an_append_in_pieces_is_complete(tmp_path, monkeypatch):
    write = os.write
    monkeypatch.setattr(os, "write", lambda handle, data: write(handle, bytes(data[:3])))
    append_line(tmp_path / "f", "a longer line")
    assert (tmp_path / "f").read_text() == "a longer line\n"
