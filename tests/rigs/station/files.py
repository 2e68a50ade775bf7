"""Files of recordings, made at once."""

from __future__ import annotations

import io

from dcl_comms_station.recording.times import Times
from dcl_comms_station.recording.writer import RecordingWriter
from rigs.station.observations import tell

from dcl_comms_core import (
    Arrival,
    Chat,
    ChatReceived,
    Movement,
    MovementKind,
    Packet,
    PeerId,
    PeerJoined,
    PeerLeft,
    PeerMoved,
    RoomOpened,
    Vector3,
)
from dcl_comms_core.codec import decode
from dcl_comms_core.tools.labels import Label

UNIX = 1_800_000_000.0
ADA = PeerId("0x" + "aD" * 20)
BOB = PeerId("0x" + "b0" * 20)
ROOM = Label.of("island", UNIX)
HOW = {"reliable": False, "topic": "", "private": False, "verdict": "told"}


def chat_bytes(text, stamp=1.0):
    return bytes(Packet(chat=Chat(message=text, timestamp=stamp)))


def chat(at, text, sender=ADA, sent_at=None):
    """What a tap is told of a chat message."""
    data = chat_bytes(text)
    event = ChatReceived(
        at=at,
        room=ROOM,
        sender=sender,
        private=False,
        size=len(data),
        text=text,
        sent_at=sent_at,
        timestamp=1.0,
        forwarded_from=None,
    )
    return [(at, ("received", (ROOM, sender, data), HOW)), (at, ("step", (event,), {}))]


def moved(at, x, z, sender=ADA, yaw=90.0):
    """What a tap is told of a movement."""
    packet = decode(bytes(Packet(movement=Movement(position_x=x, position_y=1.0, position_z=z, rotation_y=yaw))))
    data = bytes(packet)
    event = PeerMoved(
        at=at,
        room=ROOM,
        sender=sender,
        private=False,
        size=len(data),
        position=Vector3(x, 1.0, z),
        velocity=Vector3(0.0, 0.0, 0.0),
        yaw=yaw,
        kind=MovementKind.MOVEMENT,
        message=packet.movement,
    )
    return [(at, ("received", (ROOM, sender, data), HOW)), (at, ("step", (event,), {}))]


def came(at, sender=ADA, room=ROOM):
    """What a tap is told of somebody who comes."""
    return [(at, ("step", (PeerJoined(at=at, room=room, sender=sender, arrival=Arrival.NEW),), {}))]


def left(at, sender=ADA, room=ROOM):
    """What a tap is told of somebody who leaves."""
    return [(at, ("step", (PeerLeft(at=at, room=room, sender=sender),), {}))]


def opened(at, who=BOB):
    """What a tap is told when the room is open."""
    return [(at, ("step", (RoomOpened(at=at, room=ROOM, identity=who, name="r", sid=""),), {}))]


def written(calls, *, flush_each=0, finish=True, **how):
    """The bytes of the file of these calls, (time, call); flushed after so many."""
    stream = io.BytesIO()
    first = calls[0][0] if calls else 0.0
    writer = RecordingWriter(stream, Times.of(first, UNIX + first), about={"target": "here"}, **how)
    for number, (at, told) in enumerate(calls, 1):
        tell(writer, at, told)
        if flush_each and number % flush_each == 0:
            writer.flush()
    if finish:
        writer.finish()
    return stream.getvalue()
