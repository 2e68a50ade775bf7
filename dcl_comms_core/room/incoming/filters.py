"""Which packets are worth telling: order, repetition and plausibility, by what was heard of their sender before.

===================  ============================  ====================================================================
kind                 its clock                     let go, and counted as
===================  ============================  ====================================================================
movement             seconds since the sender      ``dropped.late``: older than the newest, by less than
                     started                       Limits.late_seconds (lossy packets overtake each other)
position             a number that grows           ``dropped.late``: below the newest, by less than ten a late second
movement_compressed  0.02 s in a window of         ``dropped.late``, once the window is unwrapped;
                     655.36 s                      ``dropped.implausible``: a jump that the next one does not confirm
chat                 days, seconds or ms           ``dropped.control``: text that is no chat;
                                                   ``dropped.repeated``: sender, stamp and text as before
player_emote         a number and seconds          ``dropped.repeated``: sender, number, stamp and URN as before; a stop
                                                   is always told, as it repeats the stamp of what it stops, but not
                                                   again by another room
reaction             seconds                       ``dropped.repeated``: sender and stamp as before
chat_reaction        none                          ``dropped.repeated``: says what the last one about that emoji said
all but scene        -                             ``dropped.not_scene``: from a scene's server, which speaks for its
                                                   scene only
===================  ============================  ====================================================================

A stamp of 0 (and an emote's number of 0) is none, so that nothing is repeated by it: Unity never sets the number, and
simple senders neither.  All of this begins anew with a new session of the sender; of senders that are not in ``peers``
only repetition is judged.
"""

from __future__ import annotations

from math import dist, inf
from typing import TYPE_CHECKING, Any, Final

from dcl_comms_core.events import PeerMoved, ProfileAnnounced, RejectReason
from dcl_comms_core.packets.chat import AUTHORITATIVE_SERVER, has_control
from dcl_comms_core.packets.conventions import EMOJIS
from dcl_comms_core.packets.movement import TimestampUnwrapper
from dcl_comms_core.packets.readers import Unacceptable

if TYPE_CHECKING:
    from collections.abc import Callable

    from dcl_comms_core.events import (
        ChatReceived,
        PacketEvent,
        PeerEmoted,
        ProfileReceived,
        ProfileRequested,
        ReactionReceived,
        Vector3,
    )
    from dcl_comms_core.limits import Limits
    from dcl_comms_core.peers import PeerId
    from dcl_comms_core.room.incoming.dedupe import Seen, Told
    from dcl_comms_core.room.incoming.profiles import Profiles

__all__ = [
    "AUTHORITATIVE_SERVER",
    "Heard",
    "Hearing",
    "judge_chat",
    "judge_compressed",
    "judge_emote",
    "judge_movement",
    "judge_position",
    "judge_reaction",
    "judge_request",
    "judge_response",
    "judge_version",
]

_POSITIONS_A_SECOND: Final = 10.0
_FASTEST: Final = 50.0
"""Metres a second: what a compressed velocity can say at most."""


class Heard:
    """What was heard of one session of a peer."""

    __slots__ = ("compressed", "last", "moved", "placed", "scene_only", "told", "version")

    def __init__(self, who: PeerId, room: int, session: int) -> None:
        self.told: Told = (None, room, session)
        """What ``Seen`` gets for a message whose key is all of it; one object, so that none is made per message."""
        self.scene_only = who == AUTHORITATIVE_SERVER
        self.moved = -inf
        """The newest movement, in seconds of its clock."""
        self.placed = -1
        """The newest position, by its number."""
        self.compressed: Compressed | None = None
        self.last: PeerMoved | None = None
        """What it told last of where it is."""
        self.version: int | None = None
        """Of its profile, as it announced last."""

    def early(self, event: PacketEvent) -> None:
        """It told this before it was named."""
        if isinstance(event, PeerMoved):
            self.last = event
        elif isinstance(event, ProfileAnnounced):
            self.version = event.version


class Compressed:
    """What compressed movements of one session have told."""

    __slots__ = ("clock", "moved", "place", "suspect")

    def __init__(self) -> None:
        self.clock = TimestampUnwrapper()
        self.moved = -inf
        self.place: Vector3 | None = None
        self.suspect: Vector3 | None = None
        """The position of the last one, if it was too far from ``place`` to be believed unconfirmed."""


class Hearing:
    """What the judges share for all senders of a room."""

    __slots__ = ("chat_chars", "late", "limits", "on_profile_request", "profiles", "room", "seen", "told")

    def __init__(
        self, seen: Seen, limits: Limits, profiles: Profiles, on_profile_request: Callable[[ProfileRequested], None]
    ) -> None:
        self.seen = seen
        self.room = seen.enrol()
        self.told: Told = (None, self.room, 0)
        self.limits = limits
        self.late = limits.late_seconds
        self.chat_chars = limits.chat_chars
        self.profiles = profiles
        self.on_profile_request = on_profile_request

    def repeated(self, heard: Heard | None, key: tuple[Any, ...]) -> str:
        """The reason to drop a message that was delivered before; empty: it was not.

        A key holds plain texts and numbers: a PeerId's hash is a function of Python.
        """
        return "" if self.seen.is_new(key, self.told if heard is None else heard.told) else "repeated"


# Each judge returns the reason to drop an event, which follows "dropped." in its counter; empty: deliver it.
# An event is Any where its reader has made sure what its message is.


def judge_movement(event: Any, heard: Heard | None, hearing: Hearing) -> str:
    """Drop a movement that arrives out of order."""
    if heard is not None:
        stamp = event.message.timestamp
        newest = heard.moved
        if stamp < newest and newest - stamp < hearing.late:
            return "late"
        heard.moved = stamp
        heard.last = event
    return ""


def judge_position(event: Any, heard: Heard | None, hearing: Hearing) -> str:
    """Drop a position that arrives out of order."""
    if heard is not None:
        index = event.message.index
        if 0 < heard.placed - index < hearing.late * _POSITIONS_A_SECOND:
            return "late"
        heard.placed = index
        heard.last = event
    return ""


def judge_compressed(event: Any, heard: Heard | None, hearing: Hearing) -> str:
    """Drop a compressed movement that is out of order or implausibly far.  Unwraps its timestamp."""
    if heard is None:
        return ""
    told = heard.compressed
    if told is None:
        told = heard.compressed = Compressed()
    stamp = told.clock.unwrap(event.message.timestamp)
    event.message.timestamp = stamp
    newest = told.moved
    if stamp < newest and newest - stamp < hearing.late:
        return "late"
    told.moved = stamp
    place = event.position
    reach = hearing.limits.jump_metres + _FASTEST * max(stamp - newest, 0.0)
    if all(known is None or dist(known, place) > reach for known in (told.place, told.suspect)) and told.place:
        told.suspect = place
        return "implausible"
    told.place, told.suspect = place, None
    heard.last = event
    return ""


def judge_chat(event: ChatReceived, heard: Heard | None, hearing: Hearing) -> str:
    """Drop what is no chat or a duplicate; reject what is too long."""
    text, sender, stamp = event.text, event.sender, event.timestamp
    if len(text) > hearing.chat_chars:
        raise Unacceptable(RejectReason.OUT_OF_RANGE)
    if not text.isascii() and has_control(text):
        return "control"
    if stamp == 0.0 or sender is None:
        return ""
    return hearing.repeated(heard, ("chat", sender.key, event.forwarded_from, stamp, hash(text)))


def judge_emote(event: PeerEmoted, heard: Heard | None, hearing: Hearing) -> str:
    """Drop a duplicate; reject a URN that is too long."""
    if len(event.urn) > hearing.limits.urn_chars:
        raise Unacceptable(RejectReason.OUT_OF_RANGE)
    if event.sender is None or not (event.incremental_id or event.timestamp):
        return ""
    key = (event.stopping, event.sender.key, event.incremental_id, event.timestamp, event.urn)
    if event.stopping:
        return "" if hearing.seen.is_new(key, (None, hearing.room, None)) else "repeated"
    return hearing.repeated(heard, key)


def judge_reaction(event: ReactionReceived, heard: Heard | None, hearing: Hearing) -> str:
    """Drop a duplicate; reject an emoji or a message id out of range."""
    about = event.message_id
    if not 0 <= event.emoji_index < EMOJIS or (about is not None and len(about) > hearing.limits.message_id_chars):
        raise Unacceptable(RejectReason.OUT_OF_RANGE)
    event.count = min(max(event.count, 1), hearing.limits.reaction_count)
    if event.sender is None:
        return ""
    if about is not None:
        key = ("about", event.sender.key, event.address, about, event.emoji_index)
        session = heard.told[2] if heard is not None else 0
        return "" if hearing.seen.is_new(key, (event.removed, hearing.room, session)) else "repeated"
    return hearing.repeated(heard, ("reaction", event.sender.key, event.timestamp)) if event.timestamp else ""


def judge_version(event: ProfileAnnounced, heard: Heard | None, _hearing: Hearing) -> str:
    """Never drops: remembers the version."""
    if heard is not None:
        heard.version = event.version
    return ""


def judge_request(event: ProfileRequested, _heard: Heard | None, hearing: Hearing) -> str:
    """Never drops: answers the request if it is for our profile."""
    hearing.on_profile_request(event)
    return ""


def judge_response(event: ProfileReceived, _heard: Heard | None, hearing: Hearing) -> str:
    """Never drops: keeps the profile if we asked for it."""
    hearing.profiles.take(event)
    return ""
