"""Recordings read: what was observed, in order or from a moment on; whole ones, and those that were cut anywhere.

Only the heads of the file's records are read when it is opened; of one without an end, all of it, once.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Self

from dcl_comms_core.errors import InvalidRecord
from dcl_comms_core.tools.labels import Label
from dcl_comms_station.recording import packets, steps
from dcl_comms_station.recording.observed import Keyframe
from dcl_comms_station.recording.problems import InvalidRecording
from dcl_comms_station.recording.records import read_chunk, scan
from dcl_comms_station.recording.times import Times

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterator, Mapping
    from types import TracebackType

    from dcl_comms_core.tap import Tap
    from dcl_comms_station.recording.observed import Observation
    from dcl_comms_station.recording.records import Message, Parts

    Read = Callable[[bytes, int, Times, Callable[[str], str]], Observation]

__all__ = ["RecordingReader", "open_recording"]

_NANO: Final = 1_000_000_000
_KEYFRAME: Final = "dcl_comms.Keyframe"
_READ: Final[Mapping[str, Read]] = {
    "dcl_comms.recording.Delivery": packets.read_delivery,
    "dcl_comms.recording.Told": packets.read_told,
    "dcl_comms.Acknowledged": steps.read_acknowledged,
    "dcl_comms.Event": steps.read_event,
    "dcl_comms.Step": steps.read_step,
    "dcl_comms.Gap": steps.read_lost,
    "dcl_comms.Stats": steps.read_noted,
    _KEYFRAME: steps.read_keyframe,
}
"""By schema.  What others have was made of these, for viewers."""


class RecordingReader:
    """A recording that is open.  Close it, or use it in ``with``.

    InvalidRecording: it can't be read, is none of ours, or was cut before anything was recorded.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = Path(path)
        self._labels: dict[str, str] = {}
        try:
            self._file = self._path.open("rb")
        except OSError as problem:
            raise InvalidRecording(f"{self._path.name} can't be read: {problem.strerror}") from None
        try:
            self._parts = scan(self._file)
            self._count = self._parts.count if self._parts.whole else None
            if self._count is None:
                self._count = self._read_all()
            said = self._session()
        except BaseException:
            self._file.close()
            raise
        self._about = MappingProxyType(said)
        self._times = Times(int(said["unix_ns"][:20]))
        self.unread = 0
        """Messages that could not be read until now: of a newer version, say."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    @property
    def path(self) -> Path:
        """Where it is."""
        return self._path

    @property
    def about(self) -> Mapping[str, str]:
        """What it says of itself: ``format``, ``unix_ns``, and what ``Recording(about=)`` was given."""
        return self._about

    @property
    def parts(self) -> Parts:
        """Its chunks, channels and schemas."""
        return self._parts

    @property
    def unix_offset(self) -> float:
        """What makes unix seconds of the seconds of the host's clock, as of ClockSet."""
        return self._times.unix_offset

    @property
    def start(self) -> float:
        """Unix seconds of the first message; of an empty recording 0."""
        return min((chunk.start for chunk in self._parts.chunks), default=0) / _NANO

    @property
    def end(self) -> float:
        """Unix seconds of the last message."""
        return max((chunk.end for chunk in self._parts.chunks), default=0) / _NANO

    @property
    def count(self) -> int:
        """Messages, those for viewers too."""
        return self._count or 0

    @property
    def whole(self) -> bool:
        """Whether it was finished."""
        return self._parts.whole

    @property
    def notice(self) -> str:
        """What is to be said of one that was not finished; else empty."""
        if self.whole:
            return ""
        until = datetime.fromtimestamp(self.end, UTC).astimezone().strftime("%H:%M:%S")
        saved = f"{self.count:,} messages until {until} were saved" if self.count else "nothing was saved"
        return f"ends early: {saved}"

    def observations(self, since: float | None = None) -> Iterator[Observation]:
        """What was observed, in the order in which it was.

        ``since``: unix seconds: a Keyframe comes first, the last before that moment, and then all that followed it.
        InvalidRecording: the file is damaged here.
        """
        first, skip = (0, 0) if since is None else self._keyframe(since)
        for index in range(first, len(self._parts.chunks)):
            for number, message in enumerate(read_chunk(self._file, self._parts.chunks[index])):
                if index == first and number < skip:
                    continue
                seen = self._read(message)
                begins = since is not None and index == first and number == skip
                if seen is not None and (begins or not isinstance(seen, Keyframe)):
                    yield seen

    def tell(self, tap: Tap, since: float | None = None) -> None:
        """Tell a tap all of it, as it was told when it was recorded."""
        for seen in self.observations(since):
            seen.tell(tap)

    def messages(self) -> Iterator[Message]:
        """Every message as it is in the file.  InvalidRecording: the file is damaged here."""
        for chunk in self._parts.chunks:
            yield from read_chunk(self._file, chunk)

    # --- parts

    def _session(self) -> dict[str, str]:
        said = dict(self._parts.metadata).get("session", {})
        if said.get("format") != "1" or not said.get("unix_ns", "").lstrip("-").isdecimal():
            cut = "" if self._parts.whole else ", or it ends before anything was recorded"
            raise InvalidRecording(f"{self._path.name} is no recording of dcl-comms{cut}")
        return said

    def _read_all(self) -> int:
        """Of a file without an end: count what can be read, and forget the rest."""
        count = 0
        for index, chunk in enumerate(self._parts.chunks):
            try:
                messages = list(read_chunk(self._file, chunk, self._parts))
            except InvalidRecording:
                del self._parts.chunks[index:]
                break
            count += len(messages)
            chunk.channels.update(message.channel for message in messages)
        return count

    def _schema(self, message: Message) -> str:
        channel = self._parts.channels.get(message.channel)
        schema = None if channel is None else self._parts.schemas.get(channel.schema)
        return "" if schema is None else schema.name

    def _read(self, message: Message) -> Observation | None:
        read = _READ.get(self._schema(message))
        if read is None:
            return None
        try:
            return read(message.data, message.log_time, self._times, self._label)
        except (InvalidRecord, InvalidRecording):
            self.unread += 1
            return None

    def _label(self, room: str) -> str:
        label = self._labels.get(room)
        if label is None:
            label = self._labels[room] = Label.of(room, self._times.unix_offset)
        return label

    def _keyframe(self, since: float) -> tuple[int, int]:
        """The chunk, and the message in it, of the last keyframe until then."""
        wanted = round(since * _NANO)
        keyframes = {
            number for number, channel in self._parts.channels.items() if self._named(channel.schema) == _KEYFRAME
        }
        for index in range(len(self._parts.chunks) - 1, -1, -1):
            chunk = self._parts.chunks[index]
            if chunk.start <= wanted and chunk.channels & keyframes:
                there = [
                    number
                    for number, message in enumerate(read_chunk(self._file, chunk))
                    if message.channel in keyframes and message.log_time <= wanted
                ]
                if there:
                    return index, there[-1]
        return 0, 0

    def _named(self, schema: int) -> str:
        found = self._parts.schemas.get(schema)
        return "" if found is None else found.name


def open_recording(path: str | os.PathLike[str]) -> RecordingReader:
    """Open a recording for reading: see RecordingReader."""
    return RecordingReader(path)
