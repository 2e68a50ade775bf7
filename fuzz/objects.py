"""Message objects to encode: most of them valid, some with one value that no encoder may write."""

# _unknown_fields is the name that betterproto2 gave it.
# pyright: reportPrivateUsage=false

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

from fuzz.compare import FIELDS
from fuzz.generate import unknown

if TYPE_CHECKING:
    from random import Random

    from dcl_comms_core.proto import Field, WireMessage

__all__ = ["build"]

_BITS: Final = {"int32": 32, "enum": 32, "int64": 64, "sint32": 32, "uint32": 32, "uint64": 64}
_GOOD: Final[dict[str, tuple[Any, ...]]] = {
    "bool": (True, False),
    "bytes": (b"", b"x", bytes(127), bytes(128), bytes(16384)),
    "double": (0.0, -0.0, 1.5, float("nan"), float("inf"), 1e308),
    "float": (0.0, -0.0, 1.5, -2.5, float("nan"), float("-inf"), 2.0**-149),
    "string": ("", "a", "é" * 64, "\U0001f600", "x" * 128, "\u2410"),
}
_BAD: Final = (
    None, "text", "\ud800", b"raw", 1.5, 1e39, -1, 1 << 31, 1 << 32, 1 << 63, 1 << 64, -(1 << 63) - 1,
    [], [None], {}, {1: None}, {"\udc00": "x"}, object,
)  # fmt: skip
"""Each of them is wrong for some type of field, and right for another."""


def build(rng: Random, cls: type[WireMessage]) -> tuple[WireMessage, bool]:
    """An object of the class, and whether it is sound: one in four has a doubtful value at some depth."""
    message = _valid(rng, cls)
    sound = rng.random() > 0.25
    if not sound:
        target = message
        while True:
            fields = FIELDS[type(target)]
            if not fields:
                return message, True
            field = rng.choice(fields)
            value = getattr(target, field.name)
            if field.type == "message" and field.presence != "repeated" and value is not None and rng.random() < 0.7:
                target = value
                continue
            setattr(target, field.name, rng.choice(_BAD))
            break
    return message, sound


def _valid(rng: Random, cls: type[WireMessage]) -> WireMessage:
    fields = FIELDS[cls]
    members = [field.name for field in fields if field.presence == "oneof"]
    chosen = rng.choice(members) if members and rng.random() < 0.9 else None
    values = {
        field.name: _field(rng, field)
        for field in fields
        if (field.name == chosen if field.presence == "oneof" else rng.random() < 0.6)
    }
    message = cls(**values)
    if rng.random() < 0.1:
        message._unknown_fields = unknown(rng, cls)
    return message


def _field(rng: Random, field: Field) -> Any:
    if field.presence == "repeated":
        return [_value(rng, field, field.type) for _ in range(rng.randrange(4))]
    if field.presence == "map":
        return {
            _value(rng, field, str(field.key)): _value(rng, field, str(field.value)) for _ in range(rng.randrange(4))
        }
    return _value(rng, field, field.type)


def _value(rng: Random, field: Field, kind: str) -> Any:
    if kind == "message":
        return _valid(rng, cast("type[WireMessage]", field.message))
    if kind in _GOOD:
        return rng.choice(_GOOD[kind])
    number = rng.choice((0, 1, 127, 128, 1 << 14, (1 << _BITS[kind]) - 1, rng.getrandbits(_BITS[kind])))
    if not kind.startswith("u"):
        number -= (number & 1 << _BITS[kind] - 1) << 1
    return field.enum(number) if kind == "enum" and field.enum else number
