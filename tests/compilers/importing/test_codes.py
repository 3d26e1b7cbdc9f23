"""Codes of imported numbers: their ranges, and the owner, sample and offset of each."""

import numpy as np
import pytest
import torch

from compilers.importing.codes import Coded, CodedTerm, CodeSpace, distinct
from compilers.importing.movement import joined


@pytest.fixture
def space():
    space = CodeSpace()
    for number in range(100):  # more owners than there is room for at first
        space.add(f"owner {number}", number + 1, samples=1 + number % 2)
    return space


def test_a_code_has_the_owner_sample_and_offset_with_which_it_was_made(space):
    code = 1
    for number in range(100):
        for sample in range(1 + number % 2):
            codes = np.arange(code, code + number + 1)
            owner, own_sample, offset = space.locate(codes)
            assert {space.owner(index) for index in owner.tolist()} == {f"owner {number}"}
            assert set(own_sample.tolist()) == {sample if number % 2 else -1}
            np.testing.assert_array_equal(offset, np.arange(number + 1))
            np.testing.assert_array_equal(space.strides(codes), (number + 1) * (number % 2))
            code += number + 1


def test_code_0_is_the_constant_one(space):
    owner, sample, offset = space.locate(np.zeros(1, np.int64))
    assert space.owner(int(owner[0])) is None
    assert (sample[0], offset[0]) == (-1, 0)


def test_distinct_numbers_come_in_order():
    assert distinct(np.array([[3, 1], [3, 0]])) == [0, 1, 3]
    assert distinct(np.zeros(0, np.int64)) == []


def test_a_term_is_what_both_of_its_tensors_say():
    term = CodedTerm(torch.tensor([5, 6]), torch.tensor([0.0, 2.0]))
    assert term.exists.tolist() == [False, True]
    assert term.scaled(3).factor.tolist() == [0, 6]


def test_values_with_fewer_terms_are_joined_with_terms_of_nothing():
    one, two = Coded.of(torch.tensor([[1]])), Coded.of(torch.tensor([[2]])).plus(Coded.of(torch.tensor([[3]])))
    both = joined([one, two], torch.hstack)
    assert [term.codes.tolist() for term in both.terms] == [[[1, 2]], [[0, 3]]]
    assert [term.factor.tolist() for term in both.terms] == [[[1, 1]], [[0, 1]]]
