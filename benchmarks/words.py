"""Counts of words that the house style bans, in first lines of docstrings, comments and names.

python -m benchmarks.words                          counts of this checkout
python -m benchmarks.words --list                   and every place
python -m benchmarks.words --root OTHER_CHECKOUT    of another one, to compare

A docstring names its subject: a noun for a value, an imperative for a function. `tests/test_words.py` keeps the number.
"""

from __future__ import annotations

import argparse
import ast
import io
import re
import tokenize
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.imports import PRODUCT

ROOT = Path(__file__).parents[1]

PHRASES: Mapping[str, str] = {
    "opening What": r"^What\b",
    "opening How": r"^How\b",
    "opening Those that": r"^Those (that|which|who)\b",
    "opening Whether or": r"^Whether or\b",
    "what is": r"\bwhat (is|are|was|were)\b",
    "what a, what the, what it": r"\bwhat (an?|the|it|its|they)\b",
    "those that": r"\bthose (that|which)\b",
    "that which": r"\bthat which\b",
    "told, tell, tells": r"\b(told|tells?|telling)\b",
    "as of": r"\bas of\b",
    "so many": r"\bso (many|much|few)\b",
    "by what": r"\bby what\b",
}
"""Regular expressions of the banned phrases, by name; case is ignored."""

NAMES = "told or tell in a name"
_PATTERNS = {name: re.compile(pattern, re.IGNORECASE) for name, pattern in PHRASES.items()}
_TOLD = re.compile(r"(^|_)(told|tells?)(_|$)")


@dataclass(frozen=True)
class Place:
    """A line in which banned words stand.

    Attributes:
        file: path relative to the root.
        line: number of the line.
        text: the line of the docstring or the comment, or the name.
        phrases: names of the phrases in it.
    """

    file: str
    line: int
    text: str
    phrases: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.text}  [{'; '.join(self.phrases)}]"


def places(root: Path = ROOT) -> list[Place]:
    """Find all places of the product with banned words, sorted by file and line."""
    found = []
    for package in PRODUCT:
        for path in sorted((root / package).rglob("*.py")):
            code, file = path.read_text(encoding="utf-8"), path.relative_to(root).as_posix()
            nodes = list(ast.walk(ast.parse(code)))
            for line, text in (*docstrings(nodes), *comments(code)):
                if phrases := tuple(name for name, pattern in _PATTERNS.items() if pattern.search(text)):
                    found.append(Place(file, line, text, phrases))
            found += [Place(file, line, name, (NAMES,)) for line, name in names(nodes) if _TOLD.search(name)]
    return sorted(found, key=lambda place: (place.file, place.line))


def docstrings(nodes: Iterable[ast.AST]) -> Iterator[tuple[int, str]]:
    """Yield first lines of the docstrings of modules, classes, functions and values, with line numbers."""
    for node in nodes:
        for statement in getattr(node, "body", ()) if not isinstance(node, ast.Lambda | ast.IfExp) else ():
            value = statement.value if isinstance(statement, ast.Expr) else None
            if isinstance(value, ast.Constant) and isinstance(value.value, str):
                yield statement.lineno, value.value.strip().partition("\n")[0]


def comments(code: str) -> Iterator[tuple[int, str]]:
    """Yield comments without their `#`, with line numbers."""
    for token in tokenize.generate_tokens(io.StringIO(code).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string.lstrip("#: ").strip()


def names(nodes: Iterable[ast.AST]) -> Iterator[tuple[int, str]]:
    """Yield names of functions, classes, arguments and assigned values, with line numbers."""
    for node in nodes:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.lineno, node.name
        elif isinstance(node, ast.arg):
            yield node.lineno, node.arg
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.lineno, node.id


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, default=ROOT, help="checkout to count in")
    parser.add_argument("--list", action="store_true", help="print every place")
    arguments = parser.parse_args()
    found = places(arguments.root)
    counts = Counter(phrase for place in found for phrase in place.phrases)
    for phrase in (*PHRASES, NAMES):
        print(f"{counts[phrase]:5} {phrase}")
    print(f"{len(found):5} places in {len({place.file for place in found})} files")
    for place in found if arguments.list else ():
        print(place)


if __name__ == "__main__":
    main()
