"""Pictures of a study: score by density, score by cost, and how topologies change as they grow."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from netgraph.app.study_report import StudyReport


def draw_all(report: StudyReport, directory: Path) -> tuple[str, ...]:
    """Write the pictures that a study has something for, as SVG.

    Args:
        report: the study.
        directory: where.

    Returns:
        Names of the files.

    Raises:
        OptionError: when matplotlib is not installed.
    """
    return ()
