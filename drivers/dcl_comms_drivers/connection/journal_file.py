"""Where a connection's journal goes: nowhere, to a Journal, or to a file."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, ParamSpec, Protocol, TextIO, TypeVar

from dcl_comms_core.journal.record import Journal

if TYPE_CHECKING:
    from collections.abc import Callable

    from dcl_comms_core.limits import Limits

__all__ = ["JournalFile", "NewSession"]

P = ParamSpec("P")
S = TypeVar("S")


class NewSession(Protocol):
    """Makes a session of a class and its arguments."""

    def __call__(self, make: Callable[P, S], *args: P.args, **options: P.kwargs) -> S:
        """A session of this class."""
        ...


class JournalFile:
    """Makes the session of a connection, recorded where that was asked for.

    A file is made anew, for its owner only: it holds no secret, but everything that was said.  Each line is written out
    at once, so that it is there after a crash.
    """

    def __init__(self, where: Journal | str | os.PathLike[str] | None, limits: Limits) -> None:
        self._file: TextIO | None = None
        if where is None or isinstance(where, Journal):
            self._journal = where
        else:
            descriptor = os.open(where, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            self._file = open(descriptor, "w", buffering=1, encoding="ascii", newline="\n")  # noqa: SIM115, PTH123 - close() closes it
            self._journal = Journal(sink=self._write, limits=limits)

    def session(self, make: Callable[P, S], *args: P.args, **options: P.kwargs) -> S:
        """A session of this class and these arguments."""
        return make(*args, **options) if self._journal is None else self._journal.record(make, *args, **options)

    def _write(self, line: str) -> None:
        if self._file is not None:
            self._file.write(line)

    def close(self) -> None:
        """Close the file; what is called after that is not recorded."""
        file, self._file = self._file, None
        if file is not None:
            file.close()
