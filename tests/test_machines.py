"""The program that runs the suite as other machines run it: what it sets, what it counts, what it skips."""

import sys

import pytest
from rich.console import Console

from benchmarks import machines

SUITE = """
import os, signal
import pytest

def test_sigint_is_ignored():
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN

def test_core():
    assert os.environ.get("OPENBLAS_CORETYPE") == "Zen"

@pytest.mark.skip
def test_skipped():
    pass
"""
BY_NAME = {setting.name: setting for setting in machines.SETTINGS}


@pytest.fixture
def suite(tmp_path, monkeypatch):
    """Arguments for pytest on a small suite; every setting has an effect."""
    (tmp_path / "test_small.py").write_text(SUITE)
    monkeypatch.setattr(machines, "choices", lambda setting: [[setting.name], [], "AVX2", 1])
    return [str(tmp_path / "test_small.py"), "-n", "0", "-p", "no:cacheprovider"]


@pytest.mark.parametrize(
    ("name", "failed"), [("zen", "test_sigint_is_ignored"), ("background", "test_core")]
)  # fmt: skip
def test_what_passes_depends_on_the_setting(name, failed, suite):
    outcome = machines.run(BY_NAME[name], suite)
    assert (outcome.passed, outcome.skipped, outcome.ended_badly) == (1, 1, True)
    assert [test.split("::")[1] for test in outcome.failed] == [failed]


def test_a_random_order_can_be_had_again(suite):
    assert "--random-order-seed=7" in machines.run(BY_NAME["random"], [*suite, "--random-order-seed=7"]).note


def test_a_suite_that_cannot_be_collected_is_no_success(tmp_path, suite):
    (tmp_path / "test_small.py").write_text("import nothing_of_this_name")
    outcome = machines.run(BY_NAME["threads-4"], suite)
    assert outcome.ended_badly
    assert outcome.passed == 0


def test_settings_that_change_nothing_or_that_the_processor_cannot_are_skipped(monkeypatch):
    monkeypatch.setattr(machines, "choices", lambda setting: [["Accelerate"], [], "DEFAULT", 1])
    assert machines.run(BY_NAME["zen"], []).note == "skipped: no effect on this machine"
    monkeypatch.setattr(machines, "choices", lambda setting: None)
    assert machines.run(BY_NAME["skylakex"], []).note == "skipped: this processor cannot"


def test_libraries_say_what_they_choose():
    blas, _kernels, torch_kernels, threads = machines.choices(BY_NAME["threads-1"])
    assert isinstance(blas, list)
    assert torch_kernels
    assert threads == 1


def test_variables_of_other_settings_are_taken_out(monkeypatch):
    monkeypatch.setenv("OPENBLAS_CORETYPE", "Haswell")
    monkeypatch.setenv("HOME", "/nowhere")
    assert "OPENBLAS_CORETYPE" not in machines.environment(BY_NAME["threads-4"])
    there = machines.environment(BY_NAME["nehalem"])
    assert (there["OPENBLAS_CORETYPE"], there["OMP_NUM_THREADS"], there["HOME"]) == ("Nehalem", "1", "/nowhere")


def test_settings_are_named_and_the_rest_is_for_pytest(monkeypatch, capsys):
    assert machines.split([]) == (list(machines.SETTINGS), [])
    settings, rest = machines.split(["zen", "tests/proof", "-k", "bounds", "random"])
    assert ([s.name for s in settings], rest) == (["zen", "random"], ["tests/proof", "-k", "bounds"])
    monkeypatch.setattr(sys, "argv", ["machines", "--help"])
    machines.main()
    assert all(name in capsys.readouterr().out for name in ("no-avx512",))


def test_one_row_for_each_setting(monkeypatch, capsys):
    found = {
        "zen": machines.Outcome(BY_NAME["zen"], 5, ("tests/test_a.py::test_b",), 1, 2.4, "Zen", True),
        "random": machines.Outcome(BY_NAME["random"], note="skipped: no effect on this machine"),
    }
    monkeypatch.setattr(machines, "run", lambda setting, _arguments: found[setting.name])
    monkeypatch.setattr(sys, "argv", ["machines", "zen", "random"])
    with pytest.raises(SystemExit) as stop:
        machines.main()
    assert stop.value.code == 1
    printed = capsys.readouterr().out
    assert "zen: tests/test_a.py::test_b" in printed
    assert "no effect" in printed
    console = Console(width=120, record=True, quiet=False)
    console.print(machines.table(list(found.values())))
    (row,) = [line.split("│")[1:6] for line in console.export_text().splitlines() if "zen" in line]
    assert [cell.strip() for cell in row] == ["zen", "5", "1", "1", "2"]
