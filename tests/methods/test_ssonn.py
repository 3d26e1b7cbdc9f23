import dataclasses

import numpy as np
import pytest
from fake_context import FakeContext

import netgraph as ng
from netgraph.criteria import AbsoluteThreshold, AtMost, MinMaxThreshold, Quantile, TopK
from netgraph.errors import OptionError
from netgraph.methods import METHODS, PruneBelow, PruneToBudget, Split, SsonnOptions, get_method, ssonn
from netgraph.methods.goal import Goal

START = ng.mlp([8, 3], domain=(0, 1))


def test_splitting_comes_first_and_pruning_as_asked():
    kinds = {"budget": (Split, PruneToBudget), "below": (Split, PruneBelow), "none": (Split,)}
    for prune, expected in kinds.items():
        assert tuple(map(type, ssonn(START, SsonnOptions(prune=prune)).parts)) == expected


def test_options_reach_the_split():
    options = SsonnOptions(
        criterion="g_var", select="minmax", amount=0.3, limit=7, cross="none", epsilon=0.25, signed="refuse",
        scope="output", expansions=2, peak_edges=99, grow_until=0.25, plateau=0.5, window=4, spacing=6,
        scale="link", spread=True, share=0.75, start_by=0.125,
    )  # fmt: skip
    part = ssonn(START, options).parts[0]
    assert (part.criterion, part.scope, part.max_edges, part.expansions, part.until) == ("g_var", "output", 99, 2, 0.25)
    assert (part.scale, part.spread, part.share, part.start_by) == ("link", True, 0.75, 0.125)
    assert part.selection == AtMost(MinMaxThreshold(0.3), 7)
    assert part.rule == ng.rules.SplitEdges(cross="none", epsilon=0.25, signed="refuse")
    assert part.trigger == ng.schedules.Plateau(0.5, window=4, minimum=6)


def test_zero_is_no_limit_and_sizes_follow_from_the_start():
    part, prune = ssonn(START, SsonnOptions(limit=0, expansions=0, select="minmax", amount=0.5)).parts
    assert START.num_edges < prune.edges < part.max_edges
    assert part.expansions is None
    assert part.selection == MinMaxThreshold(0.5)


@pytest.mark.parametrize(
    ("select", "amount", "expected"),
    [
        ("absolute", 0.25, AbsoluteThreshold(0.25)),
        ("minmax", 0.25, MinMaxThreshold(0.25)),
        ("quantile", 0.25, Quantile(0.25)),
        ("top-k", 25.0, TopK(25)),
        ("all", 0.0, Quantile(1.0)),
    ],
)
def test_every_selection_by_name(select, amount, expected):
    assert ssonn(START, SsonnOptions(select=select, amount=amount)).parts[0].selection == expected


def test_options_reach_the_pruning():
    budget = ssonn(
        START, SsonnOptions(prune_criterion="l2", final_edges=50, prune_start=0.1, prune_end=0.2, prune_scope="all")
    )
    assert budget.parts[1] == PruneToBudget(edges=50, criterion="l2", start=0.1, end=0.2, scope="all")
    below = ssonn(
        START,
        SsonnOptions(
            prune="below",
            prune_criterion="g_var",
            prune_threshold=0.2,
            prune_delay=4,
            prune_duration=5,
            prune_scope="all",
        ),
    )
    assert below.parts[1] == PruneBelow(threshold=0.2, criterion="g_var", delay=4, duration=5, scope="all")
    unscaled = ssonn(START, SsonnOptions(prune="below", prune_threshold=3.0, prune_scaled=False))
    assert unscaled.parts[1] == PruneBelow(threshold=3.0, scaled=False)
    with pytest.raises(OptionError, match=r"threshold=3\.0 .* scaled scores lie in 0\.\.1"):
        ssonn(START, SsonnOptions(prune="below", prune_threshold=3.0))


def test_sizes_are_filled_in_from_the_start():
    start = ng.mlp([100, 40])
    resolved = SsonnOptions().resolved(start)
    assert (resolved.final_edges, resolved.peak_edges) == (18_000, 100_000)
    small, large = (SsonnOptions().resolved(ng.mlp([100, outputs])) for outputs in (10, 100))
    assert (small.final_edges, small.peak_edges) == (4_500, 45_000)
    assert (large.final_edges, large.peak_edges) == (45_000, 225_000)
    assert SsonnOptions().resolved(ng.mlp([9, 1])).final_edges == 1_000
    assert resolved.resolved(start) == resolved


def test_sizes_that_are_given_stay():
    start = ng.mlp([10, 4])
    given = SsonnOptions(final_edges=100, peak_edges=300, prune_criterion="l2", prune_scope="added")
    assert given.resolved(start) == given
    by_kind = {kind: SsonnOptions(prune=kind).resolved(start).prune_criterion for kind in ("budget", "below")}
    assert by_kind == {"budget": "l1", "below": "g_abs"}
    by_scope = {kind: SsonnOptions(prune=kind).resolved(start).prune_scope for kind in ("budget", "below")}
    assert by_scope == {"budget": "all", "below": "added"}
    only_final = SsonnOptions(final_edges=100).resolved(start)
    assert only_final.final_edges == 100
    assert only_final.peak_edges > 100
    only_peak = SsonnOptions(peak_edges=7).resolved(start)
    assert only_peak.peak_edges == 7
    plain = SsonnOptions(prune_criterion="l1", prune_scope="all")
    changed = {f.name for f in dataclasses.fields(plain) if getattr(only_peak, f.name) != getattr(plain, f.name)}
    assert changed == {"final_edges", "peak_edges"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"select": "topk"}, "Did you mean 'top-k'"),
        ({"prune": "bugdet"}, "Did you mean 'budget'"),
        ({"final_edges": -1}, "negative"),
        ({"peak_edges": -1}, "negative"),
    ],
)
def test_bad_options_are_refused(options, message):
    with pytest.raises(OptionError, match=message):
        SsonnOptions(**options)


@pytest.mark.parametrize(
    "options",
    [
        {"criterion": "g"},
        {"select": "minmax", "amount": 2.0},
        {"select": "minmax", "amount": float("nan")},
        {"select": "absolute", "amount": float("nan")},
        {"select": "quantile", "amount": 2.0},
        {"select": "top-k", "amount": -1.0},
        {"select": "top-k", "amount": 2.5},
        {"select": "top-k", "amount": float("nan")},
        {"select": "top-k", "amount": float("inf")},
        {"limit": -1},
        {"cross": "all"},
        {"signed": "both"},
        {"epsilon": -1.0},
        {"scope": "input"},
        {"window": 0},
        {"plateau": -0.1},
        {"expansions": -1},
        {"scale": "layer"},
        {"start_by": -0.5},
        {"grow_until": 2.0},
        {"share": 0.0},
        {"share": 1.5},
        {"prune_criterion": "l3"},
        {"prune_start": 0.9, "prune_end": 0.1},
        {"prune_scope": "new"},
        {"prune": "below", "prune_delay": 0},
        {"prune": "below", "prune_threshold": 3.0},
    ],
)
def test_options_that_no_part_can_use_are_refused_before_anything_runs(options):
    with pytest.raises(OptionError):
        ssonn(START, SsonnOptions(**options))


def test_a_whole_run_grows_to_its_peak_and_ends_at_its_budget():
    graph = ng.mlp([6, 3], domain=(0, 1))
    options = SsonnOptions(
        plateau=1.0, window=1, spacing=1, select="top-k", amount=4.0, expansions=3, peak_edges=70, final_edges=30,
        grow_until=0.5, prune_start=0.5, prune_end=0.9, scale="none", spread=False, share=1.0, start_by=1.0,
    )  # fmt: skip
    method = ssonn(graph, options)
    context = FakeContext(graph, epochs=16)
    sizes = []
    for _ in range(15):
        context.epoch()
        context.carry_out(method)
        context.graph = context.graph.with_weights(context.rng.normal(size=len(context.graph.edges)))
        sizes.append(context.graph.num_edges)
    assert 30 < max(sizes) <= 70
    assert sizes[-1] <= 30
    assert {a.part for a in context.actions} == {"split", "prune"}
    assert sum(a.part == "split" for a in context.actions) <= 3
    # Edges of the start go only where they were split, never by pruning.
    first = context.actions[:3]
    assert [a.rule for a in first] == ["SplitEdges"] * 3
    assert np.isin(graph.edges.id, context.graph.edges.id).sum() >= graph.num_edges - sum(a.matches for a in first)


def test_a_budget_below_a_start_that_is_spared_is_refused():
    with pytest.raises(
        OptionError, match=r"final_edges=10 is below the 12 edges of the start, which prune_scope='added'"
    ):
        ssonn(ng.mlp([4, 3]), SsonnOptions(final_edges=10, prune_scope="added"))
    assert ssonn(ng.mlp([4, 3]), SsonnOptions(final_edges=10)).goal == Goal(edges=10, asked="final_edges=10")
    assert ssonn(ng.mlp([4, 3]), SsonnOptions(prune="below")).goal is None


@pytest.mark.parametrize("domain", [(0, 1), (-1, 1)])
@pytest.mark.parametrize("epochs", [4, 10, 40])
def test_a_small_start_grows_until_the_budget_is_met(domain, epochs):
    graph = ng.mlp([9, 1], domain=domain)
    method = ssonn(graph)
    assert not method.outlook(graph, 40)
    context = FakeContext(graph, epochs=epochs)
    for k in range(epochs - 1):
        context.epoch(val_loss=float(2**-k))
        context.carry_out(method)
        context.graph = context.graph.with_weights(context.rng.normal(size=len(context.graph.edges)))
    foreseen, missed = method.outlook(graph, epochs), method.goal.missed_by(context.graph)
    assert bool(foreseen) == bool(missed)
    assert not (missed and epochs > 4)
    if missed:
        assert f"fewer than {1_000:,}" in missed
        assert "final_edges=1,000 may be missed: 4 epochs have time for 1 expansion" in foreseen[0]


def test_a_budget_beyond_the_caps_is_said_before_training():
    start = ng.mlp([6, 3], domain=(0, 1))
    tight = ssonn(start, SsonnOptions(final_edges=5_000, max_vertices=20))
    (sentence,) = tight.outlook(start, 40)
    assert "final_edges=5,000 may be missed" in sentence
    assert "raise peak_edges, max_vertices or max_crossing" in sentence
    low = ssonn(start, SsonnOptions(final_edges=5_000, peak_edges=100))
    assert "at most" in low.outlook(start, 40)[0]
    assert not ssonn(start, SsonnOptions(final_edges=5_000)).outlook(start, 40)
    assert not ssonn(start, SsonnOptions(prune="none")).outlook(start, 1)


def test_methods_by_name():
    spec = get_method("ssonn")
    assert spec is METHODS["ssonn"]
    start = ng.mlp([4, 2])
    method = spec.build(start, spec.resolve(spec.make_options(), start))
    assert method.name == "ssonn"
    with pytest.raises(OptionError, match="Did you mean 'ssonn'"):
        get_method("sson")
