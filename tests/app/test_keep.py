"""A run keeps its start where growth did harm."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from grow_runs import grow

import netgraph as ng
from compilers import lower
from netgraph.app import grow as growing
from netgraph.app.keep import Harm, harm_of_growth
from netgraph.app.run_directory import RunDirectory


def network(bias, *, hidden=0):
    """A network of two classes that gives the second where x > -bias."""
    b = ng.GraphBuilder(seed=0)
    b.input("x", 1, domain=(-1, 1))
    b.output("y", 2, bias=False)
    if hidden:
        b.layer("h", hidden)
        b.dense("x", "h", weight=0.0)
        b.dense("h", "y", weight=0.0)
    b.edges("x", "y", [0, 0], [0, 1], weight=[-1.0, 1.0])
    net = lower(b.build())
    return SimpleNamespace(net=net, bias=bias)


def linear(weight, *, hidden=0):
    """The regression weight * x; hidden vertices change nothing but the size."""
    b = ng.GraphBuilder(seed=0)
    b.input("x", 1, domain=(-1, 1))
    b.output("y", 1)
    if hidden:
        b.layer("h", hidden)
        b.edges("x", "h", np.zeros(hidden, int), np.arange(hidden), weight=0.0)
        b.edges("h", "y", np.arange(hidden), np.zeros(hidden, int), weight=0.0)
    b.edges("x", "y", [0], [0], weight=weight)
    return lower(b.build())


def samples(count=50, noise=0.1):
    rng = np.random.default_rng(0)
    x = rng.uniform(-1, 1, (count, 1)).astype(np.float32)
    y = x + noise * rng.standard_normal((count, 1)).astype(np.float32)
    return torch.from_numpy(x), torch.from_numpy(y)


REGRESSION = SimpleNamespace(task="regression", target_std=np.array([10.0]))


def test_a_larger_network_that_is_worse_gives_way_to_its_start():
    harm = harm_of_growth(linear(0.5, hidden=3), linear(1.0), samples(), REGRESSION)
    assert harm is not None
    assert harm.kept
    assert "Growth did harm: on the validation samples the grown network has" in harm.sentence
    assert "graph.safetensors is the start, and grown.safetensors the grown network" in harm.sentence


def test_a_network_that_is_no_larger_stays_but_the_harm_is_said():
    harm = harm_of_growth(linear(0.5), linear(1.0, hidden=3), samples(), REGRESSION)
    assert harm is not None
    assert not harm.kept
    assert "kept all the same" in harm.sentence


@pytest.mark.parametrize(("grown", "start", "count"), [(1.0, 0.5, 50), (1.0, 1.0, 50), (0.9, 1.0, 20), (0.5, 1.0, 1)])
def test_what_is_better_equal_or_worse_by_chance_is_no_harm(grown, start, count):
    assert harm_of_growth(linear(grown, hidden=3), linear(start), samples(count, noise=0.5), REGRESSION) is None


def test_a_run_that_growth_harmed_ends_with_its_start(tmp_path, call, monkeypatch):
    monkeypatch.setattr(growing, "harm_of_growth", lambda *_given: Harm(kept=True, sentence="Growth did harm."))
    code, out, err = call(*grow(tmp_path / "run"))
    assert code == 0, err
    assert "Growth did harm." in out
    run = RunDirectory(tmp_path / "run")
    summary = json.loads((run.path / "summary.json").read_text())
    assert summary["kept"] == "start"
    assert summary["remarks"][-1] == "Growth did harm."
    assert "**Growth did harm.**" in (run.path / "summary.md").read_text()
    assert ng.load(run.graph_file).equals(ng.load(run.start_file))
    assert run.grown.num_edges == summary["edges"] != ng.load(run.start_file).num_edges
    for command in ("replay", "show", "report"):
        assert call(command, run.path)[0] == 0, command
    monkeypatch.undo()
    assert call(*grow(run.path), "--resume")[0] == 0
    assert not (run.path / "grown.safetensors").exists()
    assert ng.load(run.graph_file).num_edges == summary["edges"]


def test_undo_takes_back_a_rewrite_of_the_grown_network(tmp_path, call, monkeypatch):
    monkeypatch.setattr(growing, "harm_of_growth", lambda *_given: Harm(kept=True, sentence="Growth did harm."))
    assert call(*grow(tmp_path / "run"))[0] == 0
    run = RunDirectory(tmp_path / "run")
    before = run.journal.before_last()
    assert call("undo", run.path)[0] == 0
    assert run.grown.equals(before)
    assert call("replay", run.path)[0] == 0


def test_a_size_that_was_missed_is_said_before_and_after(tmp_path, call):
    code, out, _err = call(*grow(tmp_path / "run", final_edges=5_000, max_vertices=30))
    assert code == 0
    words = " ".join(out.split())
    assert words.index("final_edges=5,000 may be missed") < words.index("final_edges=5,000 was missed")
    assert "final_edges=5,000 was missed" in json.loads((tmp_path / "run" / "summary.json").read_text())["remarks"][0]
