"""Write one straight-line decoder per message, for bytes as every usual encoder writes them.

A decoder takes fields in order of number, each at most once, and nothing unknown.  For anything else it returns None or
raises one of ``codec.varints.UNUSUAL``, and the strict decoder starts again from the first byte.  So these functions
decide nothing about what is valid.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from protogen.classes import HEAD, LENIENT, default

if TYPE_CHECKING:
    from protogen.schema import FieldInfo, FileInfo, MessageInfo

LONG_SIZE = ["if n > 127:", "    b = data[p]", "    if b < 128:", "        n += (b << 7) - 128", "        p += 1",
             "    else:",
             "        n, p = size(data, p, n)"]  # fmt: skip
NEXT = "t = data[p] if p < end else 0"


def plain_refs(messages: list[MessageInfo]) -> set[str]:
    """The messages that have a straight-line decoder of their own.

    Neither they nor what stands in them has a list, a map, or a choice beside other fields.
    """
    plain = {m.ref for m in messages if all(f.presence in {"implicit", "explicit"} for f in m.fields)}
    choices = {m.ref for m in messages if is_choice(m)}
    while True:
        fit = {m.ref for m in messages if m.ref in plain and _inner(m) <= plain | choices}
        if fit == plain:
            return plain
        plain = fit


def _inner(message: MessageInfo) -> set[str]:
    return {f.ref for f in message.fields if f.type == "message"}


def is_choice(message: MessageInfo) -> bool:
    """Whether a message is nothing but one oneof."""
    return bool(message.fields) and all(f.presence == "oneof" for f in message.fields)


def module(files: list[FileInfo]) -> str:
    """The module of decoders."""
    messages = [m for f in files for m in f.messages]
    plain = plain_refs(messages)
    modules = ", ".join(sorted(f.module for f in files))
    out = [HEAD.format(what=": usual bytes to message objects"), LENIENT, "from __future__ import annotations\n"]
    out += ["from struct import Struct", "from typing import TYPE_CHECKING, Any\n"]
    out += ["from dcl_comms_core.codec import varints", f"from dcl_comms_core.proto._gen import {modules}\n"]
    out += ["if TYPE_CHECKING:", "    from collections.abc import Callable\n"]
    out += ['__all__ = ["CHOICES", "DECODERS", "PACKETS"]\n']
    out += ['float_at = Struct("<f").unpack_from', 'double_at = Struct("<d").unpack_from']
    out += [f"{name} = varints.{name}" for name in ("size", "uint32", "int32", "uint64", "int64")]
    # Plain global names: looking them up through a class or a module costs more than what they do.
    out += ["new = object.__new__"]
    out += [
        f"{_function(m.ref)}_class = {m.ref}"
        for m in messages
        if m.ref in plain or is_choice(m) or m.ref == "rfc4.Packet"
    ]
    for ref in sorted({f.ref for m in messages for f in m.fields if f.type == "enum"}):
        out += [f"{_members(ref)} = {{int(member): member for member in {ref}}}", f"{_members(ref)}_0 = {ref}(0)"]
    for message in messages:
        if message.ref in plain:
            out += ["", "", *_plain(message)]
    out += ["", "", "DECODERS: dict[type, Callable[[bytes, int, int], Any]] = {"]
    out += [f"    {m.ref}: {_function(m.ref)}," for m in messages if m.ref in plain] + ["}"]
    for message in messages:
        if is_choice(message):
            out += ["", "", *_choice(message, plain)]
    out += ["", "", "CHOICES: dict[type, Callable[[bytes, int, int], Any]] = {"]
    out += [f"    {m.ref}: {_function(m.ref)}," for m in messages if is_choice(m)] + ["}"]
    packet = next(m for m in messages if m.ref == "rfc4.Packet")
    by_ref = {m.ref: m for m in messages}
    members = [f for f in packet.sorted if f.ref in plain]
    for field in members:
        out += ["", "", *_packet(packet, field, by_ref[field.ref])]
    out += ["", "", "PACKETS: dict[int, Callable[[bytes, int, int, int], tuple[str, rfc4.Packet] | None]] = {"]
    out += [f"    {f.tag}: {_function(packet.ref)}_{f.name}," for f in members] + ["}"]
    return "\n".join(out) + "\n"


def _function(ref: str) -> str:
    return ref.replace(".", "_")


def _members(ref: str) -> str:
    return f"_{_function(ref)}"


def _default(field: FieldInfo) -> str:
    is_enum = field.type == "enum" and field.presence == "implicit"
    return f"{_members(field.ref)}_0" if is_enum else default(field)


def _plain(message: MessageInfo) -> list[str]:
    head = f"def {_function(message.ref)}(data: bytes, p: int, end: int) -> {message.ref} | None:"
    return [head, *_body(message), "    return m if p == end else None"]


def _body(message: MessageInfo) -> list[str]:
    """The fields of a message in ``m``, up to where ``p`` is then."""
    out = [f"    m = new({_function(message.ref)}_class)", *([f"    {NEXT}"] if message.fields else [])]
    for field in message.sorted:
        first, *rest = field.tag_bytes
        match = f"t == {first}" + "".join(f" and data[p + 1] == {byte}" for byte in rest)
        out += [f"    if {match}:", *("        " + line for line in _value(field, len(field.tag_bytes)))]
        if field is not message.sorted[-1]:
            out += [f"        {NEXT}"]
        out += ["    else:", f"        m.{field.name} = {_default(field)}"]
    return [*out, '    m._unknown_fields = b""']


def _packet(packet: MessageInfo, member: FieldInfo, message: MessageInfo) -> list[str]:
    """A Packet with one member between ``p`` and ``end``; that is read right here, as one more call costs too much."""
    others = [f.name for f in packet.sorted if f.presence == "oneof" and f is not member]
    (version,) = (f.name for f in packet.sorted if f.presence != "oneof")
    head = f"def {_function(packet.ref)}_{member.name}(data: bytes, p: int, end: int, version: int)"
    out = [f"{head} -> tuple[str, {packet.ref}] | None:", *_body(message), "    if p != end:", "        return None"]
    out += [f"    packet = new({_function(packet.ref)}_class)", f"    packet.{member.name} = m"]
    for i in range(0, len(others), 4):
        out += ["    " + " = ".join(f"packet.{name}" for name in others[i : i + 4]) + " = None"]
    out += [f"    packet.{version} = version", '    packet._unknown_fields = b""']
    return [*out, f'    return "{member.name}", packet']


def _value(field: FieldInfo, tag: int) -> list[str]:  # noqa: PLR0911  # one for each type
    target = f"m.{field.name}"
    if field.type in {"float", "double"}:
        width = 4 if field.type == "float" else 8
        return [f"({target},) = {field.type}_at(data, p + {tag})", f"p += {width + tag}"]
    out = [f"n = data[p + {tag}]", f"p += {tag + 1}"]
    if field.type == "bool":
        return [*out, "if n > 1:", "    return None", f"{target} = n == 1"]
    if field.type in {"uint32", "int32", "uint64", "int64"}:
        return [*out, "if n > 127:", f"    n, p = {field.type}(data, p, n)", f"{target} = n"]
    if field.type == "sint32":
        return [*out, "if n > 127:", "    n, p = uint32(data, p, n)", f"{target} = n >> 1 ^ -(n & 1)"]
    if field.type == "enum":
        return [*out, "if n > 127:", "    n, p = int32(data, p, n)", f"v{field.number} = {_members(field.ref)}.get(n)",
                f"{target} = {field.ref}(n) if v{field.number} is None else v{field.number}"]  # fmt: skip
    out += LONG_SIZE
    if field.type == "message":
        # A name for each: they are of other types.
        return [*out, f"s{field.number} = {_function(field.ref)}(data, p, p + n)", f"if s{field.number} is None:",
                "    return None", f"{target} = s{field.number}", "p += n"]  # fmt: skip
    text = ".decode()" if field.type == "string" else ""
    return [*out, "q = p + n", f"{target} = data[p:q]{text}", "p = q"]


def _choice(message: MessageInfo, plain: set[str]) -> list[str]:
    name = f"_{_function(message.ref)}_bodies"
    out = [f"{name}: dict[int, tuple[str, Callable[[bytes, int, int], Any]]] = {{"]
    out += [f'    {f.tag}: ("{f.name}", {_function(f.ref)}),' for f in message.sorted if f.ref in plain] + ["}", "", ""]
    out += [f"def {_function(message.ref)}(data: bytes, p: int, end: int) -> {message.ref} | None:"]
    out += [f"    body = {name}.get(data[p])", "    if body is None:", "        return None", "    n = data[p + 1]"]
    out += ["    p += 2", *("    " + line for line in LONG_SIZE), "    if p + n != end:"]
    out += ["        return None", "    v = body[1](data, p, end)", "    if v is None:", "        return None"]
    out += [f"    m = new({message.ref.replace('.', '_')}_class)"]
    out += [f"    m.{field.name} = None" for field in message.sorted]
    return [*out, "    setattr(m, body[0], v)", '    m._unknown_fields = b""', "    return m"]
