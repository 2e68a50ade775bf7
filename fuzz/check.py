"""One execution: the same input to every engine of ours and to protobuf's runtime; any difference raises Disagreement.

``check`` takes bytes, ``check_message`` an object that may or may not be encodable.  Native and Python have to give
identical objects and identical errors, offset included; protobuf has to accept the same bytes and mean the same.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

from dcl_comms_core.codec import engines, strict, tag13
from dcl_comms_core.errors import DecodeError, EncodeError
from dcl_comms_core.limits import DEFAULT_LIMITS, Limits
from dcl_comms_core.proto import rfc4
from fuzz.compare import FIELDS, against_protobuf, identical
from fuzz.oracle import OracleError, read
from fuzz.policy import ACCEPTANCE, ENCODING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from dcl_comms_core.proto import WireMessage
    from fuzz.policy import Difference

__all__ = ["Disagreement", "Outcome", "check", "check_columns", "check_message"]

OTHER_LIMITS = (
    Limits(nesting=0), Limits(nesting=1), Limits(nesting=3), Limits(nesting=5), Limits(nesting=1000),
    Limits(unknown_bytes=0), Limits(unknown_bytes=6), Limits(packet_bytes=40), Limits(packet_bytes=0),
)  # fmt: skip
"""One execution in four also runs under one of these, chosen by its bytes; protobuf has nothing like them."""

MEMBERS = {"position": rfc4.Position, "movement": rfc4.Movement}
BUILDERS: Mapping[str, str] = {"position": "encode_position", "movement": "encode_movement", "chat": "encode_chat"}


class Disagreement(AssertionError):
    """Our codec and the oracle differ, or two ways through our codec do."""


class Outcome(NamedTuple):
    """``result`` is ``accepted`` or the reason of the refusal, ``place`` a class of its offset; ``excused`` names a
    documented difference."""

    result: str
    place: str
    excused: str | None


def check(cls: type[WireMessage], data: bytes) -> Outcome:
    """Decode, compare every value, encode again, compare the bytes; the same through every entry point."""
    theirs = None
    with suppress(OracleError):
        theirs = read(cls, data)
    ours = _agreed(lambda engine: engine.decode_message(cls, data), "decode_message")
    choice = sum(data[:8]) % (4 * len(OTHER_LIMITS))
    if choice < len(OTHER_LIMITS):
        limits = OTHER_LIMITS[choice]
        _agreed(lambda engine: engine.decode_message(cls, data, limits=limits), f"decode_message under {limits}")
        _agreed(lambda engine: engine.peek(data, limits=limits), f"peek under {limits}")
    if isinstance(ours, DecodeError):
        _same_refusal(cls, data, ours)
        place = _place(ours.offset, len(data))
        if theirs is None:
            return Outcome(ours.reason, place, None)
        return Outcome(ours.reason, place, _excuse(ACCEPTANCE, data, f"refused ({ours}), protobuf accepts"))
    if theirs is None:
        raise Disagreement("accepted, protobuf refuses")
    problem = against_protobuf(ours, theirs)
    if problem is not None:
        raise Disagreement(problem)
    _same_answer(cls, data, ours)
    return Outcome("accepted", "-", _compare_bytes(data, ours, theirs))


def check_message(message: WireMessage, *, sound: bool) -> Outcome:
    """Encode an object: every engine writes the same bytes, or refuses with the same text; then check the bytes.

    A ``sound`` message can be encoded, and decodes as itself.  (True stands for 1 in a doubtful one, and so on.)
    """
    raw = _agreed(lambda engine: engine.encode(message), "encode")
    if isinstance(raw, EncodeError):
        if sound:
            raise Disagreement(f"encode: {raw}")
        return Outcome("not encodable", "-", None)
    outcome = check(type(message), raw)
    if sound and outcome.result == "accepted" and message != strict.decode(type(message), raw, DEFAULT_LIMITS):
        raise Disagreement("encoded, and decoded as another message")
    return outcome


def check_columns(kind: str, packets: list[bytes]) -> None:
    """decode_positions or decode_movements: all engines give the same rows, and those that decode gives."""
    name = f"decode_{kind}s"
    found = {engine.name: getattr(engine, name)(packets) for engine in engines().values()}
    rows = found["python"]
    for other, columns in found.items():
        if columns.dtype != rows.dtype or columns.tobytes() != rows.tobytes():
            raise Disagreement(f"{name}: {other} and python differ")
    fields = FIELDS[MEMBERS[kind]]
    for data, row in zip(packets, rows, strict=True):
        packet = None
        with suppress(DecodeError):
            packet = strict.decode(rfc4.Packet, data, DEFAULT_LIMITS)
        member = None if packet is None else getattr(packet, kind)
        if (member is not None) != row["valid"]:
            raise Disagreement(f"{name}: valid is {row['valid']} for {data.hex()}")
        if packet is None or member is None:
            continue
        wanted = {field.name: getattr(member, field.name) for field in fields}
        wanted["protocol_version"] = packet.protocol_version
        for column, value in wanted.items():
            same = row[column] == value or (value != value and row[column] != row[column])  # noqa: PLR0124  # a NaN
            if not same:
                raise Disagreement(f"{name}: {column} is {row[column]} for {data.hex()}")


def _agreed(call: Callable[[Any], Any], what: str) -> Any:
    """What every engine answers: a value, or the DecodeError or EncodeError that it raised."""
    first: Any = None
    for number, engine in enumerate(engines().values()):
        answer: Any
        try:
            answer = call(engine)
        except (DecodeError, EncodeError) as error:
            answer = error
        if not number:
            first = answer
        elif isinstance(answer, DecodeError | EncodeError):
            if type(answer) is not type(first) or answer.args != first.args:
                raise Disagreement(f"{what}: the engines answer {first!r} and {answer!r}")
        elif not identical(answer, first):
            raise Disagreement(f"{what}: the engines answer {first!r} and {answer!r}")
    return first


def _excuse(known: Iterable[Difference], data: bytes, problem: str) -> str:
    for difference in known:
        if difference.applies(data):
            return difference.name
    raise Disagreement(problem)


def _place(offset: int, length: int) -> str:
    """At the start, at the end, or how many bits the offset has."""
    if offset == length:
        return "end"
    return f"{offset.bit_length()} bits" if offset else "start"


def _buffer(data: bytes) -> memoryview | bytearray | None:
    """One execution in two also comes in another kind of buffer."""
    choice = len(data) & 3
    return memoryview(data) if choice == 0 else bytearray(data) if choice == 1 else None


def _same_refusal(cls: type[WireMessage], data: bytes, error: DecodeError) -> None:
    if not 0 <= error.offset <= len(data):
        raise Disagreement(f"offset {error.offset} outside of {len(data)} bytes")
    other = _buffer(data)
    if other is not None:
        again = _agreed(lambda engine: engine.decode_message(cls, other), "decode_message of a buffer")
        if not isinstance(again, DecodeError) or again.args != error.args:
            raise Disagreement(f"{type(other).__name__} is answered differently")
    if cls is rfc4.Packet:
        again = _agreed(lambda engine: engine.decode_kind(data), "decode_kind")
        if not isinstance(again, DecodeError) or again.args != error.args:
            raise Disagreement("decode_kind and decode_message differ")
        _agreed(lambda engine: engine.peek(data), "peek")


def _same_answer(cls: type[WireMessage], data: bytes, ours: WireMessage) -> None:
    """The fast paths and the strict decoder agree; so do decode, decode_kind, kind_of and peek for a Packet."""
    careful = strict.decode(cls, data, DEFAULT_LIMITS)
    if not identical(careful, ours):
        raise Disagreement("the fast path and the strict decoder differ")
    other = _buffer(data)
    if other is not None and not identical(
        _agreed(lambda engine: engine.decode_message(cls, other), "decode_message of a buffer"), ours
    ):
        raise Disagreement(f"{type(other).__name__} is answered differently")
    if cls is not rfc4.Packet:
        return
    kind, packet = _agreed(lambda engine: engine.decode_kind(data), "decode_kind")
    if not identical(packet, ours):
        raise Disagreement("decode_kind and decode_message differ")
    if len(data) & 1 and not identical(_agreed(lambda engine: engine.decode(data), "decode"), ours):
        raise Disagreement("decode and decode_message differ")
    peeked = _agreed(lambda engine: engine.peek(data), "peek")
    if kind != _agreed(lambda engine: engine.kind_of(packet), "kind_of") or peeked != (kind, packet.protocol_version):
        raise Disagreement(f"peek {peeked}, decode_kind {kind}")
    if (tag13(packet) is None) != (kind != "look_at_position"):
        raise Disagreement("tag13 and kind differ")
    if kind in BUILDERS:
        _same_from_arguments(packet, kind)


def _same_from_arguments(packet: Any, kind: str) -> None:
    """encode_position and its like write what encode writes for the same values."""
    member = getattr(packet, kind)
    bare = rfc4.Packet(protocol_version=packet.protocol_version)
    values = {field.name: getattr(member, field.name) for field in FIELDS[type(member)]}
    setattr(bare, kind, type(member)(**values))
    in_order = [values.pop(name) for name in [*type(member).__dataclass_fields__][: packet.protocol_version % 32]]
    built = _agreed(
        lambda e: getattr(e, BUILDERS[kind])(*in_order, **values, protocol_version=packet.protocol_version),
        BUILDERS[kind],
    )
    if built != _agreed(lambda engine: engine.encode(bare), "encode"):
        raise Disagreement(f"{BUILDERS[kind]} and encode differ")


def _compare_bytes(data: bytes, ours: WireMessage, theirs: Any) -> str | None:
    again = _agreed(lambda engine: engine.encode(ours), "encode")
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
