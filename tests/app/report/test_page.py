"""The page about a run: what it tells, and that it needs nothing but itself."""

import dataclasses
import json
import shlex
import shutil
import sys

import pytest
from grow_runs import refused, snapshot
from html_pages import Page
from rich.console import Console

import netgraph as ng
from compilers import lower
from netgraph.app.cli import build_parser
from netgraph.app.cli.arguments import given
from netgraph.app.prepare import prepare
from netgraph.app.report import curves
from netgraph.app.report import page as report_page
from netgraph.app.report.command import grow_command
from netgraph.app.report.data import MOST_MARKS, RunFacts
from netgraph.app.report.page import SECTIONS, write_pictures, write_report
from netgraph.app.requests import GrowRequest
from netgraph.app.run_directory import RunDirectory
from netgraph.app.summary import evidence
from netgraph.app.verdicts import in_words


@pytest.fixture(scope="module")
def page(finished):
    return Page((finished / "report.html").read_text())


@pytest.fixture(scope="module")
def facts(finished):
    return RunFacts.read(RunDirectory(finished))


def without(monkeypatch, package):
    """As if a package were not installed."""
    for name in [name for name in sys.modules if name == package or name.startswith(f"{package}.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)
    report_page._environment.cache_clear()


def table(page, heading):
    """Rows of the table whose first row holds a heading, without that row."""
    starts = [i for i, row in enumerate(page.rows) if heading in row]
    assert len(starts) == 1
    width = len(page.rows[starts[0]])
    rows = []
    for row in page.rows[starts[0] + 1 :]:
        if len(row) != width:
            break
        rows.append(row)
    return rows


def test_every_rewrite_is_listed_with_what_is_proved(page, facts):
    rows = table(page, "what changed")
    assert len(rows) == len(facts.entries) > 1
    for row, entry in zip(rows, facts.entries, strict=True):
        bound, measured = evidence(entry.certificate)
        assert row[:2] == [str(entry.rewrite), str(entry.epoch)]
        assert row[2].startswith(entry.rule)
        assert all(name in row[2] for name in entry.parameters)
        assert row[3:6] == [f"{entry.matches:,}", entry.summary, f"{entry.edges:,}"]
        assert row[6].startswith(entry.certificate.level)
        assert str(entry.certificate) in row[6]
        assert row[7:] == [bound, measured]
    assert {"exact", "bounded"} <= {entry.certificate.level for entry in facts.entries}


def test_what_is_proved_is_not_rounded_down(facts):
    one = facts.entries[0]
    measured = dataclasses.replace(one.certificate.measured, bound=0.1201)
    certificate = dataclasses.replace(one.certificate, kind="bounded", bound=0.12301, measured=measured,
                                      layers={"hidden": 0.123401})  # fmt: skip
    entry = dataclasses.replace(one, certificate=certificate)
    values = report_page._values(dataclasses.replace(facts, entries=[entry]))
    page = Page(report_page._render("report_rewrites.html.j2", **values))
    assert "at most 0.1235" in page.words()
    assert "no output changes by more than 0.124 (0.121 of its range)" in page.words()
    assert page.rows[-1][7] == "1.3e-01"


def test_the_key_figures_are_those_of_the_summary(page, finished):
    summary = json.loads((finished / "summary.json").read_text())
    words = page.words()
    assert f"Test accuracy {summary['test_accuracy']:.4f} start alone {summary['test_accuracy_start']:.4f}" in words
    edges = [f"{summary[key]:,}" for key in ("edges", "edges_start", "edges_peak")]
    assert f"Edges {edges[0]} from {edges[1]}, at most {edges[2]}" in words
    assert f"Rewrites {summary['rewrites']} {in_words(summary['verdicts'])}" in words
    assert f"ended after {summary['epochs']} epochs" in words
    assert f"seed {summary['seed']}" in words
    grown = next(row for row in page.rows if row and row[0] == "grown")
    balanced = summary["scores"]["test"]["balanced_accuracy"]
    assert grown[1:4] == [f"{summary['test_accuracy']:.4f}", f"{balanced:.4f}", edges[0]]


def test_curves_show_what_was_measured(page, finished):
    metrics = [json.loads(line) for line in (finished / "metrics.jsonl").read_text().splitlines()]
    labels = [label for label in page.values("aria-label") if " over " in label]
    assert len(labels) == 4
    assert labels[0].startswith(
        f"Loss over {len(metrics)} epochs: training, label smoothing 0.1 from {metrics[0]['train_loss']:.4g} to"
    )
    assert labels[1].startswith(
        f"Accuracy over {len(metrics)} epochs: validation from {metrics[0]['val_accuracy']:.4g}"
    )
    assert labels[2].endswith(f"highest {max(m['edges'] for m in metrics):,}")
    assert f"validation {metrics[-1]['val_loss']:.4g}" in page.words()


def test_settings_versions_and_plan_are_all_there(page, finished, facts):
    words = page.words()
    for group in ("training", "options", "run"):
        for name, value in facts.config[group].items():
            shown = str(value).lower() if isinstance(value, bool) or value is None else value
            assert f"{name} {shown}" in words
    for name in ("netgraph", "torch", "numpy", "python", "machine", "fingerprint"):
        assert f"{name} {facts.config[name]}" in words
    assert facts.config["machine"]
    assert facts.config["input_shape"] == [8, 8]
    summary = facts.summary
    for kind, flops in summary.costs.items():
        assert f"{kind} {flops:.3g} FLOPs" in words
    assert lower(facts.graph).plan.summary() in page.text


def test_both_topologies_are_drawn(page, facts):
    labels = page.values("aria-label")
    for when, graph in (("before", facts.first), ("after", facts.graph)):
        (label,) = [text for text in labels if text.startswith(f"The topology {when} growth")]
        assert f"{graph.num_edges:,} trainable edges" in label


def test_the_page_needs_nothing_but_itself(page, finished):
    assert page.foreign() == []
    assert (finished / "report.html").stat().st_size < 5e6
    assert "default-src 'none'" in page.source


def test_the_page_can_be_read_without_seeing_it(page):
    assert page.count("h1") == page.count("main") == page.count("nav") == 1
    assert [e for e in page.elements if e[0] == "html"] == [("html", {"lang": "en"})]
    for tag, attributes in page.elements:
        if tag == "svg" and attributes.get("aria-hidden") != "true":
            assert attributes.get("aria-label")
            assert attributes.get("role") == "img"
        if tag == "th":
            assert attributes["scope"] in ("row", "col")
        if attributes.get("role") == "region":
            assert attributes["aria-label"]
            assert attributes["tabindex"] == "0"


def test_ids_of_all_pictures_are_different_and_their_references_lead_somewhere(page):
    ids = page.values("id")
    assert len(ids) == len(set(ids))
    links = [value[1:] for name in ("href", "xlink:href") for value in page.values(name) if value.startswith("#")]
    paths = [value[5:-1] for value in page.values("clip-path")]
    assert links
    assert paths
    assert set(links + paths) <= set(ids)
    assert set(SECTIONS) - {"growth"} <= set(ids)


def test_equal_runs_give_equal_pages(finished):
    before = snapshot(finished)
    write_report(RunDirectory(finished))
    assert snapshot(finished) == before


def test_the_command_writes_the_page_where_it_is_told(run, call, tmp_path):
    (run / "report.html").unlink()
    before = snapshot(run)
    code, out, err = call("report", run, "--out", tmp_path / "page.html")
    assert (code, err) == (0, "")
    assert f"report in {tmp_path / 'page.html'}" in out
    assert snapshot(run) == before
    code, out, _err = call("report", run)
    assert code == 0
    assert f"report in {run / 'report.html'}" in out
    assert (run / "report.html").read_bytes() == (tmp_path / "page.html").read_bytes()


@pytest.mark.parametrize(
    ("name", "words"),
    [("x.pdf", ["x.pdf", ".html", "print it from a browser"]), ("page", ["page", ".html"]),
     ("live", ["live' is a directory", "live/report.html"]), ("no/page.html", ["no directory", "make it"])],
)  # fmt: skip
def test_places_that_take_no_page_are_refused(name, words, run, call, tmp_path):
    (tmp_path / "live").mkdir()
    before = snapshot(tmp_path)
    assert refused(call("report", run, "--out", tmp_path / name), *words)
    assert snapshot(tmp_path) == before


@pytest.mark.parametrize(
    ("largest", "labels"),
    [(9000, ["0", "4,000", "8,000"]), (14364, ["0", "4k", "8k"]), (2e6, ["0", "0.004M", "0.008M"])],
)
def test_numbers_along_an_axis_share_a_unit(largest, labels):
    assert [curves._short(value, largest) for value in (0, 4000, 8000)] == labels


def test_both_densities_say_of_what_they_are(page, facts):
    assert f"where links may be sparse, {facts.graph.density:.3g} over all links" in page.words()


def test_grow_and_show_name_the_report(run, call, tmp_path):
    shutil.rmtree(run)
    code, out, _err = call("grow", "digits", "--out", run, "--epochs", 1)
    assert code == 0
    assert "report.html" in out.split("results in")[1]
    assert "report.html" in call("show", run)[1]
    (run / "report.html").unlink()
    assert "report.html" not in call("show", run)[1]


@pytest.mark.parametrize("package", ["jinja2", "matplotlib", "graphviz"])
def test_a_report_that_fails_leaves_the_results(package, run, call, monkeypatch):
    shutil.rmtree(run)
    without(monkeypatch, package)
    code, out, _err = call("grow", "digits", "--out", run, "--epochs", 1)
    assert code == 0
    assert package in out
    assert "pip install" in out
    assert f"netgraph report {run}" in out
    assert "report.html" not in out.split("results in")[1]
    assert json.loads((run / "summary.json").read_text())["epochs"] == 1
    assert ng.load(run / "graph.safetensors").num_edges == 640


@pytest.mark.parametrize(
    ("data", "extra"),
    [
        ("digits", ()),
        ("diabetes", ("--set=validation=0.25", "--set=normalise=true", "--set=augment=none")),
        ("digits", ("--method=pwmpr", "--set=stall=7", "--seed=3")),
        ("digits", ("--method=nagn", "--set=batch_size=32", "--epochs=4")),
        ("digits", ("--method=gradmax", "--device=cpu")),
        ("digits", ("--method=imp", "--task=regression")),
    ],
)
def test_the_command_leads_to_the_same_run(data, extra, tmp_path):
    def request(words):
        return GrowRequest(**given(build_parser().parse_args(words), GrowRequest))

    config = prepare(request(["grow", data, *extra])).config
    command = grow_command(json.loads(json.dumps(config)), str(tmp_path / "it's <new>"))
    again = request(shlex.split(command)[1:])
    assert prepare(again).config == config
    assert again.out == tmp_path / "it's <new>"


@pytest.mark.parametrize("package", ["jinja2", "matplotlib"])
def test_a_missing_package_is_named_with_the_way_to_get_it(package, run, call, monkeypatch):
    without(monkeypatch, package)
    for command in ("report", "watch"):
        assert refused(call(command, run), package, "pip install 'netgraph-growth[viz]'")


def test_undo_works_without_pictures(run, call, monkeypatch):
    count = len(RunDirectory(run).journal)
    without(monkeypatch, "jinja2")
    code, out, _err = call("undo", run)
    assert code == 0
    assert "taken back" in out
    assert "pip install 'netgraph-growth[viz]'" in out
    assert len(RunDirectory(run).journal) == count - 1


def test_a_plan_of_very_many_layers_is_cut(finished, monkeypatch, facts):
    monkeypatch.setattr(report_page, "MOST_LINES", 2)
    (costs,) = [part for part in report_page.Reporter().sections(facts) if part.key == "costs"]
    whole = lower(facts.graph).plan.summary().split("\n")
    assert f"... {len(whole) - 4} lines left out ..." in costs.html
    assert whole[-1] in costs.html
    assert whole[2] not in costs.html


def test_of_very_many_rewrites_the_first_and_the_last_are_listed(facts):
    one, n = facts.entries[0], 10_000
    many = [dataclasses.replace(one, rewrite=k, epoch=k) for k in range(1, n + 1)]
    many[0] = dataclasses.replace(many[0], parameters={"ids": list(range(100_000))})
    metrics = [{**facts.metrics[0], "epoch": k} for k in range(1, n + 1)]
    folded = dataclasses.replace(facts, entries=many, metrics=metrics)
    values = {**report_page._values(folded), "facts": folded}
    page = Page(report_page._render("report_rewrites.html.j2", **values))
    rows = page.rows[1:]
    assert [row[0] for row in rows[:250]] == [str(k) for k in range(1, 251)]
    assert rows[250] == ["… 9,500 rewrites left out …"]
    assert [row[0] for row in rows[251:]] == [str(k) for k in range(9_751, n + 1)]
    assert f"{one.rule}ids0, 1, 2, 3" in rows[0][2]
    assert len(rows[0][2]) < 600
    assert "The first 250 and the last 250 of 10,000 rewrites are listed; journal.jsonl" in page.words()
    drawn = "".join(panel.svg for panel in curves.panels(folded))
    assert len(page.source) + len(drawn) < 1_000_000


def test_rewrites_that_follow_closely_are_marked_together(facts):
    marks = facts.marks()
    assert [n for mark in marks for n in range(mark.first, mark.last + 1)] == [e.rewrite for e in facts.entries]
    assert marks[0].change == "grew"
    assert marks[0].edges[0] == facts.first.num_edges
    assert marks[-1].edges[1] == facts.entries[-1].edges
    assert {epoch for mark in marks for epoch in mark.epochs} == {entry.epoch for entry in facts.entries}


def test_ever_so_many_rewrites_get_few_marks(finished, monkeypatch):
    facts = RunFacts.read(RunDirectory(finished))
    grow, prune = facts.entries[0], facts.entries[-1]
    many = [
        dataclasses.replace(grow if k % 2 else prune, rewrite=k, epoch=7 * k, edges=640 + 50 * (k % 2))
        for k in range(1, 200)
    ]
    marks = dataclasses.replace(facts, entries=many).marks()
    assert 1 <= len(marks) <= MOST_MARKS
    assert (marks[0].first, marks[-1].last) == (1, 199)


@pytest.mark.parametrize("name", ["config.json", "summary.json", "metrics.jsonl", "journal.jsonl"])
@pytest.mark.parametrize("content", ["", "{", "[]\n", '{"epoch": "x"}\n', "\x00\x00\n", "null\n"])
def test_a_damaged_file_is_named_with_a_remedy(name, content, run, call):
    if not content and name.endswith(".jsonl"):
        pytest.skip("an empty file holds nothing damaged")
    file = run / name
    file.write_text((file.read_text().split("\n")[0] + "\n" if name.endswith("l") else "") + content)
    if name.endswith("l") and content == "{":
        file.write_text(file.read_text() + "\n")
    before = snapshot(run)
    assert refused(call("report", run), name, "again")
    assert snapshot(run) == before


@pytest.mark.parametrize(
    ("name", "keys", "value"),
    [
        ("config.json", ("training",), []),
        ("config.json", ("training", "epochs"), "x"),
        ("config.json", ("target",), [1]),
        ("summary.json", ("test_accuracy",), "high"),
        ("summary.json", ("seconds",), []),
        ("summary.json", ("costs",), 1.0),
        ("summary.json", ("costs", "paths"), "x"),
        ("summary.json", ("isolated",), None),
        ("summary.json", ("edges",), True),
        ("journal.jsonl", ("matches",), "x"),
        ("journal.jsonl", ("epoch",), None),
        ("journal.jsonl", ("parameters",), 1),
        ("journal.jsonl", ("topology_hash",), {}),
        ("journal.jsonl", ("metrics", "x"), "y"),
        ("journal.jsonl", ("certificate", "measured", "samples"), {}),
    ],
)
def test_a_value_of_another_kind_is_named_with_a_remedy(name, keys, value, run, call):
    text = (run / name).read_text()
    first, rest = text.split("\n", 1) if name.endswith("l") else (text, "")
    values = json.loads(first)
    place = values
    for key in keys[:-1]:
        place = place[key]
    place[keys[-1]] = value
    (run / name).write_text(json.dumps(values) + "\n" + rest)
    result = call("report", run)
    assert refused(result, name, "again")
    assert any(f"{key.removesuffix('_accuracy')}" in result[2] for key in keys) or "line 1 is damaged" in result[2]


@pytest.mark.parametrize("name", ["graph.safetensors", "journal/first.safetensors"])
def test_a_damaged_graph_is_named_with_a_remedy(name, run, call):
    (run / name).write_bytes((run / name).read_bytes()[:100])
    assert refused(call("report", run), name, "again")


def test_what_is_no_run_gets_no_report(tmp_path, call):
    assert refused(call("report", tmp_path), "holds no run")
    assert list(tmp_path.iterdir()) == []


def test_pictures_and_report_share_one_reading_of_the_run(run, monkeypatch):
    read, facts = [], RunFacts.read
    monkeypatch.setattr(RunFacts, "read", lambda directory: (read.append(directory), facts(directory))[1])
    write_pictures(RunDirectory(run), Console())
    assert len(read) == 1
