"""Recordings that pages upload, through their sockets, into files of ours: pages name none."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from dcl_comms_station.board.asked import Refused

if TYPE_CHECKING:
    from dcl_comms_station.board.frames import Upload
    from dcl_comms_station.board.limits import StationLimits

__all__ = ["Uploads"]


@dataclass(slots=True)
class _Coming:
    page: int
    path: Path
    file: BinaryIO
    size: int
    come: int = 0
    pieces: int = 0
    broken: bool = False


class Uploads:
    """Those that come, and those that came: in a folder of their own, until the Station ends."""

    def __init__(self, limits: StationLimits) -> None:
        self._limits = limits
        self._folder: Path | None = None
        self._coming: dict[int, _Coming] = {}
        self._next = 1

    def begin(self, page: int, size: int) -> int:
        """The number of a new one.  Refused: it is too large, or there are too many."""
        if not 0 < size <= self._limits.upload_bytes:
            raise Refused("limit", f"a recording has {self._limits.upload_bytes} bytes at most", field="size")
        number = self._next
        if number > self._limits.uploads:
            raise Refused("limit", f"{self._limits.uploads} recordings are uploaded at most")
        self._next += 1
        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(prefix="dcl-comms-"))
        path = self._folder / f"uploaded-{number}.mcap"
        self._coming[number] = _Coming(page, path, path.open("xb"), size)
        return number

    def piece(self, page: int, piece: Upload) -> None:
        """A piece came.  What is out of order, or more than was announced, spoils the whole."""
        coming = self._coming.get(piece.number)
        if coming is None or coming.page != page or coming.broken:
            return
        if piece.seq != coming.pieces or coming.come + len(piece.data) > coming.size:
            coming.broken = True
            return
        coming.file.write(piece.data)
        coming.pieces += 1
        coming.come += len(piece.data)

    def end(self, page: int, number: int) -> Path:
        """All of it came; the file.  Refused: it did not."""
        coming = self._coming.pop(number, None)
        if coming is None or coming.page != page:
            raise Refused("not_found", "there is no such upload", field="upload")
        coming.file.close()
        if coming.broken or coming.come != coming.size:
            coming.path.unlink()
            raise Refused("failed", f"{coming.come} of {coming.size} bytes came, or not in order")
        return coming.path

    def close(self) -> None:
        """Remove all of them."""
        for coming in self._coming.values():
            coming.file.close()
        self._coming.clear()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
