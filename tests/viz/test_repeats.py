"""Repeated blocks in sequences: which runs are found, and that their blocks are equal, apart and as many as said."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netgraph.viz.repeats import Repeat, repeats

BLOCK = "nqkvhmsNMS"


def test_the_blocks_of_a_transformer_are_one_run() -> None:
    assert repeats("tpe" + BLOCK * 12 + "no") == [Repeat(start=3, length=10, count=12)]


def test_a_block_that_differs_divides_the_run_and_both_parts_start_at_the_same_item() -> None:
    grown = BLOCK.replace("M", "W")
    assert repeats("tpe" + BLOCK * 5 + grown + BLOCK * 6 + "no") == [Repeat(3, 10, 5), Repeat(63, 10, 6)]


def test_stages_with_a_first_block_of_their_own_are_runs() -> None:
    assert repeats("xy" + "abc" * 9 + "ABC" + "Dbc" * 8) == [Repeat(2, 3, 9), Repeat(32, 3, 8)]


@pytest.mark.parametrize("keys", ["", "a", "abc", "a" * 50, "abab", "abcdefgabcdefg"])
def test_chains_and_two_blocks_are_none(keys: str) -> None:
    assert repeats(keys) == []


def test_the_shortest_block_is_taken() -> None:
    assert repeats("ab" * 6) == [Repeat(0, 2, 6)]
    assert repeats(("aab" * 3 + "c") * 3) == [Repeat(0, 10, 3)]


@given(st.text(alphabet="ab", max_size=40))
def test_blocks_are_equal_apart_and_inside(keys: str) -> None:
    stop = 0
    for run in repeats(keys):
        assert run.start >= stop
        stop = run.stop
        assert stop <= len(keys)
        assert run.count >= 3
        assert keys[run.start : stop] == keys[run.start : run.start + run.length] * run.count
