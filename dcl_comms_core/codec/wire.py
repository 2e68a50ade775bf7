"""Tags, varints, lengths and unknown fields: strict, bounded, by the rules of protobuf's C runtime, upb.

Offsets in errors: where bytes end too soon, the index where the next byte was needed (the end of the packet, or of the
message inside it); for a length that is too large, where the length starts; for a bad tag, where the tag starts.
"""

from __future__ import annotations

from dcl_comms_core.errors import DecodeError

__all__ = ["read_size", "read_tag", "read_varint", "skip"]

MAX_TAG = (1 << 32) - 1
MASK64 = (1 << 64) - 1


def read_varint(data: bytes, pos: int, end: int) -> tuple[int, int]:
    """A varint of at most 10 bytes; bits beyond the 64th are dropped, as upb does."""
    value = 0
    shift = 0
    while True:
        if pos >= end:
            raise DecodeError("the bytes end inside a number", end)
        byte = data[pos]
        pos += 1
        if byte < 128:
            return (value | byte << shift) & MASK64, pos
        value |= (byte & 127) << shift
        shift += 7
        if shift == 70:
            raise DecodeError("a number of more than 10 bytes", pos - 1)


def read_tag(data: bytes, pos: int, end: int) -> tuple[int, int]:
    """A tag: at most 5 bytes and 32 bits; any of them may be more than it needs."""
    tag, after = read_varint(data, pos, end)
    if after - pos > 5 or tag > MAX_TAG:
        raise DecodeError("a tag of more than 32 bits", pos)
    return tag, after


def read_size(data: bytes, pos: int, end: int) -> tuple[int, int]:
    """A length: at most 5 bytes, and not more than what is left of the message."""
    size, after = read_varint(data, pos, end)
    if after - pos > 5 or size > end - after:
        raise DecodeError("a length beyond the end", pos)
    return size, after


def skip(data: bytes, tag: int, start: int, pos: int, end: int, depth: int) -> int:
    """Step over an unknown field: its tag is at ``start``, ``pos`` is after it, ``depth`` levels are left."""
    if tag < 8:
        raise DecodeError("field number 0", start)
    if tag & 7 == 3:
        return _skip_group(data, tag >> 3, start, pos, end, depth)
    return _skip_value(data, tag, start, pos, end)


def _skip_value(data: bytes, tag: int, start: int, pos: int, end: int) -> int:
    wire = tag & 7
    if wire == 0:
        return read_varint(data, pos, end)[1]
    if wire == 2:
        size, pos = read_size(data, pos, end)
        return pos + size
    if wire == 4:
        raise DecodeError("the end of a group that is not open", start)
    if wire > 5:
        raise DecodeError("an unknown wire type", start)
    pos += 8 if wire == 1 else 4
    if pos > end:
        raise DecodeError("the bytes end inside a number", end)
    return pos


def _skip_group(data: bytes, number: int, start: int, pos: int, end: int, depth: int) -> int:
    """A group up to its end tag.  A stack of our own: nesting costs no recursion.

    upb lets field number 0 pass inside an unknown group, so this does too.
    """
    open_groups = [number]
    while True:
        if len(open_groups) > depth:
            raise DecodeError("nested too deeply", start)
        while True:
            start = pos
            if pos >= end:
                raise DecodeError("the bytes end inside a group", end)
            tag = data[pos]
            pos += 1
            if tag > 127:
                tag, pos = read_tag(data, start, end)
            if tag & 7 == 3:
                open_groups.append(tag >> 3)
                break
            if tag & 7 != 4:
                pos = _skip_value(data, tag, start, pos, end)
            elif open_groups.pop() != tag >> 3:
                raise DecodeError("the end of a group that is not open", start)
            elif not open_groups:
                return pos
