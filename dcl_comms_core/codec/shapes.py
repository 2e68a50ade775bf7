"""Position, Movement and MovementCompressed packets read in a few steps, by the shape of ones seen before.

These are most of the traffic, and a sender's packets are alike: the same fields present, so the same tags at the same
indices.  A *shape* is what is constant in such a packet (header, tags, the continuation bits of its numbers) as a mask
over all of its bytes, and what takes out the values, mostly a ``struct``.  A packet of the same length that agrees
under the mask has exactly these fields, so that one comparison validates it whole.

Shapes are learned from packets that the generated decoder has accepted.  At most ``PER_LENGTH`` are kept for a length;
a new one then replaces the oldest, and only one of ``PATIENCE`` misses is studied, so that hostile variety costs
little.  What is known changes the speed of decoding and never its result.
"""

# _unknown_fields is the name that betterproto2 gave it.
# pyright: reportPrivateUsage=false

from __future__ import annotations

from operator import itemgetter
from struct import Struct
from typing import TYPE_CHECKING, Any, Final

from dcl_comms_core.codec import compressed
from dcl_comms_core.codec.shape import Shape, shape
from dcl_comms_core.codec.varints import uint32
from dcl_comms_core.proto._gen.rfc4 import GlideState, Movement, Packet, Position
from dcl_comms_core.proto._gen.tables import TABLES

if TYPE_CHECKING:
    from collections.abc import Callable

    _Reader = Callable[[bytes, int, int, int], tuple[str, Packet] | None]

__all__ = ["KNOWN", "MISSES", "PATIENCE", "PER_LENGTH", "SHAPED", "learning"]

PER_LENGTH: Final = 4
PATIENCE: Final = 8

_CLASSES: Final = {"position": Position, "movement": Movement}
SHAPED: Final = frozenset({*_CLASSES, "movement_compressed"})
_ORDER: Final = {
    "position": tuple(sorted(Position.__dataclass_fields__, key=lambda name: name != "index")),
    "movement": tuple(Movement.__dataclass_fields__),
}
_FIELDS: Final = {
    kind: {(f.number << 3 | (5 if f.type == "float" else 0)): f for table in TABLES if table.cls is cls
           for f in table.fields}
    for kind, cls in _CLASSES.items()
}  # fmt: skip
_DEFAULTS: Final[dict[str, Any]] = {"float": 0.0, "bool": False, "enum": 0, "int32": 0, "uint32": 0}
_VERSION_TAG: Final = 11 << 3
_new: Final = object.__new__
_Packet: Final = Packet
_Position: Final = Position
_Movement: Final = Movement
_GLIDE: Final = tuple(GlideState)


KNOWN: Final[dict[int, tuple[Shape, ...]]] = {}
"""Length of a packet -> its shapes, the newest first."""
MISSES: Final[dict[int, int]] = {}


# In these two, ``arrange`` puts the values that ``unpack`` gives, then ``rest``, into the order of the fields.


def _position(data: bytes, parts: tuple[Any, ...]) -> tuple[str, Packet]:
    index_at: int  # where the index is if it takes more than one byte, else 0
    unpack, arrange, rest, index_at = parts
    m: Position = _new(_Position)
    packet: Packet = _new(_Packet)
    (
        packet.protocol_version, m.index, m.position_x, m.position_y, m.position_z,
        m.rotation_x, m.rotation_y, m.rotation_z, m.rotation_w,
    ) = arrange(unpack(data) + rest)  # fmt: skip
    if index_at:
        m.index = uint32(data, index_at + 1, data[index_at])[0]
    m._unknown_fields = packet._unknown_fields = b""
    packet.position = m
    packet.profile_version = packet.profile_request = packet.profile_response = packet.chat = packet.scene = None
    packet.voice = packet.movement = packet.player_emote = packet.scene_emote = packet.movement_compressed = None
    packet.look_at_position = packet.reaction = packet.chat_reaction = None
    return "position", packet


def _movement(data: bytes, parts: tuple[Any, ...]) -> tuple[str, Packet]:
    unpack, arrange, rest = parts
    m: Movement = _new(_Movement)
    packet: Packet = _new(_Packet)
    (
        packet.protocol_version, m.timestamp, m.position_x, m.position_y, m.position_z,
        m.velocity_x, m.velocity_y, m.velocity_z, m.movement_blend_value, m.slide_blend_value,
        m.is_grounded, m.is_jumping, m.jump_count, m.is_long_jump, m.is_long_fall, m.is_falling, m.is_stunned,
        glide, m.rotation_y, m.is_instant, m.is_emoting, m.head_ik_yaw_enabled, m.head_ik_pitch_enabled,
        m.head_yaw, m.head_pitch, m.point_at_x, m.point_at_y, m.point_at_z, m.is_pointing_at,
    ) = arrange(unpack(data) + rest)  # fmt: skip
    m.glide_state = _GLIDE[glide] if glide < 4 else GlideState(glide)
    m._unknown_fields = packet._unknown_fields = b""
    packet.movement = m
    packet.position = packet.profile_version = packet.profile_request = packet.profile_response = packet.chat = None
    packet.scene = packet.voice = packet.player_emote = packet.scene_emote = packet.movement_compressed = None
    packet.look_at_position = packet.reaction = packet.chat_reaction = None
    return "movement", packet


def learning(kind: str, read: _Reader) -> _Reader:
    """The reader of usual packets with this member, made to study what it has read."""

    def studied(data: bytes, p: int, end: int, version: int) -> tuple[str, Packet] | None:
        found = read(data, p, end, version)
        if found is not None:
            _learn(kind, data, p, end, version)
        return found

    return studied


def _learn(kind: str, data: bytes, start: int, end: int, version: int) -> None:
    """Study a packet that is known to be usual, with its member at ``data[start:end]``."""
    length = len(data)
    missed = MISSES.get(length, 0)
    MISSES[length] = missed + 1
    if missed % PATIENCE == 0:
        if kind == "movement_compressed":
            shape = compressed.study(data, start, end, version)
        else:
            shape = _study(kind, data, start, end)
        if shape is not None:
            KNOWN[length] = (shape, *KNOWN.get(length, ())[: PER_LENGTH - 1])


def _study(kind: str, data: bytes, start: int, end: int) -> Shape | None:
    """The shape; None if a number but Position.index takes more than one byte."""
    fields = _FIELDS[kind]
    mask = bytearray(b"\xff" * len(data))
    form = ["<", f"{start}x"]
    seen: list[str] = []
    index_at = 0
    if data[0] == _VERSION_TAG:
        mask[1] = 0x80
        form[1] = f"xB{start - 2}x"
        seen.append("protocol_version")
    pos = start
    while pos < end:
        tag = data[pos]
        width = 1
        if tag > 127:
            tag += (data[pos + 1] << 7) - 128
            width = 2
        field = fields[tag]
        pos += width
        form.append("x" * width)
        if field.type == "float":
            mask[pos : pos + 4] = bytes(4)
            form.append("f")
            pos += 4
        elif data[pos] < 128:
            mask[pos] = 0xFE if field.type == "bool" else 0x80
            form.append("?" if field.type == "bool" else "B")
            pos += 1
        elif field.name == "index":
            index_at = pos
            while data[pos] > 127:
                mask[pos] = 0x80
                pos += 1
            mask[pos] = 0x80
            pos += 1
            form.append(f"{pos - index_at - 1}xB")
        else:
            return None
        seen.append(field.name)
    if end < len(data):
        mask[end + 1] = 0x80
        form.append("xB")
        seen.append("protocol_version")
    names = ("protocol_version", *_ORDER[kind])
    absent = [name for name in names if name not in seen]
    types = {field.name: field.type for field in fields.values()}
    rest = tuple(_DEFAULTS[types.get(name, "uint32")] for name in absent)
    places = [*seen, *absent]
    unpack = Struct("".join(form)).unpack
    arrange = itemgetter(*(places.index(name) for name in names))
    if kind == "position":
        return shape(data, mask, _position, (unpack, arrange, rest, index_at))
    return shape(data, mask, _movement, (unpack, arrange, rest))
