"""The name by which pip knows netgraph stands in one place, and messages name extras that exist."""

import re
import tomllib
from pathlib import Path

from netgraph.errors import DISTRIBUTION, not_installed

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
WRITTEN = [ROOT / "README.md", *(ROOT / "docs").glob("**/*.md"), *(ROOT / "netgraph").rglob("*.py"),
           *(ROOT / "compilers").rglob("*.py")]  # fmt: skip


def test_messages_name_the_distribution():
    assert PROJECT["name"] == DISTRIBUTION
    assert not_installed("Plots need", "matplotlib", "viz") == (
        "Plots need matplotlib, which is not installed: pip install 'netgraph-growth[viz]'."
    )


def test_what_is_written_installs_an_extra_that_exists():
    texts = {path: path.read_text() for path in WRITTEN}
    other = [path for path, text in texts.items() if re.search(r"pip install '?netgraph(\[|$|\s)", text, re.MULTILINE)]
    assert not other, "the name netgraph is that of another package on PyPI"
    for path, text in texts.items():
        named = re.findall(rf"(?:{DISTRIBUTION}|install(?: -e)? ['\"]?\.)\[([\w,-]+)\]", text)
        named += re.findall(r'not_installed\([^)]+"(\w+)"\)', text)
        for extras in named:
            assert set(extras.split(",")) <= set(PROJECT["optional-dependencies"]), path


def test_extras_of_extras_are_those_of_this_distribution():
    needs = [need for extra in PROJECT["optional-dependencies"].values() for need in extra if "netgraph" in need]
    assert needs
    assert all(need.startswith(f"{DISTRIBUTION}[") for need in needs)
