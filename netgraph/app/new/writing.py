"""Files of a new rule, made from templates."""

from __future__ import annotations

import json
import os
import runpy
import sys
import textwrap
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from string import Template

from netgraph import __version__
from netgraph.app.new.names import RuleNames
from netgraph.app.requests import NewRuleRequest, Start
from netgraph.errors import OptionError
from netgraph.markup import printable

WIDTH = 88
"""Largest number of characters of a line, that of ruff's defaults."""


@dataclass(frozen=True)
class _Beginning:
    """The rule that a template holds: its idea, the graph of its picture, and the growth by one match."""

    idea: str
    graph: str
    counted: str
    times: str = ""


BEGINNINGS: Mapping[Start, _Beginning] = {
    "edge": _Beginning("Bend every edge with a large weight.", "mlp([3, 2], domain=(-1, 1), seed=0)", "edges", "3 * "),
    "vertex": _Beginning(
        "Split every vertex that many others read.", "mlp([2, 3, 2], domain=(-1, 1), seed=0)", "vertices"
    ),
    "missing-edge": _Beginning(
        "Add missing edges to vertices that read few others.",
        "mlp([4, 3], domain=(-1, 1), density=0.6, seed=0)",
        "edges",
    ),
    "path": _Beginning("Add an edge around strong paths.", "mlp([3, 3, 2], domain=(-1, 1), seed=0)", "edges"),
}


@dataclass(frozen=True)
class NewFiles:
    """Files that were written, and commands for the next steps."""

    files: tuple[Path, ...]
    steps: tuple[str, ...]


def write_rule(request: NewRuleRequest) -> NewFiles:
    """Write a rule that works, its test, its page and the picture of the page.

    Raises:
        OptionError: for a name that cannot be used, an idea of several lines, and files that exist already: nothing
            is written then.
    """
    names = RuleNames.of(request.name)
    if request.package:
        folder = request.out or Path(names.distribution)
        texts, picture, script = _package(request, names)
        steps: tuple[str, ...] = (f"cd {folder}", 'pip install -e ".[testing]"', "pytest")
        steps += (f"netgraph check {names.name}",)
    else:
        folder = request.out or Path()
        texts, picture, script = _single(request, names)
        shown = folder / f"{names.module}.py"
        steps = (f"netgraph check {shown}", f"pytest {folder / f'test_{names.module}.py'}")
    _check_free(folder, [*texts, picture], whole=request.package)
    for name, text in texts.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    _draw(folder / script, folder / "src" if request.package else folder, names)
    return NewFiles(tuple(folder / name for name in [*texts, picture]), ("next:", *(f"  {step}" for step in steps)))


def _single(request: NewRuleRequest, names: RuleNames) -> tuple[dict[str, str], str, str]:
    """Texts of the files beside each other, the picture, and the script that draws it."""
    module, script = names.module, f"draw_{names.module}.py"
    values = {"home": module, "draw": script, "check": f"netgraph check {module}.py"}
    fill = _filler(request, names, values)
    texts = {
        f"{module}.py": fill(f"rule-{request.pattern}"),
        f"test_{module}.py": fill("test"),
        f"{module}.md": fill("page"),
        script: fill("draw"),
    }
    return texts, f"{module}.svg", script


def _package(request: NewRuleRequest, names: RuleNames) -> tuple[dict[str, str], str, str]:
    """Texts of the files of a package, the picture, and the script that draws it."""
    home, module = names.package, names.module
    values = {"home": home, "draw": "docs/draw.py", "check": f"netgraph check {names.name}"}
    fill = _filler(request, names, values)
    texts = {
        "pyproject.toml": fill("pyproject"),
        "README.md": fill("readme"),
        ".gitignore": fill("gitignore"),
        f"src/{home}/__init__.py": fill("init"),
        f"src/{home}/py.typed": "",
        f"src/{home}/{module}.py": fill(f"rule-{request.pattern}"),
        f"tests/test_{module}.py": fill("test"),
        "docs/index.md": fill("page"),
        "docs/draw.py": fill("draw"),
    }
    return texts, f"docs/{module}.svg", "docs/draw.py"


def _filler(request: NewRuleRequest, names: RuleNames, values: Mapping[str, str]) -> Callable[[str], str]:
    """Function that fills in a template by its name."""
    beginning = BEGINNINGS[request.pattern]
    idea = _sentence(request.idea) if request.idea else beginning.idea
    title = _wrapped(idea, 0)
    known: dict[str, str] = {
        "name": names.name, "cls": names.cls, "module": names.module, "dist": names.distribution,
        "version": __version__,
        "idea": textwrap.fill(idea, WIDTH, break_long_words=False), "quoted": json.dumps(idea, ensure_ascii=False),
        "title": title, "docstring": _wrapped(idea, 4), "graph": beginning.graph, "counted": beginning.counted,
        "times": beginning.times,
    }  # fmt: skip

    def fill(template: str) -> str:
        text = (files("netgraph.app.new") / "templates" / f"{template}.tmpl").read_text(encoding="utf-8")
        return Template(text).substitute({**known, **values})

    return fill


def _sentence(idea: str) -> str:
    """The idea with a capital and a full stop, on one line."""
    text = idea.strip()
    if not text or printable(text) != text or '"' in text or "\\" in text:
        raise OptionError(
            f"--idea {idea!r} is no sentence that a docstring can hold; give one line without quotes and backslashes."
        )
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "!", "?")) else ".")


def _wrapped(idea: str, indent: int) -> str:
    """The idea as the beginning of a docstring: one line where it fits, with room for the quotes."""
    blank = " " * indent
    lines = textwrap.wrap(idea, WIDTH - indent - 6, break_long_words=False)
    return f"\n{blank}".join(lines)


def _check_free(folder: Path, names: list[str], *, whole: bool) -> None:
    """Refuse to write over a file, or a package into a folder that holds anything.

    Raises:
        OptionError: naming the file or the folder.
    """
    if os.path.lexists(folder) and not folder.is_dir():
        raise OptionError(f"{os.fspath(folder)!r} is a file; choose another --out.")
    if whole and folder.is_dir() and any(folder.iterdir()):
        raise OptionError(f"The folder {os.fspath(folder)!r} is not empty; choose another --out.")
    for name in names:
        if os.path.lexists(folder / name):
            raise OptionError(
                f"{os.fspath(folder / name)!r} exists already and is not replaced; give the rule another name, or "
                "choose another --out."
            )


def _draw(script: Path, home: Path, names: RuleNames) -> None:
    """Run the script that draws the picture, and forget the modules that it imports."""
    before, search = {*sys.modules}, [*sys.path]
    sys.path.insert(0, os.fspath(home.resolve()))
    try:
        runpy.run_path(os.fspath(script))["draw"]()
    finally:
        sys.path[:] = search
        for name in {*sys.modules} - before:
            if name.partition(".")[0] in (names.module, names.package):
                del sys.modules[name]
