import shutil

import grow_runs
import map_method
import pytest
import torch

from netgraph.app.cli import main
from netgraph.methods import METHODS, registry


@pytest.fixture(autouse=True)
def _one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def finished(tmp_path_factory):
    """A finished run; read it only."""
    out = tmp_path_factory.mktemp("finished") / "run"
    assert main(grow_runs.grow(out)) == 0
    return out


@pytest.fixture
def run(finished, tmp_path):
    """A copy of a finished run, to change."""
    return shutil.copytree(finished, tmp_path / "run")


@pytest.fixture
def maps(monkeypatch):
    """A method called "maps", which starts at a graph of maps."""
    monkeypatch.setattr(registry, "METHODS", {**METHODS, "maps": map_method.MAPS})


@pytest.fixture
def call(capsys):
    """`call(*arguments)` runs a command: exit code, standard output and standard error, one space between words."""

    def make(*arguments):
        capsys.readouterr()
        try:
            code = main([str(a) for a in arguments])
        except SystemExit as stop:
            code = stop.code
        captured = capsys.readouterr()
        return code, " ".join(captured.out.split()), " ".join(captured.err.split())

    return make
