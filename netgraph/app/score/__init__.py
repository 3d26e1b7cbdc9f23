"""Scores of a network on a set of samples, and their tables."""

from netgraph.app.score.scores import ClassScores, Scores, TargetScores, score, scores
from netgraph.app.score.tables import Grid, score_grids

__all__ = [
    "ClassScores",
    "Grid",
    "Scores",
    "TargetScores",
    "score",
    "score_grids",
    "scores",
]
