"""The folder of an exported network, written completely or not at all."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from netgraph.app.places import MODEL, check_place, own_files
from netgraph.storage import sync_directory


def write_folder(target: Path, fill: Callable[[Path], None], *, overwrite: bool) -> None:
    """Write the files of a folder into another one beside it, and move them to their place when all are there.

    A folder that exists keeps files that netgraph did not write. Where an exported network is replaced, its
    `model.json` is replaced last.

    Args:
        target: the folder. It must not exist, be empty or, with `overwrite`, hold an exported network.
        fill: function that writes the files into a folder, `model.json` among them.
        overwrite: whether to replace an exported network.

    Raises:
        OptionError: when the folder holds something that would be lost, before anything is written.
    """
    check_place(target, "export", overwrite=overwrite)
    made = [folder for folder in (target.parent, *target.parent.parents) if not folder.exists()]
    target.parent.mkdir(parents=True, exist_ok=True)
    staging = target.with_name(f".{target.name[:200]}.{secrets.token_hex(4)}")
    try:
        staging.mkdir()
        fill(staging)
        sync_directory(staging)
        _settle(staging, target)
    except BaseException:
        shutil.rmtree(staging, ignore_errors=True)
        for folder in made:
            with suppress(OSError):
                folder.rmdir()
        raise


def _settle(staging: Path, target: Path) -> None:
    """Move the files to their place: with their folder, or one by one where the place has a folder."""
    if not target.exists():
        staging.replace(target)
        sync_directory(target.parent)
        return
    begun, new = (target / MODEL).exists(), sorted(file.name for file in staging.iterdir() if file.name != MODEL)
    moved: list[Path] = []
    try:
        for name in (*new, MODEL):
            moved.append((staging / name).replace(target / name))
    except BaseException:
        for file in () if begun else moved:
            file.unlink(missing_ok=True)
        raise
    for file in list(own_files(target, "export")):
        if file.name not in (*new, MODEL):
            file.unlink(missing_ok=True)
    sync_directory(target)
    staging.rmdir()
