"""Scores of a network on a set of samples, and tables of them."""

from netgraph.app.score.scores import ClassScores, Scores, TargetScores, score, scores
from netgraph.app.score.tables import ScoreTable, score_tables

__all__ = [
    "ClassScores",
    "ScoreTable",
    "Scores",
    "TargetScores",
    "score",
    "score_tables",
    "scores",
]
