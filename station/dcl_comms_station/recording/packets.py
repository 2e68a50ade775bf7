"""A packet, and the event that tells of it, as bytes of ``recording.proto``, and back."""

from __future__ import annotations

import json
import struct
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final, cast

from dcl_comms_core.codec import decode, decode_message
from dcl_comms_core.commands import SendData
from dcl_comms_core.errors import DecodeError, EncodeError
from dcl_comms_core.events import MovementKind, PeerMoved, Vector3
from dcl_comms_core.inputs import LinkRef
from dcl_comms_core.limits import Limits
from dcl_comms_core.peers import PeerId
from dcl_comms_core.proto import rfc4
from dcl_comms_core.proto._gen.tables import TABLES
from dcl_comms_core.records.forms import as_dict, event_name, from_dict
from dcl_comms_station.recording.observed import Received, Sent, Stepped
from dcl_comms_station.recording.problems import InvalidRecording
from dcl_comms_station.recording.wire import block, double, fields, number, real, text, utf8, varint

if TYPE_CHECKING:
    from collections.abc import Callable

    from dcl_comms_core.events import PacketEvent
    from dcl_comms_station.recording.times import Times

__all__ = ["PacketWriter", "read_delivery", "read_document", "read_told"]

_REMEMBERED: Final = 4_096
"""Beginnings of envelopes that are kept: one for each sender and way."""
_SENDER, _ROOM, _OUTGOING, _RELIABLE, _PRIVATE, _TOPIC, _TO, _VERDICT, _AT, _LINK, _GENERATION, _TOKEN = range(1, 13)
_PACKET: Final = 14
_UNDECODABLE: Final = 15
_MOST: Final = 2**63 - 1
_MOVED: Final = struct.Struct("<2sBdBdBd2sBdBdBd")
_POSITION: Final = b"\x3a\x1b"
_VELOCITY: Final = b"\x42\x1b"
"""Fields 7 and 8, each three numbers long."""
_FRACTIONS: Final = {
    table.cls: (attrgetter(*names), struct.Struct(f"<{len(names)}f"), names)
    for table in TABLES
    if table.cls in {rfc4.Movement, rfc4.Position}
    for names in [tuple(one.name for one in table.fields if one.type == "float")]
}
"""Of each message: what takes its numbers that are not whole, what packs them, and their names."""
_KINDS: Final = {kind: index for index, kind in enumerate(MovementKind)}
_BY_INDEX: Final = tuple(MovementKind)
_MOVED_NAME: Final = event_name(PeerMoved)
_ANY: Final = Limits(packet_bytes=1 << 30, unknown_bytes=1 << 30, nesting=98)
"""A recording takes what the session took, unless the envelope around it makes it too deep for a reader."""


class PacketWriter:
    """Makes envelopes.  Remembers how they begin, which most have in common."""

    def __init__(self, times: Times) -> None:
        self._times = times
        self._received: dict[tuple[object, ...], bytes] = {}
        self._told: dict[tuple[object, ...], bytes] = {}

    def received(
        self,
        at: float,
        log_time: int,
        room: str,
        sender: PeerId | None,
        data: bytes,
        *,
        reliable: bool,
        topic: str,
        private: bool,
        verdict: str,
    ) -> bytes:
        """A Delivery of one that came."""
        key = (None if sender is None else sender.text, room, reliable, private, topic, verdict)
        begin = self._received.get(key)
        if begin is None:
            begin = _remember(self._received, key, _begin(*key))
        return begin + self._at(_AT, at, log_time) + _content(data)

    def sent(self, at: float, log_time: int, room: str, command: SendData) -> bytes:
        """A Delivery of one of ours."""
        to = command.to
        return b"".join(
            (
                text(_ROOM, room),
                number(_OUTGOING, 1),
                number(_RELIABLE, command.reliable),
                number(_PRIVATE, to is not None),
                text(_TOPIC, command.topic),
                *(block(_TO, utf8(one)) for one in to or ()),
                self._at(_AT, at, log_time),
                number(_LINK, command.link.link),
                number(_GENERATION, command.link.generation),
                number(_TOKEN, command.token),
                _content(command.data),
            )
        )

    def told(self, at: float, log_time: int, event: PacketEvent) -> bytes:
        """A Told."""
        kind = type(event)
        sender = event.sender
        if type(event) is PeerMoved and event.at == at and 0 <= event.size <= _MOST:
            key = (None if sender is None else sender.text, event.room, event.private, event.size, event.kind)
            tail = _movement(event)
            if tail is not None:
                begin = self._told.get(key)
                if begin is None:
                    begin = _remember(self._told, key, _begin_told(_MOVED_NAME, *key[:4]))
                return begin + self._at(6, at, log_time) + tail
        begin = _begin_told(
            event_name(kind),
            None if sender is None else sender.text,
            event.room,
            event.private,
            min(max(event.size, 0), _MOST),
        )
        return begin + self._at(6, at, log_time) + block(15, json.dumps(as_dict(event)).encode())

    def _at(self, field: int, at: float, log_time: int) -> bytes:
        return b"" if self._times.at(log_time) == at else real(field, at)


def _remember(table: dict[tuple[object, ...], bytes], key: tuple[object, ...], value: bytes) -> bytes:
    if len(table) >= _REMEMBERED:
        table.clear()
    table[key] = value
    return value


def _begin(
    sender: str | None,
    room: str,
    reliable: int,
    private: int,
    topic: str,
    verdict: str,
) -> bytes:
    return b"".join(
        (
            b"" if sender is None else block(_SENDER, utf8(sender)),
            text(_ROOM, room),
            number(_RELIABLE, reliable),
            number(_PRIVATE, private),
            text(_TOPIC, topic),
            text(_VERDICT, verdict),
        )
    )


def _begin_told(name: str, sender: str | None, room: str, private: int, size: int) -> bytes:
    return b"".join(
        (
            text(1, name),
            b"" if sender is None else block(2, utf8(sender)),
            text(3, room),
            number(4, private),
            number(5, size),
        )
    )


def _content(data: bytes) -> bytes:
    try:
        decode(data, limits=_ANY)
    except DecodeError:
        return block(_UNDECODABLE, data)
    return block(_PACKET, data)


def _movement(event: PeerMoved) -> bytes | None:
    """A movement's own fields; None: its message has no bytes."""
    message = event.message
    fractions, floats, _ = _FRACTIONS[type(message)]
    try:
        data = bytes(message)
        numbers = fractions(message)
        finer = b"" if floats.unpack(floats.pack(*numbers)) == numbers else _pack_doubles(numbers)
    except (EncodeError, OverflowError):
        return None
    (px, py, pz), (vx, vy, vz) = event.position, event.velocity
    return b"".join(
        (
            _MOVED.pack(_POSITION, 9, px, 17, py, 25, pz, _VELOCITY, 9, vx, 17, vy, 25, vz),
            double(9, event.yaw),
            number(10, _KINDS[event.kind]),
            b"\x5a" if isinstance(message, rfc4.Movement) else b"\x62",
            varint(len(data)),
            data,
            finer,
        )
    )


def _pack_doubles(numbers: tuple[float, ...]) -> bytes:
    return block(13, struct.pack(f"<{len(numbers)}d", *numbers))


# --- and back


def _whole(value: Any) -> int:
    return value if isinstance(value, int) else 0


def _bytes(value: Any) -> bytes:
    if not isinstance(value, bytes):
        msg = "a number where bytes belong"
        raise InvalidRecording(msg)
    return value


def _text(value: Any) -> str:
    try:
        return _bytes(value).decode()
    except UnicodeDecodeError:
        msg = "a text that is not UTF-8"
        raise InvalidRecording(msg) from None


def read_delivery(data: bytes, log_time: int, times: Times, label: Callable[[str], str]) -> Received | Sent:
    """What a Delivery is of.  ``label``: a room's label of its text.  InvalidRecording: it is none."""
    values: dict[int, Any] = {}
    to: list[str] = []
    for field, value in fields(data):
        if field == _TO:
            to.append(_text(value))
        else:
            values[field] = value
    get = values.get
    at = get(_AT)
    at = at if isinstance(at, float) else times.at(log_time)
    room = label(_text(get(_ROOM, b"")))
    content = _bytes(get(_PACKET, get(_UNDECODABLE, b"")))
    unix, reliable, private = times.unix(log_time), bool(get(_RELIABLE)), bool(get(_PRIVATE))
    topic = _text(get(_TOPIC, b""))
    if get(_OUTGOING):
        command = SendData(
            link=LinkRef(_whole(get(_LINK)), _whole(get(_GENERATION))),
            token=_whole(get(_TOKEN)),
            data=content,
            to=tuple(to) if private else None,
            reliable=reliable,
            topic=topic,
        )
        return Sent(time=unix, at=at, room=room, command=command)
    sender = get(_SENDER)
    return Received(
        time=unix,
        at=at,
        room=room,
        sender=None if sender is None else PeerId(_text(sender)),
        data=content,
        reliable=reliable,
        topic=topic,
        private=private,
        verdict=_text(get(_VERDICT, b"")),
    )


def read_told(data: bytes, log_time: int, times: Times, label: Callable[[str], str]) -> Stepped:
    """What a Told is of.  InvalidRecording, InvalidRecord: it is none."""
    get = dict(fields(data)).get
    at = cast("object", get(6))
    at = at if isinstance(at, float) else times.at(log_time)
    unix = times.unix(log_time)
    document = get(15)
    if document is not None:
        return Stepped(time=unix, at=at, item=from_dict(read_document(_bytes(document), label)))
    sender, yaw = get(2), get(9, 0.0)
    kind = _whole(get(10))
    raw, plain = get(11), get(12)
    if kind >= len(_BY_INDEX) or not isinstance(yaw, float):
        msg = "a movement of no kind"
        raise InvalidRecording(msg)
    try:
        message = (
            decode_message(rfc4.Movement, _bytes(raw))
            if raw is not None
            else decode_message(rfc4.Position, _bytes(plain))
        )
    except DecodeError as error:
        raise InvalidRecording(str(error)) from None
    finer = get(13)
    if finer is not None:
        names = _FRACTIONS[type(message)][2]
        if len(_bytes(finer)) != 8 * len(names):
            msg = "other numbers than the message has"
            raise InvalidRecording(msg)
        for name, value in zip(names, struct.unpack(f"<{len(names)}d", _bytes(finer)), strict=True):
            setattr(message, name, value)
    event = PeerMoved(
        at=at,
        room=label(_text(get(3, b""))),
        sender=None if sender is None else PeerId(_text(sender)),
        private=bool(get(4)),
        size=_whole(get(5)),
        position=_triple(get(7)),
        velocity=_triple(get(8)),
        yaw=yaw,
        kind=_BY_INDEX[kind],
        message=message,
    )
    return Stepped(time=unix, at=at, item=event)


def _triple(data: Any) -> Vector3:
    values = dict(fields(_bytes(data)))
    numbers = [values.get(index, 0.0) for index in (1, 2, 3)]
    if not all(isinstance(one, float) for one in numbers):
        msg = "no three numbers"
        raise InvalidRecording(msg)
    return Vector3(*cast("list[float]", numbers))


def read_document(data: bytes, label: Callable[[str], str]) -> dict[str, Any]:
    """A JSON object; its room becomes a label that knows the wall clock."""
    try:
        document: object = json.loads(data)
    except (ValueError, RecursionError):
        msg = "no JSON"
        raise InvalidRecording(msg) from None
    if not isinstance(document, dict):
        msg = "no JSON object"
        raise InvalidRecording(msg)
    known = cast("dict[str, Any]", document)
    if isinstance(known.get("room"), str):
        known["room"] = label(known["room"])
        known.pop("time", None)
    return known
