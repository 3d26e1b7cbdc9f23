"""Small transformer blocks in float64, rewrites that keep their function, and changes that do not."""

from dataclasses import replace

import numpy as np
from proof_graphs import edited

import netgraph as ng
from netgraph.graph import Graph, Identity, Link

LINEAR = {"activation": "identity"}


def block(
    *, width=4, heads=2, groups=None, keys=2, values=2, tokens=3, norm="layer", causal=False, rotary=False, scale=0.5,
    gated=False, hidden=3, activation="gelu", seed=0, domain=(-1, 1),
):  # fmt: skip
    """A pre-norm block: x, attention to r, an MLP to s, and an output that reads s."""
    groups = groups or heads
    frequencies = tuple(1.0 / 10**i for i in range(keys // 2)) if rotary else ()
    b = ng.GraphBuilder(seed=seed, dtype=np.float64)
    grid = (tokens,)
    b.input("x", width, grid=grid, domain=domain)
    b.layer("n", width, norm=norm, grid=grid, bias=False, **LINEAR)
    b.identity("x", "n")
    for name, size in (("q", heads * keys), ("k", groups * keys), ("v", groups * values)):
        b.layer(name, size, grid=grid, **LINEAR)
        b.dense("n", name)
    b.attend("a", "q", "k", heads=heads, scale=scale, causal=causal, frequencies=frequencies)
    b.mix("m", "a", "v", groups=groups)
    b.layer("r", width, grid=grid, **LINEAR)
    b.dense("m", "r")
    b.identity("x", "r")
    b.layer("n2", width, norm=norm, grid=grid, bias=False, **LINEAR)
    b.identity("r", "n2")
    if gated:
        b.layer("gate", hidden, grid=grid, activation="silu")
        b.layer("up", hidden, grid=grid, **LINEAR)
        b.dense("n2", "gate")
        b.dense("n2", "up")
        b.product("h", "gate", "up")
    else:
        b.layer("h", hidden, grid=grid, activation=activation)
        b.dense("n2", "h")
    b.layer("s", width, grid=grid, **LINEAR)
    b.dense("h", "s")
    b.identity("r", "s")
    b.output("y", 2, grid=grid)
    b.dense("s", "y")
    graph = b.build()
    rng = np.random.default_rng(seed)
    columns = {"bias": rng.normal(size=graph.num_vertices) / 4}
    if norm != "none":
        columns["scale"] = 1 + rng.normal(size=graph.num_vertices) / 4
    edges = graph.edges
    weights = np.where(edges.frozen, 1.0, rng.normal(size=len(edges)))
    return graph.with_weights(weights, vertices=columns)


def with_parts(graph, layers=(), links=()):
    """The graph with some layers and links in place of those of the same id and key."""
    layers = {layer.id: layer for layer in (*graph.layers_by_id.values(), *layers)}
    links = {link.key: link for link in (*graph.links_by_key.values(), *links)}
    return Graph(list(layers.values()), list(links.values()))


def with_layer(graph, name, **changes):
    """The graph with changed attributes of one layer."""
    return with_parts(graph, [replace(graph.layer(name), **changes)])


def with_column(graph, name, column, values):
    layer = graph.layer(name)
    return with_layer(graph, name, values={**layer.values, column: np.asarray(values, dtype=np.float64)})


def with_columns(graph, link, **columns):
    """The graph with other columns of one link, given by its key."""
    old = graph.links_by_key[link]
    return with_parts(graph, links=[Link.sorted(*old.key[:2], old.kind, {**old.columns, **columns}, old.port)])


def key(graph, source, target, port=0):
    return graph.layer(source).id, graph.layer(target).id, port


def weights(graph, source, target):
    """Weights of a complete dense link, (targets, sources)."""
    link = graph.links_by_key[key(graph, source, target)]
    result = np.zeros((len(graph.layer(target)), len(graph.layer(source))))
    result[link.dst, link.src] = link.weight
    return result


def with_matrix(graph, source, target, matrix):
    link = graph.links_by_key[key(graph, source, target)]
    return with_parts(graph, links=[link.with_weight(np.asarray(matrix)[link.dst, link.src])])


def permuted(graph, name, order):
    """The graph with the sums of a layer in another order: vertex i gets the edges and columns of vertex order[i]."""
    layer = graph.layer(name)
    order, place = np.asarray(order), np.argsort(order)
    layers = [replace(layer, values={column: values[order] for column, values in layer.values.items()})]
    links = [
        Link.sorted(*k.key[:2], k.kind, {**k.columns, "dst": place[k.dst].astype(np.int32)}, k.port)
        for k in graph.incoming[layer.id]
    ]
    return with_parts(graph, layers, links)


# -- rewrites that keep the function --------------------------------------------------------------------


def with_head(graph, *, keys=2, values=2, out=0.0, seed=1, copy=None):
    """One head more, whose channels have edges of weight `out`; a copy of head number `copy`, or with drawn weights."""
    draw = np.random.default_rng(seed)

    def edit(rw):
        n, r = (rw.vertices(name) for name in ("n", "r"))
        added = {}
        for name, size in (("q", keys), ("k", keys), ("v", values)):
            old = slice(None) if copy is None else slice(copy * size, (copy + 1) * size)
            bias = draw.normal(size=size) if copy is None else graph.layer(name).bias[old]
            matrix = draw.normal(size=(size, len(n))) if copy is None else weights(graph, "n", name)[old]
            added[name] = rw.add_vertices(graph.layer(name), size, bias=bias)
            for j in range(size):
                rw.connect(n, added[name].take([j] * len(n)), weight=matrix[j])
        head = rw.add_vertices(graph.layer("a"), 1)
        channels = rw.add_vertices(graph.layer("m"), values)
        for port, name in enumerate("qk"):
            wire(rw, added[name], head.take([0] * keys), port, np.arange(keys))
        wire(rw, head.take([0] * values), channels, 0)
        wire(rw, added["v"], channels, 1)
        rw.connect_all(channels, r, weight=out)

    return edited(graph, edit)


def wire(rw, src, dst, port, slots=0):
    rw.connect(src, dst, weight=1.0, kind=Identity(), tap=slots, port=port, frozen=True)


def with_wider_keys(graph, count=2, *, queries=1.0, keys=0.0, frequencies=None, seed=1):
    """`count` more slots for head 0: drawn query rows times `queries`, key rows times `keys`."""
    draw = np.random.default_rng(seed)
    merge = graph.layer("a").merge
    first = int(graph.incoming[graph.layer("a").id][0].tap.max()) + 1

    def edit(rw):
        n = rw.vertices("n")
        for port, (name, factor) in enumerate((("q", queries), ("k", keys))):
            new = rw.add_vertices(graph.layer(name), count, bias=draw.normal() * factor)
            rw.connect_all(n, new, weight=draw.normal() * factor)
            wire(rw, new, rw.vertices(ids=graph.layer("a").vertex_ids[[0] * count]), port, first + np.arange(count))
        if frequencies is not None:
            rw.set_merge(graph.layer("a"), replace(merge, frequencies=(*merge.frequencies, *frequencies)))

    return edited(graph, edit)


def with_wider_values(graph, count=1, *, out=0.0, seed=1):
    """`count` more channels for head 0, whose edges have the weight `out`."""
    draw = np.random.default_rng(seed)

    def edit(rw):
        new = rw.add_vertices(graph.layer("v"), count, bias=draw.normal())
        rw.connect_all(rw.vertices("n"), new, weight=draw.normal())
        channels = rw.add_vertices(graph.layer("m"), count)
        wire(rw, rw.vertices(ids=graph.layer("a").vertex_ids[[0] * count]), channels, 0)
        wire(rw, new, channels, 1)
        rw.connect_all(channels, rw.vertices("r"), weight=out)

    return edited(graph, edit)


def with_wider_gate(graph, count=1, *, out=0.0, seed=1):
    """`count` more vertices of a gated MLP, whose edges have the weight `out`."""
    draw = np.random.default_rng(seed)

    def edit(rw):
        new = {name: rw.add_vertices(graph.layer(name), count, bias=draw.normal()) for name in ("gate", "up")}
        products = rw.add_vertices(graph.layer("h"), count)
        for port, vertices in enumerate(new.values()):
            rw.connect_all(rw.vertices("n2"), vertices, weight=draw.normal())
            wire(rw, vertices, products, port)
        rw.connect_all(products, rw.vertices("s"), weight=out)

    return edited(graph, edit)


def with_permuted_heads(graph, *, out=True, keys=2, values=2):
    """Both heads of a block exchanged, with the columns of O (`out`) or without."""

    def turned(size):
        return [*range(size, 2 * size), *range(size)]

    new = graph
    for name, size in (("q", keys), ("k", keys), ("v", values)):
        new = permuted(new, name, turned(size))
    return with_matrix(new, "m", "r", weights(graph, "m", "r")[:, turned(values)]) if out else new


# -- changes that do not ----------------------------------------------------------------------------------


def with_merge(graph, **changes):
    layer = graph.layer("a")
    return with_layer(graph, "a", merge=replace(layer.merge, **changes))


def with_swapped_ports(graph):
    """Queries and keys exchanged."""
    a = graph.layer("a").id
    links = [replace(k, port=1 - k.port) for k in graph.incoming[a]]
    rest = [k for k in graph.links_by_key.values() if k.target != a]
    return Graph(list(graph.layers_by_id.values()), [*rest, *links])


def with_swapped_slots(graph, name="q", slots=(0, 1)):
    """Two slots of the first head exchanged at one port."""
    at = key(graph, name, "a", "qk".index(name))
    link = graph.links_by_key[at]
    tap = link.tap.copy()
    rows = [int(np.flatnonzero((link.dst == 0) & (link.tap == slot))[0]) for slot in slots]
    tap[rows] = link.tap[rows[::-1]]
    return with_columns(graph, at, tap=tap)


def with_swapped_heads(graph):
    """The first channels of both heads read the other head."""
    at = key(graph, "a", "m")
    link = graph.links_by_key[at]
    src = link.src.copy()
    rows = [int(np.flatnonzero(link.src == head)[0]) for head in (0, 1)]
    src[rows] = src[rows[::-1]]
    return with_columns(graph, at, src=src)


def with_moved_bias(graph):
    """The biases of the queries given to the keys."""
    q, k = (graph.layer(name).bias for name in ("q", "k"))
    moved = with_column(graph, "q", "bias", np.zeros(len(q)))
    return with_column(moved, "k", "bias", k + q[: len(k)])
