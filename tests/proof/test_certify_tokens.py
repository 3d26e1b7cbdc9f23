"""Proofs through wires that move positions, tables, padded pools and pools of tokens."""

import numpy as np
import pytest

import netgraph as ng
from netgraph.graph import Pool
from netgraph.proof import certify, rounding_allowance

DYADIC = np.arange(-8, 9) / 4


def tokens(seed=0, **options):
    """Symbols or maps, put behind a class token, with learned positions, then a hidden layer, a pool and a way out."""
    o = {
        "index": True, "offset": 1, "out": 0, "pool": None, "bias": 0.5, "activation": "gelu", "norm": "none",
        "first": "identity", "tables": (1.0, 0.0), "change": {}, "epsilon": 1e-5, "length": 4, "domain": (-1, 1),
    } | options  # fmt: skip
    grid, rng = (o["length"],), np.random.default_rng(seed)
    b = ng.GraphBuilder(dtype=np.float64)
    if o["index"]:
        b.input("x", 3, grid=(3,), encoding="index", domain=(0, 1))
    else:
        b.input("x", 2, grid=(1, 3), domain=o["domain"])
    b.layer("e", 2, activation=o["first"], grid=(3,) if o["index"] else (1, 3), bias=o["bias"])
    joined(b, "x", "e", 3 if o["index"] else 2, 2, rng)
    b.layer("t", 2, activation="identity", grid=grid, bias=0.25)
    b.place("e", "t", o["offset"])
    for name, share in zip("pq", o["tables"], strict=True):
        joined(b, b.positions(name, grid), "t", o["length"], 2, np.random.default_rng(seed), share)
    b.layer("h", 3, activation=o["activation"], norm=o["norm"], norm_epsilon=o["epsilon"], grid=grid, pool=o["pool"])
    joined(b, "t", "h", 2, 3, rng)
    b.layer("c", 3, activation="identity", bias=False)
    b.place("h", "c", o["out"])
    joined(b, "c", b.output("y", 1), 3, 1, rng)
    graph = b.build()
    weight = graph.edges.weight.copy()
    weight[list(o["change"])] = list(o["change"].values())
    return graph.with_weights(weight)


def joined(b, source, target, sources, targets, rng, share=1.0, **kind):
    """All edges between two layers, with weights that are multiples of 1/4."""
    src, dst = np.indices((sources, targets)).reshape(2, -1)
    b.edges(source, target, src, dst, weight=share * rng.choice(DYADIC[DYADIC != 0], len(src)), **kind)


def batch(graph, rng, samples=64):
    x = graph.inputs[0]
    if x.encoding == "index":
        return rng.integers(0, len(x), (samples, *x.grid))
    low, high = x.domain
    return rng.uniform(low, high, (samples, len(x), *x.grid))


def assert_sound(old, new, certificate, seed=0):
    x = batch(old, np.random.default_rng(seed))
    one, two = ng.interpret(old, x), ng.interpret(new, x)
    change = np.abs(one - two).reshape(len(one), one.shape[1], -1).max(axis=(0, 2))
    allowance = rounding_allowance(old, x)["y"] + rounding_allowance(new, x)["y"]
    assert np.isfinite(allowance).all()
    assert (change <= np.array(certificate.bounds["y"]) + allowance).all(), str(certificate)


def exact(old, new):
    """Whether both ways are proved exact; both certificates are compared with the outputs."""
    certificates = [certify(old, new), certify(new, old)]
    for one, two, certificate in zip((old, new), (new, old), certificates, strict=True):
        assert_sound(one, two, certificate)
    kinds = {certificate.kind for certificate in certificates}
    assert len(kinds) == 1
    return kinds == {"exact"}


POOLS = (
    None, Pool("max", (2,)), Pool("average", (2,)), Pool("average", (2,), (1,), (1,)),
    Pool("average", (3,), (2,), (1,)), Pool("max", (3,), (2,), (1,)), Pool("max", (3,), (2,)),
)  # fmt: skip


def test_no_wrong_change_of_a_random_network_of_tokens_is_beyond_its_bound():
    rng = np.random.default_rng(0)

    def drawn():
        return {
            "index": bool(rng.integers(2)), "offset": int(rng.integers(-1, 3)), "pool": POOLS[rng.integers(len(POOLS))],
            "activation": rng.choice(["gelu", "relu", "identity"]), "norm": rng.choice(["none", "layer", "rms"]),
            "first": rng.choice(["identity", "relu"]), "tables": (1.0, float(rng.integers(2))), "bias": rng.normal(),
            "length": int(rng.integers(3, 6)), "domain": [(-1, 1), (0, 1), (1, 2)][rng.integers(3)],
        }  # fmt: skip

    for _ in range(16):
        options = drawn()
        old = tokens(**options)
        row = int(rng.choice(np.flatnonzero(~old.edges.frozen)))
        change = [
            {"change": {row: old.edges.weight[row] + rng.normal()}}, {"offset": drawn()["offset"]}, {"epsilon": 0.01},
            {"pool": drawn()["pool"]}, {"bias": options["bias"] + 0.1},
        ][rng.integers(5)]  # fmt: skip
        exact(old, tokens(**options | change))


@pytest.mark.parametrize("index", [True, False])
@pytest.mark.parametrize("change", [{"offset": 0}, {"bias": 0.25}, {"pool": Pool("max", (2,))}, {"out": -1}], ids=str)
def test_a_changed_position_bias_or_pool_is_never_exact(index, change):
    old = tokens(index=index)
    assert exact(old, tokens(index=index))
    assert not exact(old, tokens(index=index, **change))


def test_pools_are_equal_only_with_equal_windows_strides_and_padding():
    for one, two in ((0, 1), (1, 2), (2, 3), (4, 5), (5, 6), (4, 4), (5, 5)):
        assert exact(tokens(pool=POOLS[one]), tokens(pool=POOLS[two])) == (one == two)


def test_an_average_with_padding_is_no_constant_where_its_argument_is_one():
    def net(bias, padding):
        b = ng.GraphBuilder(dtype=np.float64)
        b.input("x", 1, grid=(4,), domain=(0, 1))
        pool = None if padding is None else Pool("average", (2,), (1,), (padding,))
        b.layer("h", 1, activation="identity", grid=(4,), bias=bias, pool=pool)
        b.output("y", 1, grid=(4 if pool is None else 3 + 2 * padding,))
        b.dense("h", "y")
        return b.build().with_weights(np.array([1.0]))

    low, high = net(1.0, 1).bounds()["h"]
    assert (low[0], high[0]) == (0, 1)
    assert net(1.0, 0).bounds()["h"] == (1, 1)
    certificate = certify(net(1.0, 1), net(2.0, 1))
    assert 1 <= certificate.bound <= 1 + 1e-9
    assert certify(net(1.0, 0), net(2.0, 0)).bounds["y"][0] == pytest.approx(1)


def moved(first, second, *, length=6, middle=6, bias=0.0):
    """Values moved twice by wires, through a layer with a bias; or once, for `second` None."""
    b = ng.GraphBuilder(dtype=np.float64)
    b.input("x", 2, grid=(2, 2), domain=(0, 1))
    if second is not None:
        b.layer("m", 2, activation="identity", grid=(middle,), bias=bias)
        b.place("x", "m", first)
    b.output("y", 2, grid=(length,), bias=False if bias == 0 else 0.0)
    b.place("x" if second is None else "m", "y", first if second is None else second)
    return b


def test_wires_that_move_positions_twice_are_one_wire_unless_the_grid_between_cuts_them():
    for first, second, middle, same in ((1, 1, 6, True), (0, 2, 4, True), (2, -1, 6, True), (3, -1, 6, False)):
        twice, once = moved(first, second, middle=middle), moved(first + second, None)
        # Both graphs have the same input and output: the ids of the longer one.
        new = twice.build()
        rw = ng.Rewriter(new, np.random.default_rng(0))
        rw.connect(rw.vertices("x"), rw.vertices("y"), weight=1.0, kind=ng.Place(first + second), frozen=True)
        rw.remove(rw.vertices("m"))
        old = rw.commit()[0]
        assert once.build().num_edges == old.num_edges
        certificate = certify(old, new)
        assert (certificate.kind == "exact") == same
        x = np.random.default_rng(0).random((20, 2, 2, 2))
        change = np.abs(ng.interpret(old, x) - ng.interpret(new, x)).max()
        assert (change == 0) if same else (change <= certificate.bound <= 1 + 1e-9)


def test_a_bias_before_wires_that_move_positions_is_none_behind_them():
    before = moved(1, 1, bias=1.0).build()
    behind = before.with_weights(vertices={"bias": np.array([0.0, 0, 0, 0, 1, 1])})
    certificate = certify(before, behind)
    assert certificate.bound == pytest.approx(1)
    inside = moved(0, 0, length=6, bias=1.0).build()  # here each position of y reads one of m
    assert certify(inside, inside.with_weights(vertices={"bias": np.array([0.0, 0, 0, 0, 1, 1])})).kind == "exact"


def test_a_table_gives_one_of_its_values():
    graph = tokens(first="identity", bias=0.0, tables=(0.0, 0.0))
    table = graph.edges.weight[:6].reshape(2, 3)  # edges stand by target
    low, high = graph.bounds()["e"]
    np.testing.assert_array_equal(low, table.min(axis=1))
    np.testing.assert_array_equal(high, table.max(axis=1))
    few = dict.fromkeys(range(3), 0.0)
    low, high = tokens(bias=0.0, change={**few, 0: 3.0}).bounds()["e"]
    assert (low[0], high[0]) == (0, 3)  # symbols without an edge give 0


def test_a_change_of_a_whole_table_is_as_large_as_that_of_its_worst_row():
    old = tokens(activation="identity", out=-1)
    weight = old.edges.weight.copy()
    weight[:6] += 0.125 * np.arange(1, 7)
    new = old.with_weights(weight)
    x = np.array(np.meshgrid(*[range(3)] * 3)).reshape(3, -1).T
    change = np.abs(ng.interpret(old, x) - ng.interpret(new, x)).max()
    assert change <= certify(old, new).bound <= change * (1 + 1e-9)


def test_a_token_that_is_not_read_may_change():
    old = tokens(activation="identity")  # the output reads the first token, and symbols stand behind it
    assert exact(old, old.with_weights(np.where(np.arange(len(old.edges)) < 6, 2.0, old.edges.weight)))


def test_tables_on_one_grid_are_one_table():
    old, new = tokens(tables=(1.0, 0.0)), tokens(tables=(0.0, 1.0))
    assert exact(old, new)
    assert exact(tokens(tables=(1.0, 1.0)), tokens(tables=(2.0, 0.0)))
    assert not exact(tokens(tables=(1.0, 1.0)), tokens(tables=(1.0, 0.0)))


@pytest.mark.parametrize("norm", ["layer", "rms"])
def test_a_norm_over_vertices_has_its_epsilon_and_all_vertices(norm):
    old = tokens(norm=norm)
    assert exact(old, tokens(norm=norm))
    assert not exact(old, tokens(norm=norm, epsilon=1e-6))
