"""Downloads: a link that nobody can guess, for one time and a minute; and the files that are made for them."""

from __future__ import annotations

import secrets
import shutil
import tempfile
from collections import OrderedDict, deque
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from dcl_comms_station.board.asked import Refused
from dcl_comms_station.clean import clean
from dcl_comms_station.recording import open_recording
from dcl_comms_station.recording.export import csv_lines, ndjson_lines, plain_rows

if TYPE_CHECKING:
    from collections.abc import Callable

    from dcl_comms_station.board.limits import StationLimits

__all__ = ["FORMS", "Exports", "Link", "Links"]

_SECONDS: Final = 60.0
FORMS: Final = {"ndjson": ndjson_lines, "csv": csv_lines}
"""What is made of recordings, with its lines."""


class Link(NamedTuple):
    """What it leads to."""

    path: Path
    name: str
    until: float
    is_ours: bool
    """Whether the file was made for it, and goes once it was taken."""


class Links:
    """Those that nobody took yet, at most ``most``."""

    def __init__(self, most: int, now: Callable[[], float]) -> None:
        self._most, self._now = most, now
        self._links: OrderedDict[str, Link] = OrderedDict()

    def make(self, path: Path, name: str, *, is_ours: bool = False) -> str:
        """The path of a new one.  ``is_ours``: see Link."""
        key = secrets.token_urlsafe(32)
        self._links[key] = Link(path, name, self._now() + _SECONDS, is_ours)
        while len(self._links) > self._most:
            self._links.popitem(last=False)
        return f"/download/{key}"

    def pop(self, key: str, keep: bool = False) -> Link | None:  # noqa: FBT001, FBT002 - said beside a dict's pop
        """What a link leads to, once; ``keep``: it was only asked about."""
        link = self._links.get(key) if keep else self._links.pop(key, None)
        return None if link is None or self._now() > link.until else link


class Exports:
    """Recordings as lines of text, each a file until it was taken, ``limits.exports`` of them at most."""

    def __init__(self, limits: StationLimits) -> None:
        self._limits = limits
        self._folder: Path | None = None
        self._made: deque[Path] = deque()
        self._next = 1

    def new(self, form: str) -> Path:
        """Where the next one will be; the oldest goes for it.  Refused: there is no place for it."""
        if self._folder is None:
            try:
                self._folder = Path(tempfile.mkdtemp(prefix="dcl-comms-"))
            except OSError as error:
                raise _unwritten(error) from None
        while len(self._made) >= self._limits.exports:
            self._made.popleft().unlink(missing_ok=True)
        path = self._folder / f"export-{self._next}.{form}"
        self._next += 1
        self._made.append(path)
        return path

    def write(self, recording: Path, path: Path, *, shown: str | None, redact: bool) -> str:
        """Write it, as the name's end says; it blocks.  What is to be said of it, or nothing.

        ``shown`` and ``redact``: as of ``plain_rows``.  Refused: it can't be written, or is too long.  InvalidFilter;
        InvalidRecording.
        """
        try:
            return self._write(recording, path, shown, redact)
        except OSError as error:
            path.unlink(missing_ok=True)
            raise _unwritten(error) from None
        except BaseException:
            path.unlink(missing_ok=True)
            raise

    def _write(self, recording: Path, path: Path, shown: str | None, redact: bool) -> str:  # noqa: FBT001
        left = self._limits.export_bytes
        with open_recording(recording) as recorded, path.open("xb") as file:
            for line in FORMS[path.suffix[1:]](plain_rows(recorded, shown=shown, redact=redact)):
                data = f"{line}\n".encode()
                left -= len(data)
                if left < 0:
                    raise Refused("limit", f"an export has {self._limits.export_bytes} bytes at most", fix="filter it")
                file.write(data)
            unread = f"{recorded.unread} messages are of a newer version, and were not read" if recorded.unread else ""
            return "; ".join(said for said in (recorded.notice, unread) if said)

    def close(self) -> None:
        """Remove all of them."""
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)


def _unwritten(error: OSError) -> Refused:
    return Refused("failed", f"it can't be written: {clean(error.strerror or str(error), limit=200)}")
