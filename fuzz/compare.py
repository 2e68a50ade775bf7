"""Whether two messages are the same: one of ours and protobuf's, field by field, or two of ours, to the last bit."""

from __future__ import annotations

import math
import struct
from typing import TYPE_CHECKING, Any

from dcl_comms_core.proto._gen.tables import TABLES

if TYPE_CHECKING:
    from dcl_comms_core.proto import Field, WireMessage

__all__ = ["FIELDS", "against_protobuf", "identical"]

FIELDS = {table.cls: table.fields for table in TABLES}
_double = struct.Struct("<d").pack


def identical(one: Any, other: Any) -> bool:
    """The same types and values all the way down: 0.0 is not -0.0, True is not 1, and a NaN has its bits."""
    if type(one) is not type(other):
        return False
    fields = FIELDS.get(type(one))
    if fields is not None:
        return one._unknown_fields == other._unknown_fields and all(  # noqa: SLF001  # betterproto2's name
            identical(getattr(one, field.name), getattr(other, field.name)) for field in fields
        )
    if isinstance(one, float):
        return _double(one) == _double(other)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(identical, one, other))
    if isinstance(one, dict):
        return list(one) == list(other) and all(identical(one[key], other[key]) for key in one)
    return bool(one == other)


def against_protobuf(ours: WireMessage, theirs: Any) -> str | None:
    """The first field with another value, presence or type than in protobuf's message; None if there is none."""
    for field in FIELDS[type(ours)]:
        problem = _field(field, getattr(ours, field.name), theirs)
        if problem is not None:
            return f"{type(ours).__name__}.{field.name}: {problem}"
    return None


def _field(field: Field, mine: Any, theirs: Any) -> str | None:  # noqa: PLR0911  # one for each presence
    if field.presence in {"explicit", "oneof"} and (mine is not None) != theirs.HasField(field.name):
        return f"present here: {mine is not None}"
    if mine is None:
        return None
    yours = getattr(theirs, field.name)
    if field.presence == "repeated":
        if len(mine) != len(yours):
            return f"{len(mine)} items, protobuf {len(yours)}"
        return next((bad for a, b in zip(mine, yours, strict=True) if (bad := _value(field.type, a, b))), None)
    if field.presence == "map":
        if set(mine) != set(yours):
            return "other keys"
        return next((bad for key in mine if (bad := _value(str(field.value), mine[key], yours[key]))), None)
    return _value(field.type, mine, yours)


def _value(kind: str, mine: Any, yours: Any) -> str | None:
    if kind == "message":
        return against_protobuf(mine, yours)
    if kind in {"float", "double"}:
        same = (math.isnan(mine) and math.isnan(yours)) or _double(mine) == _double(yours)
    elif kind == "enum":
        same = int(mine) == yours
    else:
        same = mine == yours and type(mine) is type(yours)
    return None if same else f"{mine!r}, protobuf {yours!r}"
