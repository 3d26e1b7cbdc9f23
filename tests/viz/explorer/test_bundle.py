"""The bundled page belongs to the sources beside it."""

import hashlib
from importlib.resources import files
from pathlib import Path

SOURCES = Path(__file__).parents[3] / "web" / "explorer"


def test_the_page_is_bundled_from_the_sources():
    names = sorted(
        [
            "build.mjs",
            "package-lock.json",
            "package.json",
            *(f"src/{path.name}" for path in (SOURCES / "src").iterdir()),
        ]
    )
    digest = hashlib.sha256()
    for name in names:
        content = (SOURCES / name).read_bytes()
        digest.update(f"{name}\n{len(content)}\n".encode() + content)
    page = (files("netgraph.viz.explorer") / "explorer.html").read_text(encoding="utf-8")
    assert digest.hexdigest() in page, "make explorer"


def test_every_package_in_the_page_has_its_licence():
    room = files("netgraph.viz.explorer")
    licences = (room / "LICENSES.txt").read_text(encoding="utf-8")
    comment = (room / "explorer.html").read_text(encoding="utf-8").partition("-->")[0]
    packages = [line.split()[0] for line in comment.splitlines() if line.startswith("  ") and ", " in line]
    assert len(packages) > 3
    for package in packages:
        assert f"\n{package} " in licences
