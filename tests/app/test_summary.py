import dataclasses
import json
from types import SimpleNamespace

import pytest
from rich.console import Console

import netgraph as ng
from netgraph.analysis import density, forward_flops, sparse_links
from netgraph.app.run_directory import RunDirectory
from netgraph.app.summary import RunSummary, render_summary
from netgraph.proof import Certificate, Measurement


@pytest.fixture
def values(finished):
    return RunDirectory(finished).read_summary()


def from_json(values):
    """A summary from the keys of its JSON line."""
    metric = values["metric"]
    names = {f"test_{metric}": "test", f"test_{metric}_start": "test_start", f"val_{metric}": "val"}
    return RunSummary(**{names.get(k, k): v for k, v in values.items()})


def test_json_is_one_line_that_names_the_metric(values):
    summary = from_json(values)
    assert json.loads(summary.to_json()) == values
    assert "\n" not in summary.to_json()
    regression = json.loads(dataclasses.replace(summary, metric="rmse", test=2.5).to_json())
    assert regression["test_rmse"] == 2.5
    assert "test_accuracy" not in regression
    assert "test" not in regression


def test_the_numbers_are_those_of_the_run(finished, values):
    run = RunDirectory(finished)
    final, start, metrics = run.graph, ng.load(run.start_file), run.read_metrics()
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
    assert f"| {values['test_accuracy']:.4f} | {values['edges']:,} |" in text
    assert f"| {values['test_accuracy_start']:.4f} | {values['edges_start']:,} |" in text
    for entry in run.journal.entries():
        assert f"| {entry.rewrite} | {entry.epoch} | {entry.rule} | {entry.matches:,} |" in text
    for name, value in {**run.config["training"], **run.config["options"]}.items():
        assert f"- {name}: {value}" in text
    assert run.config["fingerprint"] in text
    assert "topology.svg" in text
    assert "Ended early" not in text


BOUNDED = Certificate("bounded", "", 0.5, {"output": (0.5,)}, measured=Measurement(0.1, 0.05, 64, 0.25))
ROUNDED = Certificate("bounded", "", 1e-7, {"output": (1e-7,)}, True, measured=Measurement(1e-8, 1e-8, 64, 1e-7))
UNKNOWN = Certificate("unknown", "no bound is known", measured=Measurement(2.0, 0.5, 64))


@pytest.mark.parametrize(
    ("certificates", "proof", "bound", "change", "told"),
    [
        ([ROUNDED], "exact up to rounding", 1e-7, 1e-8, "within 1.0e-07 of the range; measured 1.0e-08"),
        ([ROUNDED, BOUNDED], "bounded", 0.25, 0.05, "proved bounded, within 2.5e-01 of the range; measured 5.0e-02"),
        ([BOUNDED, UNKNOWN], "unknown", None, 0.5, "growth proved unknown, without a bound; measured 5.0e-01"),
    ],
    ids=["rounding", "bounded", "unknown"],
)  # fmt: skip
def test_growth_is_as_good_as_its_weakest_rewrite(certificates, proof, bound, change, told, run, monkeypatch):
    directory = RunDirectory(run)
    entries = directory.journal.entries()
    grown = [i for i, e in enumerate(entries) if e.rule == "SplitEdges"]
    assert len(grown) == 2
    for i, certificate in zip(grown, certificates, strict=False):
        entries[i] = dataclasses.replace(entries[i], certificate=certificate)
    summary = collected(directory, entries, monkeypatch)
    assert (summary.growth_proof, summary.growth_bound, summary.growth_change) == (proof, bound, change)
    assert told in summary.table().caption
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
    assert "nothing grew" in summary.table().caption


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
        for graph in (directory.graph, ng.load(directory.start_file))
    )
    data = SimpleNamespace(name="digits", task="classification")
    return RunSummary.collect(directory, data, state, alone, {"test": 0.9, "test_start": 0.8, "val": 0.9})


def test_the_text_has_what_is_proved_of_every_rewrite(finished):
    rows = [line for line in (finished / "summary.md").read_text().splitlines() if line.startswith("| ")]
    for entry in RunDirectory(finished).journal.entries():
        (row,) = [row for row in rows if row.startswith(f"| {entry.rewrite} | {entry.epoch} | {entry.rule} |")]
        measured = entry.certificate.measured
        *_, level, bound, relative = row.strip("| ").split(" | ")
        assert (level, relative) == (entry.certificate.level, f"{measured.relative:.1e}")
        assert measured.bound <= float(bound) <= 1.1 * measured.bound  # never rounded down


def test_an_early_end_is_told(finished, values):
    stopped = dataclasses.replace(from_json(values), stopped="the loss rose")
    assert "Ended early: the loss rose." in render_summary(RunDirectory(finished), stopped)


def test_the_table_shows_before_and_after(values):
    console = Console(width=120, record=True, quiet=False, file=__import__("io").StringIO())
    console.print(from_json(values).table())
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
    rows = [line for line in (finished / "summary.md").read_text().splitlines() if line.startswith("|")]
    heads = [i for i, line in enumerate(rows) if set(line) <= set("|-: ")]
    assert len(heads) == 2
    for begin, end in ((0, heads[1] - 1), (heads[1] - 1, len(rows))):
        assert len({line.count("|") for line in rows[begin:end]}) == 1
