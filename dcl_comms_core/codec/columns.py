"""Many Position or Movement packets at once, into a numpy structured array: no object for each packet.

One row for each packet, in order: ``valid``, ``protocol_version``, and the fields of the message under their own names.
A packet that is not valid, or is another kind, has a row of zeros with ``valid`` False: what a peer sends never raises.
A signalling NaN becomes quiet, as in :func:`decode`.

The native codec fills the rows directly.  Without it, packets of one length are compared with a *template*: where all
bytes that are not part of a value agree (tags, sizes, the continuation bits of numbers) a row has exactly the
template's fields, and whole columns are copied.  At most ``TEMPLATES`` are made in one call; what fits none of them is
decoded one by one.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from dcl_comms_core.codec import python
from dcl_comms_core.codec.wire import read_size, read_tag, read_varint
from dcl_comms_core.errors import DecodeError
from dcl_comms_core.limits import DEFAULT_LIMITS, Limits
from dcl_comms_core.proto._gen.rfc4 import Packet
from dcl_comms_core.proto._gen.tables import TABLES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    import numpy as np
    from _typeshed import ReadableBuffer

    Rows = np.ndarray[Any, np.dtype[np.void]]
    Fill = Callable[[str, Sequence[ReadableBuffer], Rows, int, tuple[int, ...], Limits], None]

__all__ = ["TEMPLATES", "columns", "decode_movements", "decode_positions"]

TEMPLATES: Final = 64
_VERSION_TAG: Final = 11 << 3
_FORMATS: Final = {"float": "<f4", "uint32": "<u4", "int32": "<i4", "enum": "<i4", "bool": "?"}
_TABLES: Final = {table.cls: table.fields for table in TABLES}
_MEMBERS: Final = {f.name: f for f in _TABLES[Packet] if f.name in {"position", "movement"}}
_FIELDS: Final = {name: _TABLES[f.message] for name, f in _MEMBERS.items() if f.message is not None}
_WIDE: Final = {"float": 5}
_INFINITE: Final = 0x7F80_0000
_QUIET: Final = 0x0040_0000


def decode_positions(packets: Iterable[ReadableBuffer], *, limits: Limits = DEFAULT_LIMITS) -> Rows:
    """Position packets to columns, with numpy alone: index, position_x ... rotation_w."""
    return columns("position", packets, limits)


def decode_movements(packets: Iterable[ReadableBuffer], *, limits: Limits = DEFAULT_LIMITS) -> Rows:
    """Movement packets to columns, with numpy alone: timestamp, position_x ... is_pointing_at."""
    return columns("movement", packets, limits)


def columns(kind: str, packets: Iterable[ReadableBuffer], limits: Limits, fill: Fill | None = None) -> Rows:
    """The rows, filled by ``fill`` (the native codec's) or by numpy.  ImportError: numpy is not installed."""
    import numpy  # noqa: ICN001, PLC0415  # an extra; only whoever calls this needs it

    given: Sequence[ReadableBuffer] = packets if isinstance(packets, list) else tuple(packets)
    dtype, offsets = _layout(kind)
    rows = numpy.zeros(len(given), dtype)
    if fill is None:
        _fill(numpy, kind, given, rows, limits)
    else:
        fill(kind, given, rows, dtype.itemsize, offsets, limits)
    return rows


@cache
def _layout(kind: str) -> tuple[np.dtype[np.void], tuple[int, ...]]:
    """A row, and the offsets in it of the version, ``valid`` and the fields."""
    import numpy  # noqa: ICN001, PLC0415  # see above

    fields = _FIELDS[kind]
    names = ["protocol_version", *(f.name for f in fields), "valid"]
    formats = ["<u4", *(_FORMATS[f.type] for f in fields), "?"]
    dtype: np.dtype[np.void] = numpy.dtype({"names": names, "formats": formats}, align=True)
    places: Any = dtype.fields
    return dtype, tuple(places[name][1] for name in ("protocol_version", "valid", *(f.name for f in fields)))


def _fill(numpy: Any, kind: str, packets: Sequence[ReadableBuffer], rows: Rows, limits: Limits) -> None:
    given: list[bytes] = [data if type(data) is bytes else _bytes(data) for data in packets]
    lengths = numpy.fromiter(map(len, given), "i8", len(given))
    left = TEMPLATES
    for length in numpy.unique(lengths).tolist():
        if not 0 < length <= limits.packet_bytes:
            continue
        todo = numpy.flatnonzero(lengths == length)
        group: list[bytes] = given if len(todo) == len(given) else [given[at] for at in todo.tolist()]
        # Rows of whole words: comparing a few long columns is faster than many short ones.
        pad = bytes(-length % 8)
        table = numpy.frombuffer(pad.join(group) + pad, "u1").reshape(len(todo), -1)
        alone: list[int] = []
        while len(todo):
            template = _study(kind, given[int(todo[0])]) if left and limits.nesting else None
            if template is None:
                alone += [int(at) for at in (todo if not left else todo[:1])]
                table, todo = (table[:0], todo[:0]) if not left else (table[1:], todo[1:])
                continue
            left -= 1
            odd = _compare(numpy, table, numpy.frombuffer(template.mask + pad, "<u8"))
            if not odd.any():
                _copy(numpy, template, table, rows, todo)
                break
            fits = odd == 0
            _copy(numpy, template, table[fits], rows, todo[fits])
            table, todo = table[~fits], todo[~fits]
        for at in alone:
            _one(kind, given[at], rows[at], limits)


def _compare(numpy: Any, table: Any, mask: Any) -> Any:
    """For each row not 0 where it differs from the first one under the mask."""
    words = table.view("<u8")
    odd = numpy.zeros(len(words), "u8")
    for column, bits in enumerate(mask.tolist()):
        if bits:
            odd |= (words[:, column] ^ words[0, column]) & numpy.uint64(bits)
    return odd


def _bytes(data: ReadableBuffer) -> bytes:
    view = memoryview(data)
    if not view.c_contiguous:
        msg = "the buffer is not contiguous"
        raise BufferError(msg)
    return view.tobytes()


class _Value(NamedTuple):
    name: str
    type: str
    at: int
    width: int


class _Template(NamedTuple):
    """``mask`` covers the bytes that are no values."""

    mask: bytes
    values: list[_Value]


def _study(kind: str, data: bytes) -> _Template | None:
    """Where the values of a packet are; None if it is anything but this member and protocol_version."""
    draft = _Draft(kind, data)
    try:
        return draft.finish() if draft.read_packet() else None
    except (DecodeError, KeyError):
        return None


class _Draft:
    """A template while its packet is read.  KeyError: a field that isn't known."""

    __slots__ = ("data", "fields", "mask", "member", "values")

    def __init__(self, kind: str, data: bytes) -> None:
        self.data = data
        self.fields = {f.number << 3 | _WIDE.get(f.type, 0): f for f in _FIELDS[kind]}
        self.member = _MEMBERS[kind].number << 3 | 2
        self.mask = bytearray(b"\xff" * len(data))
        self.values: list[_Value] = []

    def finish(self) -> _Template:
        return _Template(bytes(self.mask), self.values)

    def read_packet(self) -> bool:
        """True if the member was there."""
        pos, end, seen = 0, len(self.data), False
        while pos < end:
            tag, pos = read_tag(self.data, pos, end)
            if tag == _VERSION_TAG:
                pos = self.number(pos, end, "protocol_version", "uint32")
            elif tag == self.member:
                size, pos = read_size(self.data, pos, end)
                last = pos + size
                while pos < last:
                    pos = self.field(pos, last)
                seen = True
            else:
                return False
        return seen

    def field(self, pos: int, end: int) -> int:
        tag, pos = read_tag(self.data, pos, end)
        field = self.fields[tag]
        if field.type != "float":
            return self.number(pos, end, field.name, field.type)
        if end - pos < 4:
            raise DecodeError("the bytes end inside a number", end)
        self.mask[pos : pos + 4] = bytes(4)
        self.values.append(_Value(field.name, "float", pos, 4))
        return pos + 4

    def number(self, pos: int, end: int, name: str, kind: str) -> int:
        _, after = read_varint(self.data, pos, end)
        self.mask[pos:after] = b"\x80" * (after - pos)
        self.values.append(_Value(name, kind, pos, after - pos))
        return after


def _copy(numpy: Any, template: _Template, table: Any, rows: Any, where: Any) -> None:
    """The values of all rows of ``table`` into the rows ``where`` of the result."""
    count, length = table.shape
    if where[-1] - where[0] == count - 1:
        where = slice(where[0], where[-1] + 1)
    for name, kind, at, width in template.values:
        if kind == "float":
            found = numpy.ndarray((count,), "<u4", table, at, (length,))
            odd = (found & 0x7FFF_FFFF) > _INFINITE
            if odd.any():
                found = numpy.where(odd, found | _QUIET, found)
            found = found.view("<f4")
        elif width == 1:
            found = table[:, at]
        else:
            found = numpy.zeros(count, "u8")
            for i in range(width):
                found |= (table[:, at + i].astype("u8") & numpy.uint64(127)) << numpy.uint64(7 * i)
            if kind != "bool":
                found = found.astype("u4").view(_FORMATS[kind])
        rows[name][where] = found
    rows["valid"][where] = True


def _one(kind: str, data: Any, row: Any, limits: Limits) -> None:
    try:
        packet = python.decode(data, limits=limits)
    except DecodeError:
        return
    message = getattr(packet, kind)
    if message is None:
        return
    row["protocol_version"] = packet.protocol_version
    for field in _FIELDS[kind]:
        row[field.name] = getattr(message, field.name)
    row["valid"] = True
