"""Run the test suite under the conditions of other machines: kernels of linear algebra, threads, signals, test orders.

python -m benchmarks.machines                          every setting, one after the other, the whole suite each time
python -m benchmarks.machines haswell zen tests/proof  two settings, some tests
python -m benchmarks.machines random -n 0 --random-order-seed=7

A setting consists of environment variables that BLAS, NumPy and torch read when they start. They select kernels that
add in another order, so results differ in the last digits; no test may depend on these. Variables of other settings are
removed from the environment first. A setting without effect on this machine (no such processor, another BLAS) is
skipped, and the table says so. The exit code is 1 when a test failed.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).parents[1]
AS_MAKE_TEST = ("-n", "2", "--dist", "worksteal")
"""Options of pytest, unless the arguments have their own `-n`."""

PROBE = """
import json, numpy, scipy.linalg, torch
from threadpoolctl import threadpool_info
numpy.linalg.svd(numpy.ones((64, 64)) @ numpy.eye(64))
torch.ones(64, 64) @ torch.eye(64)
blas = sorted({x["architecture"] for x in threadpool_info() if "architecture" in x})
numpy_kernels = numpy.show_config(mode="dicts")["SIMD Extensions"].get("found", [])
print(json.dumps([blas, numpy_kernels, torch.backends.cpu.get_cpu_capability(), torch.get_num_threads()]))
"""
"""Program that prints the kernels that BLAS, NumPy and torch selected, after a first product.

Under a setting that this processor cannot run, the product crashes.
"""


@dataclass(frozen=True)
class Setting:
    """Difference of another machine from this one.

    Attributes:
        name: name on the command line.
        means: description.
        variables: environment variables.
        options: options of pytest.
        ignores_interrupts: whether SIGINT and SIGQUIT are ignored and nothing can be read, as a shell starts jobs in
            the background.
        visible: whether the setting is skipped when the libraries select the same kernels as without it.
    """

    name: str
    means: str
    variables: Mapping[str, str] = field(default_factory=dict)
    options: tuple[str, ...] = ()
    ignores_interrupts: bool = False
    visible: bool = False


def all_libraries(core: str, torch: str, mkl: str, numpy: tuple[str, ...]) -> dict[str, str]:
    """Environment variables with which all libraries use the kernels of an older processor.

    Args:
        core: processor for OpenBLAS.
        torch: processor for the kernels of torch itself.
        mkl: processor for MKL and oneDNN, which torch calls.
        numpy: prefixes of the names of NumPy kernels to disable.
    """
    # NumPy warns of kernels that it does not know, or that the processor lacks.
    found = np.show_config(mode="dicts")["SIMD Extensions"].get("found", ())
    return {
        "OPENBLAS_CORETYPE": core,
        "ATEN_CPU_CAPABILITY": torch,
        "MKL_ENABLE_INSTRUCTIONS": mkl,
        "ONEDNN_MAX_CPU_ISA": mkl.replace("SSE4_2", "SSE41"),
        "NPY_DISABLE_CPU_FEATURES": " ".join(name for name in found if name.startswith(numpy)),
    }


SETTINGS = (
    *(
        Setting(core.lower(), f"BLAS as on {core}", {"OPENBLAS_CORETYPE": core}, visible=True)
        for core in ("Haswell", "SkylakeX", "Zen", "Nehalem")
    ),
    Setting("torch-default", "torch without vector units", {"ATEN_CPU_CAPABILITY": "default"}, visible=True),
    Setting("torch-avx2", "torch with AVX2", {"ATEN_CPU_CAPABILITY": "avx2"}, visible=True),
    Setting(
        "no-avx512",
        "all libraries with AVX2, as before 2017",
        all_libraries("Haswell", "avx2", "AVX2", ("X86_V4", "AVX512")),
        visible=True,
    ),
    Setting(
        "no-avx",
        "all libraries with SSE, as before 2011",
        all_libraries("Nehalem", "default", "SSE4_2", ("X86_V3", "X86_V4", "AVX", "FMA")),
        visible=True,
    ),
    Setting("threads-1", "1 thread", {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}),
    Setting("threads-4", "4 threads", {"OMP_NUM_THREADS": "4", "OPENBLAS_NUM_THREADS": "4"}),
    Setting("background", "started in the background, SIGINT ignored", ignores_interrupts=True),
    Setting("random", "tests in random order", options=("--random-order",)),
)
VARIED = {name for setting in SETTINGS for name in setting.variables}


@dataclass(frozen=True)
class Outcome:
    """Outcome of a run of the suite; `note` has the reason why there is none, or the selected kernels."""

    setting: Setting
    passed: int = 0
    failed: tuple[str, ...] = ()
    skipped: int = 0
    seconds: float = 0.0
    note: str = ""
    ended_badly: bool = False


def environment(setting: Setting) -> dict[str, str]:
    """Environment variables for a run of the suite under a setting.

    These are the variables of this process, without the ones that any setting changes; then `OMP_NUM_THREADS=1`, as in
    `make test`; and then the variables of this setting, which may replace it.
    """
    kept = {name: value for name, value in os.environ.items() if name not in VARIED}
    return {**kept, "OMP_NUM_THREADS": "1", **setting.variables}


def choices(setting: Setting) -> list[Any] | None:
    """Read the kernels that BLAS, NumPy and torch select under a setting; None when the product crashes."""
    done = subprocess.run(
        [sys.executable, "-c", PROBE], env=environment(setting), capture_output=True, text=True, check=False
    )
    return None if done.returncode else list(json.loads(done.stdout))


def run(setting: Setting, arguments: Sequence[str]) -> Outcome:
    """Run pytest under a setting."""
    chosen = choices(setting)
    if chosen is None:
        return Outcome(setting, note="skipped: this processor cannot")
    if setting.visible and chosen == choices(Setting("", "")) and not _is_default(setting, chosen):
        return Outcome(setting, note="skipped: no effect on this machine")
    blas, _, torch_kernels, threads = chosen
    note = f"{' '.join(blas) or 'no OpenBLAS'}, {torch_kernels}, threads: {threads}"
    options = list(setting.options)
    if "--random-order" in options:  # an explicit seed, so that the order can be repeated
        drawn = f"--random-order-seed={random.randrange(10**6)}"
        given = [a for a in arguments if a.startswith("--random-order-seed=")]
        options.append(drawn)
        note += f", {(given or [drawn])[-1]}"
    if not any(a.startswith(("-n", "--numprocesses")) for a in arguments):
        options += AS_MAKE_TEST
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        command = [sys.executable, "-m", "pytest", *options, f"--junitxml={report}", *arguments]
        done = subprocess.run(
            command,
            cwd=ROOT,
            env=environment(setting),
            stdin=subprocess.DEVNULL if setting.ignores_interrupts else None,
            preexec_fn=_ignore_interrupts if setting.ignores_interrupts else _heed_interrupts,
            check=False,
        )
        seconds = time.monotonic() - began
        cases = list(ElementTree.parse(report).iter("testcase")) if report.exists() else []
    failed = tuple(_name(c) for c in cases if c.find("failure") is not None or c.find("error") is not None)
    skipped = sum(c.find("skipped") is not None for c in cases)
    if not cases or (done.returncode and not failed):
        note = f"pytest ended with {done.returncode}; {note}"
    return Outcome(
        setting, len(cases) - len(failed) - skipped, failed, skipped, seconds, note, bool(done.returncode)
    )  # fmt: skip


def _is_default(setting: Setting, chosen: list[Any]) -> bool:
    """Return whether the setting names this machine, so that the selected kernels stay the same."""
    core = setting.variables.get("OPENBLAS_CORETYPE")
    return set(setting.variables) == {"OPENBLAS_CORETYPE"} and [x.lower() for x in chosen[0]] == [str(core).lower()]


def _ignore_interrupts() -> None:
    for name in ("SIGINT", "SIGQUIT"):
        signal.signal(getattr(signal, name), signal.SIG_IGN)


def _heed_interrupts() -> None:
    """Restore the signals of a foreground process, also when this program was started in the background."""
    for name in ("SIGINT", "SIGQUIT"):
        signal.signal(getattr(signal, name), signal.SIG_DFL)


def _name(case: ElementTree.Element) -> str:
    """Name of a test as an argument of pytest."""
    module, name = case.get("classname", ""), case.get("name", "")
    return f"{module.replace('.', '/')}.py::{name}" if module else f"{name.replace('.', '/')}.py"


def table(outcomes: Sequence[Outcome]) -> Table:
    """Make a table with one row per setting."""
    made = Table("setting", "passed", "failed", "skipped", "seconds", "what the libraries chose")
    for o in outcomes:
        numbers = ("", "", "", "") if o.note.startswith("skipped") else (
            str(o.passed), str(len(o.failed)), str(o.skipped), f"{o.seconds:.0f}"
        )  # fmt: skip
        made.add_row(o.setting.name, *numbers, o.note)
    return made


def split(arguments: Sequence[str]) -> tuple[list[Setting], list[str]]:
    """Split the arguments into settings (all when none is named) and arguments of pytest."""
    known = {setting.name: setting for setting in SETTINGS}
    named = [known[a] for a in arguments if a in known]
    return named or list(SETTINGS), [a for a in arguments if a not in known and a != "--"]


def main() -> None:
    """Entry point of the command line."""
    if {"-h", "--help"} & set(sys.argv[1:]):
        print(__doc__, "Settings:", *(f"  {s.name:14} {s.means}" for s in SETTINGS), sep="\n")
        return
    settings, arguments = split(sys.argv[1:])
    console = Console(width=None if sys.stdout.isatty() else 140)
    outcomes: list[Outcome] = []
    try:
        for setting in settings:
            console.rule(f"{setting.name}: {setting.means}")
            outcomes.append(run(setting, arguments))
    finally:  # the settings before an interrupt are shown as well
        console.print(table(outcomes))
        for o in outcomes:
            for name in o.failed:
                console.print(f"{o.setting.name}: {name}", markup=False, highlight=False, soft_wrap=True)
    sys.exit(any(o.failed or o.ended_badly for o in outcomes))


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # the exception ends pytest as well
    main()
