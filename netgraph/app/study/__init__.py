"""Studies: comparisons of several methods, densities and seeds on one data set."""

from netgraph.app.study.directory import RUNS, StudyDirectory
from netgraph.app.study.jobs import GrowthStep, Job, Outcome, Point, make_study
from netgraph.app.study.pool import compare_methods
from netgraph.app.study.report import StudyReport
from netgraph.app.study.runs import run_job

__all__ = [
    "Job",
    "Outcome",
    "Point",
    "RUNS",
    "GrowthStep",
    "StudyDirectory",
    "StudyReport",
    "compare_methods",
    "make_study",
    "run_job",
]
