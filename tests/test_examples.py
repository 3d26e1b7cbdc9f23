"""Every example runs, in a process of its own as its reader would run it, and ends in its own assertions."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.mark.parametrize("path", sorted((ROOT / "examples").glob("*.py")), ids=lambda path: path.stem)
def test_example(path):
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-W", "error", path], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr


def test_the_example_of_property_tests_passes_under_pytest():
    path = ROOT / "examples" / "property_test.py"
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    arguments = ["-p", "no:cacheprovider", "-k", "not above"]  # one of the two rules will do
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *arguments, path], cwd=ROOT, env=environment, capture_output=True, text=True,
        timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    assert "16 passed" in done.stdout


def test_the_rule_in_the_readme_is_the_one_of_the_example():
    example = (ROOT / "examples" / "own_rule.py").read_text()
    rule = example.split("# --8<-- [start:rule]\n")[1].split("# --8<-- [end:rule]")[0].strip()
    assert rule in (ROOT / "README.md").read_text()
    lines = [line for line in rule.splitlines() if line.strip()]
    assert len(lines) <= 20
