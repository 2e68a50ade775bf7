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


def is_plain(message: MessageInfo) -> bool:
    """Whether a message has a straight-line decoder of its own."""
    return all(f.presence in {"implicit", "explicit"} for f in message.fields)


def is_choice(message: MessageInfo) -> bool:
    """Whether a message is nothing but one oneof."""
    return bool(message.fields) and all(f.presence == "oneof" for f in message.fields)


def module(files: list[FileInfo]) -> str:
    """The module of decoders."""
    messages = [m for f in files for m in f.messages]
    plain = {m.ref for m in messages if is_plain(m)}
    modules = ", ".join(sorted(f.module for f in files))
    out = [HEAD.format(what=": usual bytes to message objects"), LENIENT, "from __future__ import annotations\n"]
    out += ["from struct import Struct", "from typing import TYPE_CHECKING, Any\n"]
    out += ["from dcl_comms_core.codec import varints", f"from dcl_comms_core.proto._gen import {modules}\n"]
    out += ["if TYPE_CHECKING:", "    from collections.abc import Callable\n"]
    out += ['__all__ = ["CHOICES", "DECODERS", "PACKET_BODIES"]\n']
    out += ['int32_int64_at = Struct("<x5Bx9B").unpack_from']
    out += ['float_at = Struct("<f").unpack_from', 'double_at = Struct("<d").unpack_from']
    out += [f"{name} = varints.{name}" for name in ("size", "uint32", "int32", "uint64", "int64")]
    # Plain global names: looking them up through a class or a module costs more than what they do.
    out += ["new = object.__new__"]
    out += [f"{_function(m.ref)}_class = {m.ref}" for m in messages if m.ref in plain or is_choice(m)]
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
    out += ["PACKET_BODIES: dict[int, tuple[str, Callable[[bytes, int, int], Any]]] = {"]
    out += [f'    {f.tag}: ("{f.name}", {_function(f.ref)}),' for f in packet.sorted if f.ref in plain] + ["}"]
    return "\n".join(out) + "\n"


def _function(ref: str) -> str:
    return ref.replace(".", "_")


def _members(ref: str) -> str:
    return f"_{_function(ref)}"


def _default(field: FieldInfo) -> str:
    is_enum = field.type == "enum" and field.presence == "implicit"
    return f"{_members(field.ref)}_0" if is_enum else default(field)


def _plain(message: MessageInfo) -> list[str]:
    out = [f"def {_function(message.ref)}(data: bytes, p: int, end: int) -> {message.ref} | None:"]
    out += [f"    m = new({message.ref.replace('.', '_')}_class)", f"    {NEXT}"]
    if [f.type for f in message.sorted[:2]] == ["int32", "int64"]:
        out += _two_numbers(message)
    for field in message.sorted:
        first, *rest = field.tag_bytes
        match = f"t == {first}" + "".join(f" and data[p + 1] == {byte}" for byte in rest)
        out += [f"    if {match}:", *("        " + line for line in _value(field, len(field.tag_bytes)))]
        if field is not message.sorted[-1]:
            out += [f"        {NEXT}"]
        out += ["    else:", f"        m.{field.name} = {_default(field)}"]
    return [*out, '    m._unknown_fields = b""', "    return m if p == end else None"]


def _two_numbers(message: MessageInfo) -> list[str]:
    """An int32 of five bytes and an int64 of nine, and nothing else: what MovementCompressed usually is."""
    one, two, *others = message.sorted
    return [
        f"    if end - p == 16 and t == {one.tag} and data[p + 6] == {two.tag}:",
        "        a, b, c, d, e, f, g, h, i, j, k, l, q, r = int32_int64_at(data, p)",
        "        if a & b & c & d & f & g & h & i & j & k & l & q > 127 and e < 8 and r < 128:",
        f"            m.{one.name} = a + (b << 7) + (c << 14) + (d << 21) + (e << 28) - varints.EXTRA5",
        "            low = f + (g << 7) + (h << 14) + (i << 21)",
        "            high = j + (k << 7) + (l << 14) + (q << 21) + (r << 28)",
        f"            m.{two.name} = low + (high << 28) - varints.EXTRA9",
        *(f"            m.{field.name} = {default(field)}" for field in others),
        '            m._unknown_fields = b""',
        "            return m",
    ]


def _value(field: FieldInfo, tag: int) -> list[str]:
    target = f"m.{field.name}"
    if field.type in {"float", "double"}:
        width = 4 if field.type == "float" else 8
        return [f"({target},) = {field.type}_at(data, p + {tag})", f"p += {width + tag}"]
    out = [f"n = data[p + {tag}]", f"p += {tag + 1}"]
    if field.type == "bool":
        return [*out, "if n > 1:", "    return None", f"{target} = n == 1"]
    if field.type in {"uint32", "int32", "uint64", "int64"}:
        return [*out, "if n > 127:", f"    n, p = {field.type}(data, p, n)", f"{target} = n"]
    if field.type == "enum":
        return [*out, "if n > 127:", "    n, p = int32(data, p, n)", f"v = {_members(field.ref)}.get(n)",
                f"{target} = {field.ref}(n) if v is None else v"]  # fmt: skip
    out += LONG_SIZE
    if field.type == "message":
        return [*out, f"s = {_function(field.ref)}(data, p, p + n)", "if s is None:", "    return None",
                f"{target} = s", "p += n"]  # fmt: skip
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
