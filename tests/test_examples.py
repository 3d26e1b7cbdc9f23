"""Every example runs as a script, and ends in its own assertions.

What the docs say that it prints is what it prints; what it draws is in the docs.
"""

import os
import re
import runpy
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from benchmarks.pictures import IMAGES, pictures, run_example

ROOT = Path(__file__).parent.parent

DRAWING = ("strong_bridges",)
"""Examples whose graphs Hypothesis draws: it prefers constants of loaded modules, here those of other tests."""


def shown(name):
    """(whether numbers may differ, text) of every block of output of an example in the docs."""
    for page in sorted((ROOT / "docs").glob("*.md")):
        blocks = re.findall(
            rf"^<!-- prints( like)?: {name} -->\n```text\n(.*?)```$", page.read_text(), re.MULTILINE | re.DOTALL
        )
        yield from ((bool(like), text) for like, text in blocks)


def without_numbers(text):
    """The text with one sign for every number and hash: those of training differ from machine to machine."""
    hashes = re.sub(r"\b(?=[0-9a-f]*\d)[0-9a-f]{8}\b", "#", text)
    return re.sub(r"\s+", "", re.sub(r"-?\d[\d,.]*(e[+-]\d+)?", "#", hashes))


@pytest.mark.parametrize("path", sorted((ROOT / "examples").glob("*.py")), ids=lambda path: path.stem)
def test_example(path, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    if path.stem in DRAWING:
        printed = subprocess.run([sys.executable, path], capture_output=True, text=True, check=True).stdout
    else:
        monkeypatch.setattr(sys, "argv", [str(path)])
        runpy.run_path(str(path), run_name="__main__")
        printed = capsys.readouterr().out
    for like, text in shown(path.stem):
        if like:
            assert without_numbers(text) in without_numbers(printed), f"the docs show other output:\n{printed}"
        else:
            assert text in printed, f"the docs show other output:\n{printed}"
    gallery = (ROOT / "docs" / "gallery.md").read_text()
    for picture in pictures(tmp_path):
        assert (IMAGES / picture.name).is_file(), f"python -m benchmarks.pictures {path.stem}"
        if picture.suffix == ".svg":
            assert ET.parse(picture).getroot().tag.endswith("svg")
    drawn = [picture.name for picture in pictures(tmp_path) if f"images/{picture.name}" in gallery]
    assert drawn or path.stem in ("rule_mistakes", "rule_machine"), (
        "every example that draws has a picture in the gallery"
    )


@pytest.mark.parametrize("name", ["own_rule", "prove_rewrites"])
def test_an_example_needs_nothing_but_itself(name, tmp_path):
    assert run_example(ROOT / "examples" / f"{name}.py", tmp_path)


def test_pages_show_what_examples_print():
    marked = {name for page in (ROOT / "docs").glob("*.md")
              for name in re.findall(r"<!-- prints(?: like)?: (\w+) -->", page.read_text())}  # fmt: skip
    assert marked >= {"tutorial", "rule_mistakes"}
    assert all((ROOT / "examples" / f"{name}.py").is_file() and list(shown(name)) for name in marked)
    assert len(list(shown("tutorial"))) >= 8


def test_numbers_are_compared_where_nothing_is_trained():
    assert without_numbers("loss 0.5 of 1,200 at 83df209f, -3e-05") == "loss#of#at#,#"


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
    rule = example.split("# region rule\n")[1].split("# endregion rule")[0].strip()
    assert rule in (ROOT / "README.md").read_text()
    lines = [line for line in rule.splitlines() if line.strip()]
    assert len(lines) <= 20
