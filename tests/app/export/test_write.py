"""`netgraph export`: models that compute the network of the run, with a card that says what is known."""

import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from grow_runs import entries, grow, refused, snapshot
from safetensors.numpy import load_file

import netgraph as ng
from netgraph.app.run_directory import RunDirectory
from netgraph.storage import EpochValues, save_epoch, write_text

GOLDEN = Path(__file__).parents[2] / "golden" / "written"


def facts(folder):
    return json.loads((folder / "model.json").read_text())


def test_an_export_has_the_network_its_facts_and_its_card(finished, tmp_path, call):
    out = tmp_path / "net"
    code, said, err = call("export", finished, "--to", "safetensors", "--out", out)
    assert (code, err) == (0, "")
    assert "MODEL_CARD.md, graph.safetensors, model.json" in said
    graph = ng.load(finished / "graph.safetensors")
    assert ng.load(out / "graph.safetensors").equals(graph)
    found, config = facts(out), json.loads((finished / "config.json").read_text())
    summary = json.loads((finished / "summary.json").read_text())
    assert found["files"] == {"graph.safetensors": hashlib.sha256((out / "graph.safetensors").read_bytes()).hexdigest()}
    assert found["network"]["edges"] == graph.num_edges == 660
    assert found["network"]["topology_hash"] == graph.topology_hash
    assert found["data"]["fingerprint"] == config["fingerprint"]
    assert found["data"]["licence"] == "unknown"
    assert found["outputs"]["classes"] == [str(k) for k in range(10)]
    assert found["method"]["options"] == config["options"]
    assert found["scores"] == {
        "metric": "accuracy", "test": summary["test_accuracy"], "validation": summary["val_accuracy"],
        "network": "grown",
    }  # fmt: skip
    journal = (finished / "journal.jsonl").read_bytes()
    assert found["rewrites"]["journal_sha256"] == hashlib.sha256(journal).hexdigest()
    assert found["rewrites"]["count"] == len(entries(finished))
    assert sum(n for levels in found["rewrites"]["verdicts"].values() for n in levels.values()) == len(
        entries(finished)
    )
    assert found["rewrites"]["leads_to_this_network"]
    card = (out / "MODEL_CARD.md").read_text()
    for words in (
        "# digits, grown by ssonn", "660 trained edges", config["fingerprint"], "Licence of the data: unknown",
        "classes 0, 1, 2, 3, 4, 5, 6, 7, 8, 9", "[0, 16]", f"{summary['test_accuracy']:.4f}", graph.topology_hash,
        found["rewrites"]["journal_sha256"], "## Method", "- final_edges: 660", "exact",
    ):  # fmt: skip
        assert words in card, words


RUN_ALONE = """
import sys
sys.modules["netgraph"] = sys.modules["compilers"] = None
import numpy as np
import pytest
x = np.load("x.npy")
{usage}
np.save("y.npy", outputs.numpy())
"""


def test_the_code_of_the_card_runs_the_module_with_torch_alone(finished, tmp_path, call):
    out = tmp_path / "net"
    assert call("export", finished, "--to", "torch", "--out", out)[0] == 0
    assert sorted(path.name for path in out.iterdir()) == [
        "MODEL_CARD.md",
        "model.json",
        "model.py",
        "model.safetensors",
    ]
    usage = (out / "MODEL_CARD.md").read_text().split("```python\n")[1].split("```")[0]
    graph = ng.load(finished / "graph.safetensors")
    x = np.random.default_rng(0).random((5, 64)).astype(np.float32)
    np.save(out / "x.npy", x)
    subprocess.run([sys.executable, "-c", RUN_ALONE.format(usage=usage)], cwd=out, check=True)
    np.testing.assert_allclose(np.load(out / "y.npy"), ng.interpret(graph, x), rtol=1e-5, atol=1e-6)


def test_zeros_for_missing_edges_are_counted_and_refused_when_asked(finished, tmp_path, call):
    code, said, _err = call("export", finished, "--to", "torch", "--out", tmp_path / "net")
    assert code == 0
    found = facts(tmp_path / "net")["export"]
    graph = ng.load(finished / "graph.safetensors")
    weights = load_file(tmp_path / "net" / "model.safetensors")
    held = sum(w.size for w in weights.values() if w.dtype == np.float32)
    assert found["added_zeros"] == held - graph.num_parameters > 0
    assert f"The model has {found['added_zeros']} parameters for missing edges, all 0" in said
    assert refused(call("export", finished, "--to", "torch", "--strict", "--out", tmp_path / "other"), "missing edges")
    assert not (tmp_path / "other").exists()


def test_the_folder_lies_beside_the_run_unless_it_is_named(run, call, monkeypatch):
    assert call("export", run, "--to", "safetensors")[0] == 0
    assert (run.with_name("run-safetensors") / "model.json").is_file()
    assert call("export", run / "graph.safetensors", "--to", "safetensors")[0] == 0
    assert (run / "graph-safetensors" / "model.json").is_file()
    shutil.rmtree(run.with_name("run-safetensors"))
    monkeypatch.chdir(run)
    assert call("export", ".", "--to", "safetensors")[0] == 0
    assert (run.with_name("run-safetensors") / "model.json").is_file()


def test_an_export_is_replaced_only_when_asked(finished, tmp_path, call):
    out = tmp_path / "net"
    arguments = ("export", finished, "--to", "safetensors", "--out", out)
    assert call(*arguments)[0] == 0
    before = snapshot(out)
    assert refused(call(*arguments), "holds an exported network already", "--overwrite")
    assert call(*arguments, "--overwrite")[0] == 0
    assert snapshot(out) == before


def test_the_card_of_a_file_says_what_is_not_known(tmp_path, call):
    ng.save(ng.mlp([3, 4, 2], domain=(-1, 1)), tmp_path / "own.safetensors")
    assert call("export", tmp_path / "own.safetensors", "--to", "safetensors")[0] == 0
    found = facts(tmp_path / "own-safetensors")
    unknown = ("prepare", "outputs", "data", "method", "scores", "rewrites", "trained_by")
    assert [found[name] for name in unknown] == [None] * len(unknown)
    assert found["network"]["inputs"] == [{"name": "input", "shape": [3], "dtype": "float32", "low": -1.0, "high": 1.0}]
    card = (tmp_path / "own-safetensors" / "MODEL_CARD.md").read_text()
    assert "Not known are: the data that it was trained on and their licence" in card


def test_a_run_that_ended_with_its_start_says_so(run, tmp_path, call):
    directory = RunDirectory(run)
    start = ng.load(run / "start.safetensors")
    directory.save_graphs(directory.grown, kept=start)
    summary = json.loads((run / "summary.json").read_text())
    (run / "summary.json").write_text(json.dumps({**summary, "kept": "start"}))
    assert call("export", run, "--to", "safetensors", "--out", tmp_path / "net")[0] == 0
    found = facts(tmp_path / "net")
    assert ng.load(tmp_path / "net" / "graph.safetensors").equals(start)
    assert found["network"]["edges"] == start.num_edges
    assert (found["scores"]["network"], found["scores"]["test"]) == ("start", summary["test_accuracy_start"])
    assert not found["rewrites"]["leads_to_this_network"]
    card = (tmp_path / "net" / "MODEL_CARD.md").read_text()
    assert "This network is the start alone, since growth did harm." in card
    assert "leads to another network than this one" in card


def test_scores_of_undone_rewrites_are_those_of_another_network(run, tmp_path, call):
    assert call("undo", run)[0] == 0
    assert call("export", run, "--to", "safetensors", "--out", tmp_path / "net")[0] == 0
    found = facts(tmp_path / "net")
    assert found["scores"] is None
    assert found["outputs"]["classes"] == [str(k) for k in range(10)]
    assert "its scores belong to another network" in (tmp_path / "net" / "MODEL_CARD.md").read_text()


def test_a_run_of_an_earlier_version_lacks_only_what_it_did_not_record(tmp_path, call):
    assert call("export", GOLDEN / "ended", "--to", "safetensors", "--out", tmp_path / "net")[0] == 0
    found = facts(tmp_path / "net")
    assert found["prepare"]["low"] is None
    assert found["data"]["samples"] is None
    assert found["scores"]["test"] is not None
    assert "by a range that the run did not record" in (tmp_path / "net" / "MODEL_CARD.md").read_text()


def test_what_is_no_network_is_refused(run, tmp_path, call):
    out = tmp_path / "out"
    assert refused(call("export", tmp_path / "nothing", "--to", "safetensors", "--out", out), "neither a run directory")
    assert refused(call("export", tmp_path, "--to", "safetensors", "--out", out), "neither a run directory")
    assert refused(call("export", run / "config.json", "--to", "safetensors", "--out", out), "config.json")
    assert refused(call("export", run, "--to", "tflite"), "tflite")
    assert refused(call("export", run), "--to")
    for name in ("graph.safetensors", "summary.json"):
        (run / name).unlink()
    assert refused(call("export", run, "--to", "safetensors", "--out", out), "has not ended", "--resume")
    assert not out.exists()


def test_a_disk_that_is_full_leaves_nothing(finished, tmp_path, call, monkeypatch):
    def full(path, text):
        if Path(path).name == "MODEL_CARD.md":
            raise OSError(28, "No space left on device", str(path))
        write_text(path, text)

    monkeypatch.setattr("netgraph.app.export.write.write_text", full)
    code, _out, err = call("export", finished, "--to", "safetensors", "--out", tmp_path / "a" / "net")
    assert code == 1
    assert "No space left" in err
    assert not list(tmp_path.iterdir())


def test_a_resumed_run_may_lack_facts_that_later_versions_record(tmp_path, call):
    arguments = grow(tmp_path / "run", epochs=2)
    assert call(*arguments)[0] == 0
    file = tmp_path / "run" / "config.json"
    config = json.loads(file.read_text())
    del config["preparation"]
    file.write_text(json.dumps(config))
    assert call(*arguments, "--resume")[0] == 0
    samples = {"training": 1, "validation": 1, "test": 1}
    other = {"scaling": {"low": 0, "high": 1}, "columns": [], "classes": ["x"], "targets": None, "samples": samples}
    file.write_text(json.dumps({**config, "preparation": other}))
    assert refused(call(*arguments, "--resume"), "preparation")


@pytest.mark.parametrize(
    ("form", "files"),
    [
        ("graphml", ["graph.graphml"]),
        ("gexf", ["graph.gexf"]),
        ("dot", ["graph.dot"]),
        ("edges", ["edges.csv", "edges.vertices.csv"]),
        ("model-explorer", ["model_explorer.json"]),
    ],
)
def test_files_for_other_programs_have_a_card_too(form, files, tmp_path, call):
    run, out = GOLDEN / "ended", tmp_path / "net"
    assert call("export", run, "--to", form, "--out", out)[::2] == (0, "")
    assert sorted({file.name for file in out.iterdir()} - {"model.json", "MODEL_CARD.md"}) == files
    assert sorted(facts(out)["files"]) == files
    card = (out / "MODEL_CARD.md").read_text()
    assert "each vertex and edge has its columns as attributes" in card
    assert "for an array of NumPy" not in card
    graph = ng.load(run / "graph.safetensors")
    if form in ("graphml", "gexf"):
        assert ng.exchange.read(out / files[0]).equals(graph)
    before = snapshot(out)
    assert call("export", run, "--to", form, "--out", out, "--fold", "layers", "--overwrite")[0] == 0
    assert snapshot(out).keys() == before.keys()
    assert "each layer and link has its columns" in (out / "MODEL_CARD.md").read_text()
    assert facts(out)["export"]["fold"] == "layers"


def test_a_model_is_not_folded(tmp_path, call):
    done = call("export", GOLDEN / "ended", "--to", "torch", "--fold", "layers", "--out", tmp_path / "net")
    assert refused(done, "--fold layers does not go with --to torch", "graphml, gexf")


def test_gradients_that_the_run_kept_become_a_column(tmp_path, call):
    run = tmp_path / "run"
    shutil.copytree(GOLDEN / "ended", run)
    graph = ng.load(run / "graph.safetensors")
    gradients = np.arange(len(graph.edges), dtype=np.float32) / 8
    for epoch, times in ((1, 0), (2, 1)):
        save_epoch(run, EpochValues(epoch, graph.rewrites, graph.topology_hash, graph.edges.weight, times * gradients))
    save_epoch(run, EpochValues(3, 0, "0" * 32, graph.edges.weight[:1], gradients[:1]))
    assert call("export", run, "--to", "edges", "--out", tmp_path / "net")[0] == 0
    heading, *rows = (tmp_path / "net" / "edges.csv").read_text().splitlines()
    at = heading.split(",").index("mean_abs_gradient")
    np.testing.assert_array_equal([float(row.split(",")[at]) for row in rows], gradients)
