"""What we may send: nothing that our own receive would refuse.

A packet goes through the reader of its kind, as it will at whoever gets it, and what bounds its texts there bounds them
here.  Bytes that are sent as they are stay as they are.
"""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING, Final

from dcl_comms_core.errors import LocalProtocolError, PacketTooLarge
from dcl_comms_core.packets.conventions import EMOJIS
from dcl_comms_core.packets.readers import READERS, Unacceptable
from dcl_comms_core.tools.arguments import require

if TYPE_CHECKING:
    from dcl_comms_core.limits import Limits
    from dcl_comms_core.proto import rfc4

__all__ = ["check_chat", "check_message_id", "check_packet", "check_urn"]

_REFUSED: Final = frozenset({"position", "movement", "chat", "player_emote", "reaction", "chat_reaction"})
"""Kinds of which a reader or a judge rejects some."""


def check_packet(packet: rfc4.Packet, kind: str | None, limits: Limits) -> None:
    """Raise for a packet of this kind that whoever gets it would reject.  It can be encoded.

    PacketTooLarge: a text in it is too long; LocalProtocolError: another value is out of its range.
    """
    if kind is None or kind not in _REFUSED:
        return
    message = getattr(packet, kind)
    try:
        READERS[kind](0.0, "", None, False, "", message)
    except Unacceptable as problem:
        msg = f"a {kind} that whoever gets it would reject: {problem.reason.value}"
        raise LocalProtocolError(msg) from None
    if kind == "chat":
        check_chat(message.message, limits)
    elif kind == "player_emote":
        _check_length(message.urn, limits.urn_chars, "an emote's URN", "urn_chars")
    elif kind == "chat_reaction":
        index = message.emoji_index
        _check_emoji(~index if index < 0 else index)
        _check_length(message.message_id, limits.message_id_chars, "a message's id", "message_id_chars")
    elif kind == "reaction":
        _check_emoji(message.emoji_index)


def check_chat(text: str, limits: Limits) -> None:
    """PacketTooLarge: whoever gets this text would reject it."""
    _check_length(text, limits.chat_chars, "a chat message", "chat_chars")


def check_urn(urn: str) -> None:
    """LocalProtocolError: this is no URN of an emote."""
    require(urn, str, "an emote is named by its URN, a text")
    if not urn.isprintable() or not urn or " " in urn:
        msg = "an emote's URN has at least one character, and neither blanks nor control characters"
        raise LocalProtocolError(msg)


def check_message_id(text: str) -> None:
    """LocalProtocolError: this is not what ``ChatReceived.message_id`` is like: an author, a colon and a stamp."""
    require(text, str, "a message's id is text (ChatReceived.message_id)")
    author, _, stamp = text.rpartition(":")
    try:
        is_stamp = isfinite(float(stamp))
    except ValueError:
        is_stamp = False
    if not author or not is_stamp:
        msg = "a message's id is its author, a colon and its stamp: see ChatReceived.message_id"
        raise LocalProtocolError(msg)


def _check_length(text: str, limit: int, what: str, name: str) -> None:
    if len(text) > limit:
        detail = f"{what} of {len(text)} characters: those who get it reject it beyond {limit} (Limits.{name})"
        raise PacketTooLarge(len(text), limit, detail)


def _check_emoji(index: int) -> None:
    if not 0 <= index < EMOJIS:
        msg = f"an emoji's number is from 0 to {EMOJIS - 1}"
        raise LocalProtocolError(msg)
