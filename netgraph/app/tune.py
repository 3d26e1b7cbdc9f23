"""`netgraph tune`: costs of kernels, measured on this machine."""

from __future__ import annotations

from dataclasses import asdict

import torch
from rich.console import Console

from compilers import CostTable, save_costs, tune
from netgraph.app.hardware import check_threads
from netgraph.app.tables import print_table
from netgraph.errors import OptionError
from netgraph.tables import Table


def tune_device(device: str, threads: int, console: Console) -> None:
    """Measure, keep and print the costs of a device. Raises `OptionError` for a device or a number that is none."""
    check_threads(threads)
    try:
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise OptionError(f"device {device!r} cannot be used here: {str(error).splitlines()[0]}") from None
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        costs = tune(device)
    finally:
        torch.set_num_threads(before)
    path = save_costs(costs, device)
    built_in = asdict(CostTable())
    rows = [(name, f"{built_in[name]:,.1f}", f"{value:,.1f}") for name, value in asdict(costs).items()]
    title = f"nanoseconds on {device}, {threads} threads"
    print_table(console, Table.of_words(title, ("cost", "built in", "measured"), rows))
    console.print(f"kept in {path}; used by runs with --set costs=tuned", highlight=False, markup=False, soft_wrap=True)
