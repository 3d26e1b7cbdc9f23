"""Docstrings and comments name their subject: words that hide it may only become fewer."""

import ast
from itertools import groupby

from benchmarks.words import NAMES, Place, comments, docstrings, names, places

CEILING = 0
"""Places of the product with banned words; never raise it."""


def test_banned_words_only_become_fewer():
    found = places()
    lines = [f"{len(found)} places have words that the house style bans, {CEILING} are allowed; name the subject:"]
    for file, group in groupby(found, key=lambda place: place.file):
        group = list(group)
        lines += [f"{file}: {len(group)}", *(f"    {p.line}: {p.text}  [{'; '.join(p.phrases)}]" for p in group)]
    assert len(found) <= CEILING, "\n".join(lines)


CODE = '''"""What a module is made of,

so many lines of it."""

LIMIT = 3
"""As of 3, a line says what it is."""


class Sum:
    """A sum of numbers."""  # told by the caller

    total: int  # Those that are counted by what they hold.

    def _told(self, tell, bold):
        """How many there are."""
        x_told = "So many"
        return tell + bold + x_told  # untold
'''


NODES = list(ast.walk(ast.parse(CODE)))


def test_first_lines_of_docstrings_comments_and_names_are_searched(tmp_path):
    (tmp_path / "netgraph").mkdir()
    (tmp_path / "netgraph" / "a.py").write_text(CODE)
    what_a = "what a, what the, what it"
    hidden = ("opening Those that", what_a, "those that", "by what")
    assert places(tmp_path) == [
        Place("netgraph/a.py", 1, "What a module is made of,", ("opening What", what_a)),
        Place("netgraph/a.py", 6, "As of 3, a line says what it is.", (what_a, "as of")),
        Place("netgraph/a.py", 10, "told by the caller", ("told, tell, tells",)),
        Place("netgraph/a.py", 12, "Those that are counted by what they hold.", hidden),
        Place("netgraph/a.py", 14, "_told", (NAMES,)),
        Place("netgraph/a.py", 14, "tell", (NAMES,)),
        Place("netgraph/a.py", 15, "How many there are.", ("opening How",)),
        Place("netgraph/a.py", 16, "x_told", (NAMES,)),
    ]


def test_code_and_texts_in_it_are_not_searched():
    assert [text for _line, text in docstrings(NODES)] == [
        "What a module is made of,",
        "As of 3, a line says what it is.",
        "A sum of numbers.",
        "How many there are.",
    ]
    assert [text for _line, text in comments(CODE)] == [
        "told by the caller",
        "Those that are counted by what they hold.",
        "untold",
    ]
    known = {"LIMIT", "Sum", "total", "_told", "self", "tell", "bold", "x_told"}
    assert {name for _line, name in names(NODES)} == known
