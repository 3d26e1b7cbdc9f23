"""Write the derived parts of the docs: code of examples, tables of rules, pages and navigation of the API.

`python -m benchmarks.pages`. A page shows a region of an example in a block of code under a comment that names both:

    <!-- code: examples/tutorial.py build -->

The example has the region between the lines `# region build` and `# endregion build`. A table stands between the
comments `<!-- table: proofs -->` and `<!-- end -->`; its name is one of `TABLES`.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
import textwrap
from collections.abc import Callable, Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

from benchmarks import cookbook
from netgraph.app import rule_table
from netgraph.rules import RULES

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
PACKAGES = ("netgraph", "compilers")
MARK = re.compile(r"^<!-- code: (\S+) (\w+) -->\n```python\n.*?^```$", re.MULTILINE | re.DOTALL)
TABLE = re.compile(r"^<!-- table: (\w+) -->\n.*?^<!-- end -->$", re.MULTILINE | re.DOTALL)
NAVIGATION = "  - API:\n"


def region(path: Path, name: str) -> str:
    """Return the lines of a region of an example, without their common indentation.

    Raises:
        ValueError: when the example has no such region, or two of them.
    """
    parts = re.findall(rf"^ *# region {name}\n(.*?)^ *# endregion {name}$", path.read_text(), re.MULTILINE | re.DOTALL)
    if len(parts) != 1:
        raise ValueError(f"{path.name} has {len(parts)} regions {name!r}; give it one, by '# region {name}'.")
    return textwrap.dedent(parts[0]).strip("\n") + "\n"


def with_code(text: str) -> str:
    """Fill in the code that the comments of a page name."""

    def block(found: re.Match[str]) -> str:
        path, name = found.groups()
        return f"<!-- code: {path} {name} -->\n```python\n{region(ROOT / path, name)}```"

    return MARK.sub(block, text)


def proofs() -> str:
    """Make the table of proofs: the certificate of each variant of each rule."""
    return "\n".join(rule_table.table().markdown()) + "\n"


def rule_list() -> str:
    """Make the table of rules by name, each with the beginning of its docstring and its promise."""
    rows = []
    for name, rule in sorted(RULES.items()):
        text = re.sub(r"\s\([^()]*\)", "", inspect.getdoc(rule) or "")  # without references to papers
        does = re.split(r"[.:](?:\s|$)", text)[0].replace("\n", " ")
        rows.append(f"| `{rule.__name__}` (`{name}`) | {does} | {rule.promise} |\n")
    return "| rule | rewrite | promise |\n| --- | --- | --- |\n" + "".join(rows)


TABLES: Mapping[str, Callable[[], str]] = {"proofs": proofs, "rules": rule_list, "cookbook": cookbook.rule_table}
"""Tables in markdown by the names in the comments around them."""


def with_tables(text: str) -> str:
    """Fill in the tables that the comments of a page name."""
    return TABLE.sub(lambda found: f"<!-- table: {found[1]} -->\n{TABLES[found[1]]()}<!-- end -->", text)


def public_modules() -> Iterator[ModuleType]:
    """Yield packages with an `__all__`, and modules whose names their package exports, outer modules first."""
    for name in PACKAGES:
        package = importlib.import_module(name)
        yield package
        homes = {getattr(value, "__module__", None) for value in map(vars(package).get, package.__all__)}
        for part in sorted(pkgutil.iter_modules(package.__path__), key=lambda part: part.name):
            module = importlib.import_module(f"{name}.{part.name}")
            exported = part.name in package.__all__ or module.__name__ in homes
            if getattr(module, "__all__", ()) if part.ispkg else exported:
                yield module


def exports(module: ModuleType) -> list[str]:
    """Public names of a module: its `__all__`, or else the names that it defines."""
    listed = getattr(module, "__all__", None)
    if listed is not None:
        return sorted(listed)
    tree = [(name, value) for name, value in vars(module).items() if not name.startswith("_")]
    return [name for name, value in tree if getattr(value, "__module__", None) == module.__name__]


def api_page(module: ModuleType, others: list[ModuleType]) -> str:
    """Make the page of a module: one directive for it, and one for each function that has the name of a file.

    Names of a package that one of its documented modules exports as well appear on the page of that module.
    """
    elsewhere = {name: home for name in exports(module) if (home := _home(module, name, others))}
    own = [n for n in exports(module) if n not in elsewhere and not inspect.ismodule(getattr(module, n))]
    hidden = [name for name in own if _is_hidden(module, name)]
    parts = [f"# {module.__name__}\n", _directive(module.__name__, [name for name in own if name not in hidden])]
    parts += [_directive(f"{getattr(module, name).__module__}.{name}", None) for name in hidden]
    if elsewhere:
        parts.append("Exported here as well, explained on the page of the module:\n")
        for home in dict.fromkeys(elsewhere[name] for name in sorted(elsewhere, key=elsewhere.__getitem__)):
            names = ", ".join(f"`{name}`" for name in elsewhere if elsewhere[name] == home)
            line = f"* [`{home}`]({home}.md): {names}"
            parts[-1] += "\n" + textwrap.fill(line, 120, subsequent_indent="  ", break_long_words=False)
        parts[-1] += "\n"
    return "\n".join(parts)


def _home(module: ModuleType, name: str, others: list[ModuleType]) -> str | None:
    """Find the module below a package whose page documents a name of the package; None when there is none."""
    if module.__name__ not in PACKAGES:
        return None
    value = getattr(module, name)
    found = (other.__name__ for other in others if other is not module and name in exports(other)
             and getattr(other, name) is value)  # fmt: skip
    return next(found, None)


def _is_hidden(module: ModuleType, name: str) -> bool:
    """Return whether a module has the name of an exported function; the reference would show the module instead."""
    if inspect.ismodule(value := getattr(module, name)):
        return False
    home = getattr(value, "__module__", None) or ""
    from_namesake = home != module.__name__ and home.rpartition(".")[2] == name
    return from_namesake or (hasattr(module, "__path__") and find_spec(f"{module.__name__}.{name}") is not None)


def _directive(name: str, members: list[str] | None) -> str:
    """Make the mkdocstrings directive for a module with some of its members, or for one function."""
    if members is None:
        return f"::: {name}\n    options:\n      heading_level: 2\n"
    listed = textwrap.fill(f"[{', '.join(members)}]", 112, initial_indent="        ", subsequent_indent="        ")
    return f"::: {name}\n    options:\n      show_root_heading: false\n      members:\n{listed}\n"


def api_pages() -> dict[str, str]:
    """Make all pages of the API, by file name, including the overview."""
    pages = {}
    rows = []
    modules = list(public_modules())
    for module in modules:
        pages[f"{module.__name__}.md"] = api_page(module, modules)
        line = (module.__doc__ or "").strip().splitlines()[0]
        rows.append(f"| [`{module.__name__}`]({module.__name__}.md) | {line} |\n")
    head = "# API\n\nA page for each package and module whose names are public.\n\n| module | |\n| --- | --- |\n"
    return {"index.md": head + "".join(rows), **pages}


def navigation(text: str) -> str:
    """Fill in the pages of the API at the end of the navigation in the settings of MkDocs."""
    lines = [f"      - {name.removesuffix('.md')}: api/{name}\n" for name in api_pages() if name != "index.md"]
    return text.split(NAVIGATION)[0] + NAVIGATION + "      - All modules: api/index.md\n" + "".join(lines)


def derived() -> dict[Path, str]:
    """Make the text of every file with derived parts, by path."""
    texts = {
        path: with_tables(with_code(path.read_text())) for path in [ROOT / "README.md", *sorted(DOCS.glob("*.md"))]
    }
    texts |= {DOCS / "api" / name: text for name, text in api_pages().items()}
    settings = ROOT / "mkdocs.yml"
    return {**texts, settings: navigation(settings.read_text())}


def main() -> None:
    """Write changed files, and remove pages of modules that no longer exist."""
    (DOCS / "api").mkdir(exist_ok=True)
    texts = derived()
    for path, text in texts.items():
        if not path.is_file() or path.read_text() != text:
            path.write_text(text)
            print(path.relative_to(ROOT))
    for path in sorted((DOCS / "api").glob("*.md")):
        if path not in texts:
            path.unlink()
            print(f"{path.relative_to(ROOT)} is gone")


if __name__ == "__main__":
    main()
