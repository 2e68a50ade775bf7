"""The values that events hold, as JSON has them, and back; what each kind of value looks like, for the schema.

=====================  ================================================================================================
a value                in JSON
=====================  ================================================================================================
float                  a number; ``"NaN"``, ``"Infinity"``, ``"-Infinity"``, for which JSON has none
int                    a number; a text of digits beyond 2**53, which not every reader of JSON keeps
bytes                  base64
PeerId                 its text
member of an enum      its name in lower case; of a message's enum that has no name: its number as a text
Vector3                ``[x, y, z]``
Adapter                its connection string, with ``***`` where its secrets were
message                its fields by name, without those that are absent; ``_unknown`` (base64) if there were others
=====================  ================================================================================================
"""

# _unknown_fields is the name that betterproto2 gave it; JSON has no types.
# pyright: reportPrivateUsage=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportUnknownLambdaType=false, reportUnknownMemberType=false

from __future__ import annotations

import json
import re
from base64 import b64decode, b64encode, urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from enum import Enum
from functools import cache
from math import inf, isfinite, nan
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast, get_args, get_origin, get_type_hints

from dcl_comms_core.adapters.connection_string import Adapter, parse_connection_string
from dcl_comms_core.adapters.token import Claims, Grants
from dcl_comms_core.errors import CommsError, InvalidRecord
from dcl_comms_core.inputs import Track
from dcl_comms_core.limits import Limits
from dcl_comms_core.packets.events import PacketEvent, Vector3
from dcl_comms_core.peers import Arrival, PeerId
from dcl_comms_core.proto import WireMessage, rfc4
from dcl_comms_core.proto._gen.tables import TABLES
from dcl_comms_core.states import CloseReason, Retry
from dcl_comms_core.tools.urls import MASK

if TYPE_CHECKING:
    from collections.abc import Callable

    from dcl_comms_core.proto.fields import Field as WireField

__all__ = [
    "Form",
    "Schema",
    "class_forms",
    "form_of",
    "message_form",
    "object_schema",
    "read_fields",
    "read_list",
    "refuse",
]

Schema = dict[str, Any]

_NAMES: Final[dict[str, Any]] = {
    kind.__name__: kind
    for kind in (Adapter, Arrival, Claims, CloseReason, Grants, Limits, Mapping, PeerId, Retry, Track, Vector3)
} | {"PacketEvent": PacketEvent, "rfc4": rfc4}
"""What annotations of events name and their modules import for type checkers only."""
_EXACT: Final = 2**53
_DIGITS: Final = re.compile(r"-?[0-9]{1,40}", re.ASCII)
_FLOATS: Final = {"NaN": nan, "Infinity": inf, "-Infinity": -inf}
_FLOAT: Final[Schema] = {"anyOf": [{"type": "number"}, {"enum": [*_FLOATS]}]}
_INT: Final[Schema] = {"anyOf": [{"type": "integer"}, {"type": "string", "pattern": f"^{_DIGITS.pattern}$"}]}
_UNKNOWN: Final = "_unknown"
_WIRE: Final = {table.cls: table.fields for table in TABLES}


class Form(NamedTuple):
    """How one kind of value is written and read.  ``read`` raises InvalidRecord."""

    write: Callable[[Any], Any]
    read: Callable[[Any], Any]
    schema: Schema


def refuse(what: str, value: object) -> InvalidRecord:
    """The error that says that a value is none of these."""
    return InvalidRecord(f"{value!r:.60} is no {what}")


def _same(value: Any) -> Any:
    return value


def _is(kind: type, what: str) -> Callable[[Any], Any]:
    def read(value: object) -> object:
        if not isinstance(value, kind):
            raise refuse(what, value)
        return value

    return read


def _write_float(value: float) -> float | str:
    return value if isfinite(value) else "NaN" if value != value else "Infinity" if value > 0 else "-Infinity"  # noqa: PLR0124 - what a NaN is


def _read_float(value: object) -> float:
    if isinstance(value, str) and value in _FLOATS:
        return _FLOATS[value]
    if isinstance(value, bool) or not isinstance(value, int | float) or abs(value) > _LARGEST:
        raise refuse("number", value)
    return float(value)


_LARGEST: Final = 1.7976931348623157e308


def _write_int(value: int) -> int | str:
    return value if abs(value) <= _EXACT else str(value)


def _read_int(value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and _DIGITS.fullmatch(value):
        return int(value)
    raise refuse("whole number", value)


def _write_bytes(value: bytes) -> str:
    return b64encode(value).decode()


def _read_bytes(value: object) -> bytes:
    try:
        return b64decode(cast("str", value), validate=True)
    except (ValueError, TypeError):
        raise refuse("base64", value) from None


def _read_peer(value: object) -> PeerId:
    if not isinstance(value, str):
        raise refuse("identity", value)
    return PeerId(value)


def _read_adapter(value: object) -> Adapter:
    if not isinstance(value, str):
        raise refuse("connection string", value)
    try:
        return parse_connection_string(value.replace(f"access_token={MASK}", f"access_token={_NO_TOKEN}"))
    except CommsError as error:
        raise InvalidRecord(str(error)) from None


def _segment(document: object) -> str:
    return urlsafe_b64encode(json.dumps(document).encode()).decode().rstrip("=")


_NO_TOKEN: Final = f"{_segment({'alg': 'none'})}.{_segment({'video': {'room': MASK}})}.AA"
"""Stands for the token of an adapter, of which nothing was written: one that nobody signed."""


def read_list(value: object) -> list[Any]:
    """The items of a list."""
    if not isinstance(value, list | tuple):
        raise refuse("list", value)
    return list(cast("list[Any]", value))


def _object(value: object) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise refuse("object", value)
    return cast("Mapping[str, Any]", value)


def _read_vector(value: object) -> Vector3:
    numbers = [_read_float(one) for one in read_list(value)]
    if len(numbers) != 3:  # noqa: PLR2004 - as many as it has
        raise refuse("vector", value)
    return Vector3(*numbers)


def _write_vector(value: Vector3) -> list[Any]:
    return [_write_float(one) for one in value]


_SIMPLE: Final[dict[Any, Form]] = {
    str: Form(_same, _is(str, "text"), {"type": "string"}),
    bool: Form(_same, _is(bool, "true or false"), {"type": "boolean"}),
    int: Form(_write_int, _read_int, _INT),
    float: Form(_write_float, _read_float, _FLOAT),
    bytes: Form(_write_bytes, _read_bytes, {"type": "string", "contentEncoding": "base64"}),
    PeerId: Form(str, _read_peer, {"type": "string"}),
    Adapter: Form(str, _read_adapter, {"type": "string"}),
    Vector3: Form(_write_vector, _read_vector, {"type": "array", "items": _FLOAT, "minItems": 3, "maxItems": 3}),
}


@cache
def form_of(hint: Any) -> Form:
    """How values of a field of this type are written and read."""
    if hint in _SIMPLE:
        return _SIMPLE[hint]
    parts = get_args(hint)
    if isinstance(hint, type) and issubclass(hint, WireMessage):
        return message_form(hint)
    if isinstance(hint, UnionType):
        (kind,) = (part for part in parts if part is not NoneType)
        return _optional(form_of(kind))
    if get_origin(hint) is tuple:
        return _sequence(form_of(parts[0])) if parts[-1] is ... else _pair(*map(form_of, parts))
    if parts:
        return _texts()
    return _enum(hint) if issubclass(hint, Enum) else _of_class(hint)


def _optional(form: Form) -> Form:
    return Form(
        lambda value: None if value is None else form.write(value),
        lambda value: None if value is None else form.read(value),
        {"anyOf": [form.schema, {"type": "null"}]},
    )


def _sequence(form: Form) -> Form:
    return Form(
        lambda value: [form.write(one) for one in value],
        lambda value: tuple(form.read(one) for one in read_list(value)),
        {"type": "array", "items": form.schema},
    )


def _pair(one: Form, other: Form) -> Form:
    def read(value: object) -> tuple[Any, Any]:
        halves = read_list(value)
        if len(halves) != 2:  # noqa: PLR2004 - a pair
            raise refuse("pair", value)
        return one.read(halves[0]), other.read(halves[1])

    schema = {"type": "array", "prefixItems": [one.schema, other.schema], "minItems": 2, "maxItems": 2}
    return Form(lambda value: [one.write(value[0]), other.write(value[1])], read, schema)


def _texts() -> Form:
    text = _SIMPLE[str].read
    return Form(
        dict,
        lambda value: {text(name): text(said) for name, said in _object(value).items()},
        {"type": "object", "additionalProperties": {"type": "string"}},
    )


def _enum(kind: type[Enum]) -> Form:
    members = {member.name.lower(): member for member in kind}

    def read(value: object) -> Enum:
        if not isinstance(value, str) or value not in members:
            raise refuse(kind.__name__, value)
        return members[value]

    return Form(lambda value: value.name.lower(), read, {"enum": list(members)})


def class_forms(cls: type, own: Mapping[str, Form]) -> dict[str, tuple[Form, bool]]:
    """Of each field of a dataclass that is written: its form, and whether it may be absent.

    ``own``: forms of fields that are not written as their types are.
    """
    hints = get_type_hints(cls, localns=_NAMES)
    return {
        one.name: (own.get(one.name) or form_of(hints[one.name]), _has_default(one))
        for one in fields(cls)
        if _is_written(cls, one)
    }


def _is_written(cls: type, one: Field[Any]) -> bool:
    # The claims that grants were read from say nothing more, and may say anything.
    return not one.name.startswith("_") and not (cls is Grants and one.name == "raw")


def _has_default(one: Field[Any]) -> bool:
    return one.default is not MISSING or one.default_factory is not MISSING


def read_fields(document: Mapping[str, Any], forms: Mapping[str, tuple[Form, bool]]) -> dict[str, Any]:
    """The fields that are there.  InvalidRecord: one that has to be is absent, or is something else."""
    read: dict[str, Any] = {}
    for name, (form, optional) in forms.items():
        if name in document:
            try:
                read[name] = form.read(document[name])
            except InvalidRecord as error:
                raise InvalidRecord(f"{name}: {error}") from None
        elif not optional:
            msg = f"{name} is missing"
            raise InvalidRecord(msg)
    return read


def object_schema(forms: Mapping[str, tuple[Form, bool]]) -> Schema:
    """What an object with these fields looks like."""
    return {
        "type": "object",
        "properties": {name: form.schema for name, (form, _) in forms.items()},
        "required": [name for name, (_, optional) in forms.items() if not optional],
    }


def _of_class(cls: type) -> Form:
    assert is_dataclass(cls)  # noqa: S101 - events hold nothing else
    forms = class_forms(cls, {})
    return Form(
        lambda value: {name: form.write(getattr(value, name)) for name, (form, _) in forms.items()},
        lambda value: cls(**read_fields(_object(value), forms)),
        object_schema(forms),
    )


# --- messages


@cache
def message_form(cls: type[WireMessage]) -> Form:
    """How messages of a class are written and read."""
    forms = {one.name: (_wire_form(one), True) for one in _WIRE[cls]}
    forms[_UNKNOWN] = (_SIMPLE[bytes], True)

    def write(message: WireMessage) -> dict[str, Any]:
        values = ((name, form, getattr(message, name, None)) for name, (form, _) in forms.items())
        shown = {name: form.write(value) for name, form, value in values if value is not None}
        unknown = message._unknown_fields  # noqa: SLF001 - the name that betterproto2 gave it
        if unknown:
            shown[_UNKNOWN] = _write_bytes(unknown)
        return shown

    def read(value: object) -> WireMessage:
        values = read_fields(_object(value), forms)
        unknown = values.pop(_UNKNOWN, b"")
        message = cls(**values)
        message._unknown_fields = unknown
        return message

    return Form(write, read, object_schema(forms))


_WIRE_KINDS: Final[dict[str, Any]] = {"bool": bool, "bytes": bytes, "double": float, "float": float, "string": str}


def _wire_form(one: WireField) -> Form:
    if one.enum is not None:
        return _wire_enum(one.enum)
    return _SIMPLE[_WIRE_KINDS.get(one.type, int)]


def _wire_enum(kind: Any) -> Form:
    def write(value: Any) -> str:
        return (value.name or str(int(value))).lower()

    def read(value: object) -> Any:
        if isinstance(value, str) and _DIGITS.fullmatch(value):
            return kind(int(value))
        member = kind.__members__.get(value.upper()) if isinstance(value, str) else None
        if member is None:
            raise refuse(kind.__name__, value)
        return member

    return Form(write, read, {"type": "string"})
