"""Code in the docs is included from examples, which the tests run; the markers and sections must exist."""

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent


def test_included_sections_exist():
    included = 0
    for page in (ROOT / "docs").glob("*.md"):
        for path, section in re.findall(r'^--8<-- "([^":]+):(\w+)"$', page.read_text(), flags=re.MULTILINE):
            text = (ROOT / path).read_text()
            assert f"--8<-- [start:{section}]" in text, f"{page.name} includes {path}:{section}"
            assert f"--8<-- [end:{section}]" in text, f"{page.name} includes {path}:{section}"
            included += 1
    assert included >= 2


def test_python_blocks_of_the_docs_are_included_not_pasted():
    for page in (ROOT / "docs").glob("*.md"):
        for block in re.findall(r"^```python\n(.*?)^```", page.read_text(), flags=re.MULTILINE | re.DOTALL):
            assert block.startswith('--8<-- "examples/'), f"{page.name} has code of its own: {block[:60]!r}"
