"""Recording: a tap, and a thread that writes what the tap is told.  The room waits for neither."""

from __future__ import annotations

import os
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

from dcl_comms_station.recording.problems import RecordingStopped
from dcl_comms_station.recording.sieve import Sieve
from dcl_comms_station.recording.times import Times
from dcl_comms_station.recording.waiting import Waiting, write
from dcl_comms_station.recording.writer import RecordingWriter

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType
    from typing import BinaryIO

    from dcl_comms_core.peers import PeerId
    from dcl_comms_core.tap import Tap

__all__ = ["PART", "QUEUE_BYTES", "Recording", "RecordingState"]

QUEUE_BYTES: Final = 8_388_608
"""What may wait for the disk.  Beyond it observations are let go, and counted."""
PART: Final = ".part"
"""What a recording's name ends with until it is whole."""
_FLUSH_SECONDS: Final = 1.0
_SYNC_SECONDS: Final = 10.0
_MODE: Final = 0o600


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingState:
    """How a recording goes."""

    messages: int
    """Written until now."""
    bytes: int
    """Of the file, as far as it was flushed."""
    lost: int
    """Observations that were let go, because the disk was slower than the room."""
    error: str
    """Why it stopped; empty: it goes on, or is whole."""


class Recording:
    """Records a connection into an MCAP file: ``connect(..., tap=recording.tap)``, on any loop.

    The file is ``PATH.part``, readable by us alone, until ``finish()`` (or the end of ``with``) makes it whole and
    gives it its name.  Where the disk is full or slow the room goes on: the recording stops, or lacks what it says.

    ``about``: what the file says of itself, such as ``target``; without secrets.  ``shown``: a filter's text: which
    packets and events are kept; inputs, commands and acknowledgements then are not.  ``scene``: whether there is a
    channel for viewers in three dimensions.

    RecordingStopped: the file can't be made, or is there already.  InvalidFilter.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        about: Mapping[str, str] | None = None,
        shown: str | None = None,
        scene: bool = True,
        queue_bytes: int = QUEUE_BYTES,
    ) -> None:
        self._path = Path(path)
        self._part = self._path.with_name(self._path.name + PART)
        self._about = dict(about or {})
        self._scene = scene
        self._sieve = None if shown is None else Sieve(shown)
        self._tap = Waiting(queue_bytes)
        self._writer: RecordingWriter | None = None
        self._problem: Exception | None = None
        self._synced = self._flushed = 0.0
        self._size = 0
        self._done = self._discarded = False
        self._file = self._open()
        self._thread = threading.Thread(target=self._run, name="dcl-comms recording", daemon=True)
        self._thread.start()

    @property
    def path(self) -> Path:
        """Where it will be."""
        return self._path

    @property
    def tap(self) -> Tap:
        """What ``connect(tap=)`` is given; of one connection, or of several on one loop."""
        return self._tap

    @property
    def state(self) -> RecordingState:
        """How it goes."""
        return RecordingState(
            messages=0 if self._writer is None else self._writer.count,
            bytes=self._size,
            lost=self._tap.lost,
            error="" if self._problem is None else str(self._problem),
        )

    def note(self, at: float, values: Mapping[str, object]) -> None:
        """Put figures of the connection into the file: plain values, at a time of the host's clock."""
        self._tap.note(at, dict(values))

    def sound(self, at: float, who: PeerId, samples: bytes, *, rate: int = 48_000, channels: int = 1) -> None:
        """Put into the file what somebody is heard to say: 16-bit samples, at a time of the host's clock."""
        self._tap.sound(at, who, samples, rate, channels)

    def finish(self) -> RecordingState:
        """Write what waits, and the index, and give the file its name.  The second time it does nothing.

        RecordingStopped: it could not be written to its end.
        """
        if not self._done:
            self._done = True
            self._tap.close()
            self._thread.join()
        problem = self._problem
        if isinstance(problem, OSError):
            raise RecordingStopped(
                f"the recording stopped: {problem.strerror or problem}; what was saved is in {self._part.name}: "
                f"dcl-comms recover {self._part.name}"
            ) from problem
        if problem is not None:
            raise problem
        return self.state

    def discard(self) -> None:
        """Stop, and take the file away."""
        if not self._done:
            self._done = True
            self._discarded = True
            self._tap.refuse()
            self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.finish()
        except RecordingStopped as stopped:
            if error is None:
                raise
            error.add_note(str(stopped))

    # --- the file

    def _open(self) -> BinaryIO:
        for path in (self._path, self._part):
            if path.exists():
                what = " what was not finished: dcl-comms recover makes it whole" if path == self._part else ""
                raise RecordingStopped(f"{path.name} is there already{what and ':' + what}")
        try:
            number = os.open(self._part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0), _MODE)
        except OSError as problem:
            raise RecordingStopped(f"{self._part.name} can't be written: {problem.strerror}") from problem
        return os.fdopen(number, "wb")

    # --- the thread

    def _run(self) -> None:
        try:
            with self._file:
                self._write_all()
            if self._discarded:
                self._part.unlink()
            else:
                self._part.replace(self._path)
        except Exception as problem:  # noqa: BLE001 - whatever it is, finish() raises it
            self._problem = problem
            self._tap.refuse()

    def _write_all(self) -> None:
        closed = False
        while not closed:
            closed = self._tap.wait(self._wait())
            self._drain()
            self._save()
        writer = self._begun()
        gap = self._tap.last_gap()
        if gap is not None:
            writer.lost(*gap)
        writer.finish()
        self._file.flush()
        os.fsync(self._file.fileno())
        self._size = self._file.tell()

    def _wait(self) -> float | None:
        """Seconds until something is due; None: nothing is."""
        if self._writer is None or (not self._writer.dirty and self._synced >= self._flushed):
            return None
        due = self._flushed + _FLUSH_SECONDS if self._writer.dirty else self._synced + _SYNC_SECONDS
        return max(due - time.monotonic(), 0.0)

    def _drain(self) -> None:
        for kind, told in self._tap.take():
            write(self._begun(), kind, told)

    def _begun(self) -> RecordingWriter:
        writer = self._writer
        if writer is None:
            # Of one that is told nothing the host's clock is not known.
            times = Times.of(*(self._tap.began or (time.monotonic(), time.time())))
            keep = None if self._sieve is None else self._sieve.keep
            self._flushed = self._synced = time.monotonic()
            writer = self._writer = RecordingWriter(self._file, times, about=self._about, scene=self._scene, keep=keep)
        return writer

    def _save(self) -> None:
        writer, now = self._writer, time.monotonic()
        if writer is None:
            return
        if writer.dirty and now >= self._flushed + _FLUSH_SECONDS:
            writer.flush()
            self._size = self._file.tell()
            self._flushed = now
        if self._flushed > self._synced and now >= self._synced + _SYNC_SECONDS:
            os.fsync(self._file.fileno())
            self._synced = now
