"""Exported modules compute, and train, as their graphs."""

import copy
import math
from dataclasses import replace

import golden_graphs
import map_graphs
import merge_graphs
import numpy as np
import pytest
import random_graphs
import torch
import toy_activation
import toy_norm
from hypothesis import given
from hypothesis import strategies as st
from map_graphs import inputs_of
from module_training import assert_close, outputs, steps, targets_like
from token_graphs import with_inputs

import netgraph as ng
from compilers import lift, lower
from compilers.export import export_module, to_module
from netgraph import testing
from netgraph.errors import CompileError
from netgraph.graph import Conv2d, Identity, Place, Pool

wide = {"exact": False, "dtype": np.float64}


def tensors(x):
    return tuple(torch.from_numpy(np.ascontiguousarray(value)) for value in x.values())


def by_layer(values):
    return list(values.values()) if isinstance(values, dict) else [values]


def assert_computes(graph, x, **options):
    """The module gives the values of `interpret`, to 1e-9 of the largest; tables of rotation may be float32."""
    module = to_module(graph, **options).eval()
    narrow = any(name.endswith("_cos") and value.dtype == torch.float32 for name, value in module.named_buffers())
    found = outputs(module.double(), tensors(x))
    assert_close(found, by_layer(ng.interpret(graph, x, check_domain=False)), 1e-6 if narrow else 1e-9)
    return module


def drawn(graph, seed=0):
    return map_graphs.with_random_columns(graph, np.random.default_rng(seed))


# -- values -------------------------------------------------------------------------------------------


@given(with_inputs(testing.graphs(**wide)))
def test_modules_compute_drawn_graphs(pair):
    assert_computes(*pair)


@given(with_inputs(testing.graphs(kinds="attention", **wide)))
def test_modules_compute_drawn_attention(pair):
    assert_computes(*pair)


@pytest.mark.parametrize("seed", range(8))
def test_modules_compute_graphs_of_every_kernel(make_graph, seed):
    for graph in (make_graph(seed), map_graphs.random_map_graph(seed), map_graphs.lopsided_graph(seed)):
        assert_computes(graph, inputs_of(graph))


@pytest.mark.parametrize("name", merge_graphs.MERGE_GRAPHS)
def test_modules_compute_merges(name):
    graph = merge_graphs.merge_graph(name)
    assert_computes(graph, inputs_of(graph))


@pytest.mark.parametrize("name", golden_graphs.FEATURES)
def test_modules_of_float32_graphs_have_their_dtype(name):
    graph = golden_graphs.FEATURES[name]()
    x = inputs_of(graph)
    module = to_module(graph).eval()
    (dtype,) = {value.dtype for value in module.parameters()}
    assert dtype == (torch.float64 if graph.edges.weight.dtype == np.float64 else torch.float32)
    found = outputs(module, tuple(t.to(dtype) if t.is_floating_point() else t for t in tensors(x)))
    assert_close(found, by_layer(ng.interpret(graph, x, check_domain=False)), 2e-6)


@given(st.integers(0, 2**20), st.lists(st.integers(0, 2**20), min_size=1, max_size=3))
def test_rewritten_graphs_are_computed(seed, rewrites):
    graph = map_graphs.random_map_graph(seed) if seed % 3 == 0 else random_graphs.with_dyadic_values(
        ng.mlp([3, 4, 4, 2], dtype=np.float64), np.random.default_rng(seed)
    )  # fmt: skip
    graph = random_graphs.history(graph, rewrites)[-1].graph
    assert_computes(graph, inputs_of(graph))


def symbols_and_positions(target, kind):
    """Symbols and a layer of positions on `(3, 2)` that go through a link of any kind to one layer."""
    b = ng.GraphBuilder(seed=1, dtype=np.float64)
    b.input("symbols", 4, grid=(3, 2), encoding="index")
    b.layer("y", 6, grid=target, role="output")
    positions = b.positions("places", (3, 2))
    for name, rows in (("symbols", 4), (positions, 6)):
        at = np.arange(rows)
        b.edges(name, "y", at, at[::-1], weight=np.ones(rows) if kind.wires else at + 0.5, kind=kind, frozen=kind.wires)
    return drawn(b.build())


@pytest.mark.parametrize(
    ("target", "kind"),
    [((3, 2), Conv2d((1, 1))), ((), Conv2d((3, 2))), ((2, 2), Conv2d((2, 1))), ((3, 2), Conv2d((3, 3), padding=(1, 1))),
     ((3, 2), Identity()), ((2, 1), Identity((2, 2))), ((), Place(-2)), ((5,), Place(1)), ((2, 4), Place(2))],
    ids=str,
)  # fmt: skip
def test_symbols_and_positions_go_through_every_kind_of_link(target, kind):
    graph = symbols_and_positions(target, kind)
    assert_computes(graph, inputs_of(graph))


def test_one_position_of_maps_is_read_as_numbers():
    b = ng.GraphBuilder(seed=1, dtype=np.float64)
    b.input("ids", 3, grid=(1, 1), encoding="index")
    b.input("x", 2, grid=(1, 1))
    b.layer("y", 3, role="output", norm="batch")
    b.dense("ids", "y")
    b.dense(b.positions("one", (1, 1)), "y")
    b.dense("x", "y")
    b.output("z", 2)
    b.identity("x", "z")
    graph = drawn(b.build())
    assert_computes(graph, inputs_of(graph))


def test_layers_without_edges_give_their_biases_and_wires_may_share_a_target():
    b = ng.GraphBuilder(seed=1, dtype=np.float64)
    b.input("x", 3)
    b.input("image", 2, grid=(2, 3))
    b.layer("alone", 2, activation="gelu")
    b.layer("empty", 2, bias=False, activation="sigmoid")
    b.layer("maps", 2, grid=(2, 3), activation="tanh")
    b.output("y", 2)
    b.edges("alone", "y", [0, 1], [1, 1], weight=1.0, kind=Identity(), frozen=True)
    b.dense("empty", "y")
    b.edges("x", "y", [], [], weight=[])
    b.output("z", 3, grid=(2, 3), activation="softplus")
    b.dense("maps", "z")
    b.edges("image", "z", [0, 1, 1], [0, 0, 2], weight=1.0, kind=Identity(), frozen=True)
    graph = drawn(b.build())
    assert_computes(graph, inputs_of(graph))


def test_products_are_normalised_pooled_and_activated_on_tokens_and_maps():
    b = ng.GraphBuilder(seed=1, dtype=np.float64)
    for name, grid, pool in (("tokens", (4,), Pool("max", (2,))), ("maps", (3, 4), Pool("average", (3, 2), (1, 1)))):
        b.input(name, 3, grid=grid)
        for norm in ("batch", "layer", "rms"):
            b.product(f"{name}_{norm}", name, name, norm=norm, activation="prelu", pool=pool, bias=norm == "rms")
            b.output(f"{name}_{norm}_out", 2, grid=pool.output_grid(grid))
            b.dense(f"{name}_{norm}", f"{name}_{norm}_out")
    graph = drawn(b.build())
    assert_computes(graph, inputs_of(graph))


def test_heads_are_read_by_links_with_weights():
    b = ng.GraphBuilder(seed=1, dtype=np.float64)
    b.input("x", 4, grid=(3,))
    b.attend("heads", "x", "x", heads=2)
    b.output("y", 1, grid=(3, 3))
    b.dense("heads", "y")
    graph = b.build()
    assert_computes(graph, inputs_of(graph))


# -- names and sizes ----------------------------------------------------------------------------------


NAMES = (
    "to", "half", "rotate", "rational", "self", "class", "1", "block1.queries", "block1_queries", "forward", "F",
    "training", "graph", "torch", "batch", "größe", "_", "weight", "y_norm", "state_dict", "nn", "rational_v",
)  # fmt: skip


def test_any_layer_name_is_a_readable_name_of_its_own():
    b = ng.GraphBuilder(seed=1, dtype=np.float64)
    last = b.input("input", 2)
    for name in NAMES:
        b.layer(name, 2, activation="rational")
        b.dense(last, name)
        last = name
    b.output("y", 2, norm="batch")
    b.dense(last, "y")
    graph = drawn(b.build())
    module = assert_computes(graph, inputs_of(graph))
    assert module.half().float().double() is module
    assert {"block1_queries.weight", "block1_queries_2.weight"} < {*module.state_dict()}


def test_code_is_made_of_standard_layers():
    graph = golden_graphs.maps()
    exported = export_module(graph)
    kinds = {type(part).__name__ for part in exported.module.children()}
    assert kinds == {"Conv2d", "BatchNorm2d", "PReLU", "Linear"}
    assert "wide = F.max_pool2d(F.relu(self.wide_norm(self.wide(x))), (3, 2), (1, 2))" in exported.source
    assert type(exported.module).__name__ == "Network"
    assert repr(exported) == "ExportedModule(ParameterMap(12 parameters, 162 elements of edges), 22 added zeros)"


def test_long_chains_are_exported_copied_and_saved(tmp_path):
    b = ng.GraphBuilder(seed=1, dtype=np.float64)
    last = b.input("x", 2)
    for i in range(1200):  # more than Python's limit of recursion
        b.layer(f"h{i}", 2)
        b.identity(last, f"h{i}")
        last = f"h{i}"
    b.output("y", 2)
    b.dense(last, "y")
    graph = b.build()
    module = assert_computes(graph, inputs_of(graph))
    torch.save(copy.deepcopy(module), tmp_path / "chain.pt")
    found = torch.load(tmp_path / "chain.pt", weights_only=False)
    x = tensors(inputs_of(graph))
    assert torch.equal(found(*x), module(*x))


# -- training -----------------------------------------------------------------------------------------


def trained_graphs():
    yield from (map_graphs.random_map_graph(seed) for seed in range(4))
    yield from (map_graphs.lopsided_graph(seed) for seed in range(2))
    yield map_graphs.token_graph(0)
    yield from (merge_graphs.merge_graph(name) for name in merge_graphs.MERGE_GRAPHS)
    yield from (drawn(golden_graphs.FEATURES[name]()) for name in ("maps", "tokens", "attention"))


def wide_graph(graph):
    """The graph in float64."""
    if graph.edges.weight.dtype == np.float64:
        return graph
    layers = [
        replace(layer, values={k: v.astype(np.float64) for k, v in layer.values.items()})
        for layer in graph.layers_by_id.values()
    ]
    return ng.Graph(layers, [replace(k, weight=k.weight.astype(np.float64)) for k in graph.links_by_key.values()])


def assert_trains_alike(graph):
    """Values, gradients of edges and vertices, and running statistics after a step in train mode are equal."""
    exported = export_module(graph)
    module, net = exported.module.train(), lower(graph, dtype=torch.float64).train()
    x = inputs_of(graph)
    found, wanted = outputs(module, tensors(x)), by_layer(net({k: torch.from_numpy(v) for k, v in x.items()}))
    assert_close(found, wanted)
    targets = targets_like([y.detach().contiguous() for y in wanted])
    for results in (found, wanted):
        sum((y - t).square().sum() for y, t in zip(results, targets, strict=True)).backward()
    gradients = exported.parameters.gradients(net)
    frozen = graph.edges.id[graph.edges.frozen]
    for name, parameter in module.named_parameters():
        ids = exported.parameters.edges.get(name)
        kept = ids is None or torch.from_numpy((ids >= 0) & ~np.isin(ids, frozen))
        if parameter.requires_grad and name in gradients:
            found = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
            assert_close([found * kept], [gradients[name] * kept])
        else:
            assert ids is None or not bool(kept.any())
    state = exported.parameters.state(lift(net))
    buffers = {name: value for name, value in module.named_buffers() if "running" in name}
    assert_close(buffers.values(), [state[name] for name in buffers])


@pytest.mark.parametrize("graph", [pytest.param(g, id=str(i)) for i, g in enumerate(trained_graphs())])
def test_modules_train_as_compiled_networks(graph):
    assert_trains_alike(wide_graph(graph))


@pytest.mark.parametrize("seed", range(8))
def test_dense_modules_train_as_compiled_networks(make_graph, seed):
    assert_trains_alike(make_graph(seed))


def test_weights_go_to_the_module_and_back():
    graph = merge_graphs.merge_graph("language")
    exported = export_module(graph)
    state = exported.module.state_dict()
    assert all(torch.equal(state[name], value) for name, value in exported.parameters.state(graph).items())
    with torch.no_grad():
        for parameter in exported.module.parameters():
            parameter.add_(torch.rand_like(parameter))
    trained = exported.parameters.load(graph, exported.module.state_dict())
    x = inputs_of(graph)
    assert_close(outputs(exported.module.eval(), tensors(x)), by_layer(ng.interpret(trained, x)))


def test_optimizer_state_goes_on_in_the_module():
    graph = ng.mlp([4, 6, 5, 3], norm="batch", activation="gelu", dtype=np.float64)
    net = lower(graph, dtype=torch.float64)
    x = inputs_of(graph, samples=8)
    own = torch.optim.AdamW(net.parameters(), lr=0.01, weight_decay=0.1)
    targets = targets_like([net(*tensors(x)).detach()])
    steps(lambda: outputs(net, tensors(x)), targets, own, 2)
    exported = export_module(lift(net))
    other = exported.parameters.optimizer_back(exported.module, net, own)
    ours = steps(lambda: outputs(net, tensors(x)), targets, own, 5)
    theirs = steps(lambda: outputs(exported.module, tensors(x)), targets, other, 5)
    np.testing.assert_allclose(ours, theirs, rtol=1e-9)


# -- zeros, frozen edges, and refusals ----------------------------------------------------------------


def test_missing_edges_are_counted_and_refused_if_asked():
    graph = ng.mlp([6, 5, 4], density=0.7, dtype=np.float64, seed=3)
    exported = export_module(graph)
    held = sum(value.numel() for value in exported.module.parameters())
    assert exported.added_zeros == held - graph.num_parameters > 0
    assert any("missing edges are zeros" in note for note in exported.notes)
    assert sum(int((ids < 0).sum()) for ids in exported.parameters.edges.values()) == exported.added_zeros
    with pytest.raises(CompileError, match=r"strict=False"):
        to_module(graph, strict=True)
    assert export_module(ng.mlp([6, 5, 4]), strict=True).notes == ()


def test_frozen_edges_stay_frozen_together_and_are_named_otherwise():
    b = ng.GraphBuilder(dtype=np.float64)
    b.input("x", 2)
    b.layer("all", 2)
    b.output("some", 2)
    at = np.array([0, 1, 0, 1]), np.array([0, 0, 1, 1])
    b.edges("x", "all", *at, weight=np.ones(4), frozen=True)
    b.edges("all", "some", *at, weight=np.ones(4), frozen=np.array([True, False, False, False]))
    exported = export_module(b.build())
    trained = {name: value.requires_grad for name, value in exported.module.named_parameters()}
    assert trained == {"all.weight": False, "all.bias": True, "some.weight": True, "some.bias": True}
    assert exported.notes == ("'all' -> 'some': 1 frozen edge is trained here.",)


def test_foreign_activations_and_norms_are_refused_by_name():
    refused = pytest.raises(CompileError, match=r"'hidden1' has the activation 'squareplus'.*relu6")
    with toy_activation.registered(toy_activation.SQUAREPLUS), refused:
        to_module(ng.mlp([2, 3, 1], activation="squareplus"))
    with toy_norm.registered("gain"), pytest.raises(CompileError, match=r"'hidden1' has the norm 'gain'.*rms"):
        to_module(ng.mlp([2, 3, 1], norm="gain"))


@pytest.mark.parametrize("name", ng.graph.ACTIVATIONS)
def test_every_activation_has_its_slopes(name):
    graph = drawn(ng.mlp([3, 4, 2], activation=name, dtype=np.float64))
    x = {"input": np.concatenate([inputs_of(graph, samples=20)["input"] * 10, np.full((1, 3), math.pi)])}
    module, net = to_module(graph), lower(graph, dtype=torch.float64)
    grads = []
    for run in (module, net):
        x_in = torch.from_numpy(x["input"]).requires_grad_()
        run(x_in).sum().backward()
        grads.append(x_in.grad)
    assert_close(grads[:1], grads[1:])
    assert_computes(graph, x)


@pytest.mark.parametrize("grid", [(), (3,), (2, 3)])
def test_a_layer_that_reads_nothing_and_has_no_bias_is_zero_on_every_grid(grid):
    b = ng.GraphBuilder(dtype=np.float64)
    b.input("x", 2, grid=grid)
    b.layer("h", 4, activation="identity", bias=False, grid=grid)
    b.output("y", 2, bias=False, grid=grid)
    b.identity("x", "y")
    b.output("z", 4, bias=False, grid=grid)
    b.identity("h", "z")
    assert_computes(b.build(), {"x": np.ones((5, 2, *grid))})
