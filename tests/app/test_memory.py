"""What is freed stays with the process, where the C library can be told so."""

import platform
import subprocess
import sys

import numpy as np

from netgraph.app.memory import peak_memory

CHURN = """
import resource, sys
import numpy as np
from netgraph.app.memory import keep_freed_memory
done = keep_freed_memory() if sys.argv[1] == "keep" else None
for _ in range(4):
    np.ones(8_000_000)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):
    np.ones(8_000_000)
print(done, resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def churn(how):
    run = subprocess.run([sys.executable, "-c", CHURN, how], capture_output=True, text=True, check=True)
    done, faults = run.stdout.split()
    return done, int(faults)


def test_pages_are_not_mapped_anew_for_every_large_array():
    glibc = platform.libc_ver()[0] == "glibc"
    done, faults = churn("keep")
    assert done == str(glibc)
    if glibc:
        assert faults < churn("leave")[1] / 10


def test_the_peak_is_told_in_bytes():
    before = peak_memory()
    block = np.ones(before // 8 + 25_000_000)
    assert peak_memory() > before + 150_000_000
    del block
