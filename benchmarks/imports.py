"""Imports of a checkout as data: importing module, name, defining module, and bypassed facade."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

When = Literal["start", "local", "typing"]

PRODUCT = ("netgraph", "compilers")
"""Shipped packages."""

PROGRAM = "netgraph.app"
"""A package without a facade."""


@dataclass(frozen=True)
class Import:
    """One imported name.

    Attributes:
        module: dotted name of the module in the import statement.
        name: name imported from it; "" for the module itself.
        bound: name that the statement binds.
        line: number of the line in the file.
        when: "start", when the module is loaded; "local", inside a function; "typing", for type checkers only.
    """

    module: str
    name: str
    bound: str
    line: int
    when: When


def read_imports(path: Path) -> list[Import]:
    """Read all imports of a file.

    Raises:
        ValueError: for a relative import.
    """
    found: list[Import] = []

    def visit(node: ast.AST, when: When) -> None:
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            for guarded in node.body:
                visit(guarded, "typing")
            for other in node.orelse:
                visit(other, when)
            return
        if isinstance(node, ast.Import):
            found.extend(Import(alias.name, "", alias.asname or alias.name, node.lineno, when) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            if node.level or node.module is None:
                raise ValueError(f"{path}, line {node.lineno}, has a relative import; name the whole module.")
            module, line = node.module, node.lineno
            found.extend(Import(module, a.name, a.asname or a.name, line, when) for a in node.names)
        if when == "start" and isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            when = "local"
        for child in ast.iter_child_nodes(node):
            visit(child, when)

    visit(ast.parse(path.read_text(encoding="utf-8")), "start")
    return found


@dataclass(frozen=True)
class Arrow:
    """One name that one module takes from another.

    Attributes:
        source: importing module.
        target: module that defines the name, which may differ from the module of the import.
        given: the import as written.
        reached: module of the product that the import statement names.
        bypass: whether the import bypasses a facade: `reached` lies inside a package that does not contain the source.
    """

    source: str
    target: str
    given: Import
    reached: str
    bypass: bool


class Checkout:
    """Modules of a checkout and the imports between them.

    Args:
        root: folder that holds the packages.
        packages: packages to read.
    """

    def __init__(self, root: Path, packages: Sequence[str] = PRODUCT) -> None:
        self.root = root
        self.files: dict[str, Path] = {}
        self._listed: dict[str, list[str]] = {}
        for package in packages:
            for path in sorted((root / package).rglob("*.py")):
                parts = path.relative_to(root).with_suffix("").parts
                self.files[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
        if not self.files:
            raise ValueError(f"There is none of {', '.join(packages)} below {root}; give the root of a checkout.")

    def is_package(self, module: str) -> bool:
        """Return whether a module is a folder."""
        return module in self.files and self.files[module].name == "__init__.py"

    def package(self, module: str) -> str:
        """Return the folder that contains a module; for a folder, the folder itself."""
        return module if self.is_package(module) else module.rpartition(".")[0]

    def is_facade(self, module: str) -> bool:
        """Return whether other packages may import from a module: it is a folder, or lies at the top of the product.

        The application is a program, which loads what one command needs: each of its modules stands for itself.
        """
        return self.is_package(module) or module.count(".") == 1 or self.package(module) == PROGRAM

    @cached_property
    def imports(self) -> dict[str, list[Import]]:
        """Imports of every module."""
        return {module: read_imports(path) for module, path in self.files.items()}

    @cached_property
    def _bound(self) -> dict[str, dict[str, Import]]:
        """Imports of the `__init__` of each folder, by folder and bound name."""
        return {
            module: {given.bound: given for given in found if given.when != "local"}
            for module, found in self.imports.items()
            if self.is_package(module)
        }

    def listed(self, module: str) -> list[str]:
        """Return the names in the `__all__` of a module; [] without `__all__`."""
        if module not in self._listed:
            self._listed[module] = list(_all(self.files[module]))
        return self._listed[module]

    def definition(self, module: str, name: str) -> str:
        """Find the module that defines a name, through all facades that re-export it."""
        inside = f"{module}.{name}" if name else module
        passed = self._bound.get(module, {}).get(name)
        if passed is not None and passed.module in self.files and passed.module != module:
            return self.definition(passed.module, passed.name)
        return inside if inside in self.files else module

    def reached(self, given: Import) -> str | None:
        """Return the module that the import statement names; None outside of the product."""
        if given.module not in self.files:
            return None
        passed = self._bound.get(given.module, {}).get(given.name)
        inside = f"{given.module}.{given.name}"
        is_module = given.name and inside in self.files and (passed is None or passed.module == given.module)
        return inside if is_module else given.module

    def arrows(self) -> Iterator[Arrow]:
        """Yield every import between two modules, except the re-exports of facades from their own package."""
        for source, found in self.imports.items():
            yield from self.arrows_of(source, found)

    def arrows_of(self, source: str, found: Sequence[Import]) -> Iterator[Arrow]:
        """Yield the arrows of one module, which may lie outside of the product."""
        home = self.package(source) if source in self.files else source
        for given in found:
            target = self.reached(given)
            if target is None or (self.is_package(source) and _within(target, source)):
                continue
            bypass = not self.is_facade(target) and not _within(home, self.package(target))
            yield Arrow(source, self.definition(given.module, given.name), given, target, bypass)


def _all(path: Path) -> Sequence[str]:
    for statement in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(statement, ast.Assign) and ast.unparse(statement.targets[0]) == "__all__":
            return [str(name) for name in ast.literal_eval(statement.value)]
    return ()


def _within(module: str, package: str) -> bool:
    return module == package or module.startswith(f"{package}.")
