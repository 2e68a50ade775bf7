"""A packet's bytes as a tree: which bytes are which field, what they say, what is not known."""

from __future__ import annotations

import json
import math
import struct
from typing import TYPE_CHECKING, Any, Final

from dcl_comms_core.proto import WireMessage, rfc4
from dcl_comms_station.board.making.schema import fields_of, type_of, unit_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dcl_comms_core.proto import Field

__all__ = ["tree_of"]

_VARINT, _I64, _LEN, _START, _STOP, _I32 = range(6)
_NAMES: Final = {_VARINT: "varint", _I64: "i64", _LEN: "len", _START: "group", _I32: "i32"}
_DEPTH: Final = 10
_VALUE: Final = 200
_LONGEST_VARINT: Final = 10


class _Bad(Exception):
    """Here the bytes are none of it."""


def tree_of(data: bytes, most: int) -> list[dict[str, Any]]:
    """The fields of a Packet, ``most`` of all depths together; the last may be what can't be read."""
    reader = _Reader(data, most)
    return reader.message(0, len(data), rfc4.Packet, 0)


class _Reader:
    def __init__(self, data: bytes, most: int) -> None:
        self._data = data
        self._left = most

    def message(self, at: int, end: int, kind: type[WireMessage] | None, depth: int) -> list[dict[str, Any]]:
        shapes: Mapping[int, Field] = {} if kind is None else fields_of(kind)
        nodes: list[dict[str, Any]] = []
        while at < end and self._left > 0:
            self._left -= 1
            try:
                node, at = self._field(at, end, shapes, depth)
            except _Bad as problem:
                nodes.append(_node("can't be read", 0, "len", (at, end, at), f"{problem}", known=False))
                return nodes
            nodes.append(node)
        return nodes

    def _field(self, begin: int, end: int, shapes: Mapping[int, Field], depth: int) -> tuple[dict[str, Any], int]:
        tag, body = self._varint(begin, end)
        number, wire = tag >> 3, tag & 7
        shape = shapes.get(number)
        name = f"unknown field {number}" if shape is None else shape.name
        if number == 0 or wire not in _NAMES:
            raise _Bad(f"field {number} of wire type {wire} is none")
        if wire == _START:
            raise _Bad(f"field {number} is a group, which nobody sends")
        children: list[dict[str, Any]] | None = None
        value: str | None
        if wire == _VARINT:
            number_read, stop = self._varint(body, end)
            value = _whole(number_read, shape)
            start = body
        elif wire == _LEN:
            size, start = self._varint(body, end)
            stop = start + size
            if stop > end:
                raise _Bad(f"{size} bytes are announced, and {end - start} are there")
            value, children = self._bytes(start, stop, shape, depth)
        else:
            start, stop = body, body + (8 if wire == _I64 else 4)
            if stop > end:
                raise _Bad("the bytes end within a number")
            value = _fixed(self._data[start:stop], shape)
        node = _node(name, number, _NAMES[wire], (begin, stop, start), value, known=shape is not None)
        if shape is not None:
            node["type"], node["unit"] = type_of(shape), unit_of(shape.name)
        node["children"] = children
        return node, stop

    def _bytes(
        self, start: int, stop: int, shape: Field | None, depth: int
    ) -> tuple[str | None, list[dict[str, Any]] | None]:
        raw = self._data[start:stop]
        if shape is not None and shape.message is not None and depth < _DEPTH:
            return None, self.message(start, stop, shape.message, depth + 1)
        if shape is not None and shape.type == "string":
            text = raw.decode(errors="replace")
            return json.dumps(text[:_VALUE], ensure_ascii=False) + ("…" if len(text) > _VALUE else ""), None
        if shape is not None and shape.type not in {"bytes", "string"} and shape.message is None:
            return f"{stop - start} bytes, packed", None
        return raw[: _VALUE // 2].hex() + ("…" if len(raw) > _VALUE // 2 else ""), None

    def _varint(self, at: int, end: int) -> tuple[int, int]:
        value = 0
        for count in range(_LONGEST_VARINT):
            if at + count >= end:
                raise _Bad("the bytes end within a number")
            byte = self._data[at + count]
            value |= (byte & 0x7F) << (7 * count)
            if byte < 0x80:  # noqa: PLR2004 - the last of a varint
                return value & 0xFFFF_FFFF_FFFF_FFFF, at + count + 1
        raise _Bad("a number has more than ten bytes")


def _node(
    name: str, number: int, wire: str, place: tuple[int, int, int], value: str | None, *, known: bool
) -> dict[str, Any]:
    begin, end, body = place
    return {
        "name": name,
        "number": number,
        "wire": wire,
        "from": begin,
        "to": end,
        "body": body,
        "value": value,
        "type": None,
        "unit": None,
        "known": known,
        "children": None,
    }


def _whole(value: int, shape: Field | None) -> str:
    if shape is None:
        return str(value)
    if shape.type == "bool":
        return "true" if value else "false"
    if shape.enum is not None:
        return next((one.name.lower() for one in shape.enum if one.value == value), str(value))
    if shape.type in {"int32", "int64"} and value >= 1 << 63:
        return str(value - (1 << 64))
    if shape.type == "sint32":
        return str((value >> 1) ^ -(value & 1))
    return str(value)


def _fixed(raw: bytes, shape: Field | None) -> str:
    whole, real = ("<i", "<f") if len(raw) == 4 else ("<q", "<d")  # noqa: PLR2004 - bytes of the smaller ones
    if shape is not None and shape.type not in {"float", "double"}:
        return str(struct.unpack(whole, raw)[0])
    number: float = struct.unpack(real, raw)[0]
    # As few digits as give the same bytes again.
    for digits in range(6, 17):
        text = f"{number:.{digits}g}"
        if not math.isfinite(number) or struct.pack(real, float(text)) == raw:
            return text
    return f"{number:.17g}"
