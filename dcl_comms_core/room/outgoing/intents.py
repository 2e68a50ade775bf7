"""Intents: what an application wants of a room, turned into packets.

What is reliable and what is lossy follows the real explorers: movement, voice and profile requests may be lost, the
rest may not.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from copy import copy
from math import inf, nextafter
from typing import TYPE_CHECKING, Final

from dcl_comms_core.avatars.emotes import emote_urn
from dcl_comms_core.codec import encode, kind_of
from dcl_comms_core.errors import LocalProtocolError, PacketTooLarge
from dcl_comms_core.events import WarningCode
from dcl_comms_core.packets.chat import chat_timestamp, has_control
from dcl_comms_core.packets.conventions import EMOJIS, LOSSY_KINDS, PROTOCOL_VERSION
from dcl_comms_core.packets.motion import build_movement
from dcl_comms_core.peers import EVERYONE, addressees
from dcl_comms_core.proto import rfc4
from dcl_comms_core.room.outgoing.acceptable import check_chat, check_message_id, check_packet, check_urn
from dcl_comms_core.tools.arguments import are_finite, require, require_number, require_whole

if TYPE_CHECKING:
    from dcl_comms_core.limits import Limits
    from dcl_comms_core.peers import Addressees
    from dcl_comms_core.room.outgoing.outbox import Messages
    from dcl_comms_core.tools.clock import Clock

__all__ = ["Intents", "check_movement", "check_version", "for_everybody", "packed"]


_VERSION_FIELD: Final = bytes((11 << 3, PROTOCOL_VERSION))
"""protocol_version on the wire, for a packet that has none."""
_LARGEST_VERSION: Final = 0xFFFFFFFF
_LARGEST_MASK: Final = 0x7FFFFFFF
_REACTION_STEP: Final = 0.01
_UTF8_MOST: Final = 4
"""Bytes that one character takes at most."""
_STAMP_STEP: Final = 1e-11
"""Days; 0.9 us.  A chat message is at least this much later than the one before."""


class Intents(ABC):
    """The verbs of an application.

    All of them take ``to`` (EVERYONE, a PeerId, a Peer, or a collection of these; an empty one sends to nobody).  While
    no room is open, and one is looked for or repaired, ``move`` and a profile's version are remembered and the rest
    waits, or raises NotInARoom: see ``dcl_comms_core.weather.away``.  They raise LocalProtocolError once the room is
    over, PermissionMissing when the token forbids data, NoWhispers where some are named in a ws-room (with
    ``else_everybody`` it goes to everybody there), PacketTooLarge and SendQueueFull; then nothing was sent.
    """

    def __init__(self, limits: Limits, clock: Clock) -> None:
        self.limits = limits
        """The bounds in force."""
        self.clock = clock
        """What time it is here."""
        self.moved: tuple[rfc4.Movement, float] | None = None
        """Where we said last that we are, and when; None: we never moved."""
        self._last_stamp = 0.0
        self._last_emote = 0
        self._last_reaction = 0.0
        self._warned_of_size = False
        self._warned_of_chat = False

    @abstractmethod
    def put(self, messages: Messages, *, reliable: bool, now: float | None, else_everybody: bool = False) -> None:
        """Check and queue packets of one content: all or none.  What ``send_bytes`` ends in.

        ``else_everybody``: one that is for some goes to everybody where the room can't do that.
        """

    @abstractmethod
    def check_sending(self, now: float | None = None) -> None:
        """Raise unless we may send.  LocalProtocolError: the room is not open; PermissionMissing: the token forbids."""

    @abstractmethod
    def check_moving(self, now: float | None = None) -> None:
        """Raise unless we may move: as ``check_sending``, unless movements may wait.  ``move`` begins with it."""

    @abstractmethod
    def walk(self, movement: rfc4.Movement) -> None:
        """Send a movement when it is due.  What ``move`` ends in."""

    @abstractmethod
    def warn(self, code: WarningCode, text: str) -> None:
        """Report a Warning event."""

    def chat(
        self,
        text: str,
        *,
        to: Addressees = EVERYONE,
        channel: str = "",
        stamp: float | None = None,
        else_everybody: bool = False,
        now: float | None = None,
    ) -> float:
        """Write to everybody, or privately to each of the peers named; gives the stamp of the message.

        A private message goes to its addressee under its own identity as topic, as the explorers do.  ``channel``: a
        community's, whose messages go to its router alone: ``to=COMMUNITY_ROUTER``.  ``stamp``: what another room's
        session gave for the same message, so that those who are in both rooms are told once; it has to grow.
        ``else_everybody``: in a room that has no private messages everybody gets it.  PacketTooLarge: beyond
        Limits.chat_chars, where others reject it.
        """
        require(text, str, "chat() takes a text")
        require(channel, str, "a channel is the community's topic, a text")
        if not text:
            msg = "there is nothing in this text"
            raise LocalProtocolError(msg)
        check_chat(text, self.limits)
        if has_control(text):
            msg = "U+2406, U+2410 and U+2411 mark a text as no chat: clients drop it"
            raise LocalProtocolError(msg)
        at = self.clock.later(now)
        last, offset = self._last_stamp, self.clock.unix_offset
        if stamp is None:
            # Without a wall clock: seconds since the room opened, which readers take for what it is.
            stamp = at - self.clock.origin if offset is None else chat_timestamp(at + offset)
            # Receivers tell messages apart by their stamps, so no two of ours may be equal, nor may one go back.
            if stamp <= last:
                stamp = max(last + _STAMP_STEP, nextafter(last, inf))
        elif not are_finite((stamp,), 1) or stamp <= last:
            msg = "the stamp of a message has to be greater than the last one's"
            raise LocalProtocolError(msg)
        data = encode(rfc4.Packet(chat=rfc4.Chat(message=text, timestamp=stamp), protocol_version=PROTOCOL_VERSION))
        named = addressees(to)
        if channel and (named is None or len(named) != 1 or else_everybody):
            msg = "a community's message goes to its router alone: to=COMMUNITY_ROUTER"
            raise LocalProtocolError(msg)
        messages: Messages = (
            [(data, None, "")] if named is None else [(data, (identity,), channel or identity) for identity in named]
        )
        for _, _, topic in messages:
            self._check_topic(topic)
        self.put(messages, reliable=True, now=now, else_everybody=else_everybody)
        self._last_stamp = stamp
        if len(text) * _UTF8_MOST > self.limits.chat_warn_bytes and not self._warned_of_chat:
            self._warn_of_chat(len(text.encode()))
        return stamp

    def _warn_of_chat(self, size: int) -> None:
        limit = self.limits.chat_warn_bytes
        if size > limit:
            self._warned_of_chat = True
            self.warn(WarningCode.CHAT_LARGE, f"a chat message of {size} bytes: Godot clients cut it at {limit}")

    def move(
        self,
        position: tuple[float, float, float] | rfc4.Movement,
        *,
        velocity: tuple[float, float, float] = (0.0, 0.0, 0.0),
        yaw: float = 0.0,
        grounded: bool = True,
        instant: bool = False,
        to: Addressees = EVERYONE,
        now: float | None = None,
    ) -> None:
        """Be somewhere: metres (x east, y up, z north), m/s, degrees clockwise from north; or a whole Movement.

        Call it as often as you like: it goes out at the explorers' pace, ten times a second at most, and only the
        newest; and again and again, up to every second, while nothing changes (see
        ``dcl_comms_core.room.outgoing.cadence``).  What is addressed to some (``to``) goes out at once, and once.
        """
        if to is EVERYONE:
            self.check_moving(now)
        at = self.clock.later(now)
        movement = (
            copy(position)
            if isinstance(position, rfc4.Movement)
            else build_movement(position, velocity, yaw, at - self.clock.origin, grounded=grounded, instant=instant)
        )
        if to is not EVERYONE:
            self.send(rfc4.Packet(movement=movement), to=to, now=now)
            return
        check_movement(movement, self.limits)
        self.walk(movement)
        self.moved = movement, at

    def announce_profile(self, version: int, *, to: Addressees = EVERYONE, now: float | None = None) -> None:
        """Tell the version of our profile.  Unity clients send a peer nothing but chat until it did this."""
        announcement = rfc4.AnnounceProfileVersion(profile_version=check_version(version))
        self.send(rfc4.Packet(profile_version=announcement), to=to, now=now)

    def emote(
        self,
        urn: str,
        *,
        stop: bool = False,
        duration: float | None = None,
        mask: int | None = None,
        to: Addressees = EVERYONE,
        else_everybody: bool = False,
        now: float | None = None,
    ) -> None:
        """Play an emote, or stop it: one of Emotes, a base emote's name ("wave"), or a URN.

        ``duration``: seconds after which it is over by itself, for movement sources that can be told (Emoting); rooms
        are not, and None is until it is stopped.  ``mask``: which parts of the avatar it moves, a number of the
        explorers' own; None: all.
        """
        urn = emote_urn(urn)
        check_urn(urn)
        if duration is not None:
            _check_duration(duration)
        if mask is not None:
            require_whole(mask, 0, _LARGEST_MASK, "an emote's mask")
        at = self.clock.later(now)
        emote = rfc4.PlayerEmote(
            # Unity tells emotes apart by their time, Godot by a growing id from 1: give both.
            incremental_id=self._last_emote + 1,
            urn=urn,
            timestamp=at - self.clock.origin,
            is_stopping=True if stop else None,
            mask=mask,
        )
        self.play(emote, duration, to=to, now=now, else_everybody=else_everybody)
        self._last_emote += 1

    def play(
        self,
        emote: rfc4.PlayerEmote,
        duration: float | None,  # noqa: ARG002 - for who has movement sources
        *,
        to: Addressees,
        now: float | None,
        else_everybody: bool = False,
    ) -> None:
        """Send an emote.  What ``emote`` ends in."""
        self.send(rfc4.Packet(player_emote=emote), to=to, now=now, else_everybody=else_everybody)

    def scene_message(self, scene_id: str, data: bytes, *, to: Addressees = EVERYONE, now: float | None = None) -> None:
        """Send a scene's message; ``data`` goes out as it is, its first byte says how the rest is framed.

        ``frame_string``, ``frame_binary`` and ``frame_comms_data`` make it.  In a scene that has a server, explorers
        send to that alone: ``to=AUTHORITATIVE_SERVER``.  PacketTooLarge: beyond Limits.scene_bytes.
        """
        require(scene_id, str, "a scene is named by its entity's id, a text")
        require(data, bytes | bytearray | memoryview, "a scene's message is bytes: see frame_string")
        data = bytes(data)
        if len(data) > self.limits.scene_bytes:
            raise PacketTooLarge(len(data), self.limits.scene_bytes)
        self.send(rfc4.Packet(scene=rfc4.Scene(scene_id=scene_id, data=data)), to=to, now=now)
        if len(data) > self.limits.scene_warn_bytes and not self._warned_of_size:
            self._warned_of_size = True
            text = (
                f"a scene message of {len(data)} bytes: Unity clients drop those beyond {self.limits.scene_warn_bytes}"
            )
            self.warn(WarningCode.SCENE_MESSAGE_LARGE, text)

    def react(
        self,
        emoji_index: int,
        *,
        count: int = 1,
        to: Addressees = EVERYONE,
        else_everybody: bool = False,
        now: float | None = None,
    ) -> None:
        """React with an emoji, in the world: its number from 0 to 4095."""
        require_whole(emoji_index, 0, EMOJIS - 1, "an emoji's number")
        require_whole(count, 1, self.limits.reaction_count, "how often one reacts")
        at = self.clock.later(now)
        # Receivers tell reactions apart by their stamps, single precision.
        stamp = max(at - self.clock.origin, self._last_reaction + _REACTION_STEP)
        reaction = rfc4.Reaction(emoji_index=emoji_index, timestamp=stamp, count=count)
        self.send(rfc4.Packet(reaction=reaction), to=to, now=now, else_everybody=else_everybody)
        self._last_reaction = stamp

    def react_to(
        self,
        message_id: str,
        emoji_index: int,
        *,
        remove: bool = False,
        to: Addressees = EVERYONE,
        else_everybody: bool = False,
        now: float | None = None,
    ) -> None:
        """React to a chat message, or take it back: see ``ChatReceived.message_id``."""
        require_whole(emoji_index, 0, EMOJIS - 1, "an emoji's number")
        check_message_id(message_id)
        index = ~emoji_index if remove else emoji_index
        reaction = rfc4.ChatReaction(emoji_index=index, message_id=message_id)
        self.send(rfc4.Packet(chat_reaction=reaction), to=to, now=now, else_everybody=else_everybody)

    def send(
        self,
        packet: rfc4.Packet,
        *,
        to: Addressees = EVERYONE,
        reliable: bool | None = None,
        topic: str = "",
        else_everybody: bool = False,
        now: float | None = None,
    ) -> None:
        """Send any packet; ``reliable=None``: as the explorers do for its kind.

        A protocol_version of 0 goes out as 100; the packet itself is left as it is.  LocalProtocolError or
        PacketTooLarge: whoever gets it would reject it.
        """
        if not isinstance(packet, rfc4.Packet):  # pyright: ignore[reportUnnecessaryIsInstance]  # callers may be untyped
            msg = f"send() takes an rfc4 Packet, not {type(packet).__name__}: put it into one, or use send_bytes()"
            raise LocalProtocolError(msg)
        data = packed(packet, self.limits)
        if reliable is None:
            reliable = kind_of(packet) not in LOSSY_KINDS
        self.send_bytes(data, to=to, reliable=reliable, topic=topic, else_everybody=else_everybody, now=now)

    def send_bytes(
        self,
        data: bytes | bytearray | memoryview,
        *,
        to: Addressees = EVERYONE,
        reliable: bool = True,
        topic: str = "",
        else_everybody: bool = False,
        now: float | None = None,
    ) -> None:
        """Send bytes as they are."""
        if type(data) is not bytes:
            # bytes(5) would be five zero bytes.
            if not isinstance(data, bytes | bytearray | memoryview):  # pyright: ignore[reportUnnecessaryIsInstance]  # untyped
                msg = f"send_bytes() takes bytes, not {type(data).__name__}"
                raise LocalProtocolError(msg)
            data = bytes(data)
        if len(data) > self.limits.packet_bytes:
            raise PacketTooLarge(len(data), self.limits.packet_bytes)
        self._check_topic(topic)
        named = None if to is EVERYONE else addressees(to)
        messages: Messages = [] if named == () else [(data, named, topic)]
        self.put(messages, reliable=reliable, now=now, else_everybody=else_everybody)

    def _check_topic(self, topic: str) -> None:
        if not isinstance(topic, str) or len(topic) > self.limits.topic_chars:  # pyright: ignore[reportUnnecessaryIsInstance]  # untyped
            require(topic, str, "a topic is text")
            limit = self.limits.topic_chars
            detail = (
                f"a topic of {len(topic)} characters: those who get it reject it beyond {limit} (Limits.topic_chars)"
            )
            raise PacketTooLarge(len(topic), limit, detail)


def _check_duration(duration: float) -> None:
    what = "an emote lasts a finite number of seconds above 0"
    require_number(duration, what)
    if duration <= 0.0:
        msg = f"{what}, not {duration!r}"
        raise LocalProtocolError(msg)


def for_everybody(messages: Messages) -> Messages:
    """Packets of one content as one that is for everybody; of none there is none."""
    return [(data, None, "") for data, _, _ in messages[:1]]


def packed(packet: rfc4.Packet, limits: Limits) -> bytes:
    """A packet as it goes out; see ``send``."""
    data = encode(packet)
    check_packet(packet, kind_of(packet), limits)
    return data + _VERSION_FIELD if packet.protocol_version == 0 else data


def check_movement(movement: rfc4.Movement, limits: Limits) -> None:
    """Raise now for a movement that could not be sent when it is due, or that whoever gets it would reject.

    What a movement's own fields hold takes 118 bytes at most; the rest is what this version does not know.
    """
    packet = rfc4.Packet(movement=movement, protocol_version=PROTOCOL_VERSION)
    size = len(encode(packet))
    if size > limits.movement_bytes:
        raise PacketTooLarge(size, limits.movement_bytes)
    check_packet(packet, "movement", limits)


def check_version(version: int) -> int:
    """Return a profile's version.  LocalProtocolError: it is no uint32."""
    require_whole(version, 0, _LARGEST_VERSION, "a profile version")
    return version
