"""Graphs as files: what is kept, and what a file that is not right says."""

import errno
import json
import os

import numpy as np
import pytest

import netgraph as ng
from netgraph.columns import column
from netgraph.errors import FileFormatError
from netgraph.storage.container import read_container, write_container
from netgraph.storage.graphs import KIND, VERSION, from_columns, to_columns


@pytest.fixture
def graph():
    graph = ng.mlp([2, 3, 1], domain=(0, 1), norm="batch")
    return ng.apply(ng.rules.SplitEdges(), graph, limit=2).graph


def test_round_trip_keeps_history(graph, tmp_path):
    ng.save(graph, tmp_path / "deep" / "er" / "g.safetensors")
    again = ng.load(tmp_path / "deep" / "er" / "g.safetensors")
    assert again.equals(graph)
    assert (again.rewrites, again.lineage, again.next_ids) == (1, graph.lineage, graph.next_ids)
    one, two = (ng.apply(ng.rules.SplitEdges(), g, limit=1) for g in (graph, again))
    assert one.graph.equals(two.graph)
    assert ng.apply_delta(again, one.delta)[0].equals(two.graph)


def test_loaded_columns_cannot_be_written(graph, tmp_path):
    ng.save(graph, tmp_path / "g")
    for link in ng.load(tmp_path / "g").links:
        for values in link.columns.values():
            with pytest.raises(ValueError, match="read-only"):
                values[...] = 0


def test_mixed_dtypes_stay_mixed(tmp_path):
    links = [k.with_weight(k.weight.astype(d)) for k, d in zip(ng.mlp([2, 3, 1]).links, ("f4", "f8"), strict=True)]
    layers = list(ng.mlp([2, 3, 1]).layers.values())
    layers[1] = layers[1].with_values({"bias": layers[1].bias.astype(np.float64)})
    graph = ng.Graph(layers, links)
    ng.save(graph, tmp_path / "g")
    again = ng.load(tmp_path / "g")
    assert again.equals(graph)
    assert [k.weight.dtype.name for k in again.links] == ["float32", "float64"]


def test_saving_over_a_file_replaces_it(graph, tmp_path):
    ng.save(ng.mlp([1, 1]), tmp_path / "g")
    ng.save(graph, tmp_path / "g")
    assert ng.load(tmp_path / "g").equals(graph)
    assert [p.name for p in tmp_path.iterdir()] == ["g"]


def test_no_pickle_and_readable_by_anyone(graph, tmp_path):
    from safetensors.numpy import load_file

    ng.save(graph, tmp_path / "g")
    arrays = load_file(tmp_path / "g")
    np.testing.assert_array_equal(arrays["edge.weight"], graph.edges.weight)
    assert json.loads(arrays["structure"].tobytes())["topology_hash"] == graph.topology_hash


# -- files that are not right ---------------------------------------------------------------------


def write(path, graph, change):
    """Save a graph whose structure and arrays were changed, under a checksum that fits: a file that lies."""
    structure, arrays = to_columns(graph)
    structure, arrays = json.loads(json.dumps(structure)), dict(arrays)
    change(structure, arrays)
    write_container(path, KIND, VERSION, structure, arrays)


def test_missing_file(tmp_path):
    with pytest.raises(FileFormatError, match=r"There is no file '.*nothing'"):
        ng.load(tmp_path / "nothing")
    with pytest.raises(FileFormatError, match="is a directory"):
        ng.load(tmp_path)


@pytest.mark.parametrize("content", [b"", b"x", b"\0" * 100, b"\xff" * 8, b"GIF89a, not a network at all"])
def test_other_content(tmp_path, content):
    (tmp_path / "g").write_bytes(content)
    with pytest.raises(FileFormatError, match="damaged or no netgraph file"):
        ng.load(tmp_path / "g")


def test_other_safetensors_files(tmp_path):
    from safetensors.numpy import save_file

    save_file({"w": np.zeros(3)}, tmp_path / "g")
    with pytest.raises(FileFormatError, match=r"holds 'no format name', expected 'netgraph.graph'"):
        ng.load(tmp_path / "g")


def test_another_kind(tmp_path, graph):
    write_container(tmp_path / "g", "delta", 1, {}, {})
    with pytest.raises(FileFormatError, match=r"holds 'netgraph.delta', expected 'netgraph.graph'"):
        ng.load(tmp_path / "g")


@pytest.mark.parametrize(
    ("version", "words"),
    [(VERSION + 1, "Update netgraph"), (0, "'version' is 0"), (-1, "'version' is -1"), ("x", "'version' is 'x'")],
)
def test_versions(tmp_path, graph, version, words):
    write_container(tmp_path / "g", KIND, version, *to_columns(graph))
    with pytest.raises(FileFormatError, match=words):
        ng.load(tmp_path / "g")


def test_checksum(tmp_path):
    write_container(tmp_path / "c", "kind", 1, {"a": 1}, {"x": np.arange(100.0)})
    content = bytearray((tmp_path / "c").read_bytes())
    content[-1] ^= 1
    (tmp_path / "c").write_bytes(content)
    with pytest.raises(FileFormatError, match="does not match its checksum"):
        read_container(tmp_path / "c", "kind", 1)


def test_headers_that_cannot_be_read(tmp_path):
    from safetensors.numpy import save

    for text in ("{not json", "[" * 100_000, "[1]"):
        (tmp_path / "c").write_bytes(save({"x": np.zeros(1)}, metadata={"netgraph": text}))
        with pytest.raises(FileFormatError, match=r"The header of .* is damaged"):
            read_container(tmp_path / "c", "kind", 1)


def test_equal_content_is_an_equal_file(tmp_path, graph):
    for name in ("a", "b"):
        ng.save(graph, tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_structure_that_cannot_be_read(tmp_path):
    from safetensors.numpy import save

    from netgraph.storage.container import _digest

    for text in (b"{not json", b"[" * 100_000, b"\xff\xfe"):
        tensors = {"structure": np.frombuffer(text, np.uint8)}
        header = {"format": "netgraph.kind", "version": 1, "digest": _digest(tensors)}
        (tmp_path / "c").write_bytes(save(tensors, metadata={"netgraph": json.dumps(header)}))
        with pytest.raises(FileFormatError, match=r"structure of .* is damaged"):
            read_container(tmp_path / "c", "kind", 1)


def set_in(*path, value):
    def change(structure, _arrays):
        for key in path[:-1]:
            structure = structure[key]
        structure[path[-1]] = value

    return change


LIES = {
    "layer too large": set_in("layers", 0, "size", value=3),
    "layer too small": set_in("layers", 0, "size", value=1),
    "layer huge": set_in("layers", 0, "size", value=10**12),
    "layer negative": set_in("layers", 0, "size", value=-1),
    "layer empty": set_in("layers", 0, "size", value=0),
    "layer size no number": set_in("layers", 0, "size", value="2"),
    "link too large": set_in("links", 0, "size", value=99),
    "link size fraction": set_in("links", 0, "size", value=1.5),
    "link to nowhere": set_in("links", 0, "key", value=[0, 77, 0]),
    "link key short": set_in("links", 0, "key", value=[0]),
    "unknown kind": set_in("links", 0, "kind", value={"type": "dance"}),
    "kind with odd fields": set_in("links", 0, "kind", value={"type": "conv2d", "kernel": [3]}),
    "kind without type": set_in("links", 0, "kind", value={}),
    "unknown activation": set_in("layers", 1, "activation", value="rely"),
    "attribute of another type": set_in("layers", 1, "grid", value=7),
    "missing attribute": lambda s, a: s["layers"][0].pop("role"),
    "columns that are not there": set_in("layers", 0, "columns", value={"nothing": "<f4"}),
    "columns of objects": set_in("layers", 1, "columns", "bias", value="O"),
    "columns of dates": set_in("layers", 1, "columns", "bias", value="M8[s]"),
    "weights of integers": set_in("links", 0, "dtype", value="<i4"),
    "next ids too small": set_in("next_ids", value=[1, 1, 1]),
    "next ids no numbers": set_in("next_ids", value="abc"),
    "hash of another graph": set_in("topology_hash", value="00"),
    "layers are a number": set_in("layers", value=5),
    "no layers": set_in("layers", value=[]),
    "layer id too large for a column": set_in("layers", 0, "id", value=10**30),
    "another name": set_in("layers", 0, "name", value="other"),
    "weights not finite": lambda s, a: a.update({"edge.weight": np.full_like(a["edge.weight"], np.nan)}),
    "ids twice": lambda s, a: a.update({"edge.id": np.zeros_like(a["edge.id"])}),
    "rows outside": lambda s, a: a.update({"edge.src": a["edge.src"] + 99}),
    "column missing": lambda s, a: a.pop("edge.tap"),
    "column too long": lambda s, a: a.update({"edge.tap": np.r_[a["edge.tap"], np.int32(0)]}),
    "column too many": lambda s, a: a.update({"edge.extra": np.zeros(3)}),
    "structure is a list": lambda s, a: s.clear(),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_file_that_lies_is_refused(tmp_path, graph, lie):
    write(tmp_path / "g", graph, LIES[lie])
    with pytest.raises(FileFormatError, match=r"is damaged|does not hold a valid graph"):
        ng.load(tmp_path / "g")


def test_truth_is_accepted(tmp_path, graph):
    write(tmp_path / "g", graph, lambda structure, arrays: None)
    assert ng.load(tmp_path / "g").equals(graph)


def test_columns_round_trip_in_memory(graph):
    structure, arrays = to_columns(graph)
    assert from_columns(json.loads(json.dumps(structure)), {k: column(v, None) for k, v in arrays.items()}).equals(
        graph
    )


def test_a_full_disk_leaves_the_old_file(tmp_path, graph, monkeypatch):
    old = ng.mlp([1, 1])
    ng.save(old, tmp_path / "g")

    def full(_handle):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        ng.save(graph, tmp_path / "g")
    monkeypatch.undo()
    assert ng.load(tmp_path / "g").equals(old)
    assert [p.name for p in tmp_path.iterdir()] == ["g"]
