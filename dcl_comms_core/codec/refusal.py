"""Why a message can't be written: found by the tables, after an encoder has refused it."""

# _unknown_fields is the name that betterproto2 gave it.
# pyright: reportPrivateUsage=false

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

from dcl_comms_core.codec import scalars
from dcl_comms_core.proto._gen.tables import TABLES

if TYPE_CHECKING:
    from collections.abc import Callable

    from dcl_comms_core.proto.base import WireMessage
    from dcl_comms_core.proto.fields import Field

__all__ = ["why"]

_FIELDS: Final = {table.cls: table.fields for table in TABLES}
_CHECKS: Final[dict[str, Callable[[Any], object]]] = {
    "bool": scalars.flag,
    "bytes": scalars.blob,
    "double": scalars.double,
    "enum": scalars.int32,
    "float": scalars.single,
    "int32": scalars.int32,
    "int64": scalars.int64,
    "sint32": scalars.sint32,
    "string": scalars.utf8,
    "uint32": scalars.uint32,
    "uint64": scalars.uint64,
}
_OPTIONAL: Final = frozenset({"explicit", "oneof"})


def why(message: WireMessage) -> str | None:
    """The first problem, with the field's name and never its value; None if there is none."""
    name = type(message).__name__
    unknown: Any = message._unknown_fields
    if not isinstance(unknown, bytes):
        return f"{name}._unknown_fields is not bytes"
    fields = next(_FIELDS[cls] for cls in type(message).__mro__ if cls in _FIELDS)
    members = [field.name for field in fields if field.presence == "oneof" and getattr(message, field.name) is not None]
    if len(members) > 1:
        return f"{name} has two members of its oneof set: {members[0]} and {members[1]}"
    for field in fields:
        value = getattr(message, field.name)
        if value is None and field.presence in _OPTIONAL:
            continue
        problem = _field(field, value)
        if problem is not None:
            return f"{name}.{field.name}{problem}"
    return None


def _field(field: Field, value: Any) -> str | None:
    if field.presence == "repeated":
        try:
            items = list(scalars.items(value))
        except TypeError:
            return " is not a list"
        return next((f"[{i}]{bad}" for i, item in enumerate(items) if (bad := _value(field, field.type, item))), None)
    if field.presence == "map":
        return _map(field, value)
    return _value(field, field.type, value)


def _map(field: Field, value: Any) -> str | None:
    try:
        pairs = list(scalars.pairs(value))
    except TypeError:
        return " is not a mapping"
    for key, item in pairs:
        bad = _value(field, str(field.key), key)
        if bad is not None:
            return f": a key{bad}"
        bad = _value(field, str(field.value), item)
        if bad is not None:
            return f": a value{bad}"
    return None


def _value(field: Field, kind: str, value: Any) -> str | None:
    if kind == "message":
        cls = cast("type[WireMessage]", field.message)
        if not isinstance(value, cls):
            return f" is not a {cls.__name__}"
        inner = why(value)
        return None if inner is None else f": {inner}"
    try:
        _CHECKS[kind](value)
    except OverflowError:
        return f" is out of range for {kind}"
    except UnicodeError:
        return " has an unpaired surrogate"
    except scalars.REFUSALS:
        return f" is not a value for {kind}"
    return None
