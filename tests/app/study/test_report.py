"""Reports of studies: numbers that can be checked by hand."""

import json
import math
import sys
from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console

from compilers.training import TrainSettings
from netgraph.app.inputs import RunSettings
from netgraph.app.study.jobs import GrowthStep, Job, Outcome, Point, Study
from netgraph.app.study.plot import _density_axis, _look, _scores, draw_all
from netgraph.app.study.report import StudyReport
from netgraph.app.study.stop import equal_score, stops_of
from netgraph.errors import OptionError
from netgraph.methods import ImpOptions, PwmprOptions, RiglOptions, SparseOptions, SsonnOptions

STUDY = Study(
    data="shapes.npz", target=None, task=None, name="shapes", metric="accuracy", fingerprint="00", densities=(0.1, 0.4),
    run=RunSettings(), training=TrainSettings(epochs=10), dense=SparseOptions(),
    options={
        "rigl": RiglOptions(), "pwmpr": PwmprOptions(), "imp-c": ImpOptions(rewind=False), "ssonn": SsonnOptions()
    },
)  # fmt: skip


def point(method, seed, target, test, cost, *, density=None, **values):
    given = {
        "method": method, "seed": seed, "target": target, "density": density or target, "density_all": 0.2,
        "edges": 100, "isolated": 0, "test": test, "val": test, "epochs": 10, "costs": {"training": cost * 1e9},
        "cost": cost, "cost_before": 0.0, "flops": 200, "seconds": 2.0, "seconds_rewriting": 0.5, "memory": 2**28,
    }  # fmt: skip
    return Point(**given | values)


def steps(values):
    """Rough growth: (density, score) with costs that rise by one."""
    return tuple(
        GrowthStep(
            density=d, val=v, epochs=2 * k, cost=float(k), topology={"log_path_weight": 1.0 + k, "tau_core_ratio": 0.3}
        )
        for k, (d, v) in enumerate(values, start=1)
    )


@pytest.fixture
def report():
    growth = [
        steps([(d, 0.9 - 0.8 * math.exp(-20 * d)) for d in (0.05, 0.1, 0.15, 0.2, 0.3, 0.35)] + [(0.4, None)])
    ] * 2
    outcomes = [
        Outcome(
            job=Job(method="pwmpr", seed=seed), trajectory=growth[seed],
            points=(point("pwmpr", seed, 0.1, test, 1.0, cost_before=0.5),
                    point("pwmpr", seed, 0.4, 0.9, 2.0, cost_before=1.0)),
        )
        for seed, test in enumerate((0.7, 0.8))
    ] + [
        Outcome(
            job=Job(method="imp-c", seed=seed),
            points=(point("imp-c", seed, 1.0, 0.95, 1.0), point("imp-c", seed, 0.4, 0.92, 3.0),
                    point("imp-c", seed, 0.1, test, 5.0, isolated=3)),
        )
        for seed, test in enumerate((0.84, 0.86))
    ] + [
        Outcome(job=Job(method="rigl", seed=0, density=0.1), points=(point("rigl", 0, 0.1, 0.75, 0.2),)),
        Outcome(job=Job(method="rigl", seed=0, density=0.4), failures=("rigl, seed 0: it burnt",)),
        Outcome(job=Job(method="ssonn", seed=0), points=(point("ssonn", 0, None, 0.6, 0.3, density=0.33),)),
    ]  # fmt: skip
    return StudyReport(STUDY, outcomes)


def test_means_spreads_and_paired_differences(report):
    assert report.reference == "pwmpr"
    row = report.row("pwmpr", 0.1)
    assert (row.seeds, row.pairs, row.difference) == (2, 0, None)
    assert row.test == pytest.approx(0.75)
    assert row.test_std == pytest.approx(0.1 / math.sqrt(2))
    other = report.row("imp-c", 0.1)
    # 0.14 and 0.06: mean 0.1, deviation 0.08 / sqrt 2, error 0.04.
    assert (other.pairs, other.isolated) == (2, 3)
    assert other.difference == pytest.approx(0.1)
    assert other.difference_error == pytest.approx(0.04)
    single = report.row("rigl", 0.1)
    assert (single.pairs, single.difference_error, single.test_std) == (1, None, None)
    assert single.difference == pytest.approx(0.05)
    assert report.row("imp-c", 1.0).pairs == 0
    assert report.targets == (0.1, 0.4, 1.0)


def test_markdown_has_every_table(report):
    text = report.to_markdown(("cost.svg",))
    for line in (
        "# shapes: rigl, pwmpr, imp-c, ssonn",
        "| pwmpr | 0.7500 ± 0.0707 | 0.9000 ± 0.0000 |  |",
        "| imp-c | +0.1000 ± 0.0400 | +0.0200 ± 0.0000 |  |",
        "| rigl | +0.0500 |  |  |",
        "| imp-c | 5.00 | 3.00 | 1.00 |",
        "| pwmpr | 2.0 (0.5) | 2.0 (0.5) |  |",
        "| pwmpr | 256 | 256 |  |",
        "| imp-c | 3 | 0 | 0 |",
        "| ssonn | 0.33 | 0.6000 | 0.30 | 2.0 | 256 |",
        "![cost](cost.svg)",
        "Missing: rigl, seed 0: it burnt",
        "- densities: [0.1, 0.4]",
    ):
        assert line in text.splitlines(), line
    for start in [k for k, line in enumerate(text.splitlines()) if line.startswith("| ---")]:
        lines = text.splitlines()[start - 1 :]
        table = lines[: lines.index("")]
        assert len({line.count("|") for line in table}) == 1
    assert sum(line.startswith("| ---") for line in text.splitlines()) == len(report.tables())


def test_json_has_points_and_everything_derived(report):
    values = json.loads(report.to_json())
    assert len(values["points"]) == len(report.points) == 12
    assert values["settings"]["densities"] == [0.1, 0.4]
    assert values["settings"]["methods"]["pwmpr"]["ratio"] == 0.25
    assert {"machine", "torch", "counted", "reference", "failures"} <= values.keys()
    assert [run["seed"] for run in values["trajectories"]] == [0, 1]
    assert len(values["stopping"]) == 8
    assert len(values["summary"]) == 7


def test_where_growth_would_have_stopped(report):
    stops = {(s.seed, s.reading, s.when): s for s in report.stops}
    gain = stops[0, "gain", "complete"]
    assert gain.density == pytest.approx(math.log(20) / 20)  # 95 % of the gain
    assert (gain.nearest, gain.test, gain.best, gain.best_density) == (0.1, 0.7, 0.9, 0.4)
    assert gain.cost == 0.5 + 7  # its own training and all of rough growth
    literal = stops[1, "literal", "complete"]
    assert literal.density == pytest.approx(-math.log(0.05 * 0.9 / 0.8) / 20)
    online = stops[0, "gain", "online"]
    assert (online.density, online.nearest, online.cost) == (0.35, 0.4, 1.0 + 6)
    few = Outcome(job=Job(method="pwmpr", seed=0), trajectory=steps([(0.1, 0.5), (0.2, 0.6)]))
    assert {stop.density for stop in stops_of(few, higher=True)} == {None}
    assert "2 different densities" in stops_of(few, higher=True)[0].reason
    assert stops_of(few, higher=True)[0].best is None


def test_stops_are_told_as_means_over_seeds(report):
    (table,) = [table for table in report.tables() if table.title.startswith("Where the plateau")]
    columns, lines = table.columns, table.rows
    assert [line[:3] for line in lines] == [
        ["pwmpr", reading, when] for reading in ("literal", "gain") for when in ("complete", "online")
    ]
    mine = [s for s in report.stops if (s.reading, s.when) == ("gain", "complete")]
    ended = [s for s in mine if s.density is not None]
    line = dict(zip(columns, next(cells for cells in lines if cells[1:3] == ["gain", "complete"]), strict=True))
    assert line["stop"] == f"{len(ended)} of {len(mine)}"
    assert float(line["at density"]) == pytest.approx(np.mean([s.density for s in ended]), rel=5e-3)
    assert float(line["score"]) == pytest.approx(np.mean([s.test for s in ended]), abs=5e-5)


def test_cost_at_equal_score(report):
    (one,) = report.equal
    # The best of growth, 0.9 without spread, is the lower one; 0.1 points count as equal.
    assert (one.level, one.tolerance) == pytest.approx((0.899, 0.001))
    share = (0.899 - 0.75) / 0.15
    assert one.grown.cheapest_cost == one.grown.sparsest_cost == pytest.approx(1 + share)
    assert one.grown.sparsest_density == pytest.approx(0.1 * 4**share)
    share = (0.899 - 0.85) / 0.07
    assert one.pruned.cheapest_cost == 3
    assert one.pruned.sparsest_cost == pytest.approx(5 - 2 * share)
    assert one.pruned.sparsest_density == pytest.approx(0.1 * 4**share)
    assert one.matched_cost == pytest.approx(5 - 2 * (0.899 - 0.75) / 0.15)
    assert one.matched_test == pytest.approx(0.85 + 0.07 * (0.899 - 0.75) / 0.15)
    assert equal_score([], [report.row("imp-c", 0.1)], higher=True) is None


def test_errors_are_better_when_they_are_lower(report):
    grown = [replace(report.row("pwmpr", d), test=t, test_std=None) for d, t in ((0.1, 40.0), (0.4, 20.0))]
    pruned = [replace(report.row("imp-c", d), test=t, test_std=1.0) for d, t in ((0.1, 25.0), (0.4, 10.0))]
    one = equal_score(grown, pruned, higher=False)
    assert (one.level, one.tolerance) == pytest.approx((20.02, 0.02))
    assert one.grown.best == 20
    assert one.grown.cheapest_cost == pytest.approx(1 + 19.98 / 20)
    assert one.pruned.cheapest_cost == 3


def test_pictures_are_written(report, tmp_path):
    names = draw_all(report, tmp_path)
    assert names == ("accuracy.svg", "cost.svg", "topology.svg")
    texts = {name: (tmp_path / name).read_text() for name in names}
    for name in names[:2]:
        assert "test accuracy" in texts[name]
        for method in (*STUDY.options, "dense"):
            assert f">{method}<" in texts[name]
    assert "total path weight" in texts["topology.svg"]
    assert ">rigl<" not in texts["topology.svg"]
    assert draw_all(report, tmp_path) == names
    assert {name: (tmp_path / name).read_text() for name in names} == texts


def test_the_dense_line_is_the_first_level_of_pruning(report):
    full = Outcome(job=Job(method="rigl", seed=0, density=1.0), points=(point("rigl", 0, 1.0, 0.5, 1.0),))
    (axes,) = _scores(StudyReport(STUDY, [*report.outcomes, full]), _density_axis).axes
    lines = {line.get_label(): list(line.get_ydata()) for line in axes.lines}
    assert lines["dense"] == [0.95, 0.95]
    drawn = {bars.get_label(): list(bars.lines[0].get_xdata()) for bars in axes.containers}
    assert (drawn["rigl"], drawn["imp-c"]) == ([0.1, 1.0], [0.1, 0.4])


def test_lines_are_told_apart_and_the_legend_covers_none(report):
    assert len({(look["color"], look["linestyle"]) for look in map(_look, range(12))}) == 12
    figure = _scores(report, _density_axis)
    figure.draw_without_rendering()
    (legend,) = figure.legends
    assert legend.get_window_extent().x0 >= figure.axes[0].get_window_extent().x1


def test_names_are_drawn_as_they_are(report):
    named = StudyReport(replace(STUDY, name="$shapes^2$"), report.outcomes)
    title = _scores(named, _density_axis).axes[0].title
    assert title._preprocess_math(title.get_text()) == ("$shapes^2$", False)


def test_densities_that_came_out_otherwise_have_a_table(report):
    assert "## Density that came out" not in report.to_markdown()
    job = Job(method="rigl", seed=0, density=0.1)
    joined = Outcome(job=job, points=(point("rigl", 0, 0.1, 0.75, 0.2, density=0.119),))
    assert "| rigl | 0.119 |" in StudyReport(STUDY, [joined]).to_markdown().splitlines()


def test_no_digit_is_cut_off_on_a_narrow_console(report):
    console = Console(width=80)
    with console.capture() as capture:
        for table in report.tables():
            console.print(table.rich())
    assert "\N{HORIZONTAL ELLIPSIS}" not in capture.get()


def test_without_matplotlib_it_says_how_to_get_it(report, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(OptionError, match=r"pip install 'netgraph-growth\[viz\]'"):
        draw_all(report, tmp_path)
    assert not list(tmp_path.iterdir())
