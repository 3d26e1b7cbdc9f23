"""Mutation testing: small changes of the code, one at a time, of which each should make a test fail.

python -m benchmarks.mutants --count 300 --seed 0

Mutants are drawn among the operators, constants, conditions, calls and statements of `netgraph.rewriting`,
`netgraph.proof` and `netgraph.rules`, without error texts, annotations and texts for people. First the tests are run
once under coverage (package coverage), which records the tests that run each line. Then each mutant runs those tests,
the fast ones first, in a process that is forked from one with all packages of others loaded; one that survives them
runs all tests of its room and the property tests, which takes minutes. A test that fails without a change counts for
nothing. Results are appended to `build/mutants/results.jsonl`, so that an interrupted run goes on.
"""

from __future__ import annotations

import argparse
import ast
import copy
import importlib
import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ("netgraph/rewriting", "netgraph/proof", "netgraph/rules")
TESTS = ("tests/rewriting", "tests/proof", "tests/rules", "tests/testing", "tests/properties", "tests/methods")
MOST_TESTS = 120
"""Largest number of tests that are run for a mutant, the fastest ones that run its line."""
SECONDS, SECONDS_OF_ROOM = 90, 1800
"""Seconds after which a mutant counts as killed by time: by the tests of its line, and by all tests of its room."""

_COMPARE = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
}  # fmt: skip
_BINARY = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Add, ast.Div: ast.Mult, ast.FloorDiv: ast.Mult,
    ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd, ast.Mod: ast.Mult,
}  # fmt: skip
_NAMES = {"min": "max", "max": "min", "any": "all", "all": "any", "minimum": "maximum", "maximum": "minimum"}
_SKIPPED = (ast.Raise, ast.JoinedStr, ast.Import, ast.ImportFrom, ast.Assert)


class Mutant(NamedTuple):
    """A mutant: file, place of the node among those of the file, line, and description."""

    file: str
    place: int
    line: int
    text: str

    @property
    def key(self) -> str:
        """Name of the mutant."""
        return f"{self.file}:{self.place}"


def nodes_of(tree: ast.Module) -> list[ast.AST]:
    """All nodes that may be changed, in order; the same for equal sources."""
    found: list[ast.AST] = []

    def walk(node: ast.AST) -> None:
        if isinstance(node, _SKIPPED) or _for_people(node):
            return
        found.append(node)
        for name, value in ast.iter_fields(node):
            if name in ("annotation", "returns", "decorator_list", "bases"):
                continue
            for child in value if isinstance(value, list) else [value]:
                if isinstance(child, ast.AST):
                    walk(child)

    walk(tree)
    return found


def _for_people(node: ast.AST) -> bool:
    """Whether a node only makes texts, is a docstring, or is there for type checkers."""
    if isinstance(node, ast.FunctionDef):
        return node.name in ("__repr__", "__str__")
    if isinstance(node, ast.If):
        return isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def changed(node: ast.AST) -> str | None:
    """Change a node in place, and return the description; None for a node that is not changed."""
    if isinstance(node, ast.Compare) and len(node.ops) == 1 and type(node.ops[0]) in _COMPARE:
        node.ops = [_COMPARE[type(node.ops[0])]()]
        return "another comparison"
    if isinstance(node, ast.BinOp | ast.AugAssign) and type(node.op) in _BINARY:
        node.op = _BINARY[type(node.op)]()
        return "another operator"
    if isinstance(node, ast.BoolOp):
        node.op = ast.Or() if isinstance(node.op, ast.And) else ast.And()
        return "and for or"
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not | ast.USub | ast.Invert):
        node.op = (
            ast.UAdd() if isinstance(node.op, ast.USub) else ast.Not() if isinstance(node.op, ast.Invert) else node.op
        )
        if isinstance(node.op, ast.Not):
            node.operand = ast.UnaryOp(ast.Not(), node.operand)
        return "no sign"
    if isinstance(node, ast.Constant) and isinstance(node.value, int):
        node.value = (not node.value) if isinstance(node.value, bool) else node.value + 1
        return "another constant"
    if isinstance(node, ast.If | ast.IfExp | ast.While):
        node.test = ast.UnaryOp(ast.Not(), node.test)
        return "the opposite condition"
    if isinstance(node, ast.Name) and node.id in _NAMES:
        node.id = _NAMES[node.id]
        return "another function"
    if isinstance(node, ast.Attribute) and node.attr in _NAMES:
        node.attr = _NAMES[node.attr]
        return "another function"
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        node.value = ast.Constant(None)
        return "no call"
    return None


def mutants() -> Iterator[Mutant]:
    """All mutants of the rooms, in order."""
    for room in ROOMS:
        for path in sorted((ROOT / room).rglob("*.py")):
            tree = ast.parse(path.read_text(encoding="utf-8"))
            for place, node in enumerate(nodes_of(tree)):
                if hasattr(node, "lineno") and (text := changed(copy.copy(node))):
                    yield Mutant(str(path.relative_to(ROOT)), place, node.lineno, text)


def source_of(mutant: Mutant) -> str:
    """The source of the file of a mutant, changed."""
    tree = ast.parse((ROOT / mutant.file).read_text(encoding="utf-8"))
    changed(nodes_of(tree)[mutant.place])
    return ast.unparse(ast.fix_missing_locations(tree))


# -- tests --------------------------------------------------------------------------------------------


def record(folder: Path) -> None:
    """Run the tests once under coverage; write tests by line, and their durations."""
    settings = folder / "coverage.ini"
    settings.write_text(
        f"[run]\ndata_file = {folder}/coverage\ndynamic_context = test_function\nsource = {','.join(ROOMS)}\n",
        encoding="utf-8",
    )
    log = folder / "durations.xml"
    command = [
        sys.executable,
        "-m",
        "coverage",
        "run",
        f"--rcfile={settings}",
        "-m",
        "pytest",
        "-q",
        f"--junitxml={log}",
    ]
    subprocess.run([*command, *TESTS], cwd=ROOT, check=False)  # tests that fail anyway are found when they kill


def tests_by_line(folder: Path) -> dict[tuple[str, int], list[str]]:
    """Names of the test functions that run each line of a file, the fast ones first."""
    from coverage.numbits import numbits_to_nums

    seconds = _durations(folder / "durations.xml")
    base = sqlite3.connect(folder / "coverage")
    rows = base.execute(
        "select file.path, context.context, line_bits.numbits from line_bits join file on file.id = line_bits.file_id "
        "join context on context.id = line_bits.context_id where context.context != ''"
    )
    found: dict[tuple[str, int], list[str]] = {}
    for path, context, bits in rows:
        file = str(Path(path).relative_to(ROOT))
        for line in numbits_to_nums(bits):
            found.setdefault((file, line), []).append(context)
    for tests in found.values():
        tests.sort(key=lambda name: seconds.get(name, 1.0))
    return found


def _durations(log: Path) -> dict[str, float]:
    """Longest duration of each test function, by module and name."""
    from xml.etree import ElementTree

    found: dict[str, float] = {}
    for case in ElementTree.parse(log).iter("testcase"):
        name = f"{case.get('classname', '').rpartition('.')[2]}.{case.get('name', '').partition('[')[0]}"
        found[name] = max(found.get(name, 0.0), float(case.get("time", 0)))
    return found


def _node_ids(tests: Sequence[str]) -> list[str]:
    """Arguments of pytest for test functions named `tests.folder.module.function`."""
    ids = []
    for test in tests:
        module, _, name = test.rpartition(".")
        path = Path(module.replace(".", "/") + ".py")
        if name.startswith("test_") and (ROOT / path).is_file():
            ids.append(f"{path}::{name}")
    return ids


# -- runs ---------------------------------------------------------------------------------------------


def run(tree: Path, ids: Sequence[str], seconds: float = SECONDS) -> tuple[str, str]:
    """Run tests in a fork of this process, in a changed tree.

    Returns:
        "survived", "killed" or "killed by time", and the first test that failed, or "" when none did.
    """
    log = tree / "log.txt"
    child = os.fork()
    if child == 0:
        os.setsid()
        os.chdir(tree)
        sys.path.insert(0, str(tree))
        written = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(written, 1)
        os.dup2(written, 2)
        import pytest

        os._exit(int(pytest.main(["-x", "-q", "-p", "no:cacheprovider", *ids])))
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            failed = [line.split()[1] for line in log.read_text(errors="replace").splitlines() if _is_failure(line)]
            return ("survived", "") if status == 0 else ("killed", failed[0] if failed else "")
        time.sleep(0.02)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return "killed by time", ""


def _is_failure(line: str) -> bool:
    return line.startswith(("FAILED ", "ERROR ")) and len(line.split()) > 1


class Examiner:
    """Runs of mutants in a tree, in which a test that fails without any change counts for nothing.

    Args:
        tree: the tree.
    """

    def __init__(self, tree: Path) -> None:
        self.tree = tree
        self._sound: dict[str, bool] = {}

    def _in_room(self, mutant: Mutant) -> tuple[str, str]:
        """Run all tests of the room of a mutant, and the property tests, of which coverage knows no names.

        Tests of the room pass without a change, or the run of a suite would have shown it.
        """
        room = next(room for room in ROOMS if mutant.file.startswith(f"{room}/"))
        return run(self.tree, [room.replace("netgraph", "tests", 1), "tests/properties"], SECONDS_OF_ROOM)

    def outcome(self, mutant: Mutant, ids: Sequence[str]) -> tuple[str, str]:
        """Outcome of a mutant, and the test that killed it."""
        while True:
            left = [name for name in ids if self._sound.get(name, True)]
            if not left:
                return "never run", ""
            (self.tree / mutant.file).write_text(source_of(mutant), encoding="utf-8")
            found, by = run(self.tree, left)
            if found == "survived":
                found, by = self._in_room(mutant)
            shutil.copy(ROOT / mutant.file, self.tree / mutant.file)
            name = by.partition("[")[0]
            if found != "killed":
                return found, by
            if not name:
                raise RuntimeError(f"pytest ended without a test: {self.tree / 'log.txt'}")
            if name not in left:  # an error while a file was collected, or a test of the room
                return found, by
            if name not in self._sound:
                self._sound[name] = run(self.tree, [name])[0] == "survived"
            if self._sound[name]:
                return found, by


def examine(chosen: Sequence[Mutant], folder: Path) -> None:
    """Run all mutants that have no result yet, and append their results."""
    results = folder / "results.jsonl"
    known = {json.loads(line)["key"] for line in results.read_text().splitlines()} if results.exists() else set()
    tree = folder / "tree"
    shutil.rmtree(tree, ignore_errors=True)
    for room in ("netgraph", "compilers", "tests", "benchmarks", "examples", "docs", "web"):
        shutil.copytree(ROOT / room, tree / room, ignore=shutil.ignore_patterns("__pycache__", "node_modules"))
    for name in ("pyproject.toml", "facades.toml", "netgraph_pytest.py", "README.md", "Makefile", "mkdocs.yml"):
        shutil.copy(ROOT / name, tree / name)
    by_line, examiner = tests_by_line(folder), Examiner(tree)
    for package in ("numpy", "scipy.sparse", "networkx", "torch", "safetensors"):
        importlib.import_module(package)
    for number, mutant in enumerate(chosen):
        if mutant.key in known:
            continue
        ids = _node_ids(by_line.get((mutant.file, mutant.line), [])[:MOST_TESTS])
        started = time.monotonic()
        outcome, by = examiner.outcome(mutant, ids)
        line = {"key": mutant.key, **mutant._asdict(), "outcome": outcome, "by": by, "tests": len(ids),
                "seconds": round(time.monotonic() - started, 1)}  # fmt: skip
        with results.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
        print(f"{number + 1:>4} {outcome:<14} {mutant.file}:{mutant.line} {mutant.text}", flush=True)


def summary(folder: Path) -> dict[str, Any]:
    """Number of mutants by outcome."""
    lines = [json.loads(line) for line in (folder / "results.jsonl").read_text().splitlines()]
    outcomes = [line["outcome"] for line in lines]
    return {"mutants": len(lines), **{name: outcomes.count(name) for name in sorted(set(outcomes))}}


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=300, help="number of mutants (default 300)")
    parser.add_argument("--seed", type=int, default=0, help="seed of the draw (default 0)")
    parser.add_argument("--folder", type=Path, default=ROOT / "build" / "mutants", help="folder of the results")
    options = parser.parse_args(arguments)
    options.folder.mkdir(parents=True, exist_ok=True)
    if not (options.folder / "durations.xml").exists():
        record(options.folder)
    listed = list(mutants())
    chosen = random.Random(options.seed).sample(listed, min(options.count, len(listed)))
    examine(chosen, options.folder)
    print(json.dumps(summary(options.folder)))


if __name__ == "__main__":
    main()
