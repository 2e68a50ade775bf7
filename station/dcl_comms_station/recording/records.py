"""The records of an MCAP file, read with a cut or damage anywhere in mind: https://mcap.dev/spec has their layouts."""

from __future__ import annotations

import os
import struct
import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, BinaryIO, Final, NamedTuple

from dcl_comms_drivers.extras import needs

with needs("station"):
    import zstandard

from dcl_comms_station.recording.problems import InvalidRecording

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Channel", "Chunk", "Message", "Parts", "Schema", "read_chunk", "scan"]

_MAGIC: Final = b"\x89MCAP0\r\n"
_HEAD: Final = struct.Struct("<BQ")
_MESSAGE: Final = struct.Struct("<HIQQ")
_CHUNK: Final = struct.Struct("<QQQI")
_TWO: Final = struct.Struct("<H")
_FOUR: Final = struct.Struct("<I")
_EIGHT: Final = struct.Struct("<Q")
_FOOTER, _SCHEMA, _CHANNEL, _IN_CHUNK, _OF_CHUNK, _INDEX = 2, 3, 4, 5, 6, 7
_STATISTICS, _METADATA = 0x0B, 0x0C
_SMALL: Final = {_SCHEMA, _CHANNEL, _STATISTICS, _METADATA}
_MOST: Final = 1 << 28
"""Bytes of a record, or of a chunk when it is decompressed, that are read at once."""


class Schema(NamedTuple):
    """What a channel's messages are."""

    name: str
    encoding: str
    data: bytes


class Channel(NamedTuple):
    """One topic."""

    topic: str
    encoding: str
    schema: int
    metadata: dict[str, str]


class Message(NamedTuple):
    """One message."""

    channel: int
    sequence: int
    log_time: int
    publish_time: int
    data: bytes


class Chunk(NamedTuple):
    """Where messages are."""

    at: int
    size: int
    start: int
    end: int
    channels: set[int]
    """Which have messages there; empty: not known."""


@dataclass
class Parts:
    """What is in a file, as far as it can be read."""

    whole: bool = False
    """It has its end, and its index."""
    reach: int = 0
    """Bytes until where it can be read."""
    count: int | None = None
    """Messages, where a whole file says it."""
    chunks: list[Chunk] = field(default_factory=list[Chunk])
    schemas: dict[int, Schema] = field(default_factory=dict[int, Schema])
    channels: dict[int, Channel] = field(default_factory=dict[int, Channel])
    metadata: list[tuple[str, dict[str, str]]] = field(default_factory=list[tuple[str, dict[str, str]]])


class _Bytes:
    """A record's content, taken from its front.  InvalidRecording: it is shorter than it says."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.at = 0

    def take(self, size: int) -> bytes:
        piece = self._data[self.at : self.at + size]
        if len(piece) != size:
            msg = "a record is shorter than it says"
            raise InvalidRecording(msg)
        self.at += size
        return piece

    def two(self) -> int:
        return int(_TWO.unpack(self.take(2))[0])

    def four(self) -> int:
        return int(_FOUR.unpack(self.take(4))[0])

    def eight(self) -> int:
        return int(_EIGHT.unpack(self.take(8))[0])

    def text(self) -> str:
        try:
            return self.take(self.four()).decode()
        except UnicodeDecodeError:
            msg = "a record's text is not UTF-8"
            raise InvalidRecording(msg) from None

    def texts(self) -> dict[str, str]:
        end = self.four() + self.at
        found: dict[str, str] = {}
        while self.at < end:
            name = self.text()
            found[name] = self.text()
        return found


def _take(parts: Parts, code: int, data: bytes) -> None:
    record = _Bytes(data)
    match code:
        case 0x03:
            number = record.two()
            name, encoding = record.text(), record.text()
            parts.schemas[number] = Schema(name, encoding, record.take(record.four()))
        case 0x04:
            number, schema = record.two(), record.two()
            parts.channels[number] = Channel(record.text(), record.text(), schema, record.texts())
        case 0x0B:
            parts.count = record.eight()
        case _:
            parts.metadata.append((record.text(), record.texts()))


def scan(file: BinaryIO) -> Parts:
    """What is there, by the heads of the records.  InvalidRecording: it is no MCAP file."""
    size = os.fstat(file.fileno()).st_size
    file.seek(0)
    begin = file.read(len(_MAGIC))
    if begin != _MAGIC[: len(begin)]:
        msg = "this is no MCAP file"
        raise InvalidRecording(msg)
    parts = Parts()
    at = len(_MAGIC)
    while size - at >= _HEAD.size:
        parts.reach = at
        file.seek(at)
        code, length = _HEAD.unpack(file.read(_HEAD.size))
        body, at = at + _HEAD.size, at + _HEAD.size + length
        if at > size or (code in _SMALL and length > _MOST):
            return parts
        try:
            if code == _OF_CHUNK:
                start, end, _, _ = _CHUNK.unpack(_Bytes(file.read(min(length, _CHUNK.size))).take(_CHUNK.size))
                parts.chunks.append(Chunk(body, length, start, end, set()))
            elif code == _INDEX and parts.chunks:
                parts.chunks[-1].channels.add(_Bytes(file.read(2)).two())
            elif code in _SMALL:
                _take(parts, code, file.read(length))
            elif code == _FOOTER:
                file.seek(at)
                parts.whole = file.read() == _MAGIC
                parts.reach = size if parts.whole else parts.reach
                return parts
        except InvalidRecording:
            return parts
    return parts


def read_chunk(file: BinaryIO, chunk: Chunk, parts: Parts | None = None) -> Iterator[Message]:
    """A chunk's messages.  ``parts``: takes the schemas and channels that are in it.

    InvalidRecording: it is damaged, or compressed in another way than ours.
    """
    file.seek(chunk.at)
    record = _Bytes(file.read(chunk.size))
    size, check = _CHUNK.unpack(record.take(_CHUNK.size))[2:]
    compression = record.text()
    data = _decompress(compression, record.take(record.eight()), size)
    if check and zlib.crc32(data) != check:
        msg = f"the chunk at byte {chunk.at} is damaged"
        raise InvalidRecording(msg)
    at, end = 0, len(data)
    while end - at >= _HEAD.size:
        code, length = _HEAD.unpack_from(data, at)
        body, at = at + _HEAD.size, at + _HEAD.size + length
        if at > end or (code == _IN_CHUNK and length < _MESSAGE.size):
            msg = f"the chunk at byte {chunk.at} is damaged"
            raise InvalidRecording(msg)
        if code == _IN_CHUNK:
            channel, sequence, log_time, publish_time = _MESSAGE.unpack_from(data, body)
            yield Message(channel, sequence, log_time, publish_time, data[body + _MESSAGE.size : at])
        elif parts is not None and code in {_SCHEMA, _CHANNEL}:
            _take(parts, code, data[body:at])


def _decompress(compression: str, data: bytes, size: int) -> bytes:
    if size > _MOST:
        msg = f"a chunk of {size} bytes is none of ours"
        raise InvalidRecording(msg)
    if not compression:
        return data
    if compression != "zstd":
        raise InvalidRecording(f"a chunk is compressed by {compression[:20]!r}: only zstd is read")
    try:
        if zstandard.frame_content_size(data) > size:
            msg = "a chunk is longer than it says"
            raise InvalidRecording(msg)
        return zstandard.decompress(data, size)
    except zstandard.ZstdError as error:
        raise InvalidRecording(f"a chunk is damaged: {error}") from None
