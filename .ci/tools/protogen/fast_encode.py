"""Write one straight-line encoder per message.

A value that can't be written makes its encoder raise one of ``codec.encode.REFUSALS``; the caller then finds the field
by the tables and raises EncodeError.  So the usual path checks nothing twice.
"""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from protogen.classes import HEAD, LENIENT, default

if TYPE_CHECKING:
    from collections.abc import Iterator

    from protogen.schema import FieldInfo, FileInfo, MessageInfo

VARINT = {"uint32": "uint32", "int32": "int32", "uint64": "uint64", "int64": "int64", "enum": "int32",
          "sint32": "sint32"}  # fmt: skip
DIRECT = {"encode_position": "rfc4.Position", "encode_movement": "rfc4.Movement", "encode_chat": "rfc4.Chat"}
REFUSED = [
    "def refused(packet: rfc4.Packet) -> bytes:",
    '    """The packet that these arguments make can\'t be written: say why."""',
    "    raise EncodeError(refusal.why(packet))",
]


def module(files: list[FileInfo]) -> str:
    """The module of encoders."""
    modules = ", ".join(sorted(f.module for f in files))
    body: list[str] = []
    structs: dict[str, str] = {}
    for message in (m for f in files for m in f.messages):
        body += ["", "", *_message(message, structs)]
    packet = next(m for f in files for m in f.messages if m.ref == "rfc4.Packet")
    for name, ref in DIRECT.items():
        message = next(m for f in files for m in f.messages if m.ref == ref)
        body += ["", "", *_direct(name, packet, message, structs)]
    out = [HEAD.format(what=": message objects to bytes"), LENIENT, "from __future__ import annotations\n"]
    out += ["from math import copysign", "from struct import Struct", "from typing import TYPE_CHECKING, Any\n"]
    out += [
        "from dcl_comms_core.codec import refusal, scalars",
        "from dcl_comms_core.codec.scalars import REFUSALS, SIZES",
    ]
    out += ["from dcl_comms_core.errors import EncodeError"]
    out += [f"from dcl_comms_core.proto._gen import {modules}\n", "if TYPE_CHECKING:"]
    out += [
        "    from collections.abc import Callable\n",
        '__all__ = ["ENCODERS", "encode_chat", "encode_movement", "encode_position"]\n',
    ]
    out += ["size = scalars.size", "flag = scalars.flag", "blob = scalars.blob"]
    out += ["member = scalars.member"]
    out += [f"{name} = scalars.{name}" for name in ("uint32", "int32", "uint64", "int64", "sint32")]
    out += [f'{name} = Struct("{form}").pack' for form, name in structs.items()]
    out += [*body, "", "", "ENCODERS: dict[type, Callable[[Any], bytes]] = {"]
    out += [f"    {m.ref}: {m.module}_{m.name}," for f in files for m in f.messages] + ["}", "", ""]
    out += REFUSED
    return "\n".join(out) + "\n"


def _struct(form: str, structs: dict[str, str]) -> str:
    return structs.setdefault(form, "pack_" + form.removeprefix("<"))


def _message(message: MessageInfo, structs: dict[str, str]) -> list[str]:
    out = [f"def {message.module}_{message.name}(m: {message.ref}) -> bytes:", "    parts: list[bytes] = []"]
    out += ["    put = parts.append", *(["    v: Any"] if message.fields else [])]
    if any(f.group for f in message.fields):
        out += ["    members = 0"]
    out += _fields(message, "m.", structs)
    if any(f.group for f in message.fields):
        out += ["    if members > 1:", "        raise ValueError"]
    out += ["    if m._unknown_fields:", "        put(m._unknown_fields)", '    return b"".join(parts)']
    return out


def _direct(name: str, packet: MessageInfo, message: MessageInfo, structs: dict[str, str]) -> list[str]:
    """An encoder of a whole Packet from arguments."""
    member = next(f for f in packet.fields if f.ref == message.ref)
    version = next(f for f in packet.fields if not f.group)
    out = [
        f"def {name}(",
        *(
            f"    {f.name}: {f.annotation.replace('GlideState', 'rfc4.GlideState')} = {default(f)},"
            for f in message.fields
        ),
    ]
    out += ["    *,", f"    {version.name}: int = 100,", ") -> bytes:"]
    out += [f'    """The bytes of ``Packet({member.name}={message.name}(...), ...)``.  Raises EncodeError."""']
    out += ["    try:", "        parts: list[bytes] = []", "        put = parts.append", "        v: Any"]
    out += ["    " + line for line in _fields(message, "", structs)]
    out += ['        b = b"".join(parts)', "        n = len(b)"]
    out += [f"        parts = [{member.tag_bytes!r} + (SIZES[n] if n < 128 else size(n)) + b]"]
    out += ["        put = parts.append", f"        v = {version.name}"]
    out += ["        " + line for line in _field(version, structs)]
    out += ['        return b"".join(parts)']
    out += ["    except REFUSALS:", "        pass", "    return refused(", "        rfc4.Packet("]
    out += [f"            {member.name}={message.ref}("]
    out += [f"                {f.name}={f.name}," for f in message.fields]
    return [*out, "            ),", f"            {version.name}={version.name},", "        )", "    )"]


def _fields(message: MessageInfo, prefix: str, structs: dict[str, str]) -> list[str]:
    out: list[str] = []
    for run in _runs(message.sorted):
        if len(run) == 1:
            out += [f"    v = {prefix}{run[0].name}", *("    " + line for line in _field(run[0], structs))]
            continue
        # A triple of numbers is usually there as a whole: one pack for all.
        names = [f"v{i}" for i in range(len(run))]
        out += [f"    {name} = {prefix}{field.name}" for name, field in zip(names, run, strict=True)]
        out += [f"    if {' and '.join(names)}:"]
        form = "<" + "".join(("B" if len(f.tag_bytes) == 1 else "H") + "f" for f in run)
        values = ", ".join(f"{_tag(f)}, {name}" for name, f in zip(names, run, strict=True))
        out += [f"        put({_struct(form, structs)}({values}))", "    else:"]
        for name, field in zip(names, run, strict=True):
            out += ["        " + line.replace(" v)", f" {name})").replace("if v ", f"if {name} ")
                    for line in _field(field, structs)]  # fmt: skip
    return out


def _runs(fields: list[FieldInfo]) -> Iterator[list[FieldInfo]]:
    def group(field: FieldInfo) -> object:
        is_axis = field.type == "float" and field.presence == "implicit" and field.name[-2:-1] == "_"
        return field.name[:-2] if is_axis else field.number

    for _, run in groupby(fields, key=group):
        yield list(run)


def _tag(field: FieldInfo) -> int:
    return int.from_bytes(field.tag_bytes, "little")


def _field(field: FieldInfo, structs: dict[str, str]) -> list[str]:  # noqa: PLR0911  # one branch for each kind
    tag = repr(field.tag_bytes)
    if field.presence == "repeated":
        return ["for v in scalars.items(v):", *("    " + line for line in _put(field, tag, structs))]
    if field.presence == "map":
        half = {"string": "text(1, k)", "uint32": "number(1, k)"}[field.key]
        other = {"string": "text(2, v)", "message": ""}[field.value]
        out = ["for k, v in scalars.pairs(v):"]
        other = (
            "scalars." + other if field.value != "message" else f"member(b'\\x12', v, {field.ref}, {_function(field)})"
        )
        return [*out, f"    e = scalars.{half} + {other}", f"    put({tag} + size(len(e)) + e)"]
    if field.presence == "oneof":
        return ["if v is not None:", "    members += 1", *("    " + line for line in _put(field, tag, structs))]
    if field.presence == "explicit":
        return ["if v is not None:", *("    " + line for line in _put(field, tag, structs))]
    if field.type == "bool":
        return ["if v is True or (v is not False and flag(v)):", f"    put({field.tag_bytes + bytes([1])!r})"]
    if field.type in {"float", "double"}:
        # -0.0 is false too, and has to be written.
        return ["if v or copysign(1.0, v) < 0.0:", *("    " + line for line in _put(field, tag, structs))]
    if field.type == "bytes":
        first, *rest = _put(field, tag, structs)
        return [first, "if b:", *("    " + line for line in rest)]
    check = "scalars.utf8" if field.type == "string" else VARINT[field.type]
    empty = [f"elif v.__class__ is not {'str' if field.type == 'string' else 'int'}:", f"    {check}(v)"]
    return ["if v:", *("    " + line for line in _put(field, tag, structs)), *empty]


def _function(field: FieldInfo) -> str:
    return field.ref.replace(".", "_")


def _put(field: FieldInfo, tag: str, structs: dict[str, str]) -> list[str]:
    if field.type == "sint32":
        return [f"put({tag} + sint32(v))"]
    if field.type in VARINT:
        return [f"put({tag} + (SIZES[v] if 0 <= v < 128 else {VARINT[field.type]}(v)))"]
    if field.type in {"float", "double"}:
        form = "<" + ("B" if len(field.tag_bytes) == 1 else "H") + field.type[0]
        return [f"put({_struct(form, structs)}({_tag(field)}, v))"]
    if field.type == "bool":
        return [f"put({field.tag_bytes + bytes([1])!r} if flag(v) else {field.tag_bytes + bytes([0])!r})"]
    if field.type == "message":
        return [f"put(member({tag}, v, {field.ref}, {_function(field)}))"]
    b = "v.encode()" if field.type == "string" else "v if v.__class__ is bytes else blob(v)"
    return [f"b = {b}", "n = len(b)", f"put({tag} + (SIZES[n] if n < 128 else size(n)) + b)"]
