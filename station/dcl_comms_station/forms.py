"""Events and packets as plain JSON values.

An event is what ``as_dict`` makes of it.  Of packets names are those of the classes' fields; bytes are hex, and members
of enums are their names in lower case.  What JSON has no number for (NaN, the infinities, integers that a double can't
hold) is a string.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from math import isfinite, isnan
from typing import TYPE_CHECKING, Final, cast

from dcl_comms_core.codec import Tag13, decode_kind, tag13
from dcl_comms_core.errors import DecodeError
from dcl_comms_core.events import PacketReceived
from dcl_comms_core.proto.base import WireMessage
from dcl_comms_core.records.forms import as_dict

if TYPE_CHECKING:
    from dcl_comms_core.events import Event

__all__ = ["dump", "plain", "plain_event", "plain_packet"]

_LARGEST_EXACT: Final = 2**53


def dump(value: object) -> str:
    """One line of JSON, ASCII only: safe for any terminal."""
    return json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(", ", ": "))


def plain_event(event: Event) -> dict[str, object]:
    """An event with its name first; of a packet that is told as it came, what is in it too."""
    shown: dict[str, object] = as_dict(event)
    if isinstance(event, PacketReceived):
        try:
            shown["packet"] = plain_packet(event.data)
        except DecodeError as error:
            shown["error"] = {"reason": error.reason, "offset": error.offset}
    return shown


def plain_packet(data: bytes) -> dict[str, object]:
    """A packet's bytes as kind, protocol_version, size and fields.  DecodeError."""
    kind, packet = decode_kind(data)
    shown: dict[str, object] = {"kind": kind, "protocol_version": packet.protocol_version, "size": len(data)}
    meaning = tag13(packet)
    if meaning is not None and meaning is not Tag13.LOOK_AT:
        # The fields below are LookAtPosition's names for what another client means by them.
        shown["looks_like"] = meaning.value
    shown["fields"] = {} if kind is None else plain(getattr(packet, kind))
    return shown


def plain(value: object) -> object:  # noqa: PLR0911 - one short case for each kind of value
    """Any value of an event or a message as JSON has it; absent fields of messages are left out."""
    match value:
        case None | bool() | str():
            return value
        case Enum():
            # An enum number that the schema does not know has no name.
            return (value.name or str(cast("object", value.value))).lower()
        case int():
            return value if abs(value) <= _LARGEST_EXACT else str(value)
        case float():
            return value if isfinite(value) else "NaN" if isnan(value) else "Infinity" if value > 0 else "-Infinity"
        case bytes():
            return value.hex()
        case Mapping():
            return {str(key): plain(item) for key, item in cast("Mapping[object, object]", value).items()}
        case list() | tuple() | set() | frozenset():
            return [plain(item) for item in cast("tuple[object, ...]", value)]
        case WireMessage():
            return {name: shown for name, shown in _fields(value).items() if shown is not None}
        case _:
            return _fields(value)


def _fields(value: object) -> dict[str, object]:
    if not is_dataclass(value) or isinstance(value, type):
        return {"text": str(value)}
    return {field.name: plain(getattr(value, field.name)) for field in fields(value) if not field.name.startswith("_")}
