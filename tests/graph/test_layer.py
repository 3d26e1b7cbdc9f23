"""Layers: what they hold, and every way in which one can be wrong."""

import numpy as np
import pytest

from netgraph.errors import GraphError
from netgraph.graph import Layer, Pool, Product


def layer(n=2, **changes):
    values = {"bias": np.zeros(n, np.float32)}
    given = {"id": 0, "name": "h", "vertex_ids": np.arange(n), "birth": np.zeros(n), "values": values, **changes}
    return Layer(**given)


BATCH = {name: np.ones(2, np.float32) for name in ("scale", "shift", "mean", "var")}


def test_valid_layers_pass():
    layer().validate()
    layer(norm="batch", values=BATCH).validate()
    layer(activation="prelu", values={"slope": np.ones(2)}).validate()
    layer(grid=(4, 4), pool=Pool("max", (2, 2))).validate()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"n": 0}, ["'h'", "no vertices", "at least one"]),
        ({"role": "inputs"}, ["'h'", "role='inputs'", "Did you mean 'input'"]),
        ({"norm": "bach"}, ["'h'", "norm 'bach'", "batch"]),
        ({"activation": "rely"}, ["activation 'rely'", "relu"]),
        ({"grid": (2, 2, 2)}, ["'h'", "grid (2, 2, 2)", "two axes"]),
        ({"grid": (0, 2)}, ["'h'", "grid (0, 2)", "at least 1"]),
        ({"slope": float("nan")}, ["'h'", "slope nan"]),
        ({"norm_epsilon": 0.0}, ["'h'", "norm_epsilon 0.0"]),
        ({"norm_momentum": 1.5}, ["'h'", "norm_momentum 1.5"]),
        ({"norm": "batch"}, ["'h'", "lacks", "'mean', 'scale', 'shift', 'var'"]),
        ({"activation": "prelu"}, ["'h'", "lacks", "slope"]),
        ({"values": {"scale": np.ones(2)}}, ["'h'", "does not use", "scale"]),
        ({"values": {"bias": np.zeros(3)}}, ["'h'", "'bias'", "(3,)", "(2,)"]),
        ({"values": {"bias": np.zeros(2, np.int64)}}, ["'h'", "'bias'", "int64", "float32 or float64"]),
        ({"values": {"bias": np.array([0, np.nan])}}, ["'h'", "'bias'", "nan", "finite"]),
        ({"birth": np.zeros(3)}, ["'h'", "'birth'", "(3,)"]),
        ({"vertex_ids": np.array([4, 4])}, ["'h'", "same vertex id twice"]),
        ({"vertex_ids": np.zeros((2, 1))}, ["'h'", "'vertex_ids'", "(2, 1)"]),
        ({"norm": "batch", "values": {**BATCH, "var": np.array([1.0, -1.0])}}, ["'h'", "variance is negative"]),
        ({"pool": Pool("max", (2, 2))}, ["Pooling needs a grid of maps"]),
        ({"grid": (2, 2), "pool": Pool("max", (3, 2))}, ["does not fit", "(2, 2)"]),
        ({"grid": (2, 2), "pool": Pool("max", (2, 2), (0, 1))}, ["stride (0, 1)", "does not fit"]),
        ({"grid": (2, 2), "pool": Pool("min", (2, 2))}, ["pool kind='min'", "max"]),
        ({"role": "input", "values": {}}, ["'h'", "lacks", "high"]),
        ({"role": "input", "activation": "relu", "values": {"low": np.zeros(2), "high": np.ones(2)}}, ["is an input"]),
        ({"role": "input", "values": {"low": np.array([0.0, 2.0]), "high": np.ones(2)}}, ["row 1", "[2.0, 1.0]"]),
        ({"role": "input", "values": {"low": np.array([np.nan, 0]), "high": np.ones(2)}}, ["row 0", "empty"]),
    ],
)  # fmt: skip
def test_errors_name_what_is_wrong(changes, words):
    with pytest.raises(GraphError) as caught:
        layer(**changes).validate()
    for word in words:
        assert word in str(caught.value)


def test_repr_tells_the_operation():
    x = layer(activation="relu", norm="batch", values=BATCH, grid=(4, 4), pool=Pool("max", (2, 2)))
    assert repr(x) == "Layer('h', 2 vertices, relu, batch norm, grid (4, 4), max pool (2, 2))"


def test_pool_grids():
    assert Pool("max", (2, 2)).output_grid((5, 4)) == (2, 2)
    assert Pool("max", (2, 2), (1, 1)).output_grid((5, 4)) == (4, 3)
    assert Pool("average", (5, 4)).output_grid((5, 4)) == ()


def test_domain_is_two_numbers_when_all_vertices_agree():
    same = layer(role="input", values={"low": np.zeros(2), "high": np.ones(2)})
    assert same.domain == (0.0, 1.0)
    apart = layer(role="input", values={"low": np.array([0.0, -1.0]), "high": np.ones(2)})
    np.testing.assert_array_equal(apart.domain[0], [0, -1])
    assert layer().domain is None


def test_columns_are_copies_that_cannot_be_written():
    bias, ids = np.zeros(2, np.float32), np.arange(2)
    x = layer(values={"bias": bias}, vertex_ids=ids)
    bias[0] = ids[0] = 7
    assert x.bias[0] == 0
    assert x.vertex_ids[0] == 0
    with pytest.raises(ValueError, match="read-only"):
        x.bias[0] = 1
    with pytest.raises(TypeError):
        x.values["bias"] = bias


def test_a_read_only_view_of_writable_memory_is_copied():
    memory = np.zeros(4, np.float32)
    view = memory[:2]
    view.flags.writeable = False
    x = layer(values={"bias": view})
    memory[0] = 5
    assert x.bias[0] == 0


def test_numpy_numbers_in_attributes_are_made_plain():
    x = layer(grid=(np.int64(4), np.int32(4)), slope=np.float32(0.5), pool=Pool("max", np.array([2, 2])))
    assert x.topology_digest == layer(grid=(4, 4), slope=0.5, pool=Pool("max", (2, 2))).topology_digest


def test_trainable_columns():
    assert layer(norm="batch", values={**BATCH, "bias": np.zeros(2)}).trainable == ("bias", "scale", "shift")
    assert layer(role="input", values={"low": np.zeros(2), "high": np.ones(2)}).trainable == ()


def test_digest_changes_with_everything_but_trained_values():
    same = layer(values={"bias": np.ones(2, np.float32)}, birth=[3, 3])
    assert same.topology_digest == layer().topology_digest
    others = [
        layer(id=1),
        layer(name="g"),
        layer(activation="relu"),
        layer(slope=0.5),
        layer(values={}),
        layer(vertex_ids=[1, 0]),
        layer(grid=(2,)),
        layer(norm_epsilon=1e-3),
        layer(role="output"),
    ]
    assert len({x.topology_digest for x in [*others, layer()]}) == len(others) + 1
    changed = layer().with_values({"bias": np.ones(2, np.float32)})
    assert changed.topology_digest == layer().topology_digest


def test_digest_of_an_input_follows_its_bounds():
    one = layer(role="input", values={"low": np.zeros(2), "high": np.ones(2)})
    before = one.topology_digest
    assert one.with_values({"high": np.full(2, 2.0)}).topology_digest != before


def test_pools_have_one_axis_or_two_and_may_pad():
    assert Pool("max", (2,)).output_grid((5,)) == (2,)
    assert Pool("average", (5,)).output_grid((5,)) == ()
    assert Pool("average", (5,), padding=(1,)).output_grid((5,)) == (1,)
    assert Pool("max", (3, 3), (2, 2), (1, 1)).output_grid((5, 4)) == (3, 2)
    assert Pool("max", (2, 2), padding=(0, 0)) == Pool("max", (2, 2))
    assert repr(Pool("max", (2, 2))) == "Pool(kind='max', size=(2, 2), stride=None)"
    with pytest.raises(GraphError, match=r"tokens \(positions,\), not \(5, 4\)"):
        Pool("max", (2,)).output_grid((5, 4))
    with pytest.raises(GraphError, match="at most half of it as padding"):
        Pool("max", (2,), padding=(2,)).output_grid((5,))
    with pytest.raises(GraphError, match=r"stride=\(1, 1\) and size=\(2,\) need one number per axis"):
        Pool("max", (2,), (1, 1))


def test_positions_have_one_vertex_per_position():
    x = layer(role="position", grid=(2,), values={})
    x.validate()
    assert x.trainable == ()
    assert x.is_source
    with pytest.raises(GraphError, match="2 vertices on the grid"):
        layer(role="position", grid=(3,), values={}).validate()
    with pytest.raises(GraphError, match="is a layer of positions: it takes no activation"):
        layer(role="position", grid=(2,), values={}, activation="relu").validate()


def test_indices_are_zero_or_one_and_belong_to_inputs():
    ends = {"low": np.zeros(2), "high": np.ones(2)}
    layer(role="input", encoding="index", values=ends).validate()
    with pytest.raises(GraphError, match=r"its domain is \(0, 1\)"):
        layer(role="input", encoding="index", values={**ends, "high": np.full(2, 2.0)}).validate()
    with pytest.raises(GraphError, match="only inputs have encoding='index'"):
        layer(encoding="index").validate()
    with pytest.raises(GraphError, match="encoding='onehot'"):
        layer(role="input", encoding="onehot", values=ends).validate()


def test_optional_attributes_enter_only_where_they_are_set():
    assert set(layer().attributes) == set(Layer.ATTRIBUTES)
    ends = {"low": np.zeros(2), "high": np.ones(2)}
    assert layer(role="input", encoding="index", values=ends).attributes["encoding"] == "index"
    assert layer(merge=Product()).attributes["merge"] == Product()
    assert layer(merge=Product()).topology_digest != layer().topology_digest
    with pytest.raises(GraphError, match="merge='product' is no Merge"):
        layer(merge="product")
