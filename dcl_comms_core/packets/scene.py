"""The framing of a scene's messages: the first byte of ``Scene.data`` says what the rest is.

====  ============  ==========================================================================================
byte  framing       the rest
====  ============  ==========================================================================================
1     STRING        UTF-8: what a scene gave to its message bus, JSON as a rule
2     BINARY        bytes; of the SDK's own, the next byte tells: 1 state, 2 request for it, 3 answer to that
3     COMMS_DATA    length of a topic (2 bytes, little end first), the topic, data; both UTF-8.  Only Unity
else  UNFRAMED      the whole is a text, of an old sender.  Bevy reads it so, Unity drops it
====  ============  ==========================================================================================
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final

from dcl_comms_core.errors import LocalProtocolError

__all__ = ["SceneContent", "SceneFraming", "frame_binary", "frame_comms_data", "frame_string", "read_scene_data"]

_STRING, _BINARY, _COMMS_DATA = 1, 2, 3
_TOPIC_START: Final = 3
_TOPIC_BYTES: Final = 512
"""Unity reads no longer topic."""


class SceneFraming(Enum):
    """How a scene's message is framed."""

    STRING = "string"
    BINARY = "binary"
    COMMS_DATA = "comms data"
    UNFRAMED = "unframed"
    EMPTY = "empty"
    """No bytes; the explorers drop it."""
    MALFORMED = "malformed"
    """Invalid for its first byte; the explorers drop it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SceneContent:
    """A scene's message, read."""

    framing: SceneFraming
    payload: bytes
    """Without the framing; of EMPTY and MALFORMED: all of it."""
    text: str = ""
    """The payload as text, for STRING, COMMS_DATA and UNFRAMED (there, what is not UTF-8 became U+FFFD)."""
    topic: str = ""
    """For COMMS_DATA."""


def read_scene_data(data: bytes) -> SceneContent:
    """What ``Scene.data`` holds.  Never raises."""
    if not data:
        return SceneContent(framing=SceneFraming.EMPTY, payload=b"")
    first, rest = data[0], data[1:]
    if first == _BINARY:
        return SceneContent(framing=SceneFraming.BINARY, payload=rest)
    if first not in {_STRING, _COMMS_DATA}:
        return SceneContent(framing=SceneFraming.UNFRAMED, payload=data, text=data.decode(errors="replace"))
    try:
        if first == _STRING:
            return SceneContent(framing=SceneFraming.STRING, payload=rest, text=rest.decode())
        end = _TOPIC_START + int.from_bytes(data[1:_TOPIC_START], "little")
        if len(data) >= _TOPIC_START and end <= min(len(data), _TOPIC_START + _TOPIC_BYTES):
            topic, payload = data[_TOPIC_START:end].decode(), data[end:]
            return SceneContent(framing=SceneFraming.COMMS_DATA, payload=payload, text=payload.decode(), topic=topic)
    except UnicodeDecodeError:
        pass
    return SceneContent(framing=SceneFraming.MALFORMED, payload=data)


def frame_string(text: str) -> bytes:
    """A text for a scene's message bus."""
    return bytes([_STRING]) + _utf8(text)


def frame_binary(payload: bytes) -> bytes:
    """Bytes for a scene."""
    return bytes([_BINARY]) + payload


def frame_comms_data(topic: str, text: str) -> bytes:
    """A text on a topic, for scenes that run in Unity.  LocalProtocolError: the topic is longer than 512 bytes."""
    name = _utf8(topic)
    if len(name) > _TOPIC_BYTES:
        msg = f"a topic of {len(name)} bytes: Unity reads none that is longer than {_TOPIC_BYTES}"
        raise LocalProtocolError(msg)
    return bytes([_COMMS_DATA]) + len(name).to_bytes(2, "little") + name + _utf8(text)


def _utf8(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        msg = "the text holds half a surrogate pair, which UTF-8 can't carry"
        raise LocalProtocolError(msg) from None
