"""Expansions of transformers from tests/golden/transformer_laws.npz, as graphs in which all that stays keeps its id."""

import json
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np

import netgraph as ng
from netgraph.graph import NextIds

_FILE = Path(__file__).parents[1] / "golden" / "transformer_laws.npz"
LAWS = json.loads(_FILE.with_suffix(".json").read_text())
"""Facts about each law by its name: its norm, the verdict about it, and the largest change of an output."""


@cache
def _arrays():
    with np.load(_FILE) as file:
        return dict(file)


def tokens(law):
    """The tokens of a law, a batch of one text."""
    return _arrays()[f"{law}/tokens"][None]


def output(law, which):
    """The known output before ("old") or after ("new") the expansion, as `interpret` orders it, `(1, 5, tokens)`."""
    return _arrays()[f"{law}/{which}/output"].T[None]


def graphs(law):
    """The graphs before and after the expansion; vertices, edges and layers that stay have the same ids."""
    ids = ({}, {}, {})
    return [_with_ids(*_built(law, which), ids) for which in ("old", "new")]


def _built(law, which):
    """The graph, and the label of each vertex by layer."""
    blocks = LAWS[law]["blocks_new"] if which == "new" else 1
    norm = {"rms": "rms", "ln": "layer"}[LAWS[law]["norm"]]
    get = [{k.rpartition("/")[2]: v for k, v in _arrays().items() if k.startswith(f"{law}/{which}/{i}/")}
           for i in range(blocks)]  # fmt: skip
    first = get[0]
    vocabulary, h = first["emb"].shape
    grid, wide = tokens(law).shape[1:], {"grid": tokens(law).shape[1:], "activation": "identity"}
    b, labels = ng.GraphBuilder(dtype=np.float64), {}
    b.input("ids", vocabulary, grid=grid, encoding="index")
    stream = b.layer("stream", h, bias=False, **wide)
    _weights(b, "ids", stream, first["emb"])

    def normed(name, source, scale, shift, eps):
        values = {"scale": scale, **({"shift": shift} if norm == "layer" else {})}
        b.layer(name, h, norm=norm, norm_epsilon=float(eps), values=values, bias=False, **wide)
        b.identity(source, name)

    for i, w in enumerate(get):
        heads = sum(name.startswith("Q") for name in w)
        normed(f"{i}.norm1", stream, w["g1"], w["n1"], w["eps"])
        for part in "QKV":
            matrix = np.concatenate([w[f"{part}{head}"] for head in range(heads)], axis=1)
            b.layer(f"{i}.{part}", matrix.shape[1], bias=False, **wide)
            _weights(b, f"{i}.norm1", f"{i}.{part}", matrix)
            labels[f"{i}.{part}"] = [(head, j) for head in range(heads) for j in range(w[f"{part}{head}"].shape[1])]
        b.attend(f"{i}.heads", f"{i}.Q", f"{i}.K", heads=heads, scale=float(w["scale"]))
        b.mix(f"{i}.mix", f"{i}.heads", f"{i}.V")
        labels[f"{i}.mix"] = labels[f"{i}.V"]
        b.layer(f"{i}.attended", h, bias=False, **wide)
        _weights(b, f"{i}.mix", f"{i}.attended", np.concatenate([w[f"O{head}"] for head in range(heads)]))
        b.identity(stream, f"{i}.attended")
        normed(f"{i}.norm2", f"{i}.attended", w["g2"], w["n2"], w["eps"])
        b.layer(f"{i}.mlp", len(w["b1"]), bias=w["b1"], grid=grid, activation="gelu_tanh")
        _weights(b, f"{i}.norm2", f"{i}.mlp", w["W1"])
        stream = b.layer(f"{i}.stream", h, bias=w["b2"], **wide)
        _weights(b, f"{i}.mlp", stream, w["W2"])
        b.identity(f"{i}.attended", stream)
    normed("norm", stream, first["gf"], first["nf"], first["eps"])
    b.output("logits", first["W"].shape[1], bias=False, grid=grid)
    _weights(b, "norm", "logits", first["W"])
    return b.build(), labels


def _weights(b, source, target, matrix):
    src, dst = np.indices(matrix.shape)
    b.edges(source, target, src.ravel(), dst.ravel(), weight=matrix.ravel())


def _with_ids(graph, labels, ids):
    """The graph with ids by name and label: equal ones get the ids that earlier graphs gave them."""
    layers, vertices, edges = ids
    named = {i: [(x.name, label) for label in labels.get(x.name, range(len(x)))] for i, x in graph.layers_by_id.items()}
    new = {i: layers.setdefault(x.name, len(layers)) for i, x in graph.layers_by_id.items()}
    found = [
        replace(x, id=new[i], vertex_ids=np.array([vertices.setdefault(label, len(vertices)) for label in named[i]]))
        for i, x in graph.layers_by_id.items()
    ]
    links = []
    for k in graph.links:
        ends = [
            (named[k.source][s], named[k.target][t], k.port, tap) for s, t, tap in zip(k.src, k.dst, k.tap, strict=True)
        ]
        own = np.array([edges.setdefault(end, len(edges)) for end in ends])
        links.append(replace(k, source=new[k.source], target=new[k.target], id=own))
    return ng.Graph(found, links, next_ids=NextIds(len(layers), len(vertices), len(edges)))
