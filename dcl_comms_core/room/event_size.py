"""What an event takes in memory: never less than its contents do, and the same on every version of Python.

A text takes four bytes a character once one of its characters does, however many bytes came in.  Events that are not
about a packet are weighed by everything that they hold: a server may put a crowd of peers, or a text, into any of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass
from typing import Final, cast

from dcl_comms_core.adapters.token import AccessToken
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
from dcl_comms_core.peers import PeerId

__all__ = ["SMALL", "text_weight", "weight"]

SMALL: Final = 256
"""Packets of up to this many bytes all weigh this: the objects of their events take more than the packets."""
_OBJECT: Final = 64
"""What the object of a value takes beside its contents."""
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
    """Bytes that an event takes, as far as they depend on its contents."""
    size: int = getattr(event, "size", -1)
    if size > SMALL:
        texts = _TEXTS.get(type(event))
        if texts is None:
            return _WIDEST * size
        for name in texts:
            text = getattr(event, name)
            if text:
                size += text_weight(text) - len(text)
        return size
    if size >= 0:
        return SMALL
    if type(event) is PeerIdentified:
        return SMALL + sum(weight(early) for early in event.early)
    return SMALL + _held_by(event)


def _held_by(value: object) -> int:
    if not is_dataclass(value) or isinstance(value, type):
        return 0
    held = [_held(getattr(value, one.name)) for one in fields(value)]
    return sum(held)


def _held(value: object) -> int:
    """What a value of an event's takes."""
    if isinstance(value, str):
        return _OBJECT + text_weight(value)
    if isinstance(value, PeerId):
        # As it came and in lower case.
        return 4 * _OBJECT + 2 * text_weight(value.text)
    if isinstance(value, tuple | frozenset):
        return _OBJECT + sum(map(_held, cast("Iterable[object]", value)))
    if isinstance(value, Mapping):
        pairs = cast("Mapping[object, object]", value).items()
        return _OBJECT + sum(2 * _OBJECT + _held(name) + _held(content) for name, content in pairs)
    if isinstance(value, AccessToken):
        # And what it says, read.
        return _OBJECT + 4 * len(value.reveal())
    return _OBJECT + _held_by(value)
