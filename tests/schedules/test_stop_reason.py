"""Reasons to stop: clauses with a remedy, and their form in files."""

import json
from dataclasses import FrozenInstanceError, asdict

import pytest

from netgraph.schedules import STOP_REASON_SHAPE, StopReason
from netgraph.storage import ShapeError

REASONS = [StopReason.no_improvement(5), StopReason.density_reached(0.25), StopReason("other", "it rained")]


@pytest.mark.parametrize("reason", REASONS, ids=str)
def test_a_reason_goes_through_a_file(reason):
    values = json.loads(json.dumps(asdict(reason)))
    STOP_REASON_SHAPE.check(values)
    assert StopReason.from_json(values) == reason


def test_a_reason_is_a_clause_with_its_remedy():
    assert [str(reason) for reason in REASONS] == [
        "the validation loss has not improved for 5 epochs; a larger patience trains longer, patience=0 to the last "
        "epoch",
        "density 0.25 is reached; ask for a larger density to grow on",
        "it rained",
    ]


@pytest.mark.parametrize(("value", "reason"), [(None, None), ("it rained", REASONS[2])])
def test_none_and_the_text_of_earlier_versions_are_read(value, reason):
    STOP_REASON_SHAPE.check(value)
    assert StopReason.from_json(value) == reason


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (3, "it is 3, expected an object"),
        ({"kind": "bored", "text": "x"}, "'kind' is 'bored', expected one of 'no improvement'"),
        ({"kind": "other"}, "'text' is missing"),
        ({"kind": "other", "text": "x", "place": "y"}, "'place' is 'y', expected nothing of this name"),
    ],
)
def test_other_values_are_refused_with_their_place(value, message):
    with pytest.raises(ShapeError) as caught:
        STOP_REASON_SHAPE.check(value)
    assert message in str(caught.value)


def test_a_reason_cannot_be_written_to():
    with pytest.raises(FrozenInstanceError):
        REASONS[0].text = "none"
