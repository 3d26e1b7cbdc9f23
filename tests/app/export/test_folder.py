"""The folder of an exported network is written completely or not at all, and nothing of others is lost."""

import json

import pytest
from grow_runs import snapshot

from netgraph.app.export.folder import write_folder
from netgraph.errors import OptionError

FACTS = json.dumps({"format": "netgraph.export"})


def fill(**texts):
    def write(folder):
        for name, text in texts.items():
            (folder / name.replace("_", ".")).write_text(text)
        (folder / "model.json").write_text(FACTS)

    return write


def fail(folder):
    (folder / "model.onnx").write_text("half")
    raise OSError("the disk is full")


def test_a_new_folder_has_the_files(tmp_path):
    write_folder(tmp_path / "a" / "b" / "net", fill(model_onnx="1"), overwrite=False)
    assert snapshot(tmp_path) == {"a/b/net/model.onnx": b"1", "a/b/net/model.json": FACTS.encode()}


def test_what_fails_leaves_everything_as_it_was(tmp_path):
    (tmp_path / "empty").mkdir()
    write_folder(tmp_path / "old", fill(model_py="1"), overwrite=False)
    before = snapshot(tmp_path)
    for name in ("new", "a/b/c", "empty", "old"):
        with pytest.raises(OSError, match="full"):
            write_folder(tmp_path / name, fail, overwrite=True)
    assert snapshot(tmp_path) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty", "old"]


def test_an_export_is_replaced_when_asked_and_other_files_in_it_stay(tmp_path):
    place = tmp_path / "net"
    write_folder(place, fill(model_py="1", model_safetensors="2"), overwrite=False)
    (place / "notes.txt").write_text("mine")
    (place / "sub").mkdir()
    with pytest.raises(OptionError, match="holds an exported network already; replace it by --overwrite"):
        write_folder(place, fill(model_onnx="3"), overwrite=False)
    write_folder(place, fill(model_onnx="3"), overwrite=True)
    assert snapshot(place) == {"model.onnx": b"3", "model.json": FACTS.encode(), "notes.txt": b"mine"}
    assert [path.name for path in tmp_path.iterdir()] == ["net"]


def test_an_empty_folder_is_used_and_stays_empty_when_the_last_file_cannot_be_moved(tmp_path, monkeypatch):
    place = tmp_path / "net"
    place.mkdir()
    whole = type(place).replace

    def replace(path, target):
        if path.name == "model.json":
            raise OSError("the disk is full")
        return whole(path, target)

    with monkeypatch.context() as patch:
        patch.setattr(type(place), "replace", replace)
        with pytest.raises(OSError, match="full"):
            write_folder(place, fill(model_onnx="1"), overwrite=False)
    assert [path.name for path in tmp_path.iterdir()] == ["net"]
    assert not list(place.iterdir())
    write_folder(place, fill(model_onnx="1"), overwrite=False)
    assert (place / "model.onnx").is_file()


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize("mark", [None, "{}", '{"model": "mine"}', "damaged"])
def test_folders_of_others_are_refused_before_anything_is_written(mark, overwrite, tmp_path):
    place = tmp_path / "model"
    place.mkdir()
    (place / "model.safetensors").write_text("weights of months")
    if mark is not None:
        (place / "model.json").write_text(mark)
    before = snapshot(tmp_path)
    with pytest.raises(OptionError, match=r"nothing in it is replaced"):
        write_folder(place, fill(model_safetensors="1"), overwrite=overwrite)
    assert snapshot(tmp_path) == before


def test_runs_are_refused_by_name(run):
    with pytest.raises(OptionError, match="holds a run, not an exported network"):
        write_folder(run, fill(), overwrite=True)
