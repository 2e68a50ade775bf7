"""The clocks of chat messages.

Unity and Godot stamp a chat message with an OLE automation date (days since 1899-12-30), Bevy with seconds since the
program started, others with unix seconds or milliseconds.  The four ranges do not overlap for any date of this century
that matters, so a reader can tell them apart.

Three control characters mark texts that are no chat: U+2410 an emote of old clients (``\u2410{urn} {unix_ms}``, which
the only client that still sends it sends beside a PlayerEmote), U+2411 and U+2406 requests and answers of others.
Unity drops every message that holds one of them, and so does a RoomSession, which counts it as ``dropped.control``.

Private messages come with our own identity as topic.  A community's messages come from its message router, with the
community's channel as topic and the author in ``forwarded_from``, which anybody else could write too.
"""

from __future__ import annotations

import re
from typing import Final

from dcl_comms_core.peers import PeerId

__all__ = [
    "AUTHORITATIVE_SERVER",
    "COMMUNITY_ROUTER",
    "author_of",
    "chat_sent_at",
    "chat_timestamp",
    "has_control",
    "is_hidden",
    "message_id",
]

AUTHORITATIVE_SERVER: Final = PeerId("authoritative-server")
"""The server of a scene that has one: what the scene sends goes to it alone, and all it sends is scene messages."""
COMMUNITY_ROUTER: Final = PeerId("message-router-prd-0")
"""Where the explorers send a community's messages, in the room of private messages."""

_ROUTER: Final = re.compile(r"message-router-(?:prd|dev|local)-[0-9]{1,4}\Z")
_CONTROL: Final = re.compile("[\u2406\u2410\u2411]")

_OLE_EPOCH: Final = 25_569.0
"""The unix epoch as an OLE automation date."""
_DAY: Final = 86_400.0
_OLE_FROM, _OLE_TO = 40_000.0, 80_000.0
_SECONDS_FROM: Final = 1e9
_MILLISECONDS_FROM, _MILLISECONDS_TO = 1e11, 1e14


def chat_timestamp(unix_now: float) -> float:
    """The stamp to send: an OLE automation date, which Unity and Godot expect."""
    return unix_now / _DAY + _OLE_EPOCH


def chat_sent_at(timestamp: float) -> float | None:
    """Unix seconds of a received stamp, or None when it counts from an origin that only the sender knows."""
    if _OLE_FROM < timestamp < _OLE_TO:
        return (timestamp - _OLE_EPOCH) * _DAY
    if _SECONDS_FROM <= timestamp < _MILLISECONDS_FROM:
        return timestamp
    if _MILLISECONDS_FROM <= timestamp < _MILLISECONDS_TO:
        return timestamp / 1000.0
    return None


def has_control(text: str) -> bool:
    """Whether a text has one of the characters that mark it as no chat."""
    return not text.isascii() and _CONTROL.search(text) is not None


def author_of(sender: PeerId | None, claim: str | None) -> PeerId | None:
    """The author of a message that may have been relayed: only a message router's claim is trusted.

    None: nobody knows, or a router relays for what is no wallet address.
    """
    if not claim or sender is None or not _ROUTER.match(sender.text):
        return sender
    author = PeerId(claim)
    return None if author.address is None else author


def is_hidden(who: PeerId) -> bool:
    """Whether this is a service that nobody sees in a room, a message router or a scene's server, and writes to."""
    return who == AUTHORITATIVE_SERVER or _ROUTER.match(who.text) is not None


def message_id(author: PeerId, timestamp: float) -> str:
    """What Unity calls a chat message when somebody reacts to it: ``{address}:{timestamp}``."""
    # A whole number has no ".0" in C#.
    return f"{author.address or author.text}:{repr(timestamp).removesuffix('.0')}"
