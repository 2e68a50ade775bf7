"""Packets that a page makes: of which kinds, of what, their bytes, the Python that does the same."""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

from dcl_comms_core.codec import encode
from dcl_comms_core.errors import EncodeError
from dcl_comms_core.limits import DEFAULT_LIMITS
from dcl_comms_core.packets.conventions import LOSSY_KINDS, PROTOCOL_VERSION
from dcl_comms_core.proto import rfc4
from dcl_comms_station.board.asked import Arguments, BadRequest, Refused, listed
from dcl_comms_station.board.making.schema import fields_of, type_of, unit_of

if TYPE_CHECKING:
    from dcl_comms_core.proto import Field, WireMessage

__all__ = ["Composed", "call", "compose", "forms"]

_KINDS: Final = {one.name: one for one in fields_of(rfc4.Packet).values() if one.message is not None}
_DEPTH: Final = 4
_GODOT_CHAT: Final = 200


class Composed(NamedTuple):
    """A packet that may be sent."""

    data: bytes
    packet: rfc4.Packet | None
    """None: it was given as bytes."""
    to: list[str] | None
    reliable: bool | None
    topic: str
    python: str
    notes: list[str]

    @property
    def is_reliable(self) -> bool:
        """How it goes, where nothing else is said: as explorers send its kind; bytes reliably."""
        return self.reliable is not False if self.packet is None or self.reliable is not None else self._usual

    @property
    def _usual(self) -> bool:
        return next((name for name in _KINDS if getattr(self.packet, name) is not None), "") not in LOSSY_KINDS


def forms() -> list[dict[str, Any]]:
    """Every kind of packet with its fields, as KINDFORM."""
    return [
        {
            "kind": name,
            "reliable": name not in LOSSY_KINDS,
            "fields": [] if one.message is None else _form(one.message, 0),
        }
        for name, one in _KINDS.items()
    ]


def _form(kind: type[WireMessage], depth: int) -> list[dict[str, Any]]:
    told: list[dict[str, Any]] = []
    for one in fields_of(kind).values():
        form: dict[str, Any] = {
            "name": one.name,
            "type": "message" if one.message is not None else type_of(one),
            "repeated": one.presence in {"repeated", "map"},
            "optional": one.presence in {"explicit", "oneof"},
            "unit": unit_of(one.name),
            "default": _default(one),
        }
        if one.enum is not None:
            form["values"] = [member.name.lower() for member in one.enum]
        if one.message is not None:
            form["fields"] = _form(one.message, depth + 1) if depth < _DEPTH else []
        told.append(form)
    return told


def _default(one: Field) -> object:
    if one.presence in {"explicit", "oneof", "message"}:
        return None
    if one.presence in {"repeated", "map"}:
        return []
    if one.enum is not None:
        return next(iter(one.enum)).name.lower()
    return {"string": "", "bytes": "", "bool": False}.get(one.type, 0)


def compose(given: Arguments) -> Composed:
    """What ``send`` and ``encode`` are given, as a packet.  Refused: it is none."""
    to, topic = given.texts("to"), given.text("topic", "", most=DEFAULT_LIMITS.topic_chars)
    reliable = given.truth("reliable") if "reliable" in given else None
    if "hex" in given:
        data = given.hex("hex")
        python = call("send_bytes", f'bytes.fromhex("{data.hex()}")', to=to, reliable=reliable, topic=topic)
        return Composed(data, None, to, reliable, topic, python, [])
    kind = given.text("kind")
    shape = _KINDS.get(kind)
    if shape is None or shape.message is None:
        raise BadRequest("kind", f"there is no kind {kind[:40]!r}")
    message, python = _message(shape.message, given.object("fields"), "fields", 0)
    packet = rfc4.Packet(protocol_version=PROTOCOL_VERSION, **{kind: message})
    try:
        data = encode(packet)
    except EncodeError as error:
        raise Refused("encode", str(error), field="fields") from None
    whole = f"rfc4.Packet({kind}={python}, protocol_version={PROTOCOL_VERSION})"
    return Composed(
        data,
        packet,
        to,
        reliable,
        topic,
        call("send_nowait", whole, to=to, reliable=reliable, topic=topic),
        _notes(kind, message, data),
    )


def _notes(kind: str, message: WireMessage, data: bytes) -> list[str]:
    limits, notes = DEFAULT_LIMITS, list[str]()
    if kind == "chat" and len(str(getattr(message, "message", "")).encode(errors="replace")) > _GODOT_CHAT:
        notes.append(f"Godot clients cut a chat message at {_GODOT_CHAT} bytes")
    if kind == "scene" and len(data) > limits.scene_warn_bytes:
        notes.append(f"Unity clients drop a scene message beyond {limits.scene_warn_bytes} bytes")
    if len(data) > limits.packet_bytes:
        notes.append(f"nobody takes a packet beyond {limits.packet_bytes} bytes")
    return notes


def _message(kind: type[WireMessage], values: dict[str, Any], path: str, depth: int) -> tuple[Any, str]:
    """A message of plain values, and how Python writes it."""
    shapes = {one.name: one for one in fields_of(kind).values()}
    unknown = values.keys() - shapes.keys()
    if unknown:
        raise BadRequest(f"{path}.{min(unknown)}"[:100], f"{kind.__name__} has no field {min(unknown)[:40]!r}")
    made: dict[str, Any] = {}
    written: list[str] = []
    for name, value in values.items():
        if value is None:
            continue
        one, place = shapes[name], f"{path}.{name}"
        if one.presence == "map":
            raise BadRequest(place, f"{name} can't be given here: send the packet as hex")
        if one.presence == "repeated":
            given = listed(value)
            if given is None:
                raise BadRequest(place, f"{name} is a list")
            parts = [_value(one, part, place, depth) for part in given]
            made[name] = [part[0] for part in parts]
            written.append(f"{name}=[{', '.join(part[1] for part in parts)}]")
        else:
            made[name], text = _value(one, value, place, depth)
            written.append(f"{name}={text}")
    return kind(**made), f"{kind.__module__.rpartition('.')[2]}.{kind.__name__}({', '.join(written)})"


def _value(one: Field, value: Any, place: str, depth: int) -> tuple[Any, str]:  # noqa: C901, PLR0911 - one for each type
    wrong = BadRequest(place, f"{one.name} is of the kind {type_of(one)}")
    if one.message is not None:
        if not isinstance(value, dict) or depth > _DEPTH:
            raise wrong
        return _message(one.message, cast("dict[str, Any]", value), place, depth + 1)
    if one.enum is not None:
        member = next((each for each in one.enum if value in {each.name.lower(), each.value}), None)
        if member is None or isinstance(value, bool):
            raise wrong
        return member, f"{member.value}"
    match one.type:
        case "string" if isinstance(value, str):
            return value, repr(value)
        case "bytes" if isinstance(value, str):
            try:
                data = bytes.fromhex(value)
            except ValueError:
                raise BadRequest(place, f"{one.name} is hex") from None
            return data, f'bytes.fromhex("{data.hex()}")'
        case "bool" if isinstance(value, bool):
            return value, repr(value)
        case "float" | "double" if isinstance(value, int | float) and not isinstance(value, bool):
            if not isfinite(value):
                raise wrong
            return float(value), repr(value)
        case "int32" | "int64" | "sint32" | "uint32" | "uint64" if isinstance(value, int) and not isinstance(
            value, bool
        ):
            return value, repr(value)
        case _:
            raise wrong


def call(verb: str, *arguments: str, to: list[str] | None = None, **named: object) -> str:
    """The Python that does the same; what is None or empty is left out."""
    parts = list(arguments)
    if to is not None:
        parts.append(f"to={to!r}")
    parts += [f"{name}={value!r}" for name, value in named.items() if value not in {None, ""}]
    return f"room.{verb}({', '.join(parts)})"
