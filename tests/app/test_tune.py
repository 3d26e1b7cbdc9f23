"""`netgraph tune`, and runs that ask for what it measured."""

import json

import pytest
from grow_runs import grow

from compilers import CostTable
from netgraph.app.cli import main


@pytest.fixture(autouse=True)
def cache(monkeypatch, tmp_path):
    monkeypatch.setattr("platformdirs.user_cache_dir", lambda name: str(tmp_path / name))


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr("netgraph.app.tune.tune", lambda device: CostTable(call=1234.0))


def test_tune_keeps_and_prints_the_numbers_and_a_run_may_use_them(tmp_path, call):
    code, out, _ = call("tune")
    assert code == 0
    assert "1,234.0" in out
    assert "--set costs=tuned" in out
    assert main(grow(tmp_path / "run", "--set", "costs=tuned")) == 0
    assert json.loads((tmp_path / "run" / "config.json").read_text())["run"]["costs"] == "tuned"


def test_a_run_that_asks_for_numbers_that_are_not_there_says_so(tmp_path, call):
    code, _, error = call(*grow(tmp_path / "run", "--set", "costs=tuned"))
    assert code == 2
    assert "netgraph tune" in error
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [(("--device", "tpu9"), "cannot be used here"), (("--threads", 0), "threads=0 is below 1")],
)
def test_wrong_devices_and_threads_are_told(call, arguments, message):
    code, _, error = call("tune", *arguments)
    assert code == 2
    assert message in error


def test_unknown_costs_are_told(tmp_path, call):
    code, _, error = call(*grow(tmp_path / "run", "--set", "costs=tunde"))
    assert code == 2
    assert "Did you mean 'tuned'" in error
