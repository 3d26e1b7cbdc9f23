"""Files that lie under a right checksum, JSON of any shape, and files that are no files: all are refused by name."""

import gzip
import json
import os
import random
import zipfile

import numpy as np
import pytest

import netgraph as ng
from benchmarks import hostile
from benchmarks.damage import KINDS, damages
from netgraph.errors import DataError, FileFormatError
from netgraph.markup import markdown
from netgraph.storage.container import read_container, write_container
from netgraph.storage.json_values import PLAIN, Entries, Items, Number, Record, Text, Whole, parse_json


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return hostile.Place(tmp_path_factory.mktemp("hostile"))


@pytest.mark.parametrize("name", hostile.SORTS)
def test_damaged_files_of_every_sort_are_refused_or_can_be_used(place, name, monkeypatch):
    monkeypatch.setattr(hostile, "DRAWN", 1000)
    tally = hostile.attack(name, place, 80, seed=1)
    assert tally.faults == []
    assert tally.refused > tally.valid


def test_damage_is_at_every_place_and_of_every_kind():
    value = {"a": [1, {"b": "x"}], "c": None}
    texts = [words for words, _text in damages(value, 400, random.Random(0))]
    assert len(texts) == 400
    assert {words.split(" at ")[0] for words in texts} >= set(KINDS)
    assert {words.split(" at ")[1] for words in texts if " at " in words} == {
        "the root",
        "a",
        "a.0",
        "a.1",
        "a.1.b",
        "c",
    }


def test_an_array_of_impossible_shape_is_refused(tmp_path):
    write_container(tmp_path / "f", "graph", 1, {}, {"a": np.zeros(0)})
    data = (tmp_path / "f").read_bytes()
    size = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + size])
    for shape in ([0] * 1000, [0, 2**48, 2**48]):
        text = json.dumps({**header, "a": {**header["a"], "shape": shape}}).encode()
        (tmp_path / "f").write_bytes(len(text).to_bytes(8, "little") + text + data[8 + size :])
        with pytest.raises(FileFormatError, match=r"array 'a' of float64 and shape .* cannot lie"):
            read_container(tmp_path / "f", "graph", 1)


@pytest.mark.parametrize("name", ["x" * 100_000, "x" * 300 + ".csv", "~nobody-at-all/a.npz", "a/" * 3000 + "b.npz"])
def test_a_path_that_no_file_can_have_is_refused(name):
    from netgraph.app.data import load_dataset

    with pytest.raises(DataError, match=r"does not exist|Unknown data set"):
        load_dataset(name, target="y" if name.endswith("csv") else None)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"[" * 100_000, "nested too deep"),
        (b'{"a": 1, "a": 2}', "stands twice"),
        (b'{"a": ' + b"9" * 5000 + b"}", "4300 digits"),
        (b'{"a": ' + b"9" * 400 + b"}", "a number of .* bits, expected a finite number"),
        (b'{"a": NaN}', "expected a finite number"),
        (b'{"a": 1e999}', "expected a finite number"),
        (b'{"a": "7"}', "expected a finite number"),
        (b"{}", "'a' is missing"),
        (b'{"a": 1, "b": 2}', "'b' is 2, expected nothing"),
        (b"\xef\xbb\xbf{}", "byte order mark"),
        (b'{"\xff": 1}', "no UTF-8"),
        (b"", "no JSON"),
        (b"[1]", "expected an object"),
    ],
)
def test_json_of_another_shape_is_refused_with_its_place(text, words):
    with pytest.raises(FileFormatError, match=f"'f' line 3 is damaged.*{words}"):
        parse_json(text, Record({"a": Number()}), "'f' line 3")


def test_the_place_of_a_value_is_named():
    shape = Record({"runs": Items(Record({"seed": Whole(), "name": Text()}))})
    with pytest.raises(FileFormatError, match=r"'runs\[1\].seed' is -4, expected a whole number"):
        parse_json(b'{"runs": [{"seed": 1, "name": ""}, {"seed": -4, "name": ""}]}', shape, "it")
    with pytest.raises(FileFormatError, match="surrogate"):
        parse_json(b'{"runs": [{"seed": 1, "name": "\\ud800"}]}', shape, "it")
    with pytest.raises(FileFormatError, match="inside each other"):
        parse_json(b'{"a": ' + b"[" * 50 + b"]" * 50 + b"}", Entries(PLAIN), "it")


def test_what_is_no_regular_file_is_refused_and_not_waited_for(tmp_path):
    from netgraph.app.data import load_dataset

    os.mkfifo(tmp_path / "a.csv")
    (tmp_path / "b.npz").symlink_to("/dev/zero")
    for name, words in (("a.csv", "is a pipe"), ("b.npz", "is a device")):
        with pytest.raises(DataError, match=words):
            load_dataset(tmp_path / name, target="y" if name.endswith("csv") else None)
        with pytest.raises(FileFormatError, match=words):
            ng.load(tmp_path / name)


def test_data_that_expand_too_much_are_refused_unless_allowed(tmp_path, monkeypatch):
    from netgraph.app.data import load_dataset

    with gzip.open(tmp_path / "a.csv.gz", "wb") as file:
        file.write(b"a,y\n")
        for _ in range(40):
            file.write(b"0,1\n" * (1 << 18))
    np.savez_compressed(tmp_path / "b.npz", x=np.zeros((9 << 20, 1), np.float32), y=np.zeros(9 << 20, np.int8))
    for name in ("a.csv.gz", "b.npz"):
        with pytest.raises(DataError, match=r"unpacks .* above the limit .* NETGRAPH_MAX_BYTES"):
            load_dataset(tmp_path / name, target="y" if "csv" in name else None)
    np.savez_compressed(tmp_path / "c.npz", x=np.random.default_rng(0).random((40, 2)), y=np.arange(40) % 2)
    monkeypatch.setenv("NETGRAPH_MAX_BYTES", "10000")
    assert len(load_dataset(tmp_path / "c.npz").y_train)
    monkeypatch.setenv("NETGRAPH_MAX_BYTES", "100")
    with pytest.raises(DataError, match="above the limit of 100"):
        load_dataset(tmp_path / "c.npz")


def test_an_array_that_announces_more_than_is_there_is_not_made(tmp_path):
    from netgraph.app.data import load_dataset

    header = np.lib.format.header_data_from_array_1_0(np.zeros(1)) | {"shape": (10**12,)}
    for descr in ("<f8", "|S0"):
        with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
            for name in ("x.npy", "y.npy"):
                with archive.open(name, "w") as file:
                    np.lib.format.write_array_header_1_0(file, {**header, "descr": descr})
        with pytest.raises(DataError, match="array x cannot be read"):
            load_dataset(tmp_path / "a.npz")


def test_nothing_steers_a_terminal_or_is_markup(capsys):
    import io

    from rich.table import Table

    from netgraph.app.console import Terminal

    bad = "\x1b[31mX\x9b2J\x07\u202e[bold]x[/nope] :smile:"
    ends = "\nerror: all is lost\r\x0b\x0c\x1c\x85\u2028\u2029"
    file = io.StringIO()
    console = Terminal(file=file, width=100, color_system=None)
    table = Table(bad, title=bad)
    table.add_row(bad)
    console.print(bad)
    console.print(table)
    assert not set("\x1b\x9b\x07\u202e") & set(file.getvalue())
    before = file.getvalue().count("\n")
    console.print(f"writing runs/a{ends}")
    console.print("one", f"two{ends}", sep="\n", soft_wrap=True)
    assert len(file.getvalue().splitlines()) == file.getvalue().count("\n") == before + 3
    assert file.getvalue().count("[bold]x[/nope] :smile:") == 4


def test_no_name_begins_a_line_of_the_progress_and_no_markup_is_seen():
    import io

    from compilers.training import Stopped
    from netgraph.app.console import Terminal
    from netgraph.app.progress import ProgressDisplay

    file = io.StringIO()
    display = ProgressDisplay(Terminal(file=file, width=200), epochs=1)
    display(Stopped(3, "a\nerror: [b]all[/b] is lost"))
    assert file.getvalue() == "  stopped: a error: [b]all[/b] is lost\n"


def test_markdown_takes_a_text_literally():
    assert markdown("# a|b `c` <i> [x](u) _y_\n*z* train_loss") == (
        "\\# a\\|b \\`c\\` \\<i\\> [x\\](u) \\_y\\_ \\*z\\* train_loss"
    )
    assert markdown("- a") == "\\- a"
    assert markdown("-0.5, [1, 2]") == "-0.5, [1, 2]"
    assert "\x1b" not in markdown("\x1b[1m")
    assert len(markdown("a\n# b\r\x0b\x0c\x1c\x85\u2028\u2029c").splitlines()) == 1
