"""The page about runs that have not ended, were undone or resumed, rewrote nothing, or measured what is no number."""

import json
import math

import pytest
from grow_runs import grow, refused, snapshot
from html_pages import Page

from netgraph.app.report.data import RunFacts
from netgraph.app.report.page import report_page
from netgraph.app.run_directory import RunDirectory


def page_of(run):
    return Page(report_page(RunFacts.read(RunDirectory(run))))


def unfinished(run):
    for name in ("summary.json", "summary.md", "graph.safetensors", "start.safetensors"):
        (run / name).unlink()
    return run


def rewrite_metrics(run, change):
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    (run / "metrics.jsonl").write_text("".join(json.dumps(change(line)) + "\n" for line in lines))


def test_a_run_that_has_not_ended_is_shown_up_to_its_checkpoint(run, call):
    final = RunDirectory(run).grown
    metrics = unfinished(run).joinpath("metrics.jsonl").read_text().splitlines(keepends=True)
    (run / "metrics.jsonl").write_text("".join(metrics[:4]))
    assert call("report", run)[0] == 0
    page = Page((run / "report.html").read_text())
    words = page.words()
    assert "not ended 4 of 6 epochs have finished" in words
    assert ("progress", {"value": "4", "max": "6", "aria-label": "Finished epochs"}) in page.elements
    assert f"Epoch 4 of 6 Validation accuracy {json.loads(metrics[3])['val_accuracy']:.4g}" in words
    assert "Test accuracy" not in words
    assert repr(final) in words
    assert f"--out {run} --resume" in words
    assert page.foreign() == []


def test_a_line_that_was_cut_off_does_not_count(run):
    unfinished(run)
    with (run / "metrics.jsonl").open("a") as file:
        file.write('{"epoch": 7, "train_')
    assert "not ended 6 of 6 epochs" in page_of(run).words()


@pytest.mark.parametrize("command", ["report", "show"])
@pytest.mark.parametrize(("name", "remedy"), [("journal.jsonl", "netgraph replay"), ("metrics.jsonl", "--resume")])
@pytest.mark.parametrize("cut", ["line", "half"])
def test_lines_that_an_ended_run_has_lost_are_noticed(cut, name, remedy, command, run, call):
    lines = (run / name).read_text().splitlines(keepends=True)
    kept = "".join(lines[:-1]) + (lines[-1][:30] if cut == "half" else "")
    (run / name).write_text(kept)
    before = snapshot(run)
    assert refused(call(command, run), name, f"holds {len(lines) - 1} ", f"ended with {len(lines)} ", remedy)
    assert snapshot(run) == before


def test_resuming_brings_metrics_back_that_were_lost(run, call):
    known = (run / "metrics.jsonl").read_text()
    (run / "metrics.jsonl").write_text(known[: len(known) // 2])
    assert call(*grow(run, "--resume"))[0] == 0
    assert (run / "metrics.jsonl").read_text() == known
    assert call("show", run)[0] == 0


def test_a_run_without_an_epoch_shows_its_start(run):
    unfinished(run)
    for name in ("metrics.jsonl", "checkpoint.safetensors"):
        (run / name).unlink()
    (run / "journal.jsonl").write_text("")
    words = page_of(run).words()
    assert "not ended 0 of 6 epochs" in words
    assert "No epoch has finished yet." in words
    assert "No rewrite so far." in words
    assert "No rewrite has changed it." in words
    assert "640 edges" in words


def test_undo_makes_the_page_anew(run, call):
    before = (run / "report.html").read_text()
    entries = RunDirectory(run).journal.entries()
    assert call("undo", run)[0] == 0
    page = Page((run / "report.html").read_text())
    assert page.source != before
    words = page.words()
    assert "rewrites undone" in words
    assert "Test accuracy" not in words
    assert f"Rewrites {len(entries) - 1} last" in words
    assert f"Edges {entries[-2].edges:,} from 640" in words


def test_a_resumed_run_is_shown_as_one_that_was_never_interrupted(run, call):
    before = page_of(run)
    unfinished(run)
    (run / "report.html").unlink()
    assert call(*grow(run, "--resume"))[0] == 0
    after = page_of(run)
    assert (run / "report.html").read_text() == after.source
    assert after.skeleton() == before.skeleton()
    assert "ended after 6 epochs" in after.words()


def test_a_run_without_rewrites_says_so(tmp_path, call):
    assert call("grow", "digits", "--out", tmp_path / "run", "--epochs", 1)[0] == 0
    page = Page((tmp_path / "run" / "report.html").read_text())
    words = page.words()
    assert "This run rewrote nothing." in words
    assert "nothing grew" in words
    assert "Lines and bands mark rewrites" not in words
    assert page.count("figure") == 5


def test_a_regression_has_errors_in_place_of_accuracies(tmp_path, call):
    assert call("grow", "diabetes", "--out", tmp_path / "run", "--epochs", 2)[0] == 0
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    page = Page((tmp_path / "run" / "report.html").read_text())
    words = page.words()
    assert f"Test rmse {summary['test_rmse']:.4f}" in words
    assert any(label.startswith("Root mean squared error, of stand") for label in page.values("aria-label"))
    assert "ccuracy" not in words


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_values_that_are_no_numbers_leave_gaps(value, run):
    rewrite_metrics(run, lambda m: {**m, "val_loss": value} if m["epoch"] in (2, 4) else m)
    page = page_of(run)
    assert "2 values are not finite and left out." in page.words()
    (loss,) = [label for label in page.values("aria-label") if label.startswith("Loss over")]
    assert "nan" not in loss
    assert "inf" not in loss.replace("finite", "")


def test_curves_without_any_number_are_drawn_empty(run):
    rewrite_metrics(run, lambda m: {**m, "train_loss": math.nan, "val_loss": math.nan, "learning_rate": math.nan})
    page = page_of(run)
    assert "12 values are not finite" in page.words()
    assert any("training, label smoothing 0.1 never finite" in label for label in page.values("aria-label"))


def test_one_epoch_is_enough_for_curves(run):
    first = (run / "metrics.jsonl").read_text().splitlines(keepends=True)[0]
    unfinished(run)
    (run / "metrics.jsonl").write_text(first)
    assert page_of(run).count("figcaption") == 6


def test_metrics_that_were_not_measured_have_no_curve(run):
    rewrite_metrics(run, lambda m: {k: v for k, v in m.items() if k != "learning_rate"})
    assert not any(label.startswith("Learning rate") for label in page_of(run).values("aria-label"))


def test_losses_of_different_sizes_have_a_logarithmic_scale(run):
    linear = page_of(run).source
    rewrite_metrics(run, lambda m: {**m, "train_loss": 10.0 ** -m["epoch"]})
    assert "10^{-" not in linear
    assert page_of(run).source != linear
