"""The shape of the field tables: what a codec has to know about each field of each message."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from enum import IntEnum
    from typing import TypeAlias

    from dcl_comms_core.proto.base import WireMessage

    # ``type`` is the name of a column below.
    MessageClass: TypeAlias = type[WireMessage]
    EnumClass: TypeAlias = type[IntEnum]

__all__ = ["Field", "FieldType", "MessageTable", "Presence"]

FieldType = Literal[
    "bool",
    "bytes",
    "double",
    "enum",
    "float",
    "int32",
    "int64",
    "map",
    "message",
    "sint32",
    "string",
    "uint32",
    "uint64",
]
"""Every type that the schemas use; the generator refuses a schema with any other."""

Presence = Literal["implicit", "explicit", "oneof", "repeated", "map"]
"""``implicit``: the zero value is not written.  ``explicit``: absent is None.  ``oneof``: absent is None, and one
member of the group at a time.  ``repeated`` and ``map``: absent is empty."""


class Field(NamedTuple):
    """One field.  ``key`` and ``value`` are the types of a map's halves."""

    name: str
    number: int
    type: FieldType
    presence: Presence
    message: MessageClass | None = None
    enum: EnumClass | None = None
    group: str = ""
    key: FieldType | None = None
    value: FieldType | None = None


class MessageTable(NamedTuple):
    """One message: its class, the name in its .proto file, and its fields in order of field number."""

    cls: type[WireMessage]
    full_name: str
    fields: tuple[Field, ...]
