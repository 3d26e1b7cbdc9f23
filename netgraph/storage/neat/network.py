"""Networks of neat-python as columns: nodes that outputs need, and the connections between them."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from netgraph.errors import FileFormatError, ImportRefused
from netgraph.storage.json_values import PLAIN, Flag, Items, Number, Record, ShapeError, Text, Whole, parse_json
from netgraph.storage.neat.forms import FORMS, Form
from netgraph.storage.reading import read_file

MAX_BYTES = 1 << 28
"""Largest size, in bytes, of the JSON text of a network, which has some 150 bytes per connection."""

_ID = Whole(-(2**63))
_FUNCTION = Record({"name": Text(), "custom": Flag()}, others=PLAIN)
_NODE = Record(
    {
        "id": _ID,
        "type": Text(("input", "hidden", "output")),
        "activation": _FUNCTION,
        "aggregation": _FUNCTION,
        "bias": Number(),
        "response": Number(),
    },
    others=PLAIN,
)
_CONNECTION = Record({"from": _ID, "to": _ID, "weight": Number(), "enabled": Flag()}, others=PLAIN)
_TOPOLOGY = Record({"input_keys": Items(_ID), "output_keys": Items(_ID)}, others=PLAIN)
NEAT_SHAPE = Record(
    {
        "format_version": Text(("1.0",)),
        "network_type": Text(("feedforward", "recurrent", "ctrnn", "iznn")),
        "topology": _TOPOLOGY,
        "nodes": Items(_NODE),
        "connections": Items(_CONNECTION),
    },
    others=PLAIN,
)
"""Shape of the JSON text of a network."""


def parsed(network: str | os.PathLike[str] | Mapping[str, Any]) -> Mapping[str, Any]:
    """Parse and check a network."""
    if isinstance(network, Mapping):
        where, found = "The network", dict(network)
    elif isinstance(network, str) and network.lstrip().startswith("{"):
        where = "The network"
        found = parse_json(network.encode(), PLAIN, where, MAX_BYTES)
    else:
        where = repr(os.fspath(network))
        found = parse_json(read_file(network, MAX_BYTES), PLAIN, where, MAX_BYTES)
    try:
        NEAT_SHAPE.check(found)
    except ShapeError as error:
        raise FileFormatError(f"{where} is no network of neat-python: {error}.") from None
    return found


class NeatNetwork:
    """Columns of a network: nodes that outputs need, and the enabled connections between them, as indices of nodes."""

    def __init__(self, found: Mapping[str, Any]) -> None:
        enabled = [c for c in found["connections"] if c["enabled"]]
        _refuse_time(found["network_type"], [(c["from"], c["to"]) for c in enabled])
        self.nodes: list[Mapping[str, Any]] = sorted(found["nodes"], key=lambda node: node["id"])
        self.ids: list[int] = [node["id"] for node in self.nodes]
        self.index = {name: k for k, name in enumerate(self.ids)}
        self.inputs, self.outputs = (self._keys(found["topology"], kind) for kind in ("input", "output"))
        ends = [(self._end(c, "from"), self._end(c, "to")) for c in enabled]
        self._check(ends)
        needed = self._needed(ends)
        keep = [needed[a] and needed[b] for a, b in ends]
        self.needed = np.array(needed)
        self.src, self.dst = np.array(ends, np.int64).reshape(-1, 2)[keep].T
        self.weight = np.array([c["weight"] for c in enabled], np.float64)[keep]
        self.depth = np.array(self._depths())
        self.forms = [self._form(k) if needed[k] and k not in self._sources else FORMS["identity"] for k in self._all]

    @property
    def _all(self) -> range:
        return range(len(self.nodes))

    def _keys(self, topology: Mapping[str, Any], kind: str) -> list[int]:
        """Indices of the inputs, or of the outputs, in their order."""
        keys = topology[f"{kind}_keys"]
        if unknown := [key for key in keys if key not in self.index]:
            raise FileFormatError(
                f"The network has no node {unknown[0]}, which is an {kind}. neat-python leaves out nodes of cycles; "
                "only a genome without cycles is a feed-forward network."
            )
        if sorted(keys) != [node["id"] for node in self.nodes if node["type"] == kind] or not keys:
            raise FileFormatError(
                f"The network names {len(keys)} {kind}s, and {sum(n['type'] == kind for n in self.nodes)} of its "
                f"{len(self.nodes)} nodes are of the type {kind!r}; both have to be the same nodes, at least one."
            )
        return [self.index[key] for key in keys]

    def _end(self, connection: Mapping[str, Any], end: str) -> int:
        """Index of the node at one end of a connection."""
        if connection[end] not in self.index:
            raise FileFormatError(
                f"The connection {_named(connection)} has no node {connection[end]}. neat-python leaves out nodes of "
                "cycles; only a genome without cycles is a feed-forward network."
            )
        return self.index[connection[end]]

    def _check(self, ends: Sequence[tuple[int, int]]) -> None:
        """Refuse nodes and connections that occur twice, and connections to inputs."""
        if len(self.index) < len(self.ids):
            twice = next(a for a, b in zip(self.ids, self.ids[1:], strict=False) if a == b)
            raise FileFormatError(f"The network has two nodes {twice}.")
        self._sources = frozenset(self.inputs)
        for a, b in ends:
            if b in self._sources:
                raise FileFormatError(f"The connection {self.ids[a]} -> {self.ids[b]} ends at an input.")
        if len(set(ends)) < len(ends):
            seen: set[tuple[int, int]] = set()
            a, b = next(end for end in ends if end in seen or seen.add(end))  # type: ignore[func-returns-value]
            raise FileFormatError(f"The network has two connections {self.ids[a]} -> {self.ids[b]}.")

    def _needed(self, ends: Sequence[tuple[int, int]]) -> list[bool]:
        """Whether an output needs each node. Inputs count as needed."""
        before = defaultdict(list)
        for a, b in ends:
            before[b].append(a)
        wanted = self._sources.union(self.outputs)
        needed = [k in wanted for k in self._all]
        waiting = list(self.outputs)
        while waiting:
            for a in before[waiting.pop()]:
                if not needed[a]:
                    needed[a] = True
                    waiting.append(a)
        return needed

    def _depths(self) -> list[int]:
        """Length of the longest path to each node, 0 for inputs and at least 1 for others; refuses cycles."""
        ends = list(zip(self.src.tolist(), self.dst.tolist(), strict=True))
        order, left = _ordered(ends)
        if left:
            raise ImportRefused(_on_cycle([(self.ids[a], self.ids[b]) for a, b in left]), op="cycle")
        depth = [0 if k in self._sources else 1 for k in self._all]
        for a, b in order:
            depth[b] = max(depth[b], depth[a] + 1)
        return depth

    def _form(self, node: int) -> Form:
        """Return the form of the activation of a node; refuse activations and aggregations that have none."""
        activation, aggregation = (self.nodes[node][key] for key in ("activation", "aggregation"))
        where = f"node {self.ids[node]}"
        if aggregation["custom"] or aggregation["name"] != "sum":
            raise ImportRefused(
                f"The {where} has the aggregation {aggregation['name']!r}, and vertices add up. Evolve with "
                "aggregation_options = sum.",
                op=f"aggregation {aggregation['name']}",
                path=where,
            )
        if activation["custom"] or activation["name"] not in FORMS:
            own = "its own activation" if activation["custom"] else "the activation"
            raise ImportRefused(
                f"The {where} has {own} {activation['name']!r}, which netgraph has not. Evolve with some of "
                f"activation_options = {' '.join(FORMS)}.",
                op=f"activation {activation['name']}",
                path=where,
            )
        return FORMS[activation["name"]]


def _refuse_time(kind: str, ends: Sequence[tuple[int, int]]) -> None:
    """Refuse networks whose values depend on earlier inputs; `ends` are the ids at the ends of each connection."""
    if kind == "feedforward":
        return
    if kind != "recurrent":
        raise ImportRefused(
            f"The network is of neat-python's type {kind!r}, whose values change over time; a graph computes outputs "
            "from inputs alone. Evolve a feed-forward network (feed_forward = True).",
            op=kind,
        )
    if left := _ordered(ends)[1]:
        raise ImportRefused(_on_cycle(left), op="cycle")
    raise ImportRefused(
        "The network is of neat-python's type 'recurrent', in which every connection takes one step of time. Its "
        "connections form no cycle: export the FeedForwardNetwork of the genome.",
        op=kind,
    )


def _ordered(ends: Sequence[tuple[int, int]]) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """Return the connections in topological order, and connections on cycles or behind one."""
    after, missing = defaultdict(list), Counter(b for _a, b in ends)
    for a, b in ends:
        after[a].append(b)
    waiting = [a for a in after if not missing[a]]
    found = []
    while waiting:
        a = waiting.pop()
        for b in after[a]:
            found.append((a, b))
            missing[b] -= 1
            if not missing[b]:
                waiting.append(b)
    return found, [(a, b) for a, b in ends if missing[a]]


def _on_cycle(ends: Sequence[tuple[int, int]]) -> str:
    """Describe a cycle of connections, each of which lies on a cycle or behind one."""
    before = {b: a for a, b in ends}
    at = ends[0][1]
    walked: dict[int, int] = {}
    while at not in walked:
        walked[at] = len(walked)
        at = before[at]
    cycle = [k for k in walked if walked[k] >= walked[at]][::-1]
    first = cycle.index(min(cycle))
    cycle = cycle[first:] + cycle[:first]
    shown = [*cycle[:8], "...", cycle[0]] if len(cycle) > 8 else [*cycle, cycle[0]]
    return (
        f"The connections form a cycle, {' -> '.join(map(str, shown))}, and a graph has none. Evolve a feed-forward "
        "network (feed_forward = True), or disable one of them."
    )


def _named(connection: Mapping[str, Any]) -> str:
    return f"{connection['from']} -> {connection['to']}"
