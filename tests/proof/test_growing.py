"""Columns, forms and keys that grow at the end, compared with those that are made at once."""

import numpy as np

from netgraph.proof.forms import Stack, Terms, collect, joined
from netgraph.proof.growing import Growing
from netgraph.proof.keys import KEYS, WINDOW, Keys, keys_of


def forms(rng, rows):
    terms = rng.integers(0, 4 * rows + 1)
    parts = rng.integers(0, max(rows, 1), terms), rng.integers(0, 9, terms), rng.normal(size=terms)
    return collect(rows, Terms.of(*parts), 1e-7, 9)


def test_columns_grow_by_their_rows_and_earlier_views_stay():
    rng, columns, parts = np.random.default_rng(0), Growing(a=np.int64, b=bool), []
    for count in rng.integers(0, 20, 30):
        before = columns["a"], columns["a"].copy()
        parts.append(rng.integers(0, 99, count))
        columns.append({"a": parts[-1], "b": parts[-1] > 50})
        np.testing.assert_array_equal(*before)
    np.testing.assert_array_equal(columns["a"], np.concatenate(parts))
    np.testing.assert_array_equal(columns["b"], np.concatenate(parts) > 50)
    assert len(columns) == sum(map(len, parts))


def test_a_stack_of_forms_is_their_concatenation():
    rng, stack = np.random.default_rng(1), Stack()
    parts = [forms(rng, int(rows)) for rows in rng.integers(0, 5, 20)]
    for part in parts:
        stack.append(part)
    assert len(stack) == sum(map(len, parts))
    for name in ("start", "column", "value", "error", "rounding"):
        np.testing.assert_array_equal(getattr(stack.rows, name), getattr(joined(parts), name))


def test_close_keys_are_found_in_however_many_parts_they_came():
    rng, keys, first = np.random.default_rng(2), Keys(), []
    for block in range(40):
        own = rng.choice([0.0, 1.25, -1.25, 0.7], rng.integers(1, 6)) * (1 + 1e-9 * rng.normal())
        own = own + (own != 0) * rng.choice([0.0, 0.0, 100.0 + block], len(own))
        keys.add(block, keys_of(own, own / 3, np.ones(len(own)), np.full(len(own), 1.5)))
        first += own.tolist()
        asked = keys_of(np.array(own[:1]), own[:1] / 3, np.ones(1), np.full(1, 1.5))
        for name in KEYS:
            found = {int(known) for _, pairs in keys.near(name, asked[name]) for known in pairs}
            close = np.abs(keys[name] - asked[name]) <= WINDOW * np.abs(asked[name])
            assert found
            assert found <= set(np.flatnonzero(close).tolist())
    assert len(keys["row"]) == len(first)
    where = keys["block"] * 10 + keys["row"]
    assert len(np.unique(where)) == len(where)
