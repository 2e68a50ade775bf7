"""A recording that pages began: which file, how it goes, its end; and the folder that recordings are in."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Any, Final

from dcl_comms_core.errors import CommsError
from dcl_comms_station.board.asked import Refused
from dcl_comms_station.clean import clean
from dcl_comms_station.recording import InvalidRecording, Recording, RecordingStopped, open_recording

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Folder", "Taping"]

_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
_KINDS: Final = ("*.mcap", "*.mcap.part")
_LISTED: Final = 200


class Folder:
    """Recordings by number: pages name no files."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._numbers: dict[Path, int] = {}

    def list(self) -> list[dict[str, Any]]:
        """Those that are there, the newest first."""
        found = [path for kind in _KINDS for path in self._path.glob(kind) if path.is_file()]
        found.sort(key=lambda path: path.stat().st_mtime, reverse=True)
        return [self._told(path) for path in found[:_LISTED]]

    def _told(self, path: Path) -> dict[str, Any]:
        stat = path.stat()
        told: dict[str, Any] = {
            "n": self._numbers.setdefault(path, len(self._numbers) + 1),
            "name": clean(path.name, limit=100),
            "bytes": stat.st_size,
            "modified": stat.st_mtime,
            "seconds": None,
            "whole": path.suffix == ".mcap",
        }
        if told["whole"]:
            try:
                with open_recording(path) as reader:
                    told["seconds"], told["whole"] = round(max(reader.end - reader.start, 0.0), 1), reader.whole
            except (InvalidRecording, OSError):
                told["whole"] = False
        return told

    def add(self, path: Path) -> int:
        """The number of a file that is elsewhere."""
        return self._numbers.setdefault(path, len(self._numbers) + 1)

    def find(self, number: int) -> Path:
        """The file of a number.  Refused: there is none."""
        for path, known in self._numbers.items():
            if known == number and path.is_file():
                return path
        self.list()
        found = next((path for path, known in self._numbers.items() if known == number and path.is_file()), None)
        if found is None:
            raise Refused("not_found", "there is no such recording", field="recording")
        return found

    def new(self, name: str | None) -> Path:
        """A new file's path.  Refused: the name is none, or is taken."""
        if name is None:
            name = time.strftime("station-%Y%m%d-%H%M%S")
        if _NAME.fullmatch(name) is None:
            raise Refused("bad_request", "a name has letters, digits, - and _, 64 at most", field="name")
        path = self._path / f"{name}.mcap"
        if path.exists():
            raise Refused("bad_request", "there is a recording of this name", field="name")
        return path


class Taping:
    """A recording that goes on."""

    def __init__(self, path: Path, target: str) -> None:
        try:
            self.recording = Recording(path, about={"target": target})
        except (CommsError, OSError) as error:
            text = (error.strerror or "it can't be written") if isinstance(error, OSError) else str(error)
            raise Refused("failed", f"it can't be recorded: {clean(text, limit=200)}") from None
        self.path = path
        self._since = time.time()

    def told(self) -> dict[str, Any]:
        """As of STATE."""
        state = self.recording.state
        return {
            "name": self.path.name,
            "since": round(self._since, 3),
            "bytes": state.bytes,
            "packets": state.messages,
            "lost": state.lost,
            "error": state.error,
        }

    def finish(self) -> dict[str, Any]:
        """End it; it blocks until all is written.  Refused: it could not be."""
        try:
            state = self.recording.finish()
        except (RecordingStopped, InvalidRecording) as error:
            raise Refused("failed", clean(str(error), limit=300)) from None
        return {"name": self.path.name, "bytes": state.bytes, "packets": state.messages, "lost": state.lost}
