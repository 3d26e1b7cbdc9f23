"""Tables of the cookbook: its rules with claims, certificates and lines, and what patterns of several parts save.

`python -m benchmarks.cookbook` measures the time of both forms of a rule and writes the table of forms into
`docs/cookbook.md`. The table of rules is one of those that `python -m benchmarks.pages` writes.
"""

from __future__ import annotations

import importlib.util
import inspect
import re
import sys
import textwrap
import time
from pathlib import Path
from types import ModuleType

from netgraph.proof import rounded_up
from netgraph.rewriting import Result, draft

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "examples" / "cookbook"
PAGE = ROOT / "docs" / "cookbook.md"
ONE_EDGE = "_one_edge"
"""End of the names of files with the form of a rule whose pattern is one vertex or one edge."""

RULE = re.compile(r"^# region rule\n(.*?)^# endregion rule$", re.MULTILINE | re.DOTALL)
MEASURED = re.compile(r"^<!-- measured: forms -->\n.*?^<!-- end -->$", re.MULTILINE | re.DOTALL)
REPEATS = 3


def recipes() -> list[Path]:
    """List the files of the cookbook in the order of the page; forms with one edge are left out."""
    shown = re.findall(r"^<!-- code: examples/cookbook/(\w+)\.py rule -->$", PAGE.read_text(), re.MULTILINE)
    return [FOLDER / f"{name}.py" for name in shown if not name.endswith(ONE_EDGE)]


def one_edge(path: Path) -> Path | None:
    """File with the form of a recipe whose pattern has one part, or None when there is none."""
    other = path.with_name(f"{path.stem}{ONE_EDGE}.py")
    return other if other.is_file() else None


def load(path: Path) -> ModuleType:
    """Import an example of the cookbook."""
    name = f"cookbook_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # where dataclasses look up annotations
    spec.loader.exec_module(module)
    return module


def lines(path: Path) -> int:
    """Count the lines of the rule in a file, from its decorator to the end of its class."""
    (code,) = RULE.findall(path.read_text())
    return len(code.rstrip().splitlines())


def rule_table() -> str:
    """Make the table of rules: what each does, what it claims, what is proved on its example, and its lines."""
    rows = ["| rule | rewrite | claim | certificate of the example | lines |", "| --- | --- | --- | --- | --- |"]
    for path in recipes():
        result: Result = load(path).example()
        does = re.split(r"[.:](?:\s|$)", inspect.getdoc(result.rule) or "")[0].replace("\n", " ")
        claim = result.rule.claim(result.matches)
        rows.append(
            f"| [`{result.rule.name}`](#{anchor(path)}) | {does} | {claim} | {proved(result)} | {lines(path)} |"
        )
    return "\n".join(rows) + "\n"


def proved(result: Result) -> str:
    """Text of the certificate of a result, without what is measured."""
    certificate = result.certificate
    assumed = f" ({', '.join(certificate.assumptions)})" if certificate.assumptions else ""
    if certificate.kind != "bounded" or certificate.level != "bounded":
        return f"{certificate.level}{assumed}"
    assert certificate.bound is not None
    return f"at most {rounded_up(certificate.bound)}{assumed}"


def anchor(path: Path) -> str:
    """Anchor on the page of the heading above the code of a recipe."""
    before = PAGE.read_text().split(f"<!-- code: examples/cookbook/{path.stem}.py rule -->")[0]
    heading = re.findall(r"^## (.+)$", before, re.MULTILINE)[-1]
    return re.sub(r"[^\w\s-]", "", heading.lower()).strip().replace(" ", "-")


def forms_table() -> str:
    """Make the table of rules in two forms: lines, and seconds to find and rewrite on a large graph."""
    rows = [
        "| rule | graph | lines | with one edge | seconds | with one edge |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for path in recipes():
        old = one_edge(path)
        if old is None:
            continue
        new_form, old_form = load(path), load(old)
        graph, what = new_form.large()
        seconds = [f"{_seconds(module, graph):.2g}" for module in (new_form, old_form)]
        name = f"[`{new_form.example().rule.name}`](#{anchor(path)})"
        rows.append(f"| {name} | {what} | {lines(path)} | {lines(old)} | {seconds[0]} | {seconds[1]} |")
    return "\n".join(rows) + "\n"


def _seconds(module: ModuleType, graph: object) -> float:
    """Least process time of an application without a proof."""
    rule, times = module.example().rule, []
    for _ in range(REPEATS):
        start = time.process_time()
        draft(rule, graph)  # type: ignore[call-overload]
        times.append(time.process_time() - start)
    return min(times)


def main() -> None:
    """Measure both forms and write their table into the page."""
    text = textwrap.dedent(forms_table())
    PAGE.write_text(MEASURED.sub(lambda _: f"<!-- measured: forms -->\n{text}<!-- end -->", PAGE.read_text()))
    print(text)


if __name__ == "__main__":
    main()
