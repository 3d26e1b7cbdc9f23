import io
import json
import re
import sys
from pathlib import Path

import pytest
from grow_runs import entries, grow, refused, snapshot
from rich.console import Console
from toy_rule import FreezeSmall

import netgraph as ng
from benchmarks.pages import region
from netgraph.app.inspect import show
from netgraph.app.run_directory import RunDirectory
from netgraph.proof import Certificate, Measurement

ROOT = Path(__file__).parent.parent.parent.parent

# -- looking at runs ---------------------------------------------------------------------------------


def test_show_prints_results_layers_and_rewrites(finished, call):
    code, out, err = call("show", finished)
    summary = json.loads((finished / "summary.json").read_text())
    assert (code, err) == (0, "")
    assert f"│ grown │ {summary['test_accuracy']:.4f} │" in out
    for words in ("input", "output", "split-2", "relu", "SplitEdges", "PruneEdges", "exact", "660"):
        assert words in out


def test_show_tells_what_is_proved_of_every_rewrite(finished):
    console = Console(width=250, record=True, file=io.StringIO())
    show(RunDirectory(finished), console)
    out = console.export_text().split("rewrites")[-1]
    recorded = RunDirectory(finished).journal.entries()
    lines = [line for line in out.splitlines() if "Edges" in line]
    assert len(lines) == len(recorded)
    for line, entry in zip(lines, recorded, strict=True):
        assert entry.certificate.brief() in line
    splits = [line for line in lines if "SplitEdges" in line]
    assert all("exact; measured" in line and "of the range" in line for line in splits)
    prunes = [line for line in lines if "PruneEdges" in line]
    assert prunes
    assert all("bounded, at most" in line for line in prunes)


@pytest.mark.parametrize(
    ("certificate", "text"),
    [
        (Certificate("exact", "nothing matched", bound=0.0), "exact"),
        (
            Certificate("exact", "", 0.0, measured=Measurement(1e-16, 2e-16, 64, 0.0)),
            "exact; measured 2.0e-16 of the range",
        ),
        (Certificate("bounded", "", 0.25), "bounded, at most 0.25"),
        (Certificate("bounded", "", 0.251, rounding=True), "exact up to rounding, at most 0.251"),
        (
            Certificate("bounded", "", 0.25, assumptions=("batch norm in eval mode",),
                        measured=Measurement(0.1, 0.05, 64, 0.125)),
            "bounded, at most 0.25 (0.125 of the range), batch norm in eval mode; measured 5.0e-02 of the range",
        ),
        (Certificate("unknown", "no bound is known"), "unknown"),
    ],
    ids=["empty", "exact", "bounded", "rounding", "assumption", "unknown"],
)  # fmt: skip
def test_show_has_few_words_for_every_kind_of_certificate(certificate, text, run, call):
    file = run / "journal.jsonl"
    first, *rest = file.read_text().splitlines()
    file.write_text("\n".join([json.dumps({**json.loads(first), "certificate": certificate.to_json()}), *rest]) + "\n")
    console = Console(width=300, record=True, file=io.StringIO())
    show(RunDirectory(run), console)
    rewrites = console.export_text().split("rewrites")[-1]
    (line,) = [line for line in rewrites.splitlines() if line.strip().startswith("│ 1 │")]
    assert line.rstrip("│ ").endswith(f"│ {text}")


def test_replay_checks_every_hash_forwards_and_backwards(finished, call):
    before = snapshot(finished)
    code, out, err = call("replay", finished)
    recorded = entries(finished)
    assert (code, err) == (0, "")
    for entry in recorded:
        assert entry["topology_hash"] in out
    assert f"{len(recorded)} rewrites replayed and undone" in out
    assert snapshot(finished) == before


def test_undo_returns_to_the_trained_graph_before_the_last_rewrite(run, call):
    recorded = entries(run)
    before = ng.load(run / "journal" / f"{len(recorded):06d}.before.safetensors")
    code, out, _err = call("undo", run)
    assert code == 0
    assert f"rewrite {len(recorded)} taken back" in out
    assert ng.load(run / "graph.safetensors").equals(before)
    assert entries(run) == recorded[:-1]
    assert call("replay", run)[0] == 0
    assert call("show", run)[0] == 0


def test_undo_all_the_way_to_the_linear_start_and_no_further(run, call):
    first = ng.load(run / "journal" / "first.safetensors")
    count = len(entries(run))
    for _ in range(count):
        assert call("undo", run)[0] == 0
        assert call("replay", run)[0] == 0
    assert ng.load(run / "graph.safetensors").same_topology(first)
    before = snapshot(run)
    assert refused(call("undo", run), "no rewrite to undo")
    assert snapshot(run) == before


def test_undo_deletes_neither_checkpoint_nor_summary(run, call):
    old = {name: (run / name).read_bytes() for name in ("checkpoint.safetensors", "summary.json", "summary.md")}
    assert call("undo", run)[0] == 0
    kept = {p.read_bytes() for p in run.iterdir() if "undone" in p.name}
    assert kept >= set(old.values())


def test_an_undone_run_is_not_resumed_from_nothing(run, call):
    assert call("undo", run)[0] == 0
    before = snapshot(run)
    assert refused(call(*grow(run, "--resume")), "undone")
    assert snapshot(run) == before


@pytest.mark.parametrize("rule", sorted(ng.rules.RULES))
def test_explain_counts_what_is_left_after_each_condition(rule, finished, call):
    code, out, err = call("explain", finished, rule)
    assert (code, err) == (0, "")
    assert "".join(part.title() for part in rule.split("-")) in out
    graph = ng.load(finished / "graph.safetensors")
    explanation = ng.explain(ng.rules.RULES[rule](), graph)
    for condition, count in explanation.stages:
        assert f"{condition} {count:,}" in out
    assert " ".join(str(explanation).split()) == out


def test_a_registered_rule_is_listed_and_explained_by_name(finished, call):
    ng.rules.register_rule("freeze-small")(FreezeSmall)
    try:
        code, out, _err = call("explain", finished, "freeze-small", "--set", "below=0.5")
        assert code == 0
        assert out.startswith("FreezeSmall: ")
        assert "freeze-small (`toy_rule.FreezeSmall`)" in call("rules", "freeze-small")[1]
    finally:
        ng.rules.RULES.remove("freeze-small")


def test_a_rule_of_a_file_is_explained(finished, call):
    file = ROOT / "tests" / "support" / "toy_rule.py"
    code, out, _err = call("explain", finished, f"{file}:FreezeSmall", "--set", "below=0.5")
    assert (code, out.startswith("FreezeSmall: ")) == (0, True)
    assert "Unknown option 'belo'. Did you mean 'below'?" in call("explain", finished, file, "--set", "belo=1")[2]


def test_the_example_of_the_docs_registers_and_explains(finished, capsys, monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "examples")
    code = region(ROOT / "tests" / "support" / "registered_command.py", "command")
    try:
        exec(compile(code.replace("runs/digits", str(finished)), "registered_command", "exec"), {})
    finally:
        ng.rules.RULES.remove("split-heavy-edges")
        sys.modules.pop("own_rule", None)
    out = capsys.readouterr().out
    assert "split-heavy-edges (`own_rule.SplitHeavyEdges`)" in out
    assert "source is never negative" in out


def test_explain_takes_parameters_of_the_rule(finished, call):
    code, out, _err = call("explain", finished, "prune-edges", "--set", "below=0.01")
    assert code == 0
    assert "|weight| <= 0.01" in out
    assert "nearest miss" in out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["split-edge"], "Did you mean 'split-edges'"),
        (["split-edges", "--set", "crosss=none"], "Did you mean 'cross'"),
        (["split-edges", "--set", "cross=some"], "cross"),
        (["prune-edges", "--set", "below=-1"], "below=-1"),
    ],
)
def test_explain_refuses_unknown_rules_and_parameters(arguments, words, finished, call):
    assert refused(call("explain", finished, *arguments), words)


@pytest.mark.parametrize("command", ["show", "replay", "undo"])
def test_commands_refuse_what_is_no_run(command, tmp_path, call):
    assert refused(call(command, tmp_path), "holds no run")
    assert refused(call(command, tmp_path / "nowhere"), "holds no run")
    assert list(tmp_path.iterdir()) == []


def test_methods_lists_every_option_with_its_default(call):
    from dataclasses import fields

    from compilers.training import TrainSettings
    from netgraph.app.option_texts import as_typed
    from netgraph.methods import SsonnOptions

    code, out, _err = call("methods", "ssonn")
    assert code == 0
    for field in (*fields(SsonnOptions), *fields(TrainSettings)):
        assert re.search(rf"\b{field.name} \([^()]*; default {re.escape(as_typed(field.default))}\)", out)


def test_data_lists_the_bundled_sets(call):
    code, out, _err = call("data")
    assert code == 0
    for name in ("digits", "wine", "breast_cancer", "diabetes"):
        assert name in out


def test_version_and_help(call):
    assert call("--version")[:2] == (0, f"netgraph {ng.__version__}")
    code, out, _err = call("--help")
    assert code == 0
    for command in ("grow", "show", "replay", "undo", "explain", "rules", "methods", "data"):
        assert command in out


# -- damaged runs ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "line", ['{"rewrite": 2', "", "[]", "null", '{"rewrite": 2}', "\x00\x00", '{"rewrite": "two"}']
)
@pytest.mark.parametrize("command", ["replay", "show", "undo"])
def test_a_damaged_line_of_the_journal_is_named(command, line, run, call):
    file = run / "journal.jsonl"
    text = file.read_text().splitlines()
    text[1] = line
    file.write_text("\n".join(text) + "\n")
    before = snapshot(run)
    assert refused(call(command, run), "line 2")
    assert snapshot(run) == before


def test_a_journal_that_lies_about_a_hash_is_found_out(run, call):
    file = run / "journal.jsonl"
    text = file.read_text().splitlines()
    entry = json.loads(text[1])
    entry["topology_hash"] = "0" * len(entry["topology_hash"])
    text[1] = json.dumps(entry)
    file.write_text("\n".join(text) + "\n")
    assert refused(call("replay", run), "line 2", "00000000")


def test_a_journal_that_misses_a_line_is_found_out(run, call):
    file = run / "journal.jsonl"
    text = file.read_text().splitlines()
    file.write_text("\n".join(text[:1] + text[2:]) + "\n")
    assert refused(call("replay", run), "line 2")


def test_a_graph_of_another_topology_is_found_out(run, call):
    ng.save(ng.load(run / "start.safetensors"), run / "graph.safetensors")
    assert refused(call("replay", run), "graph.safetensors")


@pytest.mark.parametrize("damage", ["flip", "cut", "empty", "text"])
@pytest.mark.parametrize(
    ("name", "command"),
    [
        ("graph.safetensors", "show"),
        ("graph.safetensors", "replay"),
        ("journal/first.safetensors", "replay"),
        ("journal/000001.delta.safetensors", "replay"),
        ("config.json", "resume"),
        ("checkpoint.safetensors", "resume"),
        ("summary.json", "show"),
    ],
)
def test_damaged_files_are_refused_without_a_traceback_and_nothing_is_written(name, command, damage, run, call):
    file = run / name
    data = file.read_bytes()
    middle = len(data) // 2
    if file.suffix == ".json" and damage == "flip":
        damage = "cut"
    file.write_bytes(
        {
            "flip": data[:middle] + bytes([data[middle] ^ 4]) + data[middle + 1 :],
            "cut": data[:middle],
            "empty": b"",
            "text": b"[]",
        }[damage]
    )
    before = snapshot(run)
    assert refused(call(*grow(run, "--resume")) if command == "resume" else call(command, run), file.name)
    assert snapshot(run) == before


def test_undo_with_a_damaged_file_keeps_everything(run, call):
    last = len(entries(run))
    file = run / "journal" / f"{last:06d}.before.safetensors"
    file.write_bytes(file.read_bytes()[:-9])
    before = snapshot(run)
    assert refused(call("undo", run), f"line {last}")
    assert snapshot(run) == before
