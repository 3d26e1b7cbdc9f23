"""Rewrites of an explorer page: rule, parameters, reason, certificate and sizes of each, as texts."""

from __future__ import annotations

from typing import Any

from netgraph.rewriting import Entry, Journal, Rewrite
from netgraph.viz.explorer.packing import plain_text
from netgraph.viz.words import value_lines


def rewrites_of_journal(journal: Journal) -> list[dict[str, Any]]:
    """Return all rewrites of a journal as JSON values, in order."""
    return [_entry(entry) for entry in journal.entries()]


def rewrites_of_result(result: Rewrite) -> list[dict[str, Any]]:
    """Return a rewrite as a list of JSON values, which is empty when nothing changed."""
    if not result.changed:
        return []
    return [
        {
            "number": result.graph.rewrites,
            "rule": plain_text(result.rule.name),
            "parameters": plain_text(value_lines(result.parameters, " = ")),
            "reason": "",
            "epoch": None,
            "certificate": plain_text(result.certificate),
            "level": result.certificate.level,
            "matches": result.count,
            "summary": plain_text(result.delta.summary()),
        }
    ]


def _entry(entry: Entry) -> dict[str, Any]:
    return {
        "number": entry.rewrite,
        "rule": plain_text(entry.rule),
        "parameters": plain_text(value_lines(entry.parameters, " = ")),
        "reason": plain_text(entry.reason),
        "epoch": entry.epoch,
        "certificate": plain_text(entry.certificate),
        "level": entry.certificate.level,
        "matches": entry.matches,
        "summary": plain_text(entry.summary),
    }
