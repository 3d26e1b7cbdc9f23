"""`tune`: costs of kernels, measured on a device and kept for later lowerings that ask for them."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, fields
from pathlib import Path

import numpy as np
import platformdirs
import torch
from torch import Tensor
from torch.nn import functional

from compilers.kernels import NativeProduct, SparseRows, TorchSparseProduct, by_position, from_positions
from compilers.plan import CostTable, torch_sparse_library
from netgraph.errors import CompileError, FileFormatError
from netgraph.storage import Number, Record, read_json, write_text

BATCH = 128
WIDTH, DENSITY = 768, 0.05
CHANNELS, SIDE = 64, 8


def tune(device: torch.device | str = "cpu", *, repeats: int = 15) -> CostTable:
    """Measure a cost table on a device, with the present number of threads. Takes some seconds.

    Args:
        device: such as "cpu" or "cuda".
        repeats: measurements of each number, of which the median counts.

    Returns:
        A table for `lower(graph, costs=...)`. Plans, and so results to the last bits, then depend on the machine.
    """
    bench = _Bench(torch.device(device), repeats)
    with torch.no_grad():
        numbers = _dense(bench) | _sparse(bench) | _maps(bench)
    return CostTable(**{name: max(value, 1e-3) for name, value in numbers.items()})


def costs_file(device: torch.device | str = "cpu") -> Path:
    """Where the numbers of a kind of device are kept: in the user's cache directory."""
    return Path(platformdirs.user_cache_dir("netgraph")) / f"costs-{torch.device(device).type}.json"


def save_costs(costs: CostTable, device: torch.device | str = "cpu") -> Path:
    """Keep a table for `tuned_costs`; returns its file, which is written completely or not at all."""
    path = costs_file(device)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, json.dumps(asdict(costs), indent=1) + "\n")
    return path


def tuned_costs(device: torch.device | str = "cpu") -> CostTable:
    """Read the table that was measured last on this kind of device.

    Raises:
        CompileError: when there is none, or it is damaged.
    """
    path = costs_file(device)
    try:
        values = read_json(path, Record(dict.fromkeys((field.name for field in fields(CostTable)), Number(low=1e-9))))
        return CostTable(**values)
    except FileNotFoundError:
        raise CompileError(
            f"No costs of a {torch.device(device).type} were measured on this machine; run `netgraph tune`."
        ) from None
    except FileFormatError as error:
        raise CompileError(f"{error} It is not a table of costs of this version; run `netgraph tune` again.") from None


class _Bench:
    """Times calls on a device."""

    def __init__(self, device: torch.device, repeats: int) -> None:
        self.device, self._repeats = device, repeats

    def rand(self, *shape: int) -> Tensor:
        return torch.rand(*shape, device=self.device)

    def time(self, call: Callable[[], object]) -> float:
        """Median nanoseconds of a call."""
        for _ in range(3):
            call()
        found = []
        for _ in range(self._repeats):
            self._wait()
            started = time.perf_counter_ns()
            call()
            self._wait()
            found.append(time.perf_counter_ns() - started)
        return float(statistics.median(found))

    def _wait(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)


def _dense(bench: _Bench) -> dict[str, float]:
    small, x = bench.rand(8, 8), bench.rand(WIDTH, BATCH)
    matrix, out, index = bench.rand(WIDTH, WIDTH), bench.rand(WIDTH, BATCH), torch.randperm(2 * WIDTH)[:WIDTH]
    buffer, index = bench.rand(2 * WIDTH, BATCH), index.sort().values.to(bench.device)
    tiny = bench.rand(8, BATCH)
    call = bench.time(lambda: torch.mm(small, tiny))
    pads = bench.rand(WIDTH, WIDTH)
    return {
        "call": call,
        "dense_cell": (bench.time(lambda: torch.mm(matrix, x, out=out)) - call) / WIDTH**2,
        "pad": 3 * bench.time(lambda: matrix.mul_(pads)) / WIDTH**2,
        "gather_row": bench.time(lambda: torch.index_select(buffer, 0, index, out=out)) / WIDTH,
        "scatter_row": bench.time(lambda: buffer.index_add_(0, index, out)) / WIDTH,
        "sparse_row": bench.time(lambda: out.add_(x)) / WIDTH,
    }


def _sparse(bench: _Bench) -> dict[str, float]:
    rng = np.random.default_rng(0)
    dst, src = np.nonzero(rng.random((WIDTH, WIDTH)) < DENSITY)
    starts = np.concatenate([[0], np.cumsum(np.bincount(dst, minlength=WIDTH))])
    rows = SparseRows(starts, src, WIDTH, bench.device)
    values, x, g = bench.rand(len(dst)), bench.rand(WIDTH, BATCH), bench.rand(WIDTH, BATCH)
    matrix, out = rows.matrix(values), rows.matrix(torch.empty_like(values))
    order, permuted = torch.randperm(len(dst)).to(bench.device), torch.empty_like(values)
    native = NativeProduct(rows, values)
    found = {
        "sparse_edge": bench.time(lambda: native(x)) / len(dst),
        "sampled_edge": bench.time(lambda: torch.sparse.sampled_addmm(matrix, g, x.t(), beta=0.0, out=out)) / len(dst),
        "permuted_edge": bench.time(lambda: torch.index_select(values, 0, order, out=permuted)) / len(dst),
    }
    if torch_sparse_library():
        other = TorchSparseProduct(rows, values)
        found["torch_sparse_edge"] = bench.time(lambda: other(x)) / len(dst)
    return found


def _maps(bench: _Bench) -> dict[str, float]:
    x, out = bench.rand(BATCH, CHANNELS, SIDE, SIDE), bench.rand(CHANNELS, SIDE**2, BATCH)
    small, large = bench.rand(CHANNELS, CHANNELS, 1, 1), bench.rand(CHANNELS, CHANNELS, 3, 3)
    rows = 2 * CHANNELS * SIDE**2
    pointwise = bench.time(lambda: functional.conv2d(x, small))
    cell = (bench.time(lambda: functional.conv2d(x, large, padding=1)) - pointwise) / (8 * CHANNELS**2 * SIDE**2)
    there = bench.time(lambda: by_position(x, "source"))
    back = bench.time(lambda: from_positions(out, torch.empty_like(x)))
    return {
        "conv_cell": cell,
        "conv_row": (pointwise - cell * CHANNELS**2 * SIDE**2) / rows,
        # A product reads maps by position, and writes maps or reads two.
        "move_row": 2 * (2 * there + back) / 3 / rows,
    }
