"""Standard output and error streams that survive any file name and a closed pipe."""

from __future__ import annotations

import codecs
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TextIO, cast

from netgraph.storage import readable

_SHOWN = "netgraph.shown"
"""Name of the way in which characters that a stream cannot encode are written."""


class _Patient:
    """A stream that goes on without its reader: what cannot be written any more is dropped.

    Args:
        stream: the stream, of which everything else is as it was.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.failure: OSError | None = None
        """Error of the first write that failed."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Write a text, or nothing when writing has failed once."""
        if self.failure is None:
            try:
                return self._stream.write(text)
            except OSError as error:
                self._fail(error)
        return len(text)

    def flush(self) -> None:
        """Flush the stream, unless writing has failed once."""
        if self.failure is None:
            try:
                self._stream.flush()
            except OSError as error:
                self._fail(error)

    def _fail(self, error: OSError) -> None:
        self.failure = error
        # The rest of the buffer is flushed when Python ends, and would fail again.
        with suppress(OSError, ValueError):
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, self._stream.fileno())
            os.close(null)


class Output:
    """The output of a command, and whether it arrived.

    Args:
        out: standard output; None where there is none.
    """

    def __init__(self, out: _Patient | None) -> None:
        self._out = out

    @property
    def failure(self) -> OSError | None:
        """Error that stopped the output of the command, or None. A reader that has left is a `BrokenPipeError`."""
        if self._out is None:
            return None
        self._out.flush()
        return self._out.failure

    @property
    def closed(self) -> bool:
        """Whether its reader has left, as `head` does, which had enough of it."""
        return isinstance(self.failure, BrokenPipeError)

    def report(self, directory: Path | None) -> None:
        """Say that output of a command that has done its work is missing.

        Args:
            directory: where its results are; None when the output was all, and then nothing is said when a
                reader has closed it.
        """
        if self.failure is None or (self.closed and directory is None):
            return
        what = "was closed" if self.closed else f"could not be written ({self.failure.strerror})"
        where = f"; the results in {readable(os.fspath(directory))!r} are complete" if directory is not None else ""
        print(f"standard output {what} before the end{where}", file=sys.stderr)


def remark_names(arguments: Sequence[str]) -> None:
    """Say which names of files cannot be shown as they are; they are used, and kept, as they are."""
    for shown in (readable(text) for text in arguments if readable(text) != text):
        if "\ufffd" in shown:
            print(f"note: the name {shown!r} is not Unicode; \ufffd stands for what is not", file=sys.stderr)


@contextmanager
def patient_streams() -> Iterator[Output]:
    """Put streams in the place of `sys.stdout` and `sys.stderr` that never fail.

    Characters that they cannot encode, in names of files above all, become U+FFFD, or ? in other
    encodings than UTF-8. A reader that goes away, as `head` does, or a full disk does not stop what the command does.
    """
    codecs.register_error(_SHOWN, _replacement)
    before = sys.stdout, sys.stderr
    errors = [getattr(stream, "errors", None) for stream in before]
    patient = [_Patient(stream) if stream is not None else None for stream in before]
    for stream in before:
        _set_errors(stream, _SHOWN)
    sys.stdout, sys.stderr = cast(TextIO, patient[0]), cast(TextIO, patient[1])
    try:
        yield Output(patient[0])
    finally:
        for written in patient:
            if written is not None:
                written.flush()
        sys.stdout, sys.stderr = before
        for stream, name in zip(before, errors, strict=True):
            _set_errors(stream, name)


def _set_errors(stream: TextIO | None, name: str | None) -> None:
    reconfigure = getattr(stream, "reconfigure", None)
    if reconfigure is not None and name is not None:
        with suppress(ValueError, OSError):  # closed, or its reader has gone
            reconfigure(errors=name)


def _replacement(error: UnicodeError) -> tuple[str | bytes, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    count = error.end - error.start
    if error.encoding.lower().replace("_", "-") in ("utf-8", "utf8"):
        return "\ufffd".encode() * count, error.end  # As bytes: of texts its encoder takes ASCII alone.
    return "?" * count, error.end
