"""Files that lie under a right checksum, JSON of any shape, and files that are no files: all are refused by name."""

import copy
import gzip
import os
import random
import zipfile

import numpy as np
import pytest

import netgraph as ng
from netgraph.container import read_container, write_container
from netgraph.errors import DataError, FileFormatError, NetgraphError
from netgraph.json_values import PLAIN, Entries, Items, Number, Record, Text, Whole, parse_json
from netgraph.markup import markdown
from netgraph.rewriting import apply_delta
from netgraph.rewriting.delta_file import load_delta, save_delta

ODD = [None, True, -1, 0, 2**31, 2**64, 1.5, float("nan"), float("inf"), "", "x", "\x1b[1m", [], [1], {}, {"a": 1}]
"""Values that stand where others are expected."""


def places(value, at=()):
    """The path of every value inside another."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield (*at, key)
        yield from places(inner, (*at, key))


def changed_structure(structure, rng):
    structure = copy.deepcopy(structure)
    *path, last = rng.choice(list(places(structure)))
    holder = structure
    for key in path:
        holder = holder[key]
    if rng.random() < 0.7:
        holder[last] = rng.choice(ODD)
    else:
        del holder[last]
    return structure


def changed_arrays(arrays, rng):
    arrays = {name: values.copy() for name, values in arrays.items()}
    name = rng.choice(sorted(arrays))
    values = arrays[name]
    kinds = [
        lambda: None,
        lambda: np.zeros(values.shape, np.int8),
        lambda: values.reshape(1, -1),
        lambda: values[:-1],
        lambda: np.concatenate([values, values[:1]]),
        lambda: np.full_like(values, np.iinfo(np.int32).max if values.dtype.kind == "i" else 1),
        lambda: values[::-1].copy(),
        lambda: values - values.dtype.type(3) if values.dtype.kind == "i" else values,
    ]
    found = rng.choice(kinds)()
    if found is None:
        del arrays[name]
    else:
        arrays[name] = found
    return arrays


@pytest.fixture(scope="module")
def rewrite():
    graph = ng.mlp([3, 4, 2], norm="batch")
    return graph, ng.apply(ng.rules.SplitEdges(), graph, limit=3)


@pytest.mark.parametrize("seed", range(2))
def test_a_graph_or_delta_with_a_wrong_structure_is_refused_or_is_one(tmp_path, rewrite, seed):
    rng = random.Random(seed)
    graph, result = rewrite
    ng.save(graph, tmp_path / "graph")
    save_delta(result.delta, tmp_path / "delta")

    def redo(path):
        delta = load_delta(path)
        apply_delta(graph, delta)
        apply_delta(result.graph, delta.inverse())

    for kind, use in (("graph", ng.load), ("delta", redo)):
        structure, arrays = read_container(tmp_path / kind, kind, 1)
        refused = 0
        for _ in range(50):
            pair = (changed_structure(structure, rng), arrays) if rng.random() < 0.5 else (
                structure, changed_arrays(arrays, rng))  # fmt: skip
            write_container(tmp_path / "lie", kind, 1, *pair)
            try:
                use(tmp_path / "lie")
            except NetgraphError:
                refused += 1
        assert refused > 25


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
    file = io.StringIO()
    console = Terminal(file=file, width=100, color_system=None)
    table = Table(bad, title=bad)
    table.add_row(bad)
    console.print(bad)
    console.print(table)
    assert not set("\x1b\x9b\x07\u202e") & set(file.getvalue())
    assert file.getvalue().count("[bold]x[/nope] :smile:") == 4


def test_markdown_takes_a_text_literally():
    assert markdown("# a|b `c` <i> [x](u) _y_\n*z* train_loss") == (
        "\\# a\\|b \\`c\\` \\<i\\> [x\\](u) \\_y\\_ \\*z\\* train_loss"
    )
    assert markdown("- a") == "\\- a"
    assert markdown("-0.5, [1, 2]") == "-0.5, [1, 2]"
    assert "\x1b" not in markdown("\x1b[1m")
