"""The MCAP file: channels with their schemas, messages in chunks, what is said of the whole."""

# mcap is typed in part only.
# mypy: disable-error-code="no-untyped-call"
# pyright: reportUnknownMemberType=false

from __future__ import annotations

import json
from base64 import b64decode
from functools import cache
from typing import TYPE_CHECKING, Final

from dcl_comms_drivers.extras import needs

with needs("station"):
    from mcap.writer import CompressionType, Writer

from dcl_comms_core.records.forms import event_schema
from dcl_comms_station.recording._gen.schemas import DELIVERY, FOXGLOVE

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import IO

__all__ = ["CHUNK_BYTES", "LIBRARY", "PROFILE", "Container"]

CHUNK_BYTES: Final = 262_144
"""A chunk is closed when it is as long, before it is compressed; or when it is flushed."""
PROFILE: Final = "dcl-comms"
LIBRARY: Final = "dcl-comms"
_JSON: Final = "json"
_PROTOBUF: Final = "protobuf"
_SETS: Final = {"dcl_comms.recording": DELIVERY, "foxglove": FOXGLOVE}


@cache
def _schema(name: str) -> tuple[str, bytes]:
    """A schema's encoding and text."""
    package = name.rpartition(".")[0]
    if package in _SETS:
        return _PROTOBUF, b64decode(_SETS[package])
    described = event_schema() if name == "dcl_comms.Event" else {"title": name}
    return "jsonschema", json.dumps({"type": "object", **described}).encode()


class Container:
    """An MCAP file that is written.  OSError: it can't be."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._writer = Writer(stream, chunk_size=CHUNK_BYTES, compression=CompressionType.ZSTD)
        self._writer.start(PROFILE, LIBRARY)
        self._schemas: dict[str, int] = {}
        self.count = 0
        """Messages, of all channels."""

    def channel(self, topic: str, schema: str) -> int:
        """The number of a new channel."""
        encoding, text = _schema(schema)
        number = self._schemas.get(schema)
        if number is None:
            number = self._schemas[schema] = self.schema(schema, encoding, text)
        return self.channel_of(topic, _PROTOBUF if encoding == _PROTOBUF else _JSON, number)

    def schema(self, name: str, encoding: str, text: bytes) -> int:
        """The number of a new schema."""
        number: int = self._writer.register_schema(name, encoding, text)
        return number

    def channel_of(self, topic: str, encoding: str, schema: int) -> int:
        """The number of a new channel of a schema's number."""
        return self._writer.register_channel(topic, encoding, schema)

    def add(self, channel: int, log_time: int, data: bytes, publish_time: int | None = None) -> None:
        """A message."""
        self.count += 1
        self._writer.add_message(channel, log_time, data, log_time if publish_time is None else publish_time)

    def say(self, name: str, values: Mapping[str, str]) -> None:
        """Metadata."""
        self._writer.add_metadata(name, dict(values))

    def attach(self, log_time: int, name: str, kind: str, data: bytes) -> None:
        """A file inside."""
        self._writer.add_attachment(log_time, log_time, name, kind, data)

    def flush(self) -> None:
        """Close the chunk, and give all of it to the system."""
        self._writer.flush()

    def finish(self) -> None:
        """Write the index.  Nothing may be added after it."""
        self._writer.finish()
