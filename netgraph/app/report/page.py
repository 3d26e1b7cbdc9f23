"""`report.html`: all facts about a run on one self-contained page."""

from __future__ import annotations

import hashlib
import math
import os
import shlex
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from rich.console import Console

from compilers import lower
from netgraph.app.lock import sole_writer
from netgraph.app.look import EXPLORE
from netgraph.app.report.command import command_lines
from netgraph.app.report.curves import panels, require_matplotlib
from netgraph.app.report.data import RunFacts
from netgraph.app.report.pictures import growth_timeline, topology_picture
from netgraph.app.run_directory import RunDirectory
from netgraph.app.summary import EVIDENCE, environment, evidence
from netgraph.errors import BusyError, NetgraphError, OptionError, not_installed
from netgraph.markup import printable
from netgraph.proof import rounded_up
from netgraph.storage import to_utf8, write_text
from netgraph.viz import Timeline, draw, explore

if TYPE_CHECKING:
    from jinja2 import Environment

T = TypeVar("T")

_MARK = b"Written by netgraph."
REPORT, TIMELINE = "report.html", "timeline.html"
TEMPLATES = Path(__file__).parent / "templates"
LONG = 15
"""Number of rows above which a table scrolls in its own box."""
MOST_LINES = 200
"""Largest number of lines of the plan that are shown from each end."""
MOST_REWRITES = 250
"""Largest number of rewrites that are listed from each end."""
MOST_LAYERS = 20
"""Largest number of layers whose change is listed for a certificate, besides its text."""
LONGEST_VALUE = 400
"""Largest number of letters shown for a parameter of a rule, as some parameters have a value per vertex."""

SECTIONS = {
    "head": "",
    "results": "Results",
    "curves": "Curves",
    "growth": "Growth",
    "topology": "Topology",
    "rewrites": "Rewrites",
    "costs": "Costs and plan",
    "settings": "Settings",
    "again": "Make it again",
}
"""Headings of the sections by their keys, in the order of the page."""


@dataclass(frozen=True)
class Section:
    """A section of the page.

    Attributes:
        key: unique name on the page, letters only.
        title: heading; '' for the head of the page, which brings its own.
        html: content below the heading.
    """

    key: str
    title: str
    html: str

    @property
    def digest(self) -> str:
        """Hash of the content, 16 hexadecimal digits."""
        return hashlib.sha256(to_utf8(self.html)).hexdigest()[:16]


@dataclass(frozen=True)
class _Kept:
    """An expensive value that was computed before.

    Attributes:
        key: state of the run for which it was computed.
        value: the value.
        until: time by `time.monotonic` before which the value may be shown although its key is outdated.
    """

    key: tuple[object, ...]
    value: Any
    until: float


class Reporter:
    """Renderer of reports that reuses figures computed from graphs until a topology changes.

    Args:
        patience: for a run that trains, shortest time from one timeline to the next, as a multiple of the time that the
            computation of the timeline took. It limits the fraction of the machine that watching takes.
    """

    def __init__(self, patience: float = 0.0) -> None:
        self._patience = patience
        self._kept: dict[str, _Kept] = {}
        self.due = math.inf
        """Time by `time.monotonic` at which an outdated timeline is computed again; infinite when none is outdated."""

    def sections(self, facts: RunFacts) -> list[Section]:
        """Render all sections of the page about a run, without empty ones.

        Raises:
            DataError: for a damaged file of the run.
            OptionError: when a package for pictures is not installed.
        """
        values = {**_values(facts), **self._pictures(facts), "panels": panels(facts), "marks": facts.marks()}
        texts = {key: _render(f"report_{key}.html.j2", **values).strip() for key in SECTIONS}
        return [Section(key, SECTIONS[key], text) for key, text in texts.items() if text]

    def timeline(self, facts: RunFacts) -> Timeline:
        """Timeline of all topologies of the run; an earlier one while `patience` has not passed."""
        last = facts.entries[-1].topology_hash if facts.entries else ""
        key: tuple[object, ...] = (facts.origin, facts.state, len(facts.entries), last)
        old = self._kept.get("timeline")
        self.due = math.inf
        behind = old is not None and facts.state == "open" and old.key[:2] == key[:2] and old.key != key
        if old is not None and behind and time.monotonic() < old.until:
            self.due, key = old.until, old.key
        return self._keep("timeline", key, lambda: growth_timeline(facts, page_title(facts)))

    def _pictures(self, facts: RunFacts) -> dict[str, Any]:
        """Draw the topologies, and describe the plan."""
        # The graph of a run that trains comes from its checkpoint; the journal may be one rewrite ahead.
        reached = (facts.origin, facts.graph.topology_hash, facts.state)
        return {
            "timeline": self._fragment(facts) if facts.entries else "",
            "before": self._keep("before", facts.origin, lambda: topology_picture(facts, facts.first, "before")),
            "after": self._keep("after", reached, lambda: topology_picture(facts, facts.graph, "after")),
            "plan": self._keep("plan", reached, lambda: _plan(facts)),
        }

    def _fragment(self, facts: RunFacts) -> str:
        timeline = self.timeline(facts)
        return self._keep("fragment", self._kept["timeline"].key, lambda: timeline.fragment("film"))

    def _keep(self, name: str, key: tuple[object, ...], make: Callable[[], T]) -> T:
        """Return the value of a name, computed by `make` only when the key has changed."""
        if name not in self._kept or self._kept[name].key != key:
            began = time.monotonic()
            made, ended = make(), time.monotonic()
            self._kept[name] = _Kept(key, made, ended + self._patience * (ended - began))
        value: T = self._kept[name].value
        return value


def _values(facts: RunFacts) -> dict[str, Any]:
    """Values for the templates, without pictures."""
    config, summary = facts.config, facts.summary
    settings = {"Training": config["training"], "Method": config["options"], "Data and machine": config["run"]}
    other = {key: value for key, value in config.items() if key not in ("training", "options", "run")}
    return {
        "facts": facts,
        "graph": repr(facts.graph),
        "config": config,
        "summary": summary,
        "last": facts.metrics[-1] if facts.metrics else None,
        **_rewrites(facts),
        "evidence": EVIDENCE,
        "environment": environment(config),
        "settings": {"Run": other, **settings},
        "commands": command_lines(facts),
        "LONG": LONG,
        "MOST_LAYERS": MOST_LAYERS,
        "TIMELINE": TIMELINE,
        "EXPLORE": EXPLORE,
    }


def _rewrites(facts: RunFacts) -> dict[str, Any]:
    """Values for the list of rewrites, which has the first and the last ones where there are too many."""
    shown, left_out = facts.entries, max(0, len(facts.entries) - 2 * MOST_REWRITES)
    if left_out:
        shown = [*shown[:MOST_REWRITES], *shown[-MOST_REWRITES:]]
    entries = [(entry, *evidence(entry.certificate)) for entry in shown]
    return {"entries": entries, "left_out": left_out, "MOST_REWRITES": MOST_REWRITES}


def _plan(facts: RunFacts) -> str:
    """Summary of the plan of the compiled graph; the first and the last lines where there are too many."""
    lines = lower(facts.graph).plan.summary().split("\n")
    if len(lines) > 2 * MOST_LINES:
        left_out = f"... {len(lines) - 2 * MOST_LINES:,} lines left out ..."
        lines = [*lines[:MOST_LINES], left_out, *lines[-MOST_LINES:]]
    return "\n".join(lines)


def notice(heading: str, text: str) -> Section:
    """Section that explains why the report, or a part of it, is missing."""
    return Section("notice", "", _render("report_notice.html.j2", heading=heading, text=text).strip())


def require_packages() -> None:
    """Raise `OptionError` when a package that every report needs is not installed."""
    _environment()
    require_matplotlib()


def write_report(run: RunDirectory, out: str | os.PathLike[str] | None = None) -> Path:
    """Write the page about a run, and by default also the timeline of its growth.

    Args:
        run: run directory; the run need not have ended.
        out: file for the page alone; None writes `report.html` and `timeline.html` into the run directory.

    Returns:
        Path of the page.

    Raises:
        DataError: for a damaged file of the run, with its name and a remedy.
        OptionError: when a package for pictures is not installed, or a page cannot be written to `out`.
        OSError: when a file cannot be written; an earlier file stays as it is.
    """
    if out is not None:
        _check_target(Path(out))
        write_text(out, report_page(RunFacts.read(run)))
        return Path(out)
    while True:
        try:
            with sole_writer(run.path):
                return _write_pages(run, RunFacts.read(run))
        except BusyError:  # Another process trains or changes the run, and will write the report itself.
            ended = run.ended
            target = _write_pages(run, RunFacts.read(run))
            if run.ended == ended:
                return target
            # The run ended meanwhile, and this older report may have replaced its report: write it again.


def _write_pages(run: RunDirectory, facts: RunFacts) -> Path:
    """Write report, timeline and the page of the explorer into the run directory; return the path of the report."""
    reporter = Reporter()
    page = render_page(reporter.sections(facts), page_title(facts))
    write_text(run.path / TIMELINE, reporter.timeline(facts).html)
    explore(run.path, run.path / EXPLORE)
    write_text(run.path / REPORT, page)
    return run.path / REPORT


def _check_target(out: Path) -> None:
    """Raise `OptionError` when a page cannot be written to `out`, before time is spent on it."""
    name = os.fspath(out)
    if out.is_dir():
        raise OptionError(f"{name!r} is a directory; name a file in it, such as {os.fspath(out / REPORT)!r}.")
    if out.suffix.lower() not in (".html", ".htm"):
        raise OptionError(
            f"{name!r} does not end in .html, and the report is a page; for another format, print it from a browser."
        )
    if not out.parent.is_dir():
        raise OptionError(f"There is no directory {os.fspath(out.parent)!r} for {out.name!r}; make it first.")
    if out.is_file() and _MARK not in out.read_bytes():
        raise OptionError(f"{name!r} exists and is no page that netgraph wrote; choose another --out.")


def write_pictures(run: RunDirectory, console: Console) -> None:
    """Write `topology.svg` and the report of a run that this process has locked; print an error instead of raising it.

    An `OSError`, such as for a full disk, is raised.
    """
    try:
        facts = RunFacts.read(run)
        draw(facts.graph, title=page_title(facts)).save(run.path / "topology.svg")
        _write_pages(run, facts)
    except NetgraphError as error:
        again = shlex.join(["netgraph", "report", os.fspath(run.path)])
        text = f"The results are complete, but not all pictures are: {error} After that, `{again}` writes the report."
        console.print(text, style="yellow", highlight=False, markup=False, soft_wrap=True)


def report_page(facts: RunFacts) -> str:
    """Render the page about a run as text; equal runs give equal text."""
    return render_page(Reporter().sections(facts), page_title(facts))


def page_title(facts: RunFacts) -> str:
    """Title of the page, which a browser shows."""
    return f"{facts.name}, grown by {facts.config['method']}"


def render_page(sections: Sequence[Section], title: str, script: str = "") -> str:
    """Render a whole page as text.

    Args:
        sections: sections of the page, in order.
        title: title of the page.
        script: script of the page, inserted without escaping; '' for none.
    """
    style = (TEMPLATES / "report.css").read_text(encoding="utf-8")
    return _render("page.html.j2", sections=sections, title=title, style=style, script=script)


def _render(template: str, **values: Any) -> str:
    return str(_environment().get_template(template).render(**values))


@cache
def _environment() -> Environment:
    try:
        from jinja2 import Environment, FileSystemLoader, StrictUndefined
    except ImportError:
        raise OptionError(not_installed("The report needs", "jinja2", "viz")) from None
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_visible,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(number=_number, setting=_setting, duration=_duration, brief=_brief, bound=rounded_up)
    return environment


def _visible(value: Any) -> Any:
    """Value for a template, without the characters that HTML forbids; jinja escapes the remaining text."""
    if type(value) is not str:  # `Markup`, which is safe HTML, is a subclass of `str`
        return value
    return printable(value, "\n\t")


def _number(value: float | None, form: str = ".4g") -> str:
    return "none" if value is None else format(value, form)


def _setting(value: Any) -> str:
    """Format a value of a configuration as in a command, with all its digits."""
    if isinstance(value, Mapping):
        return ", ".join(f"{k} {_setting(v)}" for k, v in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(_setting(v) for v in value)
    return str(value).lower() if value is None or isinstance(value, bool) else str(value)


def _brief(text: str) -> str:
    return text if len(text) <= LONGEST_VALUE else f"{text[:LONGEST_VALUE]} …"


def _duration(seconds: float) -> str:
    """Format seconds as seconds, minutes or hours."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {rest:02} s"
