"""The package as a whole: what importing it needs and does."""

import os
import subprocess
import sys
from pathlib import Path

import netgraph.testing

ROOT = Path(__file__).parents[2]


def run(code):
    # Plugins of Hypothesis come with other packages, whatever else is installed, and import what they like.
    environment = {**os.environ, "HYPOTHESIS_NO_PLUGINS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, env=environment, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_netgraph_does_not_need_hypothesis():
    assert run("import sys, netgraph; print('hypothesis' in sys.modules, 'pytest' in sys.modules)") == "False False"


def test_without_hypothesis_the_remedy_is_named():
    code = (
        "import sys\nsys.modules['hypothesis'] = None\n"
        "try:\n    import netgraph.testing\nexcept ImportError as e:\n    print(e)"
    )
    assert "pip install 'netgraph-growth[testing]'" in run(code)


def test_pytest_is_needed_only_by_what_makes_tests():
    assert run("import sys, netgraph.testing; print('pytest' in sys.modules)") == "False"


def test_public_names_exist():
    names = netgraph.testing.__all__
    assert len(set(names)) == len(names)
    assert all(hasattr(netgraph.testing, name) for name in names)


def test_checks_write_nothing_but_the_cache_of_hypothesis(tmp_path, monkeypatch):
    code = (
        f"import os; os.chdir({str(tmp_path)!r})\n"
        "import netgraph as ng\nfrom netgraph.testing import check_rule\n"
        "check_rule(ng.rules.AddEdges(), max_examples=5)"
    )
    run(code)
    assert {path.name for path in tmp_path.iterdir()} <= {".hypothesis"}
    kept = {path.name for path in tmp_path.glob(".hypothesis/*")}
    assert kept <= {".gitignore", "constants", "unicode_data"}, "examples are kept"
    work, elsewhere = tmp_path / "work", tmp_path / "elsewhere"
    work.mkdir()
    monkeypatch.setenv("HYPOTHESIS_STORAGE_DIRECTORY", str(elsewhere))
    run(code.replace(str(tmp_path), str(work)))
    assert not list(work.iterdir())
