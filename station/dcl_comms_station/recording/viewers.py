"""What viewers of MCAP show by themselves: Foxglove's messages, made of what was told.

Decentraland's x is east, y up and z north, yaw clockwise from north; a viewer's z is up: x, y, z there are x, z, y
here, and its angle, counter-clockwise from its x, is 90 degrees minus yaw.
"""

from __future__ import annotations

import struct
from math import cos, radians, sin
from typing import TYPE_CHECKING, Final

from dcl_comms_core import events as ev
from dcl_comms_core.peers import PeerId
from dcl_comms_station.recording.wire import block, fixed, number, real, text, varint

if TYPE_CHECKING:
    from dcl_comms_core.events import Event, PeerMoved

__all__ = ["DEBUG", "ERROR", "INFO", "WARNING", "Scene", "chat_of", "log", "log_of", "sound"]

DEBUG, INFO, WARNING, ERROR = 1, 2, 3, 4
_NANO: Final = 1_000_000_000
_LIFETIME: Final = 5
"""Seconds for which a peer is shown that tells nothing more."""
_WORLD: Final = "world"
_TALL: Final = 1.75
_POSE: Final = struct.Struct("<2sBdBdBd2sBdBdBdBd")
_ARROW: Final = real(2, 0.6) + real(3, 0.25) + real(4, 0.4) + real(5, 0.5)
_COLOUR: Final = block(6, real(1, 0.13) + real(2, 0.55) + real(3, 0.85) + real(4, 1.0))
_WHITE: Final = block(5, real(1, 1.0) + real(2, 1.0) + real(3, 1.0) + real(4, 1.0))


def _stamp(field: int, log_time: int) -> bytes:
    seconds, nanos = divmod(log_time, _NANO)
    return block(field, number(1, seconds) + number(2, nanos))


def log(log_time: int, level: int, name: str, message: str) -> bytes:
    """A ``foxglove.Log``."""
    return _stamp(1, log_time) + number(2, level) + text(3, message) + text(4, name)


def sound(log_time: int, samples: bytes, rate: int, channels: int) -> bytes:
    """A ``foxglove.RawAudio`` of 16-bit samples."""
    return _stamp(1, log_time) + block(2, samples) + text(3, "pcm-s16") + fixed(4, rate) + fixed(5, channels)


def chat_of(log_time: int, event: Event) -> bytes | None:
    """A line of the chat, where it is one."""
    if not isinstance(event, ev.ChatReceived):
        return None
    author = event.author
    name = "?" if author is None else author.short
    return log(log_time, WARNING if event.private else INFO, name, event.text)


def log_of(log_time: int, event: Event) -> bytes | None:
    """A line about what may be wrong, where it is."""
    match event:
        case ev.Warning():
            level, said = WARNING, f"{event.code.value}: {event.text}"
        case ev.LimitReached():
            level, said = WARNING, f"limit {event.limit} ({event.value})"
        case ev.PacketRejected():
            level, said = WARNING, f"packet rejected: {event.reason.value}, byte {event.offset} {event.detail}".rstrip()
        case ev.Reconnecting():
            level, said = WARNING, f"connection lost ({event.reason.value}), attempt {event.attempt}"
        case ev.Reconnected():
            level, said = INFO, "connection is back"
        case ev.RoomOpened():
            level, said = INFO, f"room {event.name} is open"
        case ev.RoomClosed() | ev.RealmClosed() | ev.WorldClosed():
            level, said = INFO, f"closed: {event.reason.value} {event.detail}".rstrip()
        case ev.Kicked():
            level, said = ERROR, f"removed: {event.cause.value} {event.detail}".rstrip()
        case _:
            return None
    return log(log_time, level, event.room, said)


class Scene:
    """Who moved since the last update, and who left."""

    def __init__(self) -> None:
        self._moved: dict[str, PeerMoved] = {}
        self._gone: set[str] = set()
        self._rooms: dict[str, set[str]] = {}

    def take(self, event: Event) -> None:
        """An event was told."""
        if type(event) is ev.PeerMoved:
            if event.sender is not None:
                self._moved[event.sender.text] = event
                self._gone.discard(event.sender.text)
            return
        match event:
            case ev.PeerJoined():
                self._rooms.setdefault(event.sender.text, set()).add(event.room)
            case ev.PeerLeft():
                rooms = self._rooms.get(event.sender.text, set())
                rooms.discard(event.room)
                if not rooms:
                    self._rooms.pop(event.sender.text, None)
                    self._moved.pop(event.sender.text, None)
                    self._gone.add(event.sender.text)
            case _:
                pass

    def update(self, log_time: int) -> bytes | None:
        """A ``foxglove.SceneUpdate``; None: nothing changed since the last one."""
        if not self._moved and not self._gone:
            return None
        stamp = _stamp(1, log_time)
        pieces = [block(1, stamp + text(3, who)) for who in sorted(self._gone)]
        pieces += [block(2, _entity(stamp, who, event)) for who, event in self._moved.items()]
        self._moved.clear()
        self._gone.clear()
        return b"".join(pieces)


_STILL: Final = text(2, _WORLD)
_LIVES: Final = block(4, number(1, _LIFETIME))


def _entity(stamp: bytes, who: str, event: PeerMoved) -> bytes:
    east, up, north = event.position
    half = radians(90.0 - event.yaw) / 2
    arrow = _pose(east, north, up + _TALL / 2, sin(half), cos(half)) + _ARROW + _COLOUR
    name = b"".join(
        (
            _pose(east, north, up + _TALL + 0.4, 0.0, 1.0),
            number(2, 1),
            real(3, 0.5),
            _WHITE,
            text(6, PeerId(who).short),
        )
    )
    return b"".join((stamp, _STILL, text(3, who), _LIVES, block(7, arrow), block(13, name)))


def _pose(x: float, y: float, z: float, turn: float, rest: float) -> bytes:
    # A Pose: a Vector3 of 27 bytes, a Quaternion of 36 that turns around z.
    packed = _POSE.pack(b"\x0a\x1b", 9, x, 17, y, 25, z, b"\x12\x24", 9, 0.0, 17, 0.0, 25, turn, 33, rest)
    return b"\x0a" + varint(len(packed)) + packed
