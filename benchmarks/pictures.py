"""Redraw the pictures of the docs: run every example in a directory of its own, and copy its pictures.

`python -m benchmarks.pictures [example ...]`. The name `report` stands for a picture of the report of a run, for which
Chromium is needed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
IMAGES = ROOT / "docs" / "images"
SUFFIXES = (".svg", ".png", ".gif", ".html")


def run_example(path: Path, folder: Path) -> str:
    """Run an example in `folder`, on one core and with warnings as errors; return its output."""
    path_entries = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(path_entries)}
    command = [sys.executable, "-W", "error", str(path)]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120)
    if done.returncode:
        raise RuntimeError(f"{path.name} failed:\n{done.stderr}")
    return done.stdout


def pictures(folder: Path) -> list[Path]:
    """Pictures in a folder, sorted by name."""
    return sorted(path for path in folder.iterdir() if path.suffix in SUFFIXES)


def photograph_report() -> None:
    """Grow digits on the command line, and take a picture of the upper part of the report."""
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        print("docs/images/report.png stays as it is: there is no Chromium")
        return
    with tempfile.TemporaryDirectory() as temporary:
        run, photo = Path(temporary) / "digits", Path(temporary) / "report.png"
        command = [sys.executable, "-m", "netgraph.app.cli", "grow", "digits", "--out", str(run)]
        subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=300)
        flags = ["--headless=new", "--no-sandbox", "--hide-scrollbars", "--window-size=1100,1350"]
        page = (run / "report.html").as_uri()
        subprocess.run([program, *flags, f"--screenshot={photo}", page], check=True, capture_output=True, timeout=120)
        shutil.copyfile(photo, IMAGES / "report.png")
    print("docs/images/report.png  by netgraph grow digits")


def main(names: list[str]) -> None:
    for path in sorted((ROOT / "examples").rglob("*.py")):
        if names and path.stem not in names:
            continue
        with tempfile.TemporaryDirectory() as temporary:
            run_example(path, Path(temporary))
            for picture in pictures(Path(temporary)):
                shutil.copyfile(picture, IMAGES / picture.name)
                print(f"docs/images/{picture.name}  by {path.relative_to(ROOT)}")
    if not names or "report" in names:
        photograph_report()


if __name__ == "__main__":
    main(sys.argv[1:])
