"""Rules by texts: the name of a known rule, a file, a module, or one name of a file or a module."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import os
import sys
import traceback
import zlib
from collections.abc import Iterable
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import NoReturn

from netgraph.errors import OptionError, nearest, unknown_name
from netgraph.rewriting import Rule
from netgraph.rules.installed import installed_rules
from netgraph.rules.registry import RULES, get_rule, needed_fields

FoundRule = type[Rule] | Rule


def find_rules(target: str) -> dict[str, FoundRule]:
    """Find the rules that a text names: classes, and instances where a module has some.

    Args:
        target: "split-edges", the name of a shipped, registered or installed rule; "FILE.py" or "package.module" for
            all rules that are defined there; "FILE.py:NAME" or "package.module:NAME" for one class or instance.

    Raises:
        OptionError: there is no such file, module, name or rule, or the import fails, with its line.

    Example:
        >>> find_rules("netgraph.rules.add_edges")
        {'AddEdges': <class 'netgraph.rules.add_edges.AddEdges'>}
    """
    place, name = _split(target)
    if not name and _is_known(place):
        return {target: get_rule(target)}
    module = load_module(place)
    found = rules_of(module)
    if not name:
        if not found:
            raise OptionError(
                f"{place} has no rule; a rule is a class below netgraph.Rule with a pattern and a rewrite, or an "
                "instance of one. `netgraph new rule NAME` writes one to begin with."
            )
        return found
    value = vars(module).get(name)
    if value is None:
        raise OptionError(f"{unknown_name('rule', name, found)} It was looked for in {place}.")
    if isinstance(value, type) and issubclass(value, Rule) and inspect.isabstract(value):
        lacks = ", ".join(sorted(value.__abstractmethods__))
        raise OptionError(f"{name} of {place} cannot be used as a rule, since it has no {lacks}; define it.")
    if not _is_rule(value):
        raise OptionError(
            f"{name} of {place} is no rule but {value!r}; give a class below netgraph.Rule, or an instance of one"
            f"{': ' + ', '.join(found) if found else ''}."
        )
    return {name: value}


def split_target(target: str, folders: Iterable[Path] = (Path(),)) -> tuple[Path, str]:
    """Split a text that names rules, see `find_rules`, into the file and the name of one rule or ''.

    Args:
        target: the text. Of a module only the packages above it are imported.
        folders: folders in which files are looked for, one after another.

    Raises:
        OptionError: there is no such file or module.
    """
    place, name = _split(target)
    if not name and _is_known(place):
        rule = get_rule(place)
        return Path(inspect.getfile(rule)).resolve(), rule.__name__
    if not _is_file(place):
        origin = _spec(place).origin
        if origin is None:
            raise OptionError(f"The module {place!r} is no file; give the file with the rules.")
        return Path(origin).resolve(), name
    paths = [folder / place for folder in folders]
    return next((path.resolve() for path in paths if path.is_file()), None) or _no_file(paths[0]), name


def _split(target: str) -> tuple[str, str]:
    """Place and name of a text; '' for a place alone. The colon of a drive ends no place."""
    place, _, name = target.rpartition(":") if ":" in target[2:] else (target, "", "")
    return place, name


def _is_known(name: str) -> bool:
    return name in RULES or name in installed_rules()


def rules_of(module: ModuleType, *, imported: bool = False) -> dict[str, FoundRule]:
    """Find the public rules of a module, in their order: instances, and classes of which it has no instance.

    Args:
        module: the module. Rules of a package are also those that its `__init__` takes from its own modules.
        imported: whether rules that are imported from elsewhere count.
    """
    inside = f"{module.__name__}."
    found: dict[str, FoundRule] = {}
    for name, value in vars(module).items():
        if name.startswith("_") or not _is_rule(value) or value in found.values():
            continue
        own = not isinstance(value, type) or f"{value.__module__}.".startswith(inside)
        if own or imported:
            found[name] = value
    made = {type(value) for value in found.values() if not isinstance(value, type)}
    return {name: value for name, value in found.items() if value not in made}


def examples_of(rule: FoundRule) -> list[Rule]:
    """Instances of a rule to be tested: itself, or one per variant of its class, or the one with all defaults.

    Raises:
        OptionError: for a class that needs values of fields, and has no variants with them.
    """
    if not isinstance(rule, type):
        return [rule]
    options = [variant.options for variant in rule.variants] or [{}]
    needed = [name for name in needed_fields(rule) if any(name not in given for given in options)]
    if needed:
        values = ", ".join(f"{name}=..." for name in needed)
        raise OptionError(
            f"{rule.__name__} needs {', '.join(needed)}: give every field a default, or its module an instance to "
            f"test, such as EXAMPLE = {rule.__name__}({values})."
        )
    made: list[Rule] = []
    for given in options:
        one = rule(**given)
        if one not in made:
            made.append(one)
    return made


def _is_rule(value: object) -> bool:
    if isinstance(value, type):
        return issubclass(value, Rule) and not inspect.isabstract(value) and hasattr(value, "pattern")
    return isinstance(value, Rule)


def _is_file(place: str) -> bool:
    return place.endswith(".py") or os.sep in place or Path(place).is_file()


def load_module(place: str) -> ModuleType:
    """Import a file or a module; a file within a package is imported as a module of it.

    Imports of a file are searched first in its folder, or the folder of its package, as by `python FILE.py`; modules
    first in the working directory.

    Raises:
        OptionError: it does not exist, or its import fails, with the line.
    """
    if _is_file(place):
        return _load_file(Path(place))
    return _imported(place, place, _spec(place).origin)


def _spec(name: str) -> ModuleSpec:
    """Find a module without its import. Raises `OptionError` when there is none."""
    _search(Path.cwd())
    try:
        spec = importlib.util.find_spec(name)
    except (ImportError, ValueError):
        spec = None
    if spec is not None:
        return spec
    if "." in name:
        raise OptionError(
            f"There is no module {name!r}; install its package, go to the folder that it lies in, or give the file, as "
            "in my_rules.py:MyRule."
        )
    raise OptionError(
        f"{unknown_name('rule', name, [*RULES, *installed_rules()])} A rule of your own is named by its file, as in "
        "my_rules.py:MyRule, or by its module, as in my_package.my_module:MyRule."
    )


def _no_file(path: Path) -> NoReturn:
    others = [file.name for file in path.parent.glob("*.py")] if path.parent.is_dir() else []
    raise OptionError(f"There is no file {os.fspath(path)!r}.{nearest(path.name, others)} Give a file with rules.")


def _load_file(path: Path) -> ModuleType:
    if not path.is_file():
        _no_file(path)
    full = path.resolve()
    folder, parts = full.parent, [] if full.stem == "__init__" else [full.stem]
    while (folder / "__init__.py").is_file():
        parts.insert(0, folder.name)
        folder = folder.parent
    name = ".".join(parts)
    _search(folder)
    if len(parts) > 1 or full.stem == "__init__":
        return _imported(name, os.fspath(path), os.fspath(full))
    other = sys.modules.get(name)
    if other is not None and getattr(other, "__file__", None) == os.fspath(full):
        return other
    if other is not None or _is_elsewhere(name, full):
        name = f"{name}_{zlib.crc32(os.fsencode(full)):08x}"  # another module has the name of the file
    spec = importlib.util.spec_from_file_location(name, full)
    assert spec is not None
    assert spec.loader is not None
    if name in sys.modules:
        return sys.modules[name]
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look up annotations there
    try:
        spec.loader.exec_module(module)
    except BaseException as error:
        del sys.modules[name]
        if isinstance(error, Exception):
            raise _import_error(error, os.fspath(path), os.fspath(full)) from error
        raise
    return module


def _is_elsewhere(name: str, path: Path) -> bool:
    """Whether an import of this name would give another file."""
    try:
        spec = importlib.util.find_spec(name)
    except (ImportError, ValueError):
        return False
    return spec is not None and spec.origin != os.fspath(path)


def _search(folder: Path) -> None:
    if os.fspath(folder) not in sys.path:
        sys.path.insert(0, os.fspath(folder))


def _imported(name: str, shown: str, file: str | None) -> ModuleType:
    try:
        return importlib.import_module(name)
    except Exception as error:
        raise _import_error(error, shown, file) from error


def _import_error(error: Exception, shown: str, file: str | None) -> OptionError:
    """Error that names the line at which the import of a file failed: its own line, else the innermost one."""
    if isinstance(error, SyntaxError) and error.filename:
        where = f"{error.filename}:{error.lineno}"
        text = f"{error.msg}: {(error.text or '').strip()!r}"
    else:
        frames = traceback.extract_tb(error.__traceback__)
        own = [frame for frame in frames if frame.filename == file] or frames
        where, text = f"{own[-1].filename}:{own[-1].lineno}", f"{error}; the line is {(own[-1].line or '').strip()!r}"
    return OptionError(f"{shown} cannot be imported: {where}: {type(error).__name__}: {text}. Mend it and try again.")
