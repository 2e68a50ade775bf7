"""A recording that was cut, made whole: every message that can be read, in a new file with an index."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from dcl_comms_station.recording.container import Container
from dcl_comms_station.recording.problems import InvalidRecording, RecordingStopped
from dcl_comms_station.recording.reader import open_recording
from dcl_comms_station.recording.recorder import PART

if TYPE_CHECKING:
    from dcl_comms_station.recording.reader import RecordingReader

__all__ = ["recover", "recovered_name"]

_MODE: Final = 0o600


def recovered_name(path: Path) -> Path:
    """Where the whole copy of a recording goes: the name that it would have had, else one beside it."""
    if path.name.endswith(PART):
        return path.with_name(path.name.removesuffix(PART))
    return path.with_name(f"{path.stem}-recovered{path.suffix or '.mcap'}")


def recover(path: str | os.PathLike[str], to: str | os.PathLike[str] | None = None) -> tuple[Path, str]:
    """Write a whole copy of what can be read; the file itself stays.  Gives where the copy is, and what is to be said.

    InvalidRecording: it is no recording of ours.  RecordingStopped: the copy can't be written, or is there already.
    """
    source = Path(path)
    target = recovered_name(source) if to is None else Path(to)
    with open_recording(source) as recorded:
        try:
            number = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _MODE)
        except FileExistsError:
            raise RecordingStopped(f"{target} is there already") from None
        except OSError as problem:
            raise RecordingStopped(f"{target} can't be written: {problem.strerror}") from problem
        try:
            with os.fdopen(number, "wb") as stream:
                notice = _copy(recorded, Container(stream))
                stream.flush()
                os.fsync(stream.fileno())
        except OSError as problem:
            target.unlink()
            raise RecordingStopped(f"{target} can't be written: {problem.strerror}") from problem
        return target, notice


def _copy(recorded: RecordingReader, file: Container) -> str:
    parts = recorded.parts
    for name, values in parts.metadata:
        file.say(name, values)
    numbers: dict[int, int] = {}
    schemas: dict[int, int] = {}
    for old, schema in parts.schemas.items():
        schemas[old] = file.schema(*schema)
    notice = recorded.notice
    try:
        for message in recorded.messages():
            number = numbers.get(message.channel)
            if number is None:
                channel = parts.channels.get(message.channel)
                if channel is None:
                    continue
                number = file.channel_of(channel.topic, channel.encoding, schemas.get(channel.schema, 0))
                numbers[message.channel] = number
            file.add(number, message.log_time, message.data, message.publish_time)
    except InvalidRecording as problem:
        notice = f"ends early: {file.count:,} messages were saved; {problem}"
    file.finish()
    return notice
