"""One execution: the same bytes to our codec and to protobuf's runtime; any difference raises Disagreement."""

from __future__ import annotations

import math
import struct
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

from dcl_comms_core.codec import decode, decode_kind, decode_message, encode, kind_of, peek, strict, tag13
from dcl_comms_core.errors import DecodeError
from dcl_comms_core.limits import DEFAULT_LIMITS
from dcl_comms_core.proto import rfc4
from dcl_comms_core.proto._gen.tables import TABLES
from fuzz.oracle import OracleError, oracle_classes
from fuzz.policy import ACCEPTANCE, ENCODING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dcl_comms_core.proto import Field, WireMessage
    from fuzz.policy import Difference

__all__ = ["Disagreement", "Outcome", "check"]

FIELDS = {table.cls: table.fields for table in TABLES}


class Disagreement(AssertionError):
    """Our codec and the oracle differ, or two ways through our codec do."""


class Outcome(NamedTuple):
    """``result`` is ``accepted`` or the reason of the DecodeError; ``excused`` names a documented difference."""

    result: str
    excused: str | None


def check(cls: type[WireMessage], data: bytes) -> Outcome:
    """Decode, compare every value, encode again, compare the bytes; and all our entry points with each other."""
    theirs = None
    with suppress(OracleError):
        theirs = oracle_classes()[cls].FromString(data)
    try:
        ours = decode_message(cls, data)
    except DecodeError as error:
        _same_refusal(cls, data, error)
        if theirs is None:
            return Outcome(error.reason, None)
        return Outcome(error.reason, _excuse(ACCEPTANCE, data, f"refused ({error}), protobuf accepts"))
    if theirs is None:
        raise Disagreement("accepted, protobuf refuses")
    problem = _compare(ours, theirs)
    if problem is not None:
        raise Disagreement(problem)
    _same_answer(cls, data, ours)
    return Outcome("accepted", _compare_bytes(data, ours, theirs))


def _excuse(known: Iterable[Difference], data: bytes, problem: str) -> str:
    for difference in known:
        if difference.applies(data):
            return difference.name
    raise Disagreement(problem)


def _same_refusal(cls: type[WireMessage], data: bytes, error: DecodeError) -> None:
    if not 0 <= error.offset <= len(data):
        raise Disagreement(f"offset {error.offset} outside of {len(data)} bytes")
    for other in (memoryview(data), bytearray(data)):
        try:
            decode_message(cls, other)
        except DecodeError as again:
            if again.args == error.args:
                continue
        raise Disagreement(f"{type(other).__name__} is answered differently")


def _same_answer(cls: type[WireMessage], data: bytes, ours: WireMessage) -> None:
    """The fast paths and the strict decoder agree; so do decode, decode_kind, kind_of and peek for a Packet."""
    careful = strict.decode(cls, data, DEFAULT_LIMITS)
    if careful != ours or encode(careful) != encode(ours):
        raise Disagreement("the fast path and the strict decoder differ")
    if cls is not rfc4.Packet:
        return
    kind, packet = decode_kind(data)
    if packet != ours or decode(data) != ours:
        raise Disagreement("decode, decode_kind and decode_message differ")
    if kind != kind_of(packet) or peek(data) != (kind, packet.protocol_version):
        raise Disagreement(f"peek {peek(data)}, decode_kind {kind}, kind_of {kind_of(packet)}")
    if (tag13(packet) is None) != (kind != "look_at_position"):
        raise Disagreement("tag13 and kind differ")


def _compare_bytes(data: bytes, ours: WireMessage, theirs: Any) -> str | None:
    again = encode(ours)
    expected = theirs.SerializeToString(deterministic=True)
    if again == expected:
        return None
    try:
        # The order of a map's pairs is free: let the oracle read ours and write it in its own order.
        reread = type(theirs).FromString(again)
    except OracleError:
        raise Disagreement("protobuf refuses what encode wrote") from None
    if reread.SerializeToString(deterministic=True) == expected:
        return None
    return _excuse(ENCODING, data, f"encoded as {again.hex()}, by protobuf as {expected.hex()}")


def _compare(ours: WireMessage, theirs: Any) -> str | None:
    for field in FIELDS[type(ours)]:
        problem = _compare_field(field, getattr(ours, field.name), theirs)
        if problem is not None:
            return f"{type(ours).__name__}.{field.name}: {problem}"
    return None


def _compare_field(field: Field, mine: Any, theirs: Any) -> str | None:  # noqa: PLR0911  # one for each presence
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
        return _compare(mine, yours)
    if kind in {"float", "double"}:
        if math.isnan(mine) and math.isnan(yours):
            return None
        same = struct.pack("<d", mine) == struct.pack("<d", yours)
    elif kind == "enum":
        same = int(mine) == yours
    else:
        same = mine == yours and type(mine) is type(yours)
    return None if same else f"{mine!r}, protobuf {yours!r}"
