"""The machine of a run: processor, threads of torch, and memory of the process."""

from __future__ import annotations

import os
import platform
from pathlib import Path

import torch

from netgraph.app.memory import keep_freed_memory
from netgraph.errors import OptionError


def check_threads(threads: int) -> None:
    """Raise `OptionError` for fewer than one thread, and for more than this machine can use.

    Far more threads than cores end in a crash of the process where their stacks no longer fit.
    """
    if threads < 1:
        raise OptionError(f"threads={threads} is below 1.")
    cores = os.cpu_count() or 1
    most = max(64, 2 * cores)
    if threads > most:
        raise OptionError(
            f"threads={threads} is more than the {most} that are allowed on this machine of {cores} cores; "
            f"give 1 to {cores}."
        )


def hardware(device: torch.device) -> str:
    """Processor and its cores, and the accelerator where the device is one, in one line."""
    name = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        models = [line.split(":", 1)[1].strip() for line in cpuinfo.read_text().splitlines() if "model name" in line]
        name = models[0] if models else name
    line = f"{name}, {os.cpu_count()} cores"
    return f"{line}, {torch.cuda.get_device_name(device)}" if device.type == "cuda" else line


def set_up_process(threads: int) -> None:
    """Set the number of torch's threads, and let the process keep the memory that it frees."""
    torch.set_num_threads(threads)
    keep_freed_memory()
