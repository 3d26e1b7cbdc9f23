"""Certificates as values: levels, text, JSON."""

import dataclasses
import json
import math

import pytest

from netgraph.proof import Certificate, Measurement
from netgraph.proof.certificate import LEVELS, rounded_up

INF = math.inf
EXACT = Certificate("exact", "nothing moves", bound=0.0, bounds={"y": (0.0, 0.0)}, domain={"x": (0.0, 1.0)})
ROUNDED = Certificate(
    "bounded", "it cancels", bound=1e-9, bounds={"y": (1e-9,)}, rounding=True, domain={"x": (-1.0, 1.0)}
)
BOUNDED = Certificate(
    "bounded",
    "slopes",
    bound=0.25,
    bounds={"y": (0.125, 0.25), "z": (0.0,)},
    layers={"h": 0.5, "y": 0.25},
    domain={"x": (-1.0, 1.0), "u": (0.0, INF)},
    assumptions=("batch norm in eval mode",),
    stopped=("vertex 3 of layer 'h'",),
    measured=Measurement(0.1, 0.05, 64, 0.125),
)
UNKNOWN = Certificate(
    "unknown", "no bound", bounds={"y": (INF, 0.5)}, layers={"h": 0.5, "y": INF}, domain={"x": (-INF, INF)}
)
ALL = (EXACT, ROUNDED, BOUNDED, UNKNOWN)


def test_levels():
    assert tuple(c.level for c in ALL) == LEVELS
    assert dataclasses.replace(EXACT, rounding=True).level == "exact"
    assert dataclasses.replace(UNKNOWN, rounding=True).level == "unknown"


@pytest.mark.parametrize("required", range(4))
@pytest.mark.parametrize("given", range(4))
def test_stronger_satisfies_weaker(given, required):
    assert ALL[given].satisfies(LEVELS[required]) == (given <= required)


def test_numbers_and_nothing_as_requirements():
    assert all(c.satisfies(None) for c in ALL)
    assert [c.satisfies(0.25) for c in ALL] == [True, True, True, False]
    assert [c.satisfies(0.2499) for c in ALL] == [True, True, False, False]
    assert [c.satisfies(0) for c in ALL] == [True, False, False, False]
    assert [c.satisfies(INF) for c in ALL] == [True, True, True, False]


def test_text_of_an_exact_one():
    assert str(EXACT) == "exact: no output changes, because nothing moves; for x in [0, 1]"


def test_text_of_a_bound():
    text = str(dataclasses.replace(BOUNDED, measured=None))
    assert text == (
        "bounded: no output changes by more than 0.25, because slopes; for x in [-1, 1], u in [0, inf); "
        "provided batch norm in eval mode; changes enter at vertex 3 of layer 'h'"
    )
    assert str(ROUNDED).startswith("exact up to rounding: no output changes by more than 1e-09, because it cancels")


def test_text_of_a_measurement():
    text = str(BOUNDED)
    assert "more than 0.25 (0.125 of its range), because" in text
    assert text.endswith("; measured 0.1 (0.05 of an output's range) on 64 samples")


def test_text_of_an_unknown_one():
    assert str(UNKNOWN) == "unknown: no bound"
    assert str(Certificate("unknown", "other outputs")) == "unknown: other outputs"


@pytest.mark.parametrize(
    ("bound", "text"),
    [(0.12345, "0.124"), (0.12301, "0.124"), (0.123, "0.123"), (9.999, "10"), (1234567.0, "1.24e+06"),
     (1e-300, "1e-300"), (1.2349e-12, "1.24e-12"), (0.1 + 0.2, "0.301"), (5e-324, "4.94e-324")],
)  # fmt: skip
def test_bounds_are_never_rounded_down_in_text(bound, text):
    shown = str(Certificate("bounded", "so", bound)).split("more than ")[1].split(",")[0]
    assert shown == text
    assert float(shown) >= bound
    assert float(shown) <= bound * 1.011 + 1e-320


@pytest.mark.parametrize(
    ("bound", "text"),
    [(0.0, "0.0e+00"), (0.12301, "1.3e-01"), (0.12, "1.2e-01"), (9.99, "1.0e+01"), (1.2345e-7, "1.3e-07"),
     (math.inf, "inf")],
)  # fmt: skip
def test_bounds_in_powers_of_ten_are_never_rounded_down(bound, text):
    assert rounded_up(bound, 2, "e") == text


def test_brief_texts():
    assert EXACT.brief() == "exact"
    assert ROUNDED.brief() == "exact up to rounding, at most 1e-09"
    assert BOUNDED.brief() == (
        "bounded, at most 0.25 (0.125 of the range), batch norm in eval mode; measured 5.0e-02 of the range"
    )
    assert UNKNOWN.brief() == "unknown"


@pytest.mark.parametrize("certificate", ALL, ids=LEVELS)
def test_json_round_trip(certificate):
    text = json.dumps(certificate.to_json(), allow_nan=False)
    assert Certificate.from_json(json.loads(text)) == certificate


def test_json_has_no_infinite_numbers():
    values = UNKNOWN.to_json()
    assert values["bounds"] == {"y": ["inf", 0.5]}
    assert values["layers"] == {"h": 0.5, "y": "inf"}
    assert values["domain"] == {"x": ["-inf", "inf"]}
    assert values["bound"] is None
    assert values["measured"] is None


def test_json_of_an_infinite_measurement():
    measured = dataclasses.replace(UNKNOWN, measured=Measurement(INF, math.nan, 3, INF))
    again = Certificate.from_json(json.loads(json.dumps(measured.to_json(), allow_nan=False)))
    assert again.measured is not None
    assert (again.measured.change, again.measured.bound) == (INF, INF)
    assert math.isnan(again.measured.relative)


def test_every_field_is_in_the_json():
    assert BOUNDED.to_json().keys() == {field.name for field in dataclasses.fields(Certificate)}


def test_a_certificate_does_not_change():
    with pytest.raises(dataclasses.FrozenInstanceError):
        EXACT.kind = "unknown"
