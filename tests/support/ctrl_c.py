"""Ctrl-C in tests. A shell makes jobs in the background ignore SIGINT, and child processes inherit that."""

import signal
from contextlib import contextmanager


def listen():
    """Let this process be interrupted, as one in the foreground; for `preexec_fn` of a child."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@contextmanager
def sigint(handler):
    """Handle SIGINT so, for a while."""
    before = signal.signal(signal.SIGINT, handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
