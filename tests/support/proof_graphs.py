"""Graphs built by hand, vertex by vertex, and what proofs about them are held against."""

import numpy as np

import netgraph as ng
from netgraph.graph import Conv2d, Dense, Graph, Identity, Layer, Link
from netgraph.graph.layer import full_columns, required_columns
from netgraph.graph.link import edge_columns
from netgraph.proof import certify
from netgraph.rewriting import EdgeRows, Rewriter, VertexRows

PADDED = Conv2d((3, 3), padding=(1, 1))


def layer(key, name, ids, role="hidden", *, bias=None, domain=None, norm="none", activation="identity", **more):
    """A float64 layer; vertex columns and attributes by name."""
    n = len(ids)
    values = full_columns(required_columns(role, norm, activation), n, np.float64)
    for column in values.keys() & more.keys():
        values[column] = np.broadcast_to(np.asarray(more.pop(column), np.float64), n)
    if domain is not None:
        values["low"], values["high"] = (np.broadcast_to(np.asarray(end, np.float64), n) for end in domain)
    if bias is not None:
        values["bias"] = np.broadcast_to(np.asarray(bias, np.float64), n)
    return Layer(key, name, ids, np.zeros(n), values, role=role, norm=norm, activation=activation, **more)


def link(source, target, triples, *, kind=None, port=0, start=None, dtype=np.float64):
    """A link with edges (source row, target row, weight) or (source row, target row, weight, tap)."""
    src, dst, weight, tap = np.array([(*t, 0)[:4] for t in triples], dtype=np.float64).reshape(-1, 4).T
    start = 10_000 * source + 100 * target + 5_000 * port if start is None else start
    columns = edge_columns(id=start + np.arange(len(src)), src=src, dst=dst, tap=tap, weight=0.0,
                           frozen=isinstance(kind, Identity))  # fmt: skip
    columns["weight"] = weight.astype(dtype)
    return Link.sorted(source, target, kind or Dense(), columns, port=port)


def source(n=1, domain=(-1, 1), **more):
    return layer(0, "x", list(range(n)), "input", domain=domain, **more)


def target(n=1, bias=0.0, **more):
    return layer(9, "y", list(range(90, 90 + n)), "output", bias=bias, **more)


def hidden(n=1, **more):
    return layer(1, "h", list(range(10, 10 + n)), **more)


def chain(weights, out, *, domain=(-1, 1), dtype=np.float64, ids=None, y=0.0, **more):
    """x -> h -> y, where row i of h reads x with weight weights[i] and y reads it with out[i]."""
    n = len(weights)
    h = hidden(n, **more) if ids is None else layer(1, "h", ids, **more)
    links = [
        link(0, 1, [(0, i, w) for i, w in enumerate(weights)], dtype=dtype),
        link(1, 9, [(i, 0, w) for i, w in enumerate(out)], dtype=dtype),
    ]
    return Graph([source(domain=domain), h, target(bias=y)], links)


def edited(graph, edit):
    """The graph after a few calls of the rewriter."""
    rw = Rewriter(graph, np.random.default_rng(0))
    edit(rw)
    return rw.commit()[0]


def rows(graph, *ids):
    return VertexRows(graph, graph.vertices.find(ids))


def between(graph, parent, child):
    edges = graph.edges
    return EdgeRows(graph, np.flatnonzero((edges.source == parent) & (edges.target == child)))


def probe(graph, samples=40, seed=0):
    """Corners and points within, of the domain cut to [-100, 100]; indices where an input takes them."""
    rng = np.random.default_rng(seed)
    result = {}
    for x in graph.inputs:
        if x.encoding == "index":
            result[x.name] = rng.integers(len(x), size=(samples, *x.grid))
            continue
        low, high = (np.clip(x.values[end], -100, 100).reshape(-1, *(1,) * len(x.grid)) for end in ("low", "high"))
        share = rng.random((samples, len(x), *x.grid))
        share[: samples // 2] = np.round(share[: samples // 2])
        result[x.name] = low + (high - low) * share
    return result


def outputs(graph, x, **options):
    values = ng.interpret(graph, x, check_domain=False, **options)
    return values if isinstance(values, dict) else {graph.outputs[0].name: values}


def assert_sound(old, new, certificate, *, slack=1e-9):
    """No output changes by more than its bound, in train mode either unless eval mode is assumed."""
    modes = [False] + [True] * (certificate.kind == "exact" and not certificate.assumptions)
    for train in modes:
        x = probe(old)
        one, two = outputs(old, x, train=train), outputs(new, x, train=train)
        for name, values in one.items():
            reach = 1 + np.abs(values).max()
            change = np.abs(values - two[name]).reshape(len(values), values.shape[1], -1).max(axis=(0, 2))
            assert (change <= np.array(certificate.bounds[name]) + slack * reach).all()


def both_ways(old, new):
    """The certificates there and back, both compared with the outputs."""
    there, back = certify(old, new), certify(new, old)
    assert_sound(old, new, there)
    assert_sound(new, old, back)
    return there, back


def assert_exact(old, new, assumptions=()):
    for certificate in both_ways(old, new):
        assert certificate.kind == "exact", str(certificate)
        assert certificate.assumptions == assumptions
        assert certificate.bound == 0
        assert all(b == 0 for own in certificate.bounds.values() for b in own)


def assert_bounded(old, new, bound=None, rel=1e-6):
    for certificate in both_ways(old, new):
        assert certificate.kind == "bounded", str(certificate)
        assert certificate.bound == max(b for own in certificate.bounds.values() for b in own)
        if bound is not None:
            assert bound <= certificate.bound <= bound * (1 + rel) + 1e-12
    return certify(old, new)
