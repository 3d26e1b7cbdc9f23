"""Nothing that can be reached from a graph, a rewrite, statistics or a journal can be written to."""

from __future__ import annotations

import copy
import dataclasses
import pickle
from collections.abc import Iterator, Mapping
from functools import cached_property
from types import MappingProxyType

import numpy as np
import pytest

import netgraph as ng
from netgraph.columns import column
from netgraph.errors import NetgraphError
from netgraph.rewriting import Journal
from netgraph.rewriting.rewriter import Rewriter
from netgraph.rules import SplitEdges, WidenLayer

PLAIN = (str, bytes, int, float, bool, type(None), type, slice, np.generic)


def a_graph() -> ng.Graph:
    b = ng.GraphBuilder(seed=1)
    b.input("x", 2, domain=(0, 1), grid=(4, 4))
    b.layer("a", 3, grid=(4, 4), norm="batch", activation="prelu", pool=ng.Pool("max", (2, 2)))
    b.layer("s", 3, grid=(2, 2), bias=False)
    b.output("y", 2)
    b.conv2d("x", "a", kernel=3, padding=1)
    b.identity("a", "s")
    b.conv2d("s", "y", kernel=2)
    return b.build()


def reached(value: object, path: str, seen: dict[int, object]) -> Iterator[tuple[str, object]]:
    """Everything that attributes, items and views lead to, each object once, with the way to it."""
    if isinstance(value, PLAIN) or callable(value) or id(value) in seen:
        return
    seen[id(value)] = value
    yield path, value
    if isinstance(value, np.ndarray | memoryview):
        return
    if isinstance(value, Mapping) and not is_ours(value):
        for key, item in value.items():
            yield from reached(item, f"{path}[{key!r}]", seen)
    elif isinstance(value, tuple | list | frozenset):
        for place, item in enumerate(value):
            yield from reached(item, f"{path}[{place}]", seen)
    elif is_ours(value):
        for name in sorted({*attributes(value), *vars(value)}):
            try:
                item = getattr(value, name)
            except NetgraphError:  # such as the one kind of rows that have several
                continue
            yield from reached(item, f"{path}.{name}", seen)


def is_ours(value: object) -> bool:
    return type(value).__module__.startswith("netgraph") and hasattr(value, "__dict__")


def attributes(value: object) -> Iterator[str]:
    for kind in type(value).__mro__:
        yield from (n for n, a in vars(kind).items() if isinstance(a, property | cached_property) and n[0] != "_")


def written(value: object) -> list[str]:
    """Ways in which `value` could be written to."""
    return [name for name, write in ways(value) if succeeds(write)]


def succeeds(write) -> bool:
    try:
        write()
    except (AttributeError, TypeError, ValueError):
        return False
    return True


def ways(value):
    if isinstance(value, np.ndarray):
        shown = value
        while isinstance(shown, np.ndarray):
            yield "in place", lambda a=shown: a.__setitem__(..., 0)
            yield "setflags", lambda a=shown: a.setflags(write=True)
            yield "through a view", lambda a=shown: a[...].setflags(write=True)
            yield "through a reshaped view", lambda a=shown: a.reshape(-1).setflags(write=True)
            shown = shown.base
        yield "through its buffer", lambda: memoryview(value).cast("B").__setitem__(0, 0)
    elif isinstance(value, dict | MappingProxyType):
        key = next(iter(value), "new")
        yield "an item", lambda: value.__setitem__(key, 0)
        yield "update", lambda: value.update({key: 0})
        yield "clear", lambda: value.clear()
        yield "del", lambda: value.__delitem__(key)
    elif isinstance(value, list | set | bytearray):
        yield f"a {type(value).__name__}", lambda: None
    elif is_ours(value):
        for name in vars(value):
            yield f"set {name}", lambda name=name: setattr(value, name, 0)
            yield f"delete {name}", lambda name=name: delattr(value, name)
        yield "a new attribute", lambda: setattr(value, "anything", 0)
        for name in attributes(value):
            yield f"set {name}", lambda name=name: setattr(value, name, 0)


def roots(tmp_path) -> Iterator[tuple[str, object]]:
    graph = a_graph()
    yield "graph", graph
    yield "some edges", graph.edges.where(graph.edges.frozen)
    yield "an edge", graph.edges[0]
    yield "a vertex", graph.vertex(3)
    yield "bounds", graph.bounds()
    yield "copies", (pickle.loads(pickle.dumps(graph)), copy.deepcopy(graph))
    ng.save(graph, tmp_path / "graph")
    yield "loaded", ng.load(tmp_path / "graph")
    yield "from networkx", ng.Graph.from_networkx(graph.to_networkx())
    plain = ng.mlp([3, 4, 2], domain=(0, 1), seed=2)
    weight = {"mean_abs_gradient": np.ones(len(plain.edges))}
    stats = ng.Statistics(plain.topology_hash, weight, {"signal": np.ones(len(plain.vertices))}, 1,
                          {("cross", "input", "output"): np.ones((3, 2))})  # fmt: skip
    yield "statistics", stats
    widened = ng.apply(WidenLayer(count=2), plain)
    split = ng.apply(SplitEdges(), widened.graph, limit=2)
    for name, result in (("widened", widened), ("split", split)):
        yield name, result
        yield f"{name}, turned round", result.delta.inverse()
    yield "composed", widened.delta.then(split.delta)
    yield "matches", ng.find(ng.rules.AddSkip(), plain)
    yield "trained", plain.with_weights(np.ones(len(plain.edges)), vertices={"bias": np.ones(len(plain.vertices))})
    yield "carried", stats.carry(widened.delta)
    journal = Journal.create(tmp_path / "run", plain)
    yield "entry", journal.append(widened, before=plain, metrics={"loss": 1.0})
    yield "entries", tuple(journal.entries())
    yield "delta of a file", journal.delta(1)


def test_nothing_that_can_be_reached_can_be_written_to(tmp_path):
    seen: dict[int, object] = {}
    found = [
        f"{path} ({type(value).__name__}): {way}"
        for name, root in roots(tmp_path)
        for path, value in reached(root, name, seen)
        for way in written(value)
    ]
    assert not found, "\n".join(found)
    assert sum(isinstance(value, np.ndarray) for value in seen.values()) > 200


def test_a_refusal_says_what_to_do_instead():
    graph = a_graph()
    with pytest.raises(AttributeError, match="with_weights"):
        graph.lineage = "other"
    with pytest.raises(AttributeError, match="never changes"):
        del graph.edges
    with pytest.raises(AttributeError, match=r"EdgeTable never changes, so 'weight'"):
        graph.edges.weight = np.zeros(3)
    with pytest.raises(TypeError, match=r"copy it with dict\(\.\.\.\)"):
        graph.layers_by_id[0] = graph.layers["y"]


def snapshot(graph: ng.Graph) -> list[bytes]:
    columns = [graph.edges.source, graph.edges.target, graph.edges.tap, graph.edges.weight, graph.edges.id]
    return [c.tobytes() for c in columns] + [v.tobytes() for layer in graph.layers_by_id.values()
                                             for v in (layer.vertex_ids, *layer.values.values())]  # fmt: skip


@pytest.mark.parametrize("frozen", [False, True], ids=["writeable", "read-only until its owner changes that"])
def test_an_array_that_was_given_may_be_changed_afterwards(frozen):
    """Arrays of the very dtypes of columns, so that nothing has to be converted."""
    given: list[np.ndarray] = []

    def own(values, dtype):
        array = np.array(values, dtype)
        given.append(array)
        array.flags.writeable = not frozen
        return array

    b = ng.GraphBuilder()
    b.input("x", 2, domain=(own([0, 0], np.float64), own([1, 1], np.float64)))
    b.output("y", 2)
    b.edges("x", "y", own([0, 1], np.int32), own([0, 1], np.int32), weight=own([1, 2], np.float32),
            tap=own([0, 0], np.int32), frozen=own([False, False], np.bool_))  # fmt: skip
    first = b.build()
    layers = [ng.Layer(0, "x", own([0, 1], np.int64), own([0, 0], np.int32), {"low": own([0, 0], np.float64),
                                                                             "high": own([1, 1], np.float64)}, "input"),
              ng.Layer(1, "y", own([2, 3], np.int64), own([0, 0], np.int32), {"bias": own([0, 0], np.float32)},
                       "output")]  # fmt: skip
    made = ng.Graph(layers)
    trained = first.with_weights(own([3, 4], np.float32), vertices={"bias": own([1, 2, 3, 4], np.float32)})
    graphs = [first, made, trained, ng.Graph.from_networkx(first.to_networkx())]
    stats = ng.Statistics(first.topology_hash, {"score": own([1, 2], np.float64)})
    rows = own([0, 1], np.int64)
    rw = Rewriter(first, np.random.default_rng(0))
    chosen = rw.edges(rows=rows)
    rw.set_weight(chosen, own([5, 6], np.float64))
    rw.set_bias(rw.vertices("y"), own([7, 8], np.float64))
    rw.connect(rw.vertices(ids=own([0], np.int64)), rw.vertices(ids=own([3], np.int64)), weight=own([9], np.float64),
               tap=own([0], np.int32))  # fmt: skip
    new = rw.add_layer(2, values={"bias": own([1, 2], np.float64)})
    rw.connect(rw.vertices("x"), new, weight=own([1, 1], np.float64))
    before = [snapshot(graph) for graph in graphs]

    for array in given:
        array.flags.writeable = True
        array[...] = 1 if array.dtype == np.bool_ else array + 1

    assert [snapshot(graph) for graph in graphs] == before
    assert stats.edge("score").tolist() == [1, 2]
    after, _ = rw.commit()
    assert after.edges.weight.tolist() == [5, 9, 6, 1, 1]
    assert after.layers["y"].bias.tolist() == [7, 8]
    assert after.layers["layer-2"].bias.tolist() == [1, 2]


def test_a_frozen_column_is_shared_and_not_copied():
    graph = a_graph()
    new = graph.with_weights(graph.edges.weight)
    link, same = graph.links["x", "a"], new.links["x", "a"]
    assert np.shares_memory(link.src, same.src)
    assert np.shares_memory(graph.layers["x"].vertex_ids, dataclasses.replace(graph.layers["x"]).vertex_ids)


def test_memory_behind_an_object_that_gives_an_array_is_copied():
    class Holder:
        """Gives the array that it holds, as objects of other libraries may."""

        def __init__(self):
            self.held = np.arange(3)

        def __array__(self, dtype=None, copy=None):
            return self.held

    holder = Holder()
    made = column(holder, np.int64)
    holder.held[0] = 7
    assert made.tolist() == [0, 1, 2]
