"""What an event's contents take in memory: never less than they do, and the same on every version of Python.

A text takes four bytes a character once one of its characters does, however many bytes came in.
"""

from __future__ import annotations

from typing import Final

from dcl_comms_core.events import (
    ChatReceived,
    PacketReceived,
    PacketRejected,
    PeerIdentified,
    PeerMoved,
    ProfileReceived,
    SceneMessageReceived,
    VoiceReceived,
)

__all__ = ["SMALL", "text_weight", "weight"]

SMALL: Final = 256
"""Packets of up to this many bytes are not weighed: the objects of their events take more."""
_WIDEST: Final = 4
_TEXTS: Final[dict[type, tuple[str, ...]]] = {
    ChatReceived: ("text", "forwarded_from"),
    PacketReceived: (),  # has its bytes, and is decoded on first use where there are many
    PacketRejected: (),
    PeerMoved: (),
    ProfileReceived: ("serialized", "base_url"),
    SceneMessageReceived: ("scene_id",),
    VoiceReceived: (),
}
"""The texts of an event's kind; of kinds that are not here, each byte may be one of a text."""


def text_weight(text: str) -> int:
    """Bytes that a text takes at most."""
    return len(text) if text.isascii() else _WIDEST * len(text)


def weight(event: object) -> int:
    """Bytes that the contents of an event take at most, apart from its objects."""
    size: int = getattr(event, "size", 0)
    if size > SMALL:
        texts = _TEXTS.get(type(event))
        if texts is None:
            return _WIDEST * size
        for name in texts:
            text = getattr(event, name)
            if text:
                size += text_weight(text) - len(text)
    elif type(event) is PeerIdentified:
        return sum(weight(early) for early in event.early)
    return size
