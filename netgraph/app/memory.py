"""Memory of the process: kept after it is freed, and measured at its peak."""

from __future__ import annotations

import ctypes
import platform
import sys
from pathlib import Path

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # M_TRIM_THRESHOLD and M_MMAP_THRESHOLD of malloc.h
_MOST = 2**31 - 1


def keep_freed_memory() -> bool:
    """Let the C library keep freed memory instead of handing it back to the system, which costs time in each step.

    A step frees and asks for the same large tensors over and over; handed back, every page of them is cleared and
    mapped anew. Networks of convolutions train up to twice as fast without that on a CPU. The process keeps its
    largest size until it ends. Done by glibc alone; elsewhere nothing happens.

    Returns:
        Whether it was done.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    return all([mallopt(_TRIM_THRESHOLD, _MOST), mallopt(_MMAP_THRESHOLD, _MOST)])


def peak_memory() -> int:
    """Measure the largest memory of this process so far, in bytes; 0 where the system does not report it."""
    status = Path("/proc/self/status")
    if status.is_file():  # Not ru_maxrss, which begins at the size of the process that started this one.
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    try:
        import resource
    except ImportError:  # not on Windows
        return 0
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else 1024 * most
