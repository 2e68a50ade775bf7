"""Where a connection's journal goes: nowhere, to a Journal, or to a file."""

from __future__ import annotations

import tempfile
from contextlib import suppress
from io import FileIO
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, ParamSpec, Protocol, TypeVar

from dcl_comms_core.errors import LocalProtocolError

if TYPE_CHECKING:
    from collections.abc import Callable

    from dcl_comms_core.journal.record import Journal
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

    A file is made anew, for its owner only: it holds no secret, but everything that was said.  It takes the place of
    what had its name, be it wider or a link, whose target stays as it is.  Each line is written out at once, so that it
    is there after a crash.  Where the disk takes no more, recording ends, and ``stopped`` is called: nothing else does.
    """

    def __init__(
        self, where: Journal | str | PathLike[str] | None, limits: Limits, *, stopped: Callable[[], None]
    ) -> None:
        self.problem: str | None = None
        """Why recording ended before the connection did; holds no secret."""
        self._stopped = stopped
        self._file: FileIO | None = None
        self._journal: Journal | None
        if isinstance(where, str | PathLike):
            from dcl_comms_core.journal.record import Journal  # noqa: PLC0415 - for the few who record

            self._file = _made_anew(Path(where))
            self._journal = Journal(sink=self._write, limits=limits)
        else:
            self._journal = where

    def session(self, make: Callable[P, S], *args: P.args, **options: P.kwargs) -> S:
        """A session of this class and these arguments."""
        return make(*args, **options) if self._journal is None else self._journal.record(make, *args, **options)

    def _write(self, line: str) -> None:
        file = self._file
        if file is None:
            return
        data, whole = line.encode("ascii"), file.tell()
        try:
            while data:
                # A disk that is nearly full takes the beginning of a line.
                data = data[file.write(data) :]
        except OSError as error:
            self._file = None
            self.problem = f"the journal ends here, its file can't be written: {error.strerror}"
            self._stopped()
            # Without the beginning of a line, if even that can be had.
            with suppress(OSError):
                file.truncate(whole)
            with suppress(OSError):
                file.close()

    def close(self) -> None:
        """Close the file; what is called after that is not recorded."""
        file, self._file = self._file, None
        if file is not None:
            file.close()


def _made_anew(path: Path) -> FileIO:
    """A new file of this name, open for writing.  LocalProtocolError: what has the name is no file or link."""
    if path.exists() and not path.is_file():
        msg = f"journal= names a file to make anew, and {path} is none"
        raise LocalProtocolError(msg)
    # mkstemp makes it exclusively, through no link, and for its owner only; then it takes the name all at once.
    descriptor, made = tempfile.mkstemp(prefix=f".{path.name[:64]}.", dir=path.parent)
    file = FileIO(descriptor, "w")
    try:
        Path(made).replace(path)
    except BaseException:
        file.close()
        Path(made).unlink()
        raise
    return file
