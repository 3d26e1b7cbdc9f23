import dataclasses
import html
import itertools
import json
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from rich.console import Console

import netgraph as ng
from netgraph.analysis import density, forward_flops, sparse_links
from netgraph.app.report.page import write_report
from netgraph.app.run_directory import RunDirectory
from netgraph.app.score.scores import ClassScores, TargetScores
from netgraph.app.summary import RunSummary, render_summary
from netgraph.app.tables import print_table
from netgraph.app.verdicts import in_words, verdicts
from netgraph.proof import Certificate, Measurement
from netgraph.schedules import StopReason


@pytest.fixture
def values(finished):
    return RunDirectory(finished).read_summary()


def from_json(values):
    """A summary from the keys of its JSON line."""
    return RunSummary.from_json(values, Path("summary.json"))


def test_json_is_one_line_that_names_the_metric(values):
    summary = from_json(values)
    assert json.loads(summary.to_json()) == values
    assert "\n" not in summary.to_json()
    target = TargetScores(loss=0.4, rmse=2.5, baseline=4.0, r2=0.6)
    regression = json.loads(dataclasses.replace(summary, metric="rmse", test=2.5, scores={"test": target}).to_json())
    assert regression["scores"]["test"] == {"loss": 0.4, "rmse": 2.5, "baseline": 4.0, "r2": 0.6}
    assert regression["test_rmse"] == 2.5
    assert "test_accuracy" not in regression
    assert "test" not in regression


def test_the_numbers_are_those_of_the_run(finished, values):
    run = RunDirectory(finished)
    final, start, metrics = run.grown, ng.load(run.start_file), run.read_metrics()
    recorded = run.journal.entries()
    assert (values["edges"], values["vertices"], values["layers"]) == (
        final.num_edges,
        final.num_vertices,
        final.num_layers,
    )
    assert (values["edges_start"], values["layers_start"]) == (start.num_edges, start.num_layers)
    assert values["edges_peak"] == max(entry.edges for entry in recorded)
    assert values["rewrites"] == len(recorded) == final.rewrites
    assert values["val_accuracy"] == metrics[-1]["val_accuracy"]
    assert values["epochs"] == len(metrics)
    assert values["seconds_start"] > 0
    assert values["seconds"] >= sum(entry["seconds"] for entry in metrics)
    assert values["flops"] == sum(entry["flops"] for entry in metrics)
    assert values["flops_start"] == 6 * 3 * 1318 * 2 * 640
    assert values["costs"]["training"] == values["flops"]
    assert values["costs"].keys() == {"training", "statistics"}
    assert values["inference_flops"] == forward_flops(final)
    assert values["density"] == density(final, sparse_links(final))
    assert values["isolated"] == 0
    assert 50e6 < values["peak_memory"] < 100e9
    assert values["growth_proof"] == "exact"
    assert values["growth_bound"] == 0.0
    assert values["growth_change"] < 1e-9
    assert values["grown_at"] == recorded[0].epoch
    assert values["stopped"] is None


def test_the_text_has_results_rewrites_and_settings(finished, values):
    run = RunDirectory(finished)
    text = (finished / "summary.md").read_text()
    assert text == render_summary(run, from_json(values))
    for label, key, end in (("grown", "test", ""), ("start alone", "test_start", "_start")):
        balanced = values["scores"][key]["balanced_accuracy"]
        assert f"| {label} | {values[f'test_accuracy{end}']:.4f} | {balanced:.4f} | {values[f'edges{end}']:,} |" in text
    for entry in run.journal.entries():
        assert f"| {entry.rewrite} | {entry.epoch} | {entry.rule} | {entry.matches:,} |" in text
    for name, value in {**run.config["training"], **run.config["options"]}.items():
        assert f"- {name}: {value}" in text
    assert run.config["fingerprint"] in text
    assert "topology.svg" in text
    assert "Ended early" not in text


SCORES = {
    name: ClassScores.of(np.arange(10) % 2, (np.arange(10) + (np.arange(10) >= right)) % 2, 2, 0, 0.5)
    for name, right in (("test", 9), ("test_start", 8), ("val", 9), ("val_start", 8))
}

BOUNDED = Certificate("bounded", "", 0.5, {"output": (0.5,)}, measured=Measurement(0.1, 0.05, 64, 0.25))
ROUNDED = Certificate("bounded", "", 1e-7, {"output": (1e-7,)}, True, measured=Measurement(1e-8, 1e-8, 64, 1e-7))
UNKNOWN = Certificate("unknown", "no bound is known", measured=Measurement(2.0, 0.5, 64))


@pytest.mark.parametrize(
    ("certificates", "proof", "bound", "change", "note"),
    [
        ([ROUNDED], "exact up to rounding", 1e-7, 1e-8, "within 1.0e-07 of the range; measured 1.0e-08"),
        ([ROUNDED, BOUNDED], "bounded", 0.25, 0.05, "proved bounded, within 2.5e-01 of the range; measured 5.0e-02"),
        ([BOUNDED, UNKNOWN], "unknown", None, 0.5, "growth proved unknown, without a bound; measured 5.0e-01"),
    ],
    ids=["rounding", "bounded", "unknown"],
)  # fmt: skip
def test_growth_is_as_good_as_its_weakest_rewrite(certificates, proof, bound, change, note, run, monkeypatch):
    directory = RunDirectory(run)
    entries = directory.journal.entries()
    grown = [i for i, e in enumerate(entries) if e.rule == "SplitEdges"]
    assert len(grown) == 2
    for i, certificate in zip(grown, certificates, strict=False):
        entries[i] = dataclasses.replace(entries[i], certificate=certificate)
    summary = collected(directory, entries, monkeypatch)
    assert (summary.growth_proof, summary.growth_bound, summary.growth_change) == (proof, bound, change)
    assert note in summary.table().note
    # What pruning does to the function is no part of it.
    for i, entry in enumerate(entries):
        if entry.rule == "PruneEdges":
            entries[i] = dataclasses.replace(entry, certificate=UNKNOWN)
    assert collected(directory, entries, monkeypatch).growth_proof == proof


def test_without_growth_nothing_is_proved_of_it(run, monkeypatch):
    directory = RunDirectory(run)
    summary = collected(directory, [], monkeypatch)
    assert (summary.growth_proof, summary.growth_bound, summary.growth_change) == (None, 0.0, 0.0)
    assert summary.grown_at is None
    assert "nothing grew" in summary.table().note


def collected(directory, entries, monkeypatch):
    """The summary of a run that had these rewrites."""
    monkeypatch.setattr(type(directory.journal), "entries", lambda _self: entries)
    history = directory.read_metrics()
    state, alone = (
        SimpleNamespace(
            net=SimpleNamespace(graph=graph),
            elapsed=1.0,
            costs={},
            rewriting=0.5,
            epoch=6,
            stopped=None,
            history=history,
        )
        for graph in (directory.grown, ng.load(directory.start_file))
    )
    data = SimpleNamespace(name="digits", task="classification", classes=("a", "b"))
    return RunSummary.collect(directory, data, state, alone, SCORES)


def test_the_text_has_what_is_proved_of_every_rewrite(finished):
    rows = [line for line in (finished / "summary.md").read_text().splitlines() if line.startswith("| ")]
    for entry in RunDirectory(finished).journal.entries():
        (row,) = [row for row in rows if row.startswith(f"| {entry.rewrite} | {entry.epoch} | {entry.rule} |")]
        measured = entry.certificate.measured
        *_, level, bound, relative = row.strip("| ").split(" | ")
        assert (level, relative) == (entry.certificate.level, f"{measured.relative:.1e}")
        assert measured.bound <= float(bound) <= 1.1 * measured.bound  # never rounded down


def test_an_early_end_is_told(finished, values):
    stopped = from_json({**values, "stopped": dataclasses.asdict(StopReason.no_improvement(4))})
    assert stopped.stopped == StopReason.no_improvement(4)
    text = render_summary(RunDirectory(finished), stopped)
    assert "Ended early: the validation loss has not improved for 4 epochs; a larger patience trains longer" in text
    assert from_json(json.loads(stopped.to_json())) == stopped


def test_an_early_end_is_read_as_the_text_that_earlier_versions_wrote(finished, values):
    stopped = from_json({**values, "stopped": "the loss rose"})
    assert stopped.stopped == StopReason("other", "the loss rose")
    assert "Ended early: the loss rose." in render_summary(RunDirectory(finished), stopped)


def test_the_table_shows_before_and_after(values):
    console = Console(width=120, record=True, quiet=False, file=__import__("io").StringIO())
    print_table(console, from_json(values).table())
    text = " ".join(console.export_text().split())
    for word in (
        "start alone",
        "grown",
        f"{values['test_accuracy']:.4f}",
        f"{values['edges']:,}",
        "test accuracy",
    ):
        assert word in text


def test_markdown_tables_have_as_many_cells_in_every_row(finished):
    lines = (finished / "summary.md").read_text().splitlines()
    tables = [list(group) for row, group in itertools.groupby(lines, lambda line: line.startswith("|")) if row]
    assert len(tables) == 5
    for rows in tables:
        assert len({row.count("|") for row in rows}) == 1
        assert set(rows[1]) <= set("|-: ")


def test_scores_of_test_and_validation_are_in_all_results(finished, values, call):
    assert values["classes"] == [str(digit) for digit in range(10)]
    assert set(values["scores"]) == {"test", "val", "train", "test_start", "val_start"}
    for key, name in (("test", "test_accuracy"), ("test_start", "test_accuracy_start"), ("val", "val_accuracy")):
        assert values["scores"][key]["accuracy"] == values[name]
    test = values["scores"]["test"]
    wrong = sum(sum(row) - row[at] for at, row in enumerate(test["confusion"]))
    assert wrong == round((1 - test["accuracy"]) * sum(test["samples"])) > 0
    _code, shown, _err = call("show", finished)
    for text in (shown, (finished / "summary.md").read_text(), (finished / "report.html").read_text()):
        for key in ("test", "val", "test_start"):
            assert f"{values['scores'][key]['balanced_accuracy']:.4f}" in text
        for title in ("Recall of every class", "Confusion of the test samples"):
            assert title in text


def test_rewrites_are_counted_by_what_they_did_and_what_is_proved(finished, values, call):
    recorded, before = RunDirectory(finished).journal.entries(), values["edges_start"]
    counted = Counter()
    for entry in recorded:
        counted["grew" if entry.edges > before else "shrank", entry.certificate.level] += 1
        before = entry.edges
    found = {(change, level): n for change, levels in values["verdicts"].items() for level, n in levels.items()}
    assert found == counted
    assert {"grew", "shrank"} == set(values["verdicts"])
    words = in_words(values["verdicts"])
    assert words.startswith(f"{counted['grew', 'exact']} added edges (exact), ")
    assert words.endswith(f"{counted['shrank', 'bounded']} removed edges (bounded)")
    assert from_json(values).counted == f"{len(recorded)} rewrites: {words}"
    _code, shown, _err = call("show", finished)
    for text in (shown, (finished / "summary.md").read_text(), (finished / "report.html").read_text()):
        assert words in text


def test_a_rewrite_that_keeps_the_number_of_edges_is_counted_as_such():
    entries = [
        SimpleNamespace(edges=edges, certificate=certificate)
        for edges, certificate in ((10, UNKNOWN), (12, BOUNDED), (12, ROUNDED), (9, UNKNOWN))
    ]
    assert in_words(verdicts(entries, 10)) == (
        "1 added edges (bounded), 1 removed edges (unknown), "
        "2 left the number of edges (1 exact up to rounding, 1 unknown)"
    )


def test_what_accuracy_hides_is_said_everywhere(values, run, call):
    test = values["scores"]["test"]
    test["predicted"][3], test["accuracy"] = 0, test["majority"]
    run_directory = RunDirectory(run)
    run_directory.write_text("summary.json", json.dumps(values) + "\n")
    summary = from_json(values)
    run_directory.write_text("summary.md", render_summary(run_directory, summary))
    write_report(run_directory)
    assert [sentence.split()[0] for sentence in summary.warnings] == ["Class", "The"]
    _code, shown, _err = call("show", run)
    for text in (shown, (run / "summary.md").read_text(), html.unescape((run / "report.html").read_text())):
        assert "Class '3' (10.3%) of the test samples: never predicted." in text
        assert "no better than naming the commonest class" in text


def test_results_of_runs_without_such_scores_are_read(values, run, call):
    for name in ("classes", "scores", "verdicts"):
        del values[name]
    (run / "summary.json").write_text(json.dumps(values))
    code, shown, _err = call("show", run)
    assert (code, "balanced" in shown) == (0, False)
    assert call("report", run)[0] == 0
