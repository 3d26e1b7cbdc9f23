"""Writing completely or not at all."""

import errno
import os
import stat
from pathlib import Path

import pytest

from netgraph.storage.files import append_line, readable, temporary_of, write_atomically, write_text


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


# -- modes, links, devices ---------------------------------------------------------------------------


@pytest.mark.parametrize(("umask", "mode"), [(0o077, 0o600), (0o022, 0o644), (0o002, 0o664), (0o777, 0o000)])
@pytest.mark.parametrize("write", [lambda path: write_atomically(path, b"x"), lambda path: append_line(path, "x")])
def test_a_new_file_has_the_mode_of_any_new_file(tmp_path, umask, mode, write):
    old = os.umask(umask)
    try:
        write(tmp_path / "f")
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "f").stat().st_mode) == mode


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o444, 0o666])
def test_an_existing_file_keeps_its_mode_and_owner(tmp_path, mode):
    path = tmp_path / "f"
    path.write_text("old")
    path.chmod(mode)
    before = path.stat()
    write_atomically(path, b"new")
    after = path.stat()
    assert path.read_bytes() == b"new"
    assert (after.st_mode, after.st_uid, after.st_gid) == (before.st_mode, before.st_uid, before.st_gid)


def test_links_stay_and_what_they_point_to_is_written(tmp_path):
    (tmp_path / "far").mkdir()
    (tmp_path / "far" / "real").write_text("old")
    (tmp_path / "far" / "real").chmod(0o600)
    (tmp_path / "one").symlink_to("two")
    (tmp_path / "two").symlink_to("far/real")
    (tmp_path / "new").symlink_to("far/made")
    for name in ("one", "new"):
        write_atomically(tmp_path / name, b"new")
        assert (tmp_path / name).is_symlink()
        assert (tmp_path / name).read_bytes() == b"new"
    assert stat.S_IMODE((tmp_path / "far" / "real").stat().st_mode) == 0o600
    assert sorted(p.name for p in tmp_path.rglob("*")) == ["far", "made", "new", "one", "real", "two"]


def test_links_in_a_circle_are_an_error(tmp_path):
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(OSError, match="symbolic links"):
        write_atomically(tmp_path / "a", b"x")


def test_another_hard_link_keeps_the_old_content(tmp_path):
    (tmp_path / "f").write_text("old")
    os.link(tmp_path / "f", tmp_path / "g")
    write_atomically(tmp_path / "f", b"new")
    assert (tmp_path / "g").read_text() == "old"


def test_devices_and_pipes_are_written_and_not_replaced(tmp_path):
    write_atomically(os.devnull, b"x")
    assert Path(os.devnull).is_char_device()
    reader, writer = os.pipe()
    write_atomically(f"/proc/self/fd/{writer}", b"through")
    os.close(writer)
    assert os.read(reader, 100) == b"through"
    os.close(reader)


def test_a_folder_that_cannot_be_written_is_said_with_the_name_of_the_file(tmp_path, monkeypatch):
    def refuse(path, *_):
        raise PermissionError(errno.EACCES, "Permission denied", os.fspath(path))

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(PermissionError, match=r"no new file can be made in its folder.*/f'"):
        write_atomically(tmp_path / "f", b"x")


def test_a_long_name_can_be_written(tmp_path):
    write_atomically(tmp_path / ("n" * 255), b"x")
    assert (tmp_path / ("n" * 255)).read_bytes() == b"x"


# -- names that are not Unicode ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "shown"),
    [("café", "café"), ("caf\udce9", "caf\ufffd"), ("caf\udcc3\udca9", "café"), ("\ud800x\udfff", "\ufffdx\ufffd")],
)
def test_names_that_are_not_unicode_are_written_readably(tmp_path, text, shown):
    assert readable(text) == shown
    write_text(tmp_path / "f", text)
    append_line(tmp_path / "f", text)
    assert (tmp_path / "f").read_bytes().decode() == f"{shown}{shown}\n"


def test_temporary_files_are_known_by_their_names(tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr(os, "fsync", lambda _: seen.extend(p.name for p in tmp_path.iterdir()))
    write_atomically(tmp_path / "a.json", b"x")
    assert temporary_of(seen[0]) == "a.json"
    assert [temporary_of(name) for name in ("a.json", ".a.json", ".gitignore", ".a.json.bak")] == [None] * 4
