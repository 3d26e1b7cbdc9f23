"""`netgraph compare DATA --methods ...`: what its jobs train, what is kept, and what goes on."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import asdict, replace

import numpy as np
import pytest
from ctrl_c import sigint

import compilers.training.loop as loop
from netgraph.analysis import admissible_edges, forward_flops, sparse_links
from netgraph.app.cli import main
from netgraph.app.options import parse_assignments
from netgraph.app.requests import StudyRequest
from netgraph.app.study import pool
from netgraph.app.study.jobs import Job, Outcome, jobs_of, make_study
from netgraph.app.study.runs import _JobRun, growth_steps, peak_memory, pruning_steps, run_job
from netgraph.errors import OptionError

DENSITIES = (0.15, 0.4)
KINDS = ("pwmpr", "pwmpr-prune", "rigl", "erk", "imp-c", "imp", "nagn")


def request(*methods, **values):
    assignments = ["widths=16,8", "samples=300", *values.pop("set", ())]
    return StudyRequest(
        data="digits", methods=methods, model="mlp", densities=DENSITIES, assignments=parse_assignments(assignments),
        **{"seeds": 1, "budget": 2, "epochs_per_step": 1, **values},
    )  # fmt: skip


def arguments(out, *extra, methods="pwmpr,erk", seeds=1):
    return [
        "compare", "digits", "--methods", methods, "--model", "mlp", "--seeds", str(seeds), "--budget", "2",
        "--densities", ".4,.15", "--epochs-per-step", "1", "--set=widths=16,8", "--set=samples=300",
        "--out", str(out), *map(str, extra),
    ]  # fmt: skip


@pytest.fixture
def here(monkeypatch):
    """Jobs run in this process; they are listed."""
    seen = []

    def finished(study, jobs, _processes):
        for job in jobs:
            seen.append(job)
            yield run_job(study, job)

    monkeypatch.setattr(pool, "finished", finished)
    return seen


@pytest.fixture(scope="module")
def outcomes():
    """What one job of each kind has come to, by method, and the study."""
    study = make_study(request(*KINDS, set=("nagn.widths=2/2",)))
    jobs = {job.method: job for job in jobs_of(study, [3]) if job.density in (None, 0.4)}
    return study, {name: run_job(study, jobs[name]) for name in KINDS}


@pytest.fixture(scope="module")
def study(outcomes):
    return outcomes[0]


def cells_of(study):
    dense = _JobRun(study, Job(method="imp", seed=3)).first
    links = sparse_links(dense)
    return dense, admissible_edges(dense, links), dense.num_edges - admissible_edges(dense, links)


@pytest.mark.parametrize("method", KINDS[:6])
def test_points_have_the_densities_that_were_asked_for(method, outcomes):
    study, found = outcomes
    _dense, cells, others = cells_of(study)
    outcome = found[method]
    assert not outcome.failures
    targets = {"erk": [0.4], "rigl": [0.4], "imp": [1.0, 0.4, 0.15], "imp-c": [1.0, 0.4, 0.15]}.get(method, [0.15, 0.4])
    assert [point.target for point in outcome.points] == targets
    for point in outcome.points:
        inner = point.edges - others
        assert point.density == inner / cells
        assert point.density_all == point.edges / (cells + others)
        # A random start is joined where it left vertices isolated.
        assert abs(inner - point.target * cells) <= (0.5 if method not in ("erk", "rigl") else 0.05 * cells)
        assert 0 < point.test < 1
        assert 0 < point.val < 1
        assert 0 <= point.seconds_rewriting < point.seconds
        assert point.memory > 2**20


def test_a_method_with_a_density_of_its_own_gives_one_point(outcomes):
    study, found = outcomes
    dense, _cells, _others = cells_of(study)
    (point,) = found["nagn"].points
    assert point.target is None
    assert point.density == point.density_all == point.edges / dense.num_edges
    assert point.epochs == 2


def test_cost_is_counted_in_dense_trainings(outcomes):
    study, found = outcomes
    dense, _cells, _others = cells_of(study)
    (fixed,) = found["erk"].points
    assert fixed.cost == pytest.approx(fixed.flops / forward_flops(dense))
    assert (fixed.cost_before, fixed.epochs, set(fixed.costs)) == (0, 2, {"training"})
    assert set(found["rigl"].points[0].costs) == {"training", "dense gradients"}
    levels = found["imp"].points
    assert levels[0].cost == pytest.approx(1)
    assert [p.epochs for p in levels] == sorted(p.epochs for p in levels)
    assert levels[-1].epochs == 2 * (1 + pruning_steps(1000, DENSITIES, 0.2))
    assert levels[-1].cost > levels[1].cost > 1
    for method in ("pwmpr", "pwmpr-prune"):
        outcome = found[method]
        assert set(outcome.points[0].costs) == {"training", "paths"}
        for point in outcome.points:
            own = point.flops / forward_flops(dense)
            assert point.cost == pytest.approx(point.cost_before + own)
            steps = [step for step in outcome.trajectory if step.density < point.density]
            assert point.epochs == 2 + len(steps)
            assert 0 < steps[-1].cost < point.cost_before < steps[-1].cost * 1.01


def test_rough_growth_is_kept_with_its_topology(outcomes):
    study, found = outcomes
    _dense, cells, _others = cells_of(study)
    trajectory = found["pwmpr"].trajectory
    start = round(trajectory[0].density * cells)
    assert len(trajectory) == 1 + growth_steps(start, cells, DENSITIES, 0.25)
    assert [step.epochs for step in trajectory[:-1]] == list(range(1, len(trajectory)))
    densities = [step.density for step in trajectory]
    assert densities == sorted(set(densities))
    assert {round(d * cells) for d in DENSITIES} < {round(d * cells) for d in densities}
    assert [step.val is None for step in trajectory] == [False] * (len(trajectory) - 1) + [True]
    for step in trajectory:
        assert step.topology["density"] == step.density
        assert step.topology["tau_core_ratio"] > 0
    assert trajectory[-1].topology["log_path_weight"] > trajectory[0].topology["log_path_weight"]


def test_all_methods_start_from_the_same_weights_and_data(study):
    runs = [_JobRun(study, Job(method=m, seed=3, density=0.4 if m in ("rigl", "erk") else None)) for m in KINDS[:6]]
    dense = runs[-1].first
    for run in runs:
        assert run.settings == runs[0].settings
        assert run.unit == runs[0].unit
        for name in ("x_train", "y_train", "x_valid", "y_valid"):
            assert getattr(run.data, name).equal(getattr(runs[0].data, name))
        for key, link in run.first.links_by_key.items():
            whole = dense.links_by_key[key]
            at = {pair: k for k, pair in enumerate(zip(whole.src.tolist(), whole.dst.tolist(), strict=True))}
            rows = [at[pair] for pair in zip(link.src.tolist(), link.dst.tolist(), strict=True)]
            assert np.array_equal(link.weight, whole.weight[rows])


def test_a_density_below_the_start_is_told_and_the_start_itself_counts(study):
    options = study.options["pwmpr"]
    denser = replace(study, options={"pwmpr": replace(options, start_density=0.4)})
    outcome = run_job(denser, Job(method="pwmpr", seed=0))
    assert [point.target for point in outcome.points] == [0.4]
    assert (outcome.points[0].cost_before, outcome.trajectory) == (0, ())
    assert "no network of density 0.15" in outcome.failures[0]


def test_a_start_that_joined_vertices_counts_as_the_density_that_was_asked_for(study):
    options = study.options["pwmpr"]
    joined = replace(study, densities=(0.06, 0.07, 0.4), options={"pwmpr": replace(options, start_density=0.07)})
    outcome = run_job(joined, Job(method="pwmpr", seed=0))
    first, last = outcome.points
    assert (first.target, last.target, first.cost_before) == (0.07, 0.4, 0)
    assert first.density > 0.0705
    assert [text for text in outcome.failures if "no network of density 0.06" in text] == list(outcome.failures)


def test_what_diverges_is_told_and_the_rest_goes_on(study, monkeypatch):
    train_epoch = loop.train_epoch

    def fails_late(state, data, settings, *others):
        metrics, signals = train_epoch(state, data, settings, *others)
        sparse = settings.epochs == 2 and state.net.graph.num_edges < 400
        return metrics | ({"train_loss": float("nan")} if sparse else {}), signals

    monkeypatch.setattr(loop, "train_epoch", fails_late)
    outcome = run_job(study, Job(method="pwmpr", seed=0))
    assert [point.target for point in outcome.points] == [0.4]
    assert "pwmpr, seed 0, density 0.15: train_loss is not finite" in outcome.failures[0]


def test_jobs_that_take_longest_come_first(study):
    jobs = jobs_of(study, range(2))
    assert len(jobs) == 2 * (5 + 2 * 2)
    assert {job.method for job in jobs[:4]} == {"imp", "imp-c"}
    assert jobs[-1] == Job(method=jobs[-1].method, seed=1, density=0.15)


def test_outcomes_survive_json(outcomes):
    for outcome in outcomes[1].values():
        text = json.dumps(asdict(outcome), allow_nan=False)
        assert Outcome.from_json(json.loads(text)) == outcome


def test_a_study_goes_on_where_it_stopped(tmp_path, here, call):
    out = tmp_path / "study"
    assert main(arguments(out)) == 0
    assert here == [Job(method="pwmpr", seed=0), *(Job(method="erk", seed=0, density=d) for d in (0.4, 0.15))]
    first = (out / "runs.jsonl").read_text()
    report = json.loads((out / "study.json").read_text())
    assert {"study.md", "accuracy.svg", "cost.svg", "topology.svg"} <= {path.name for path in out.iterdir()}
    here.clear()
    # The last line is cut off, as by a crash; and another seed and method join.
    (out / "runs.jsonl").write_text(first[:-40])
    code, printed, err = call(*arguments(out))
    assert (code, err) == (0, "")
    assert here == [Job(method="erk", seed=0, density=0.15)]
    assert "1 to do" in printed
    again = json.loads((out / "study.json").read_text())
    assert [p["test"] for p in again["points"]] == [p["test"] for p in report["points"]]
    here.clear()
    assert main(arguments(out, methods="erk,phew", seeds=2)) == 0
    assert {(job.method, job.seed) for job in here} == {("erk", 1), ("phew", 0), ("phew", 1)}
    assert set(json.loads((out / "config.json").read_text())["methods"]) == {"pwmpr", "erk", "phew"}


def test_other_settings_are_refused_unless_overwritten(tmp_path, here, call):
    out = tmp_path / "study"
    assert main(arguments(out, methods="erk")) == 0
    before = (out / "runs.jsonl").read_text()
    refused = (
        ("--set=batch_size=64", "(training.batch_size: recorded 32, asked for 64)"),
        ("--set=erk.start=er", "(erk.start: "),
        ("--task=classification", "(task: recorded None, "),
    )
    for option, words in refused:
        code, _out, err = call(*arguments(out, option, methods="erk"))
        assert code == 2
        assert "other settings" in err
        assert words in err
        assert "--overwrite" in err
    assert (out / "runs.jsonl").read_text() == before
    here.clear()
    assert call(*arguments(out, "--set=batch_size=64", "--overwrite", methods="erk"))[0] == 0
    assert len(here) == 2
    (out / "runs.jsonl").write_text("{}\n")
    code, _out, err = call(*arguments(out, "--set=batch_size=64", methods="erk"))
    assert (code, "Line 1" in err) == (2, True)


def test_an_interrupted_study_keeps_what_is_done(tmp_path, monkeypatch, call):
    out = tmp_path / "study"

    def finished(study, jobs, _processes):
        yield Outcome(job=jobs[0])
        os.kill(os.getpid(), signal.SIGINT)
        yield Outcome(job=jobs[1])

    monkeypatch.setattr(pool, "finished", finished)
    with sigint(signal.default_int_handler):
        code, _out, err = call(*arguments(out))
    assert code == 130
    assert "goes on from there" in err
    assert len((out / "runs.jsonl").read_text().splitlines()) == 1
    assert not (out / "study.json").exists()


def test_jobs_run_in_processes_of_their_own(tmp_path, call):
    code, printed, err = call(*arguments(tmp_path / "study", "--jobs", 2, methods="erk"))
    assert (code, err) == (0, "")
    report = json.loads((tmp_path / "study" / "study.json").read_text())
    assert [point["target"] for point in report["points"]] == [0.4, 0.15]
    assert all(point["memory"] != peak_memory() for point in report["points"])
    assert "Test accuracy" in printed


def killed(_study, _job):
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_process_that_is_killed_is_told(tmp_path, monkeypatch, call):
    monkeypatch.setattr(pool, "run_job", killed)
    code, _out, err = call(*arguments(tmp_path / "study"))
    assert code == 2
    assert "want of memory" in err


@pytest.mark.parametrize(
    ("of_the_study", "of_the_job"),
    [(signal.default_int_handler, signal.SIG_DFL), (signal.SIG_IGN, signal.SIG_IGN)],
    ids=["foreground", "background"],
)
def test_jobs_end_by_ctrl_c_unless_their_study_ignores_it(of_the_study, of_the_job):
    with sigint(of_the_study):
        pool._end_with_the_study()
        assert signal.getsignal(signal.SIGINT) == of_the_job


STUDY_OF_SLEEP = """
import sys, time
from pathlib import Path
from netgraph.app.study.jobs import Job
from netgraph.app.study import pool

def asleep(directory, _job):
    for _ in range(600):
        (Path(directory) / "beat").write_text(str(time.time()))
        time.sleep(0.05)

if __name__ == "__main__":
    pool.run_job = asleep
    list(pool.finished(sys.argv[1], [Job(method="erk", seed=0)], 1))
"""


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
@pytest.mark.parametrize("by", ["SIGKILL", "SIGTERM"])
def test_jobs_end_with_their_study(tmp_path, by):
    (tmp_path / "sleep.py").write_text(STUDY_OF_SLEEP)
    beat = tmp_path / "beat"
    with subprocess.Popen([sys.executable, tmp_path / "sleep.py", tmp_path]) as study:
        until = time.monotonic() + 60
        while not beat.exists() and time.monotonic() < until:
            time.sleep(0.05)
        assert beat.exists()
        study.send_signal(getattr(signal, by))
    time.sleep(1)
    last = beat.read_text()
    time.sleep(0.5)
    assert beat.read_text() == last


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (("digits", "--methods", "pwmpr", "--static"), "give one of them"),
        (("digits", "--set", "share=.2", "--static"), "--set belongs to"),
        (("digits",), "needs the other side"),
        (("digits", "--methods", "pwmp,rigle"), "Did you mean 'rigl'?"),
        (("digits", "--methods", "rigl,rigl"), "something twice"),
        (("digits", "--methods", "rigl", "--densities", "0.1,1.5"), "--densities has 1.5"),
        (("digits", "--methods", "rigl", "--seeds", "0"), "--seeds 0"),
        (("digits", "--methods", "rigl", "--epochs-per-step", "0"), "--epochs-per-step 0"),
        (("digits", "--methods", "rigl", "--densities", "dense"), "not a list of numbers"),
        (("digits", "--methods", "rigl", "--set", "density=.2"), "--densities"),
        (("digits", "--methods", "rigl", "--set", "epochs=3"), "--budget"),
        (("digits", "--methods", "rigl", "--set", "shares=.2"), "Did you mean 'share'?"),
        (("digits", "--methods", "rigl", "--set", "erk.start=er"), "method of the study"),
        (("digits", "--methods", "rigl,erk", "--set", "rigl.widths=9"), "for all methods"),
        (("digits", "--methods", "rigl", "--model", "vgg19"), "vgg"),
        (("digits", "--methods", "rigl", "--set", "share=2"), "share=2.0 is outside"),
        (("diabetes", "--methods", "rigl", "--model", "vgg"), "model=vgg needs images"),
        (("digits", "--methods", "rigl", "--model", "mlp", "--set", "augment=crop"), "augment"),
        (("digits", "--methods", "pwmpr", "--densities", ".01,.02"), "nothing to grow"),
        (("nowhere.npz", "--methods", "rigl"), "does not exist"),
    ],
)
def test_bad_requests_are_refused(given, words, call, tmp_path):
    out = () if "--static" in given else ("--out", tmp_path / "study")
    code, _out, err = call("compare", *given, *out)
    assert code == 2
    assert words in err
    assert not (tmp_path / "study").exists()


def test_directories_that_hold_something_else_are_left_alone(tmp_path, call):
    out = tmp_path / "run"
    out.mkdir()
    (out / "notes.txt").write_text("mine")
    assert "holds no study" in call(*arguments(out))[2]
    (out / "config.json").write_text('{"method": "ssonn"}')
    assert "holds no study" in call(*arguments(out, "--overwrite"))[2]
    (out / "config.json").write_text('{"format": "netgraph.run"}')
    assert "holds a run, not a study" in call(*arguments(out, "--overwrite"))[2]
    assert "compares methods on data" in call("compare", out, "--methods", "rigl")[2]
    (out / "config.json").write_text("{")
    assert "Remove the directory, or choose another --out" in call(*arguments(out, "--overwrite"))[2]
    assert sorted(path.name for path in out.iterdir()) == ["config.json", "notes.txt"]


def test_options_go_to_the_methods_that_have_them():
    study = make_study(
        request("pwmpr", "rigl", "set", "imp-c", set=("share=0.25", "set.share=0.1", "imp-c.share=0.5", "every=2"),
                epochs_per_step=None, budget=7)
    )  # fmt: skip
    options = study.options
    assert [options[name].share for name in ("rigl", "set", "imp-c")] == [0.25, 0.1, 0.5]
    assert [options[name].every for name in ("pwmpr", "rigl")] == [2, 2]
    assert (options["pwmpr"].density, options["pwmpr"].stop, options["pwmpr"].rough) == (0.4, "none", 1.0)
    assert (options["imp-c"].density, options["imp-c"].level_epochs) == (0.15, 7)
    assert (study.training.epochs, study.training.batch_size) == (7, 32)
    with pytest.raises(OptionError, match="prunes nothing"):
        make_study(replace(request("imp"), densities=(1.0,)))


def test_steps_are_counted_as_the_parts_take_them():
    assert growth_steps(100, 1000, (0.1, 0.11, 0.2), 0.25) == 1 + 3
    assert growth_steps(1, 100, (0.03,), 0.25) == 2
    assert growth_steps(500, 1000, (0.2, 0.5), 0.25) == 0
    assert pruning_steps(1000, (1.0, 0.8, 0.5), 0.2) == 1 + 2  # 640 to 500 is hardly more than a fifth
