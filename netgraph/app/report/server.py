"""`netgraph watch`: a local server that shows the report of a run and updates it while the run trains."""

from __future__ import annotations

import hashlib
import json
import os
import time
import webbrowser
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socketserver import TCPServer
from threading import Lock

from rich.console import Console

from netgraph.app.places import CONFIG
from netgraph.app.report.data import RunFacts
from netgraph.app.report.page import TEMPLATES, Reporter, Section, notice, page_title, render_page, require_packages
from netgraph.app.run_directory import RunDirectory
from netgraph.errors import NetgraphError, OptionError
from netgraph.markup import shortened
from netgraph.storage import to_utf8

HOST = "127.0.0.1"

# All contents of the page come from these files, or change together with one of them.
_FILES = (
    CONFIG,
    "metrics.jsonl",
    "journal.jsonl",
    "summary.json",
    "checkpoint.safetensors",
    "graph.safetensors",
    "journal/first.safetensors",
)

_PATIENCE = 20.0
"""Shortest time between two timelines of a run that trains, as a multiple of the time that the first one took."""


_LONGEST = 300
"""Largest number of letters of an error that the page shows."""


@dataclass(frozen=True)
class Snapshot:
    """Contents of the page at one time.

    Attributes:
        version: name of this state; another rendering has another one.
        changed: time of the last change of a file of the run, in seconds since 1970; 0 without files.
        title: title of the page.
        sections: sections of the page.
    """

    version: str
    changed: float
    title: str
    sections: tuple[Section, ...]

    def to_json(self) -> str:
        """Version, time and title as JSON, with the digests by which a browser finds its outdated sections."""
        parts = [[section.key, section.title, section.digest] for section in self.sections]
        return json.dumps({"version": self.version, "changed": self.changed, "title": self.title, "sections": parts})


class LivePage:
    """Page about a run directory that is rendered again only when a file of the run has changed. It is thread-safe.

    Args:
        directory: run directory; it need not exist yet, and may be removed.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._lock = Lock()
        self._reporter = Reporter(patience=_PATIENCE)
        self._page: Snapshot | None = None
        self._files = ""
        self._count = 0
        self._good: tuple[Section, ...] = ()

    def now(self) -> Snapshot:
        """Return the current page, rendered again if necessary."""
        with self._lock:
            # The fingerprint comes before the files are read, so that the next call notices later changes.
            files, changed = self._fingerprint()
            if self._page is None or self._files != files or time.monotonic() >= self._reporter.due:
                self._files, self._count = files, self._count + 1
                self._page = self._make(f"{files}-{self._count}", changed)
            return self._page

    def last(self) -> Snapshot:
        """Return the page that `now` returned last, so that separately requested sections fit together."""
        return self._page or self.now()

    def _fingerprint(self) -> tuple[str, float]:
        """Hash of the state of the files, and time of their last change in seconds since 1970."""
        stats = []
        for name in _FILES:
            try:
                stat = (self.directory / name).stat()
            except OSError:
                stats.append((name, 0, 0, 0))
            else:
                stats.append((name, stat.st_ino, stat.st_size, stat.st_mtime_ns))
        changed = max(stat[3] for stat in stats) / 1e9
        return hashlib.sha256(repr(stats).encode()).hexdigest()[:16], changed

    def _make(self, version: str, changed: float) -> Snapshot:
        title = self.directory.name
        if not (self.directory / CONFIG).is_file():
            return Snapshot(version, changed, title, (self._missing(), *self._good))
        try:
            facts = RunFacts.read(RunDirectory(self.directory))
            self._good = tuple(self._reporter.sections(facts))
            return Snapshot(version, changed, page_title(facts), self._good)
        except FileNotFoundError:
            # The run was replaced or removed while it was read; a new one is read in the next call.
            return Snapshot(version, changed, title, (self._missing(), *self._good))
        except (NetgraphError, OSError) as error:
            return Snapshot(version, changed, title, (notice("The run cannot be shown", str(error)), *self._good))
        except Exception as error:  # an unfinished run may hold anything, and must not end the server
            return Snapshot(
                version, changed, title, (notice("The run cannot be shown", _unforeseen(error)), *self._good)
            )

    def _missing(self) -> Section:
        if not self._good:
            text = "As soon as `netgraph grow` writes a run there, it appears here by itself."
            return notice(f"Waiting for a run in {os.fspath(self.directory)}", text)
        text = "It was removed, or is being replaced. Below is what was there last; a new run appears here by itself."
        return notice(f"There is no run in {os.fspath(self.directory)} any more", text)


def _unforeseen(error: Exception) -> str:
    """Sentence about an unexpected error, which is not a `NetgraphError`."""
    return f"{type(error).__name__}: {shortened(str(error), _LONGEST)} This is a fault of netgraph; please report it."


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    allow_reuse_address = os.name == "posix"  # On other systems it would let two servers share a port.

    def __init__(self, live: LivePage, port: int) -> None:
        self.live = live
        super().__init__((HOST, port), _Handler)

    def server_bind(self) -> None:
        """Bind like `HTTPServer`, without the slow look-up of the name of this machine."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = HOST, self.server_address[1]

    def handle_error(self, request: object, client_address: object) -> None:
        """Print no errors of requests on the terminal."""

    @property
    def hosts(self) -> set[str]:
        """Host headers of a browser with the address of this server; any other one is an attack by DNS rebinding."""
        names = {HOST, "localhost"}
        return {f"{name}:{self.server_port}" for name in names} | (names if self.server_port == 80 else set())


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = 10

    def do_GET(self) -> None:
        """Answer a request for the page, for its state, or for one of its sections."""
        if self.headers.get("Host", "").lower() not in self.server.hosts:
            self._answer(HTTPStatus.FORBIDDEN, "text/plain", "This server answers to its own address only.\n")
            return
        try:
            status, kind, text = self._find()
        except Exception as error:
            status, kind = HTTPStatus.INTERNAL_SERVER_ERROR, "text/plain"
            text = f"The page cannot be made: {_unforeseen(error)}\n"
        self._answer(status, kind, text)

    def _find(self) -> tuple[HTTPStatus, str, str]:
        """Status, media type and text of the answer to this request."""
        path, live = self.path, self.server.live
        page = live.last() if path.startswith("/section/") else live.now()
        parts = {f"/section/{section.key}": section for section in page.sections}
        if path == "/":
            script = (TEMPLATES / "watch.js").read_text(encoding="utf-8")
            return HTTPStatus.OK, "text/html", render_page(page.sections, page.title, script)
        if path == "/state":
            return HTTPStatus.OK, "application/json", page.to_json()
        if path in parts:
            section = parts[path]
            values = {"digest": section.digest, "html": section.html}
            return HTTPStatus.OK, "application/json", json.dumps(values)
        return HTTPStatus.NOT_FOUND, "text/plain", "There is nothing here.\n"

    def _answer(self, status: HTTPStatus, kind: str, text: str) -> None:
        data = to_utf8(text)
        with suppress(ConnectionError, TimeoutError):  # The browser closed the connection.
            self.send_response(status)
            self.send_header("Content-Type", f"{kind}; charset=utf-8")
            self.send_header("Content-Length", str(len(data)))
            self.send_header("Cache-Control", "no-store")
            self.send_header("X-Content-Type-Options", "nosniff")
            self.send_header("X-Frame-Options", "DENY")
            self.send_header("Referrer-Policy", "no-referrer")
            self.send_header("Cross-Origin-Resource-Policy", "same-origin")
            self.end_headers()
            self.wfile.write(data)

    def version_string(self) -> str:
        """Hide the versions of Python and of the server."""
        return "netgraph"

    def log_message(self, format: str, *args: object) -> None:
        """Print no requests, as a page sends one every second."""


def serve(directory: str | os.PathLike[str], port: int = 0) -> _Server:
    """Make a server of the page about a run directory, for this machine alone; `serve_forever` runs it.

    Args:
        directory: run directory; it need not exist yet.
        port: port on 127.0.0.1; 0 takes a free one, see `server_port`.

    Raises:
        OptionError: when the port cannot be used, when `directory` is a file, or when a package is missing.
    """
    path = Path(directory)
    if path.exists() and not path.is_dir():
        raise OptionError(f"{os.fspath(path)!r} is a file, not a run directory.")
    if not 0 <= port <= 65535:
        raise OptionError(f"--port {port} is not between 0 and 65535.")
    require_packages()
    try:
        return _Server(LivePage(path), port)
    except OSError as error:
        raise OptionError(
            f"Port {port} of {HOST} cannot be used ({error.strerror}); choose another by --port, or leave it out to "
            "get one that is free."
        ) from error


def watch(directory: str | os.PathLike[str], console: Console, *, port: int = 0, open_page: bool = False) -> None:
    """Serve the page about a run until Ctrl-C.

    Args:
        directory: run directory; it need not exist yet.
        console: console that shows the address.
        port: port on 127.0.0.1; 0 takes a free one.
        open_page: whether to open the page in a browser.

    Raises:
        OptionError: for the same reasons as in `serve`.
    """
    server = serve(directory, port)
    address = f"http://{HOST}:{server.server_port}/"
    try:
        where = os.fspath(directory)
        console.print(f"watching {where} at {address} (Ctrl-C ends it)", highlight=False, markup=False, soft_wrap=True)
        if not (Path(directory) / CONFIG).is_file():
            console.print("There is no run yet; the page waits for it.", highlight=False, markup=False)
        if open_page:
            webbrowser.open(address)
        server.serve_forever()
    except KeyboardInterrupt:
        console.print("watching ended", highlight=False, markup=False)
    finally:
        server.server_close()
