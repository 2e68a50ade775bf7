"""The strict decoder: any bytes to a message or to one DecodeError, in time linear in their number.

It works on one buffer with indices and never copies a part twice.  Unknown fields (also a known number with another
wire type) are kept per message as runs, and joined once at the end: a message that arrives in a thousand pieces costs
no more than its bytes.
"""

# _unknown_fields is the name that betterproto2 gave it.
# pyright: reportPrivateUsage=false

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING, Any, TypeVar

from dcl_comms_core.codec import scalars
from dcl_comms_core.codec.plans import PLANS, Entry, Plan, Step
from dcl_comms_core.codec.wire import read_size, read_tag, read_varint, skip
from dcl_comms_core.errors import DecodeError

if TYPE_CHECKING:
    from dcl_comms_core.limits import Limits
    from dcl_comms_core.proto.base import WireMessage

    M = TypeVar("M", bound=WireMessage)

__all__ = ["decode"]

_float = Struct("<f").unpack_from
_double = Struct("<d").unpack_from


def decode(cls: type[M], data: bytes, limits: Limits) -> M:
    """One message from all of ``data``."""
    if len(data) > limits.packet_bytes:
        raise DecodeError(f"more than {limits.packet_bytes} bytes", limits.packet_bytes)
    run = _Run(data, limits)
    message = cls()
    run.merge(message, PLANS[cls], 0, len(data), limits.nesting)
    run.settle()
    return message


class _Run:
    """One call: the bytes, what is left of the budget for unknown fields, and their runs so far."""

    __slots__ = ("budget", "data", "limits", "unknown")

    def __init__(self, data: bytes, limits: Limits) -> None:
        self.data = data
        self.limits = limits
        self.budget = limits.unknown_bytes
        self.unknown: dict[int, tuple[Any, list[bytes]]] = {}

    def merge(self, message: Any, plan: Plan, pos: int, end: int, depth: int) -> None:
        """Read ``data[pos:end]`` into ``message``; ``depth`` more levels may open below it."""
        data = self.data
        steps = plan.steps
        pending = -1  # where the current run of unknown fields starts
        while pos < end:
            start = pos
            tag = data[pos]
            pos += 1
            if tag > 127:
                tag, pos = read_tag(data, start, end)
            step = steps.get(tag)
            if step is None:
                pos = skip(data, tag, start, pos, end, depth)
                self.budget -= pos - start
                if self.budget < 0:
                    raise DecodeError(f"unknown fields of more than {self.limits.unknown_bytes} bytes", start)
                if pending < 0:
                    pending = start
                continue
            if pending >= 0:
                self.keep(message, data[pending:start])
                pending = -1
            if tag & 7 == 0:
                value, pos = read_varint(data, pos, end)
                setattr(message, step.name, _number(step, value))
            elif tag & 7 == 2:
                size, pos = read_size(data, pos, end)
                self.delimited(message, step, start, pos, pos + size, depth)
                pos += size
            else:
                size = 8 if tag & 7 == 1 else 4
                if end - pos < size:
                    raise DecodeError("the bytes end inside a number", end)
                setattr(message, step.name, (_double if size == 8 else _float)(data, pos)[0])
                pos += size
        if pending >= 0:
            self.keep(message, data[pending:end])

    def delimited(self, message: Any, step: Step, start: int, pos: int, end: int, depth: int) -> None:
        """A string, bytes, a message or a pair of a map, between ``pos`` and ``end``."""
        plan = step.plan
        if plan is not None:
            if depth == 0:
                raise DecodeError("nested too deeply", start)
            if step.type == "map":
                self.pair(message, step, plan, pos, end, depth)
                return
            if step.repeated:
                inner = plan.make()
                getattr(message, step.name).append(inner)
            else:
                inner = getattr(message, step.name)
                if inner is None:
                    inner = plan.make()
                    setattr(message, step.name, inner)
                    for name in step.siblings:
                        setattr(message, name, None)
            self.merge(inner, plan, pos, end, depth - 1)
            return
        value: bytes | str = self.data[pos:end]
        if step.type == "string":
            value = _text(self.data[pos:end], pos)
        if step.repeated:
            getattr(message, step.name).append(value)
        else:
            setattr(message, step.name, value)

    def pair(self, message: Any, step: Step, plan: Plan, pos: int, end: int, depth: int) -> None:
        """A pair of a map.  One with unknown fields is not a pair to protobuf: all of it is an unknown field."""
        entry: Entry = plan.make()
        self.merge(entry, plan, pos, end, depth - 1)
        held = self.unknown.pop(id(entry), None)
        if held is not None:
            self.keep(message, self.unknown_pair(step, entry, held[1]))
            return
        if entry.value is None:
            entry.value = plan.fill()
        getattr(message, step.name)[entry.key] = entry.value

    def unknown_pair(self, step: Step, entry: Entry, runs: list[bytes]) -> bytes:
        """As upb keeps it: what it understood, written again, then the rest."""
        key = scalars.text if step.field.key == "string" else scalars.number
        parts = [key(1, entry.key)] if entry.key else []
        if step.field.value == "message":
            if entry.value is not None:
                self.settle(entry.value)
                parts.append(scalars.delimited(2, bytes(entry.value)))
        elif entry.value:
            parts.append(scalars.text(2, entry.value))
        return scalars.delimited(step.field.number, b"".join(parts + runs))

    def keep(self, message: Any, unknown: bytes) -> None:
        held = self.unknown.get(id(message))
        if held is None:
            self.unknown[id(message)] = (message, [unknown])
        else:
            held[1].append(unknown)

    def settle(self, only: Any = None) -> None:
        """Give messages their unknown fields: all of them, or one."""
        if only is None:
            for message, runs in self.unknown.values():
                message._unknown_fields = b"".join(runs)
        else:
            held = self.unknown.pop(id(only), None)
            if held is not None:
                only._unknown_fields = b"".join(held[1])


def _number(step: Step, value: int) -> object:
    kind = step.type
    if kind == "uint32":
        return value & 0xFFFF_FFFF
    if kind == "bool":
        return value != 0
    if kind == "uint64":
        return value
    if kind == "int64":
        return value - ((value & 1 << 63) << 1)
    value &= 0xFFFF_FFFF
    if kind == "sint32":
        return value >> 1 ^ -(value & 1)
    value -= (value & 1 << 31) << 1
    return value if step.enum is None else step.enum(value)


def _text(raw: bytes, pos: int) -> str:
    """Valid UTF-8 only; raised outside of the handler, so that no exception holds the bytes."""
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        bad = error.start
    raise DecodeError("text that is not UTF-8", pos + bad)
