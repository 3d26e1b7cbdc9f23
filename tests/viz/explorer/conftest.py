import pytest
import timeline_runs


@pytest.fixture(scope="session")
def journal(tmp_path_factory):
    """A journal of splits, prunings and removed vertices, with trained weights before each rewrite; read it only."""
    return timeline_runs.ladder(tmp_path_factory.mktemp("ladder"))
