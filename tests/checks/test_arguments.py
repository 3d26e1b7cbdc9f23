"""Arguments of functions, checked by their annotations."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pytest

import netgraph as ng
from netgraph.analysis import isolated, lacking, leading_out, receptive_fields, tau_core
from netgraph.checks import Count, Seed, checked
from netgraph.criteria import erk, gradmax_outgoing, joining_edges, kept_edges, walks_through
from netgraph.errors import GraphError, NetgraphError, OptionError, StatisticsError
from netgraph.methods import sparse_start
from netgraph.schedules import cubic_target, fit_plateau
from netgraph.viz import plot_receptive_fields

if TYPE_CHECKING:
    from decimal import Decimal

NO_WHOLE_NUMBERS = [math.nan, math.inf, 2.5, True, np.True_, "2", 10**400, None, 1j]
NO_SEEDS = [math.nan, math.inf, 2.5, True, "2", -1]
NO_NUMBERS = [math.nan, True, "0.5", 10**400, None, 1j]


@checked
def made(
    count: Count, rate: float = 0.5, *, sizes: Sequence[int] = (), by: Mapping[str, int] | None = None, on: bool = True,
    name: str = "a", rng: np.random.Generator | None = None, kind: Literal["a", "b"] = "a", given: Any = None,
    unknown: Decimal | None = None, seed: Seed = 0,
) -> tuple[Any, ...]:  # fmt: skip
    """Return what arrived."""
    return count, rate, sizes, on, name, seed


@pytest.fixture
def graph():
    return ng.mlp([3, 4, 2], domain=(0, 1))


def test_good_arguments_arrive_as_plain_numbers():
    assert made(np.int64(2), np.float32(0.5), sizes=[1], on=np.True_, seed=2**70, unknown=1, given=object()) == (
        2, 0.5, [1], True, "a", 2**70,
    )  # fmt: skip
    assert made.__name__ == "made"
    assert made.__doc__ == "Return what arrived."


@pytest.mark.parametrize(
    "wrong",
    [{"count": value} for value in (0, *NO_WHOLE_NUMBERS)] + [{"rate": value} for value in (math.inf, *NO_NUMBERS)]
    + [{"sizes": 3}, {"sizes": "34"}, {"on": 1}, {"on": "false"}, {"name": 3}, {"seed": -1}],
)  # fmt: skip
def test_wrong_arguments_are_named(wrong):
    with pytest.raises(OptionError, match=rf"{next(iter(wrong))}="):
        made(**{"count": 1, **wrong})


def test_missing_and_unknown_arguments_are_named_by_python():
    with pytest.raises(TypeError, match=r"made\(\) missing 1 required positional argument: 'count'"):
        made()
    with pytest.raises(TypeError, match=r"unexpected keyword argument 'sise'"):
        made(1, sise=2)


def test_functions_refuse_numbers_of_another_kind(graph):
    paths = ng.analysis.path_analysis(graph)
    rng = np.random.default_rng(0)
    doors = {
        "density": (NO_NUMBERS, lambda v: ng.mlp([3, 2], density=v)),
        "width": (NO_WHOLE_NUMBERS, lambda v: ng.vgg(11, input_size=(1, 32, 32), width=v)),
        "tau": (NO_NUMBERS, lambda v: tau_core(paths, v)),
        "density of erk": (NO_NUMBERS, lambda v: erk([(3, 4)], v)),
        "shapes": (NO_WHOLE_NUMBERS, lambda v: erk([(3, v)], 0.5)),
        "cells": (NO_WHOLE_NUMBERS, lambda v: kept_edges(v, 0.5)),
        "steps": (NO_WHOLE_NUMBERS, lambda v: cubic_target(3, 4, 1, v)),
        "count": (NO_WHOLE_NUMBERS, lambda v: gradmax_outgoing(None, v, 1.0, 2, rng)),
        "seed": (NO_SEEDS, lambda v: sparse_start(graph, density=0.5, seed=v)),
        "densities": (["x", 10**400], lambda v: fit_plateau([v], [0.5])),
        "samples": (NO_WHOLE_NUMBERS, lambda v: ng.Statistics("", samples=v)),
        "vertices": (NO_WHOLE_NUMBERS, lambda v: receptive_fields(graph, [v])),
        "threshold": ([math.nan, True, "0.5", None], lambda v: ng.at_least(np.zeros(2), v)),
        "limit": ([math.nan, True, "0.5", None], lambda v: ng.at_most(np.zeros(2), v)),
    }  # fmt: skip
    for name, (values, call) in doors.items():
        for value in values:
            try:
                call(value)
            except NetgraphError:
                continue
            pytest.fail(f"{name}={value!r} was taken")


def test_texts_are_no_truth_values(graph):
    for call in (
        lambda: ng.mlp([3, 2], bias="no"),
        lambda: ng.convnet([[2]], batch_norm="no"),
        lambda: ng.reinitialised(graph, seed=0, thin="no"),
        lambda: ng.interpret(graph, np.zeros((1, 3)), train="no"),
    ):
        with pytest.raises(OptionError, match="'no' is not a truth value"):
            call()


def test_numbers_of_rows_are_no_mask(graph):
    rng, rows = np.random.default_rng(0), np.arange(len(graph.edges))
    for call in (isolated, lacking, leading_out, lambda g, k: joining_edges(g, k, rng),
                 lambda g, k: walks_through(g, k, rng)):  # fmt: skip
        with pytest.raises(OptionError, match="keep is an array of int64, not of booleans"):
            call(graph, rows)
        with pytest.raises(OptionError, match=r"keep has shape \(2,\); give \(20,\) booleans, one per edge"):
            call(graph, np.ones(2, bool))
    with pytest.raises(GraphError, match="booleans"):
        ng.thinned(graph, rows)


def test_vertices_to_look_at_are_not_cut(graph):
    for ids in ([3.7], [True, False], [math.nan]):
        with pytest.raises(OptionError, match="of"):
            plot_receptive_fields(graph, of=ids)


def test_one_value_of_an_optional_argument_is_checked_too():
    made(1, by=None)
    made(1, by={"a": 1}, rng=np.random.default_rng(0))
    for wrong in ({"by": [1]}, {"rng": 3}):
        with pytest.raises(OptionError, match=rf"{next(iter(wrong))}="):
            made(1, **wrong)


@pytest.mark.parametrize("value", [0.5, "x", [1.0]])
def test_mappings_of_arrays_are_mappings(value):
    for name in ("edges", "vertices", "moments"):
        with pytest.raises(StatisticsError, match=f"{name}=.* is not a mapping"):
            ng.Statistics("", **{name: value})
    for name in ("incoming", "values"):
        with pytest.raises(OptionError, match=f"{name}=.* is not a mapping"):
            ng.rules.WidenLayer(**{name: value})
