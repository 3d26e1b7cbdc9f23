"""Draw the pictures of the docs again: run every example in a directory of its own, and keep what it draws.

python -m benchmarks.pictures [example ...]
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
SUFFIXES = (".svg", ".png", ".gif")


def run_example(path: Path, folder: Path) -> str:
    """Run an example in `folder`, into which it draws, on one core with warnings as errors; return what it prints."""
    path_entries = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(path_entries)}
    command = [sys.executable, "-W", "error", str(path)]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120)
    if done.returncode:
        raise RuntimeError(f"{path.name} failed:\n{done.stderr}")
    return done.stdout


def pictures(folder: Path) -> list[Path]:
    """The pictures in a folder, by name."""
    return sorted(path for path in folder.iterdir() if path.suffix in SUFFIXES)


def main(names: list[str]) -> None:
    for path in sorted((ROOT / "examples").glob("*.py")):
        if names and path.stem not in names:
            continue
        with tempfile.TemporaryDirectory() as temporary:
            run_example(path, Path(temporary))
            for picture in pictures(Path(temporary)):
                shutil.copyfile(picture, IMAGES / picture.name)
                print(f"docs/images/{picture.name}  by examples/{path.name}")


if __name__ == "__main__":
    main(sys.argv[1:])
