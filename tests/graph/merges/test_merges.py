"""Merges against their formulas, written out anew, and as plain values."""

import json

import numpy as np
import pytest

import netgraph as ng
from netgraph.errors import GraphError
from netgraph.graph import Attend, Mix, PortRead, Product, merge_from_json, merge_to_json

MERGES = [Product(), Mix(), Attend(0.5), Attend(0.25, True, (1.0, 0.5))]


def read(values, src=None, dst=None, slot=None):
    rows = np.arange(values.shape[1])
    src, dst = (rows if given is None else np.array(given) for given in (src, dst))
    return PortRead(values, src, dst, np.zeros_like(dst) if slot is None else np.array(slot))


def softmax(logits):
    weights = np.exp(logits - logits.max())
    return weights / weights.sum()


@pytest.mark.parametrize("merge", MERGES)
def test_merges_survive_json(merge):
    assert merge_from_json(json.loads(json.dumps(merge_to_json(merge)))) == merge


def test_unknown_merges_and_settings_are_refused():
    with pytest.raises(GraphError, match=r"merge 'attent'.*Did you mean 'attend'"):
        merge_from_json({"type": "attent"})
    with pytest.raises(GraphError, match=r"needs \['causal', 'frequencies', 'scale'\], and has \['scale'\]"):
        merge_from_json({"type": "attend", "scale": 1.0})


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"scale": "1"}, "scale='1'"),
        ({"scale": np.inf}, "scale"),
        ({"scale": 1.0, "causal": 1}, "causal=1"),
        ({"scale": 1.0, "frequencies": 3.0}, "frequencies=3.0 is no sequence"),
        ({"scale": 1.0, "frequencies": (np.nan,)}, r"frequencies\[0\]"),
    ],
)
def test_settings_of_attention_are_checked(given, words):
    with pytest.raises(GraphError, match=words):
        Attend(**given)


def test_a_product_multiplies_its_ports():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 3, 4)), rng.normal(size=(2, 3, 4))
    got = Product().evaluate((read(a), read(b, src=[2, 0, 1], dst=[0, 1, 2])), 3)
    np.testing.assert_array_equal(got, a * b[:, [2, 0, 1]])


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("rotary", [False, True])
def test_attention_is_a_softmax_of_scalar_products_over_slots(causal, rotary):
    rng = np.random.default_rng(1)
    queries, keys, heads, slots = (4, 4, 2, 4) if causal else (3, 5, 2, 4)
    q, k = rng.normal(size=(2, 8, queries)), rng.normal(size=(2, 4, keys))
    frequencies = (0.7, 0.2) if rotary else ()
    head, slot = np.divmod(np.arange(8), slots)
    got = Attend(0.3, causal, frequencies).evaluate(
        (read(q, dst=head, slot=slot), read(k, src=slot, dst=head, slot=slot)), heads
    )

    def turned(pair, position, i):
        if not rotary:
            return pair
        turn = np.exp(1j * position * frequencies[i]) * complex(*pair)
        return np.array([turn.real, turn.imag])

    for sample, h, t in np.ndindex(2, heads, queries):
        logits = np.zeros(keys)
        for s, i in np.ndindex(keys, slots // 2):
            at = slice(2 * i, 2 * i + 2)
            a = turned(q[sample, h * slots :][at, t], t, i)
            logits[s] += 0.3 * float(a @ turned(k[sample, at, s], s, i))
        seen = t + 1 if causal else keys
        want = np.concatenate([softmax(logits[:seen]), np.zeros(keys - seen)])
        np.testing.assert_allclose(got[sample, h, t], want, atol=1e-14)


def test_heads_may_have_different_slots():
    q, k = np.ones((1, 3, 2)), np.arange(6.0).reshape(1, 3, 2)
    wires = {"dst": [0, 0, 1], "slot": [0, 5, 2]}
    got = Attend(1.0).evaluate((read(q, **wires), read(k, **wires)), 2)
    np.testing.assert_allclose(got[0, 0, 0], softmax(np.array([2.0, 4.0])))
    np.testing.assert_allclose(got[0, 1, 0], softmax(np.array([4.0, 5.0])))


def test_a_mix_weights_each_value_by_its_head():
    rng = np.random.default_rng(2)
    heads, values = rng.random((2, 2, 3, 4)), rng.normal(size=(2, 2, 4))
    got = Mix().evaluate((read(heads, src=[0, 1, 1], dst=[0, 1, 2]), read(values, src=[0, 0, 1], dst=[0, 1, 2])), 3)
    for row, (h, v) in enumerate([(0, 0), (1, 0), (1, 1)]):
        np.testing.assert_allclose(got[:, row], (heads[:, h] @ values[:, v, :, None])[..., 0])


def test_intervals_contain_the_values():
    first, second = (np.array([-1.0, 0.0]), np.array([2.0, 0.0])), (np.array([-3.0, -np.inf]), np.array([1.0, np.inf]))
    low, high = Product().interval(first, second, 2)
    np.testing.assert_allclose(low, [-6, 0])
    np.testing.assert_allclose(high, [3, 0])
    assert [x.tolist() for x in Attend(1.0).interval(first, second, 3)] == [[0, 0, 0], [1, 1, 1]]
    assert Mix().interval(first, second, 2) is second


def test_which_merges_carry_paths():
    assert [merge.carried for merge in (Product(), Attend(1.0), Mix())] == [(0, 1), (), (1,)]


def test_names_are_public():
    assert (ng.Product, ng.Attend, ng.Mix) == (Product, Attend, Mix)
