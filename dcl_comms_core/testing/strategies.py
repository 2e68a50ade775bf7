"""Hypothesis strategies for messages and for bytes (needs the extra ``testing``).

* ``messages(cls)``: valid messages of any class of ours, with extreme numbers, -0.0, infinities, NaN and unknown fields
* ``packets()``: rfc4 Packets with at most one member
* ``valid_bytes(cls)``: encodings that every protobuf decoder accepts: reordered, repeated, merged, long-winded
* ``joined_bytes(cls)``: several of these in a row, which is merging the messages
* ``mutated_bytes(cls)``, ``truncated_bytes(cls)``, ``hostile_bytes(cls)``: encodings after edits, cut, or made to hurt
* ``wire_bytes(cls)``: any of these
* ``events()``: what packets of any kind come out as, valid ones and others
* ``scripts()``: what other people and the network do to a bot: for ``dcl_comms_drivers.testing.run.run_bot``
* ``journals()``: journals of sessions that had a life
"""

# _unknown_fields is the name that betterproto2 gave it.
# pyright: reportPrivateUsage=false

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

from dcl_comms_core.adapters.connection_string import SimulatorAdapter
from dcl_comms_core.inputs import LinkClosed, LinkOpened, LinkReconnected, LinkReconnecting, LinkRef, Participant
from dcl_comms_core.journal.record import Journal
from dcl_comms_core.proto._gen.rfc4 import Packet
from dcl_comms_core.proto._gen.tables import TABLES
from dcl_comms_core.room.session import RoomSession
from dcl_comms_core.simulation.settings import Faults
from dcl_comms_core.states import CloseReason
from dcl_comms_core.testing import script as do
from dcl_comms_core.tools.backoff import Backoff
from dcl_comms_core.tools.extras import needs

with needs("testing"):
    from hypothesis import strategies as st

if TYPE_CHECKING:
    from collections.abc import Callable
    from enum import IntEnum

    from hypothesis.strategies import DrawFn, SearchStrategy

    from dcl_comms_core.events import Event
    from dcl_comms_core.proto.base import WireMessage
    from dcl_comms_core.proto.fields import Field

    M = TypeVar("M", bound=WireMessage)

__all__ = [
    "events",
    "hostile_bytes",
    "joined_bytes",
    "journals",
    "message_classes",
    "messages",
    "mutated_bytes",
    "packets",
    "scripts",
    "truncated_bytes",
    "unknown_fields",
    "valid_bytes",
    "varints",
    "wire_bytes",
]

_FIELDS: Final = {table.cls: table.fields for table in TABLES}
_CONTINUES: Final = 128
_DELIMITED, _GROUP = 2, 3
_DEEPEST: Final = 3
_WIRE: Final = {"double": 1, "float": 5, "string": 2, "bytes": 2, "message": 2, "map": 2}
_SCALARS: Final[dict[str, SearchStrategy[Any]]] = {
    "bool": st.booleans(),
    "bytes": st.binary(max_size=40),
    "double": st.floats(),
    "enum": st.integers(-(1 << 31), (1 << 31) - 1) | st.integers(0, 4),
    "float": st.floats(width=32) | st.just(-0.0),
    "int32": st.integers(-(1 << 31), (1 << 31) - 1),
    "int64": st.integers(-(1 << 63), (1 << 63) - 1),
    "sint32": st.integers(-(1 << 31), (1 << 31) - 1),
    "string": st.text(max_size=20),
    "uint32": st.integers(0, (1 << 32) - 1),
    "uint64": st.integers(0, (1 << 64) - 1),
}

# NaNs with any payload, but not the signalling ones: reading makes them quiet.
_FLOATS: Final = st.builds(struct.Struct("<f").pack, _SCALARS["float"]) | st.binary(min_size=2, max_size=2).map(
    lambda low: low + b"\xc0\xff"
)
_DOUBLES: Final = st.builds(struct.Struct("<d").pack, _SCALARS["double"]) | st.binary(min_size=6, max_size=6).map(
    lambda low: low + b"\xf8\x7f"
)


def message_classes() -> SearchStrategy[type[WireMessage]]:
    """Any message class of rfc4, rfc5, v3, pulse and common."""
    return st.sampled_from([table.cls for table in TABLES])


def messages(cls: type[M]) -> SearchStrategy[M]:
    """Valid messages of one class, with the fields that it has and sometimes unknown ones."""
    return _messages(cls)


@st.composite
def _messages(draw: DrawFn, cls: Any) -> Any:
    fields = _FIELDS[cls]
    members = [field.name for field in fields if field.presence == "oneof"]
    chosen = draw(st.sampled_from([None, *members])) if members else None
    values: dict[str, Any] = {}
    for field in fields:
        if field.presence == "oneof":
            if field.name == chosen:
                values[field.name] = draw(_scalar(field, field.type))
        elif draw(st.booleans()):
            values[field.name] = draw(_whole_field(field))
    message = cls(**values)
    if draw(st.integers(0, 3)) == 0:
        message._unknown_fields = b"".join(draw(st.lists(unknown_fields(cls), max_size=3)))
    return message


def _scalar(field: Field, kind: str) -> SearchStrategy[Any]:
    if kind == "message":
        return messages(cast("type[WireMessage]", field.message))
    if kind == "enum":
        return _SCALARS["enum"].map(cast("type[IntEnum]", field.enum))
    return _SCALARS[kind]


def _whole_field(field: Field) -> SearchStrategy[Any]:
    if field.presence == "repeated":
        return st.lists(_scalar(field, field.type), max_size=3)
    if field.presence == "map":
        return st.dictionaries(_scalar(field, str(field.key)), _scalar(field, str(field.value)), max_size=3)
    return _scalar(field, field.type)


def packets() -> SearchStrategy[Packet]:
    """Valid rfc4 Packets."""
    return messages(Packet)


@st.composite
def varints(draw: DrawFn, values: SearchStrategy[int] | None = None, *, longest: int = 10) -> bytes:
    """A varint, sometimes longer than it needs."""
    value = draw(st.integers(0, (1 << 64) - 1) if values is None else values)
    out = bytearray()
    while value >= _CONTINUES:
        out.append(value & 127 | _CONTINUES)
        value >>= 7
    out.append(value)
    pad = draw(st.integers(0, longest - len(out))) if draw(st.integers(0, 7)) == 0 else 0
    if pad:
        out[-1] |= 128
        out += b"\x80" * (pad - 1) + b"\x00"
    return bytes(out)


@st.composite
def unknown_fields(draw: DrawFn, cls: type[WireMessage] | None = None) -> bytes:
    """One well-formed field that ``cls`` does not know: a new number, or a known one with another wire type."""
    known = {field.number << 3 | _WIRE.get(field.type, 0) for field in _FIELDS[cls]} if cls else set[int]()
    numbers = st.integers(1, 30) | st.integers(1, (1 << 29) - 1)
    tag = draw(_tags(numbers).filter(lambda tag: tag not in known))
    return draw(_unknown(tag, 0))


def _tags(numbers: SearchStrategy[int], *, groups: bool = True) -> SearchStrategy[int]:
    wires = [0, 1, 2, 5, _GROUP] if groups else [0, 1, 2, 5]
    return st.tuples(numbers, st.sampled_from(wires)).map(lambda pair: pair[0] << 3 | pair[1])


@st.composite
def _unknown(draw: DrawFn, tag: int, depth: int) -> bytes:
    head = draw(varints(st.just(tag), longest=5))
    wire = tag & 7
    if wire == 0:
        return head + draw(varints())
    if wire == _DELIMITED:
        body = draw(st.binary(max_size=8))
        return head + draw(varints(st.just(len(body)), longest=5)) + body
    if wire != _GROUP:
        return head + draw(st.binary(min_size=8 if wire == 1 else 4, max_size=8 if wire == 1 else 4))
    tags = draw(st.lists(_tags(st.integers(1, 30), groups=depth < _DEEPEST), max_size=2))
    inner = b"".join(draw(_unknown(one, depth + 1)) for one in tags)
    return head + inner + draw(varints(st.just(tag + 1), longest=5))


def _some_fields(cls: type[WireMessage]) -> SearchStrategy[list[Field]]:
    fields = _FIELDS[cls]
    return st.lists(st.sampled_from(fields), max_size=6) if fields else st.just([])


def _numbers(cls: type[WireMessage]) -> SearchStrategy[int]:
    """Of one of its fields; 1 for a message without any."""
    return st.sampled_from([field.number for field in _FIELDS[cls]] or [1])


@st.composite
def valid_bytes(draw: DrawFn, cls: type[WireMessage]) -> bytes:
    """An encoding in any order, fields repeated, members merged, numbers long-winded, unknown fields between them."""
    parts: list[bytes] = []
    for field in draw(_some_fields(cls)):
        if draw(st.integers(0, 9)) == 0:
            parts.append(draw(unknown_fields(cls)))
        tag = draw(varints(st.just(field.number << 3 | _WIRE.get(field.type, 0)), longest=5))
        if field.type == "map":
            key, value = draw(_wire_value(field, str(field.key))), draw(_wire_value(field, str(field.value)))
            body = (b"\x08" if field.key == "uint32" else b"\x0a") + key + b"\x12" + value
            parts.append(tag + draw(varints(st.just(len(body)), longest=5)) + body)
        else:
            parts.append(tag + draw(_wire_value(field, field.type)))
    return b"".join(parts)


def joined_bytes(cls: type[WireMessage]) -> SearchStrategy[bytes]:
    """Two to four encodings of one class in a row."""
    return st.lists(valid_bytes(cls), min_size=2, max_size=4).map(b"".join)


@st.composite
def _wire_value(draw: DrawFn, field: Field, kind: str) -> bytes:
    if kind == "float":
        return draw(_FLOATS)
    if kind == "double":
        return draw(_DOUBLES)
    if kind == "message":
        body = draw(valid_bytes(cast("type[WireMessage]", field.message)))
    elif kind == "string":
        body = draw(_SCALARS["string"]).encode()
    elif kind == "bytes":
        body = draw(_SCALARS["bytes"])
    else:
        return draw(varints())
    return draw(varints(st.just(len(body)), longest=5)) + body


_PIECES: Final = (
    b"\xff", b"\x80", b"\x00", b"\x7f", b"\x0a\x00", b"\x0b", b"\x0c", b"\xff\xff\xff\xff\x0f", b"\x12\x81\x00",
    b"\xed\xa0\x80", b"\xc0\x80", b"\xff" * 9 + b"\x01", b"\xff" * 9 + b"\x7f", b"\x80" * 10 + b"\x01",
    b"\x00\x00\x80\x7f", b"\x00\x00\xc0\x7f", b"\x6a\x02\x0a\x00", b"\x58\x64",
)  # fmt: skip


@st.composite
def mutated_bytes(draw: DrawFn, cls: type[WireMessage]) -> bytes:
    """A valid encoding after one to three edits."""
    out = bytearray(draw(valid_bytes(cls)))
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(out)))
        edit = draw(st.sampled_from(["replace", "delete", "insert", "piece", "repeat"]))
        if edit == "replace":
            out[at : at + 1] = draw(st.binary(min_size=1, max_size=1))
        elif edit == "delete":
            del out[at : at + draw(st.integers(1, 4))]
        elif edit == "insert":
            out[at:at] = draw(st.binary(min_size=1, max_size=4))
        elif edit == "piece":
            out[at:at] = draw(st.sampled_from(_PIECES))
        else:
            out += out[at : at + draw(st.integers(1, 20))]
    return bytes(out)


@st.composite
def truncated_bytes(draw: DrawFn, cls: type[WireMessage]) -> bytes:
    """A valid encoding that ends too soon (or, where a field ends there, just sooner)."""
    data = draw(valid_bytes(cls).filter(len))
    return data[: draw(st.integers(0, len(data) - 1))]


@st.composite
def hostile_bytes(draw: DrawFn, cls: type[WireMessage]) -> bytes:
    """Nesting, groups, huge lengths, endless numbers, runs of tiny fields, several messages in a row, noise."""
    return draw(draw(st.sampled_from(_HOSTILE))(cls))


@st.composite
def _groups(draw: DrawFn, _cls: type[WireMessage]) -> bytes:
    depth = draw(st.sampled_from([1, 2, 96, 97, 98, 99, 100, 101, 300]))
    number = draw(st.sampled_from([1, 15, 16, (1 << 29) - 1]))
    opening, closing = (draw(varints(st.just(number << 3 | wire), longest=5)) for wire in (3, 4))
    data = opening * depth + closing * (depth - draw(st.integers(0, 1)))
    for _ in range(draw(st.integers(0, 3))):
        tag = draw(st.integers(1, 4)) << 3 | 2
        data = draw(varints(st.just(tag), longest=5)) + draw(varints(st.just(len(data)), longest=5)) + data
    return data


@st.composite
def _lengths(draw: DrawFn, cls: type[WireMessage]) -> bytes:
    number = draw(_numbers(cls))
    length = draw(st.sampled_from([5, (1 << 31) - 1, 1 << 31, 1 << 32, 1 << 62, (1 << 64) - 1]))
    return draw(varints(st.just(number << 3 | 2), longest=5)) + draw(varints(st.just(length)))


@st.composite
def _endless(draw: DrawFn, cls: type[WireMessage]) -> bytes:
    tag = draw(varints(_numbers(cls).map(lambda number: number << 3), longest=5))
    return tag + b"\xff" * draw(st.integers(7, 12)) + draw(st.binary(max_size=2))


@st.composite
def _texts(draw: DrawFn, cls: type[WireMessage]) -> bytes:
    """Strings that are nearly UTF-8: surrogates, overlong forms, beyond the last character, cut."""
    fields = [field for field in _FIELDS[cls] if field.type == "string"]
    bad = draw(
        st.sampled_from([b"\xed\xa0\x80", b"\xed\xbf\xbf", b"\xc0\x80", b"\xf4\x90\x80\x80", b"\xe2\x82", b"\x80"])
    )
    body = draw(st.text(max_size=8)).encode() + bad
    number = draw(st.sampled_from(fields)).number if fields else draw(st.integers(1, 15))
    return draw(varints(st.just(number << 3 | 2), longest=5)) + draw(varints(st.just(len(body)), longest=5)) + body


@st.composite
def _runs(draw: DrawFn, cls: type[WireMessage]) -> bytes:
    piece = draw(st.sampled_from(_PIECES) | unknown_fields(cls) | unknown_fields(None))
    return piece * draw(st.integers(1, 50))


@st.composite
def _rows(draw: DrawFn, _cls: type[WireMessage]) -> bytes:
    classes = draw(st.lists(message_classes(), min_size=1, max_size=3))
    return b"".join(draw(valid_bytes(cls)) for cls in classes)


def _noise(_cls: type[WireMessage]) -> SearchStrategy[bytes]:
    return st.binary(max_size=64)


_HOSTILE: Final[tuple[Callable[[type[WireMessage]], SearchStrategy[bytes]], ...]] = (
    _groups, _lengths, _endless, _texts, _runs, _rows, _noise,
)  # fmt: skip


def wire_bytes(cls: type[WireMessage]) -> SearchStrategy[bytes]:
    """Any bytes that may arrive in place of a message of this class."""
    return st.one_of(valid_bytes(cls), joined_bytes(cls), mutated_bytes(cls), truncated_bytes(cls), hostile_bytes(cls))


# --- whole plays


def events() -> SearchStrategy[Event]:
    """What a packet from a peer comes out as."""
    return wire_bytes(Packet).map(_events).filter(len).map(lambda found: found[0])


def _events(data: bytes) -> list[Event]:
    session = _opened(RoomSession(SimulatorAdapter("events"), announce=False))
    session.receive_data("peer", data, now=1.0)
    return session.events()


def _opened(session: RoomSession) -> RoomSession:
    session.open(now=0.0)
    people = (Participant(identity="peer", sid="PA_1"),)
    session.receive(LinkOpened(link=LinkRef(1, 1), identity="me", room="room", participants=people), now=0.0)
    session.commands()
    session.events()
    return session


_NAMES: Final = st.sampled_from(["alice", "Bob", "0x" + "ab" * 20])
_FAULTS: Final = st.builds(
    Faults,
    latency=st.sampled_from([0.0, 0.02, 0.3]),
    jitter=st.sampled_from([0.0, 0.2]),
    loss=st.sampled_from([0.0, 0.5]),
    duplicate=st.sampled_from([0.0, 0.5]),
    reorder=st.sampled_from([0.0, 0.5]),
)


@st.composite
def scripts(
    draw: DrawFn,
    *,
    texts: SearchStrategy[str] | None = None,
    bot: str = "bot",
    seconds: float = 30.0,
    max_size: int = 20,
    islands: tuple[str, ...] = (),
) -> list[do.Action]:
    """Up to ``max_size`` things that peers, the network and the server do within ``seconds``.

    ``texts``: what peers write; any text without it.  ``bot``: the identity that is cut off and put out, now and then.
    ``islands``: names of those to which it and peers are moved; none, and all are in one room.
    """
    at = st.integers(0, int(seconds * 4)).map(lambda quarter: quarter / 4)
    everybody = _NAMES | st.just(bot)
    numbers = st.floats(-1e4, 1e4, width=32)
    said = st.text(max_size=20) if texts is None else texts
    actions = st.one_of(
        st.builds(do.Say, at, st.just("alice"), said),
        st.builds(do.Say, at, _NAMES, said),
        st.builds(do.Say, at, _NAMES, said, st.just((bot,))),
        st.builds(do.Move, at, _NAMES, st.tuples(numbers, numbers, numbers)),
        st.builds(do.Send, at, _NAMES, packets()),
        st.builds(do.Raw, at, _NAMES, wire_bytes(Packet)),
        st.builds(do.Emote, at, _NAMES, st.sampled_from(("wave", "clap")), st.booleans()),
        st.builds(do.Publish, at, _NAMES, muted=st.booleans()),
        st.builds(do.Unpublish, at, _NAMES),
        st.builds(do.Join, at, _NAMES),
        st.builds(do.Leave, at, _NAMES),
        st.builds(do.Cut, at, everybody),
        st.builds(do.Heal, at, everybody),
        st.builds(do.SetFaults, at, _FAULTS),
        st.builds(do.Remove, at, _NAMES),
        st.sampled_from([do.Delete, do.ShutDown, do.Restart]).flatmap(lambda kind: st.builds(kind, at)),
    )
    if islands:
        actions |= st.builds(do.ToIsland, at, everybody, st.sampled_from(islands))
    return [do.Join(0.0, "alice"), *draw(st.lists(actions, max_size=max_size))]


@st.composite
def journals(draw: DrawFn) -> Journal:
    """A journal that was written: of a session that opened, got packets, lost its link and closed, in any order."""
    journal = Journal()
    make = Backoff(initial=1.0) if draw(st.booleans()) else None
    session = journal.record(RoomSession, SimulatorAdapter("journal"), entropy=draw(st.integers(0, 9)), reconnect=make)
    _opened(session)
    link, now = LinkRef(1, 1), 0.0
    for kind in draw(st.lists(st.integers(0, 5), max_size=12)):
        now += draw(st.sampled_from([0.0, 0.5, 3.0]))
        if kind <= 1:
            session.receive_data(draw(st.sampled_from(["peer", None])), draw(wire_bytes(Packet)), now=now)
        elif kind == 2:  # noqa: PLR2004 - one of six
            session.handle_timeout(now)
        elif kind == 3:  # noqa: PLR2004 - one of six
            session.receive(LinkReconnecting(link=link), now=now)
            session.receive(LinkReconnected(link=link), now=now + draw(st.sampled_from([0.0, 1.0])))
        else:
            session.receive(LinkClosed(link=link, reason=draw(st.sampled_from(CloseReason))), now=now)
    session.close(now=now)
    return journal
