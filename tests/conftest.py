"""Hypothesis profiles: "ci" is bounded and repeatable; HYPOTHESIS_PROFILE=long searches further. And one browser."""

import gc
import os
import sys

import pytest
from browser import chromium
from hypothesis import HealthCheck, settings

THREADS = pytest.StashKey[int]()

slow = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
settings.register_profile("ci", max_examples=40, deadline=None, derandomize=True, suppress_health_check=slow)
settings.register_profile("long", max_examples=400, deadline=None, suppress_health_check=slow)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))


def pytest_collection_modifyitems(config, items):
    """Tests that take minutes, or need more packages, run where HYPOTHESIS_PROFILE=long or `-m extras` ask for them."""
    if "extras" not in config.option.markexpr:
        for item in items:
            if item.get_closest_marker("extras"):
                item.add_marker(pytest.mark.skip(reason="needs more packages: make test-extras"))
    if os.environ.get("HYPOTHESIS_PROFILE") != "long":
        for item in items:
            if item.get_closest_marker("long"):
                item.add_marker(pytest.mark.skip(reason="takes minutes: make test-long"))


@pytest.fixture(scope="session")
def browser():
    """One Chromium for all tests of a process; `browser.window` gives it a size and an empty page."""
    with chromium() as driver:
        yield driver


def pytest_collection_finish(session: pytest.Session) -> None:
    """Modules and tests live until the end; else the collector of garbage looks at them again and again.

    And it looks less often: graphs are freed when nothing refers to them.
    """
    gc.freeze()
    gc.set_threshold(10_000, 20, 20)
    if "torch" in sys.modules:
        session.stash[THREADS] = sys.modules["torch"].get_num_threads()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Every test begins with the threads of the process and one seed; commands of the application set their own."""
    if THREADS in item.session.stash:
        sys.modules["torch"].set_num_threads(item.session.stash[THREADS])
        sys.modules["torch"].manual_seed(0)
